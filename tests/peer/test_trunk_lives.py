"""Trunks that go and come back: OPTIONS, and registrations that outlive their registrar.

The agent's pauses are shortened here: OPTIONS every second instead of every thirty, 0.5 s for an answer.
``SIPAGENT_REGISTRAR_AWAY_S`` sets for how long the registrar is away (default 3); from 60 s on the agent
keeps its own pauses.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sipagent.lab.agent_process import free_udp_port
from tests.peer.carrier import DialAgent, certified_folder, dial_agent, free_ports
from tests.peer.raw_caller import RawCaller
from tests.peer.raw_peer import RawPeer
from tests.peer.sip_programs import kamailio

pytestmark = pytest.mark.peer

USERS = ("office", "proxied", "brief")
REPLY_MS = 500
AWAY_S = int(os.environ.get("SIPAGENT_REGISTRAR_AWAY_S", "3"))
IS_LONG = AWAY_S >= 60
BACK_S = 75 if IS_LONG else 20
"""OPTIONS every 30 s, and time for its answer and the next one, on a busy machine."""


def account(user: str, port: int) -> dict[str, Any]:
    """A trunk that registers."""
    address = f"127.0.0.1:{port}"
    register = {"registrar": f"sip:{address}", "username": user, "expires_s": 60, "retry_s": 5}
    register["password_env"] = f"TEST_PASSWORD_{user.upper()}"
    return {"name": user, "domain": address, "register": register, "reply_ms": REPLY_MS}


@contextmanager
def registering_agent(folder: Path, registrar_port: int, *, options_s: int = 1) -> Iterator[DialAgent]:
    """An agent with an account of each kind, and a trunk whose name nobody knows.

    :param options_s: 0: the trunks' own.
    """
    trunks = [account(user, registrar_port) for user in USERS]
    trunks.append({"name": "lost", "domain": "no-such-host.invalid", "allow_from": ["192.0.2.1/32"]})
    with pytest.MonkeyPatch.context() as environment:
        for user in USERS:
            environment.setenv(f"TEST_PASSWORD_{user.upper()}", f"secret of {user}")
        with dial_agent(certified_folder(folder), free_ports(), trunks, options_s=options_s) as agent:
            yield agent


def wait_for_state(agent: DialAgent, trunk: str, state: str, *, after: int = 0) -> dict[str, Any]:
    """The facts of the trunk's change into this state."""

    def is_it(event: Any) -> bool:
        return bool(event.facts["trunk"] == trunk and event.facts["state"] == state)

    return agent.wait_for("trunk.state", after=after, timeout_s=20, where=is_it).facts


def registration_of(agent: DialAgent, trunk: str, *, after: int = 0, timeout_s: float = 30) -> dict[str, Any]:
    """The facts of the trunk's registration."""

    def is_it(event: Any) -> bool:
        return bool(event.facts["trunk"] == trunk)

    return agent.wait_for("trunk.registered", after=after, timeout_s=timeout_s, where=is_it).facts


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_trunks_register_with_every_challenge(tmp_path: Path, algorithm: str) -> None:
    """401, 407 and 423."""
    port = free_udp_port()
    with kamailio(tmp_path, port, algorithm=algorithm), registering_agent(tmp_path, port) as agent:
        for user in USERS:
            assert registration_of(agent, user)["expires_s"] == (90 if user == "brief" else 60)
        start = len(agent.drain())
        with RawCaller(port, user="office") as caller:
            assert caller.invite().status == 200
            assert agent.wait_for("test.offered", after=start).facts["trunk"] == "office"


def test_registration_outlives_its_registrar(tmp_path: Path) -> None:
    """A registrar that restarts has forgotten everybody: who finds it back registers at once."""
    port = free_udp_port()
    with ExitStack() as stack:
        running = stack.enter_context(ExitStack())
        running.enter_context(kamailio(tmp_path, port))
        agent = stack.enter_context(registering_agent(tmp_path, port))
        wait_for_state(agent, "office", "up")
        lost = wait_for_state(agent, "lost", "down")
        assert lost["reason"].startswith("the name no-such-host.invalid is not found")
        registration_of(agent, "office")
        state = agent.states()["office"]
        assert (state["health"], state["reason"], state["registration"]) == ("up", "answers", "registered")
        assert 0 <= state["round_trip_ms"] < 2000

        start = len(agent.drain())
        running.close()
        down = wait_for_state(agent, "office", "down", after=start)
        assert down["was"] == "up"
        assert agent.states()["office"]["reason"] == down["reason"]

        stack.enter_context(kamailio(tmp_path, port))
        wait_for_state(agent, "office", "up", after=start)
        registration_of(agent, "office", after=start)
        with RawCaller(port, user="office") as caller:
            assert caller.invite().status == 200


def test_registrar_that_is_away_for_long(tmp_path: Path) -> None:
    """Tries grow rarer; who finds the registrar back registers at once."""
    port = free_udp_port()
    with ExitStack() as stack:
        running = stack.enter_context(ExitStack())
        running.enter_context(kamailio(tmp_path, port))
        agent = stack.enter_context(registering_agent(tmp_path, port, options_s=0 if IS_LONG else 1))
        registration_of(agent, "office")
        away_from = len(agent.drain())
        running.close()
        time.sleep(AWAY_S)
        if IS_LONG:
            failures = [
                e.facts["retry_ms"]
                for e in agent.drain()[away_from:]
                if e.event == "trunk.registration_failed" and e.facts["trunk"] == "office"
            ]
            print(f"away for {AWAY_S} s: pauses before the next try {failures} ms")
            assert failures[-1] > failures[0], "ever the same pause"

        back_from, began_s = len(agent.drain()), time.monotonic()
        stack.enter_context(kamailio(tmp_path, port))
        for user in USERS:
            registration_of(agent, user, after=back_from, timeout_s=BACK_S)
        print(f"registered again {time.monotonic() - began_s:.1f} s after the registrar was back")
        for user in USERS:
            with RawCaller(port, user=user) as caller:
                assert caller.invite().status == 200


def test_registration_is_refreshed_before_it_runs_out(tmp_path: Path) -> None:
    """Five seconds before its end, as the same registration (RFC 3261 s10.2.4)."""
    folder, ports = certified_folder(tmp_path), free_ports()
    with pytest.MonkeyPatch.context() as environment, RawPeer(ports.dead) as peer:
        environment.setenv("TEST_PASSWORD_OFFICE", "any")
        with dial_agent(folder, ports, [{**account("office", ports.dead), "options_s": 0}]) as agent:
            requests = []
            for expires_s in (7, 7, 3600):
                requests.append(peer.request("REGISTER"))
                contact = f"{requests[-1].get('contact').partition('>')[0]}>;expires={expires_s}"
                peer.answer(requests[-1], "200 OK", ("Contact", contact))
            assert {one.get("call-id") for one in requests} == {requests[0].get("call-id")}
            numbers = [int(one.get("cseq").split()[0]) for one in requests]
            assert numbers == sorted(set(numbers))
            agent.wait_for("trunk.registered", where=lambda e: e.facts["expires_s"] == 3600)
            assert not [e for e in agent.drain() if e.event == "trunk.registration_failed"]


def test_one_lost_options_is_no_alarm_and_a_silent_peer_is(tmp_path: Path) -> None:
    folder, ports = certified_folder(tmp_path), free_ports()
    trunk = {"name": "silent", "domain": f"127.0.0.1:{ports.dead}", "reply_ms": REPLY_MS}
    with RawPeer(ports.dead) as peer, dial_agent(folder, ports, [trunk], options_s=1) as agent:
        peer.answer(peer.request("OPTIONS"))
        wait_for_state(agent, "silent", "up")
        first = peer.request("OPTIONS").get("call-id")
        again = peer.request("OPTIONS")
        while again.get("call-id") == first:  # sent again, as UDP wants it
            again = peer.request("OPTIONS")
        peer.answer(again)
        down = wait_for_state(agent, "silent", "down")
        assert down["reason"] == f"no answer within {REPLY_MS} ms"
        states = [e.facts["state"] for e in agent.drain() if e.event == "trunk.state"]
        assert states == ["up", "down"]
