"""The gate in a running worker: strangers over UDP and TCP, bans, passwords, storms of calls."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sipagent.sip.digest import authorization
from tests.fakes.sip_mutations import Home, plain_invite
from tests.peer.modelless import modelless_worker
from tests.peer.raw_caller import RawCaller
from tests.peer.running_agent import LOOPBACK, RunningAgent
from tests.peer.sip_attack import Attacker
from tests.peer.sip_programs import baresip

pytestmark = pytest.mark.peer

TRUNK, STRANGER, OTHER = "127.0.0.9", "127.0.0.1", "127.0.0.3"
"""baresip is the stranger: it calls from 127.0.0.1."""
HOME = Home(OTHER, 5060, f"sip:100@{OTHER}")
PASSWORD = "correct.horse"
TRUNKS = [{"name": "office", "domain": TRUNK, "allow_from": [f"{TRUNK}/32"]}]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    """A worker with one trunk and one caller who has a password."""
    changes: dict[str, Any] = {
        "trunks": TRUNKS,
        "security.callers": [{"username": "jo", "password_env": "TEST_PASSWORD_JO", "trunk": "office"}],
        "security.ban": {"failures": 6, "window_s": 60, "first_s": 2},
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TEST_PASSWORD_JO", PASSWORD)
        with modelless_worker(tmp_path_factory.mktemp("guarded"), changes) as worker:
            yield worker


def test_caller_with_the_password_gets_in_from_anywhere(guarded: RunningAgent) -> None:
    with RawCaller(guarded.port, host=OTHER) as caller:
        challenge = caller.invite()
        assert challenge.status == 401
        (offered,) = challenge.get_all("www-authenticate")
        uri = f"sip:+15550100123@{LOOPBACK}:{guarded.port}"
        value = authorization(offered, method="INVITE", uri=uri, username="jo", password=PASSWORD, cnonce="x")
        caller.request("INVITE", caller.sdp(), extra=(("Authorization", value),))
        answer = caller.answer("INVITE")
        caller.ack(answer)
        assert answer.status == 200
        assert caller.bye().status == 200


@pytest.mark.parametrize(("password", "is_let_in"), [(PASSWORD, True), ("guessed", False)])
def test_baresip_with_a_password(
    guarded: RunningAgent, tmp_path: Path, password: str, *, is_let_in: bool
) -> None:
    start = len(guarded.drain())
    login = f"auth_user=jo;auth_pass={password}"
    silence = np.zeros(16_000, dtype=np.int16)
    uri = f"sip:100@{LOOPBACK}:{guarded.port}"
    with baresip(tmp_path, uri, codec="PCMU/8000/1", rate_hz=8000, speech=silence, login=login):
        refusal = guarded.wait_for("call.refused", after=start).facts
        assert refusal["rule"] == "security.callers: no credentials", "it is asked first"
        if is_let_in:
            guarded.wait_for("call.offered", after=start)
        else:
            guarded.wait_for(
                "call.refused", after=start, where=lambda e: e.facts["rule"].endswith("wrong credentials")
            )
            assert not [event for event in guarded.drain()[start:] if event.event == "call.offered"]


def test_stranger_is_not_connected_over_tcp(guarded: RunningAgent) -> None:
    for host, is_let_in in ((TRUNK, True), (OTHER, False)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as caller:
            caller.bind((host, 0))
            caller.settimeout(1)
            if is_let_in:
                caller.connect((LOOPBACK, guarded.port))
            else:
                with pytest.raises(TimeoutError):
                    caller.connect((LOOPBACK, guarded.port))


def test_stranger_who_goes_on_is_banned_then_released(guarded: RunningAgent) -> None:
    start = len(guarded.drain())
    with RawCaller(guarded.port, host="127.0.0.4") as scanner:
        for _ in range(6):
            scanner.request("OPTIONS")
            assert scanner.answer("OPTIONS").status == 403
        facts = guarded.wait_for("source.banned", after=start).facts
        assert (facts["source"], facts["ban_s"], facts["failures"]) == ("127.0.0.4", 2, 6)
        scanner.request("OPTIONS")
        with pytest.raises(AssertionError, match="no answer"):
            scanner.answer("OPTIONS", 0.3)
        assert guarded.wait_for("source.released", after=start).facts["source"] == "127.0.0.4"
        scanner.request("OPTIONS")
        assert scanner.answer("OPTIONS").status == 403


def test_dropped_strangers_do_not_reach_the_library(tmp_path: Path) -> None:
    """In the kernel: only what looks like an answer to us comes in from elsewhere."""
    changes = {"trunks": TRUNKS, "security.strangers": "drop"}
    with (
        modelless_worker(tmp_path, changes) as worker,
        RawCaller(worker.port, host=OTHER) as stranger,
        RawCaller(worker.port, host=TRUNK) as trunk,
    ):
        stranger.request("INVITE", stranger.sdp())
        answer = b"SIP/2.0 200 OK" + plain_invite(HOME, "x").partition(b" SIP/2.0")[2]
        stranger.send(answer.replace(b"From: <sip:raw@127.0.0.3:5060>", b"From: <sip:raw@999.1.1.1>"))
        assert trunk.invite().status == 200
        assert trunk.bye().status == 200
        with pytest.raises(AssertionError, match="no answer"):
            stranger.answer("INVITE", 0.3)
        refused = [e.facts["method"] for e in worker.drain() if e.event == "message.refused"]
        assert refused == ["response"], "its From is no address"
        assert not [event for event in worker.drain() if event.event == "call.refused"]


def test_storm_of_calls_gets_503_and_passes_by(tmp_path: Path) -> None:
    """Two hundred calls a second that nobody acknowledges: far more than the bare library survives."""
    with modelless_worker(
        tmp_path, {"security.requests_per_s": 1000, "security.total_requests_per_s": 1000}
    ) as worker:
        attacker = Attacker(worker.port)
        end = time.monotonic() + 2
        number = 0
        while time.monotonic() < end:
            number += 1
            attacker.send_call(number)
            time.sleep(0.005)
        assert attacker.answers[503] > number // 2
        assert attacker.is_answered(10)
        assert worker.child.status is None
        deadline = time.monotonic() + 30
        status = 0
        while status != 200 and time.monotonic() < deadline:  # those that never acknowledged are let go
            attacker.drain(0.5)
            with RawCaller(worker.port) as caller:
                status = caller.invite().status
        attacker.close()
    assert status == 200
