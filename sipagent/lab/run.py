"""``sipagent lab``: the agent in one process, a scripted caller in another, a real call between them."""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console

from sipagent.config.load import load_config
from sipagent.config.schema import persona_for
from sipagent.errors import SipAgentError
from sipagent.lab.agent_process import AgentOptions, start_agent, wait_ready
from sipagent.lab.child import Child, ChildEvent, Events
from sipagent.lab.conversation import join
from sipagent.lab.impairments import Impairments
from sipagent.lab.live import LiveView, show_expectations, summary_line
from sipagent.lab.place_call import PlacedCall, place_calls
from sipagent.lab.plan import CallPlan, PlannedLine, Trigger
from sipagent.lab.scenario import LineConfig, Scenario, find_scenario, load_scenario
from sipagent.lab.transcript import unmet_expectations, write_transcript
from sipagent.lab.voices import line_files, unlike, without_pauses


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What ``sipagent lab`` was asked to do."""

    scenario: str
    agent: AgentOptions
    out_dir: Path
    impairments: Impairments


def run_lab(options: LabOptions, console: Console) -> int:
    """Run one scenario and leave its files in ``out_dir``.

    :returns: 0: the call was held; 1: it was not answered, or no reply was heard.
    :raises ConfigError: the scenario or ``sip.yaml`` is not usable.
    :raises SipAgentError: the agent did not come up, or ended during the call.
    """
    path = find_scenario(options.scenario)
    scenario = load_scenario(path)
    title = scenario.name or path.stem
    with console.status("Preparing the caller's lines …"):
        wavs = line_files(scenario.lines, unlike(_agent_voice(options.agent, scenario.to), scenario.voice))
    options.out_dir.mkdir(parents=True, exist_ok=True)
    events: Events = Events()
    view = LiveView(console)
    with terminating(), started_agent(options.agent, events, console) as agent:
        console.rule(f"[bold]{title}")
        plan = plan_call(scenario, wavs, sip_uri(scenario.to, agent.udp), options.impairments)
        calls, agent_events = place_calls([("", plan)], events, options.out_dir, view.show)
    return _finish(calls[0], agent_events, scenario, title, console)


def _agent_voice(agent: AgentOptions, number: str) -> str:
    persona = persona_for(load_config(agent.config), number)
    if persona is None:
        raise SipAgentError(f"lab: {agent.config} has no entry of numbers for {number!r}")
    return persona.voice


def plan_call(scenario: Scenario, wavs: list[Path], uri: str, impairments: Impairments) -> CallPlan:
    """The scenario with its recordings, for the caller's process."""
    return CallPlan(
        uri=uri,
        lines=tuple(_planned(line, wav) for line, wav in zip(scenario.lines, wavs, strict=True)),
        caller_hangs_up=scenario.hang_up == "caller",
        reply_silence_ms=scenario.reply_silence_ms,
        reply_timeout_ms=scenario.reply_timeout_ms,
        max_call_ms=scenario.max_call_s * 1000,
        impairments=impairments,
    )


def _planned(line: LineConfig, wav: Path) -> PlannedLine:
    text = without_pauses(line.words)
    if line.after_ms is not None:
        return PlannedLine(text, str(wav.absolute()), Trigger.AFTER, line.after_ms)
    if line.barge_in_after_ms is not None:
        return PlannedLine(text, str(wav.absolute()), Trigger.BARGE_IN, line.barge_in_after_ms)
    return PlannedLine(text, str(wav.absolute()))


def sip_uri(to: str, udp: str) -> str:
    """The address to dial: ``to`` itself if it is one, else that user at the agent's socket."""
    return to if to.startswith("sip:") else f"sip:{to}@{udp}"


@dataclass(frozen=True, slots=True)
class RunningAgent:
    """An agent that is ready for calls."""

    udp: str
    """Where it takes SIP, as ``127.0.0.1:5060``."""
    ready_ms: float
    """From its start until it was ready, by its own account."""
    pid: int


@contextmanager
def started_agent(options: AgentOptions, events: Events, console: Console) -> Iterator[RunningAgent]:
    """The agent, ready. Ended on the way out, whatever happens.

    :raises AgentFailed: it did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="sipagent-ledger-", ignore_cleanup_errors=True) as ledger_dir:
        agent = start_agent(options, events, Path(ledger_dir))
        try:
            yield _await(agent, events, console)
        finally:
            with console.status("Ending the agent …"):
                agent.stop()


def _await(agent: Child, events: Events, console: Console) -> RunningAgent:
    began_s = time.monotonic()
    with console.status("Starting the agent: loading its models …"):
        ready = wait_ready(agent, events)
    ready_ms = float(ready.get("ready_ms") or (time.monotonic() - began_s) * 1000)
    udp = str(ready["udp"])
    console.print(f"[dim]agent ready after {ready_ms / 1000:.1f} s on {udp}[/dim]")
    assert agent.pid is not None
    return RunningAgent(udp, ready_ms, agent.pid)


@contextmanager
def terminating() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process as Ctrl-C does, so that its children are ended too."""

    def on_signal(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _finish(
    call: PlacedCall, agent_events: list[ChildEvent], scenario: Scenario, title: str, console: Console
) -> int:
    if not call.was_answered or call.measured is None:
        raise SipAgentError(f"lab: {call.failure or 'the call was not answered'}")
    conversation = join(call.measured, agent_events)
    write_transcript(conversation, title, call.folder)
    with console.status("Drawing the timeline …"):
        from sipagent.lab.timeline import draw_timeline  # matplotlib takes half a second to import

        draw_timeline(conversation, call.folder / "call.wav", call.folder / "timeline.png", title=title)
    console.rule()
    show_expectations(console, unmet_expectations(conversation, scenario.lines))
    console.print(summary_line(conversation), style="bold")
    for name in ("call.wav", "transcript.txt", "transcript.json", "timeline.png"):
        console.print(f"  {call.folder / name}", highlight=False)
    return 0 if conversation.v2v_ms else 1
