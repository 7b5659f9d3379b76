"""Trunks that register, at Kamailio with digest: registered, called through it, refused, de-registered."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sipagent.lab.softphone import Softphone
from tests.peer.raw_caller import RawCaller
from tests.peer.running_agent import RunningAgent, running_agent
from tests.peer.sip_programs import kamailio

pytestmark = pytest.mark.peer

WRONG = "wrong"


@dataclass
class Registered:
    """An agent with trunks that register, and the port of their registrar."""

    agent: RunningAgent
    registrar_port: int


def trunk(username: str, registrar_port: int, *, transport: str = "udp") -> dict[str, Any]:
    """An entry of ``trunks``; the test's variables hold the passwords."""
    address = f"127.0.0.1:{registrar_port}"
    account = {"registrar": f"sip:{address}", "username": username, "expires_s": 60, "retry_s": 5}
    account["password_env"] = f"TEST_PASSWORD_{username.upper()}"
    return {"name": username, "domain": address, "transport": transport, "register": account}


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    with pytest.MonkeyPatch.context() as environment, kamailio(tmp_path_factory.mktemp("registrar")) as port:
        for username in ("office", "branch", "late", "gone"):
            environment.setenv(f"TEST_PASSWORD_{username.upper()}", f"secret of {username}")
        environment.setenv(f"TEST_PASSWORD_{WRONG.upper()}", "guessed")
        trunks = [trunk(name, port) for name in ("office", WRONG, "late", "gone")]
        trunks.append(trunk("branch", port, transport="tcp"))
        with running_agent(tmp_path_factory.mktemp("agent"), {"trunks": trunks}) as agent:
            yield Registered(agent, port)


def event_of(registered: Registered, event: str, trunk: str, *, timeout_s: float = 20) -> dict[str, Any]:
    """The facts of the first such event of a trunk."""
    found = registered.agent.wait_for(event, timeout_s=timeout_s, where=lambda e: e.facts["trunk"] == trunk)
    return found.facts


@pytest.mark.parametrize("username", ["office", "branch"])
def test_trunk_registers_and_is_called_through_its_registrar(registered: Registered, username: str) -> None:
    assert event_of(registered, "trunk.registered", username)["expires_s"] == 60
    start = len(registered.agent.drain())
    with Softphone() as phone:
        phone.call(f"sip:{username}@127.0.0.1:{registered.registrar_port}")
        assert phone.run(until=lambda: phone.is_up, timeout_ms=10_000), phone.result
        assert phone.run(until=lambda: bool(phone.spans()), timeout_ms=10_000), "no greeting"
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)
    assert registered.agent.wait_for("call.started", after=start).facts["pii_to"] == username
    assert registered.agent.wait_for("call.ended", after=start).facts["cause"] == "caller hung up"


def test_wrong_password_is_told_in_words_and_harms_nobody(registered: Registered) -> None:
    failure = event_of(registered, "trunk.registration_failed", WRONG)
    assert (failure["level"], failure["status"], failure["reason"]) == ("warning", 401, "Unauthorized")
    with RawCaller(registered.registrar_port, user=WRONG) as caller:
        assert caller.invite().status == 404
    with RawCaller(registered.agent.port) as caller:
        assert caller.options().status == 200


def test_registrar_that_refuses_at_first_is_asked_again(registered: Registered) -> None:
    assert event_of(registered, "trunk.registration_failed", "late")["status"] == 403
    event_of(registered, "trunk.registered", "late")


def test_registrar_that_never_answers_is_told(registered: Registered) -> None:
    assert event_of(registered, "trunk.registration_failed", "gone")["status"] == 408


def test_shutdown_deregisters_even_when_challenged_again(registered: Registered) -> None:
    """The last test of the module: it ends the agent."""
    agent = registered.agent
    for username in ("office", "branch"):
        event_of(registered, "trunk.registered", username)
    assert agent.child.pid is not None
    os.kill(agent.child.pid, signal.SIGTERM)
    for username in ("office", "branch"):
        event_of(registered, "trunk.unregistered", username)
    assert agent.wait_for("child.exited").facts["status"] == 0
    for username in ("office", "branch"):
        with RawCaller(registered.registrar_port, user=username) as caller:
            assert caller.invite().status == 404
