"""``sipagent lab --listen``: leave the agent running and tell how to call it by hand."""

import socket

from rich.console import Console

from sipagent.errors import SipAgentError
from sipagent.lab.agent_process import AGENT, AgentOptions, next_event
from sipagent.lab.child import EXITED, Events
from sipagent.lab.live import LiveView
from sipagent.lab.run import started_agent, terminating

_ANY = ("0.0.0.0", "")


def run_listening(options: AgentOptions, console: Console, *, to: str = "receptionist") -> int:
    """Show every call until Ctrl-C.

    :raises SipAgentError: the agent did not come up, or ended by itself.
    """
    events: Events = Events()
    with terminating(), started_agent(options, events, console) as agent:
        uri = f"sip:{to}@{reachable(agent.udp)}"
        console.print(f"\nDial [bold green]{uri}[/bold green] from any SIP phone in this network:")
        console.print("  Linphone: add a contact with that address and call it; no account is needed.")
        console.print(f"  baresip:  baresip -e '/dial {uri}'", highlight=False)
        console.print("[dim]Ctrl-C ends the agent.[/dim]\n")
        _show_calls(events, console)
    return 0


def _show_calls(events: Events, console: Console) -> None:
    view = LiveView(console)
    while True:
        event = next_event(events, 3600.0)
        if event is None:
            continue
        if event.event == EXITED:
            raise SipAgentError(f"lab: the agent ended with status {event.facts['status']}")
        if event.source == AGENT and event.event == "call.started":
            view.begin(event.facts["at_ms"])
            console.rule(f"call from {event.facts.get('pii_from', 'somebody')}")
        view.show(event)


def reachable(udp: str) -> str:
    """The agent's socket as others reach it: an address of this machine instead of 0.0.0.0."""
    host, _, port = udp.rpartition(":")
    return f"{_own_address() if host in _ANY else host}:{port}"


def _own_address() -> str:
    """The address of the default route; loopback without a network. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address that is nobody's
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
