"""Real calls to the real agent: greeted, heard, answered, interrupted, said goodbye to."""

import os
import random
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from sipagent.bench.wer import word_error_rate
from sipagent.lab.sip_leg import EndedBy
from sipagent.lab.softphone import Softphone
from sipagent.media.wav import read_wav
from sipagent.units import monotonic_ms
from tests.peer.running_agent import CLIPS, RunningAgent, clip_text, running_agent

pytestmark = pytest.mark.peer

LONG_MS = 60_000


def up_and_greeted(phone: Softphone, agent: RunningAgent) -> None:
    phone.call(agent.uri())
    assert phone.run(until=lambda: phone.is_up, timeout_ms=LONG_MS), phone.result
    assert phone.run(until=lambda: is_quiet(phone), timeout_ms=LONG_MS)


def is_quiet(phone: Softphone) -> bool:
    """The agent has spoken and has been silent long enough not to be between two clauses."""
    spans = phone.line.spans
    silent_ms = monotonic_ms() - spans.finished[-1].end_ms if spans.finished else 0
    return spans.speaking_since_ms is None and silent_ms > 800


def ask(phone: Softphone, clip: str) -> bool:
    """Say a clip; True when the agent has said something after it."""
    spans = len(phone.spans())
    phone.say(read_wav(CLIPS / clip))
    return phone.run(until=lambda: len(phone.spans()) > spans, timeout_ms=LONG_MS)


@pytest.mark.parametrize("clip", ["hours-hibari-1.0.wav", "hours-flite-rms.wav", "human-0890.wav"])
def test_caller_is_greeted_understood_and_answered(agent: RunningAgent, clip: str) -> None:
    start = len(agent.drain())
    with Softphone() as phone:
        up_and_greeted(phone, agent)
        assert ask(phone, clip)
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)
    heard = agent.wait_for("turn.heard", after=start).facts["pii_text"]
    assert word_error_rate(clip_text(clip), heard) <= 0.35
    stamps = agent.wait_for("turn.answered", after=start).facts["stamps"]
    assert stamps["speech_end"] < stamps["pause"] <= stamps["stt_final"] <= stamps["first_rtp"]
    ended = agent.wait_for("call.ended", after=start).facts
    assert (ended["cause"], ended["rx_overrun_samples"]) == ("caller hung up", 0)


def test_goodbye_of_the_caller_ends_the_call_from_our_side(agent: RunningAgent) -> None:
    start = len(agent.drain())
    with Softphone() as phone:
        up_and_greeted(phone, agent)
        phone.say(read_wav(CLIPS / "bye-hibari-1.0.wav"))
        assert phone.run(until=lambda: phone.is_over, timeout_ms=LONG_MS)
        assert phone.result is not None
        assert phone.result.by is EndedBy.AGENT
        assert len(phone.spans()) >= 2, "the goodbye must be heard before the BYE"
    assert agent.wait_for("call.ended", after=start).facts["cause"] == "agent hung up"


def test_barge_in_silences_the_agent_and_the_history_keeps_what_was_heard(agent: RunningAgent) -> None:
    start = len(agent.drain())
    with Softphone() as phone:
        phone.call(agent.uri())
        assert phone.run(until=lambda: phone.line.spans.speaking_since_ms is not None, timeout_ms=LONG_MS)
        phone.say(read_wav(CLIPS / "hours-hibari-1.0.wav"))
        agent_fell_silent = phone.run(until=lambda: bool(phone.line.spans.finished), timeout_ms=LONG_MS)
        assert agent_fell_silent
        assert phone.run(until=lambda: len(phone.spans()) > 1, timeout_ms=LONG_MS)
    spoken = agent.wait_for("turn.spoken", after=start).facts
    assert spoken["interrupted"] is True
    assert "Maple Street Dental, how can I help?".startswith(spoken["pii_text"])
    assert len(spoken["pii_text"]) < len("Maple Street Dental, how can I help?")


def test_four_calls_at_once_are_all_answered(agent: RunningAgent) -> None:
    start = len(agent.drain())
    outcomes: list[bool] = []

    def call(delay_ms: int) -> None:
        with Softphone() as phone:
            up_and_greeted(phone, agent)
            phone.run(until=lambda: False, timeout_ms=delay_ms)
            outcomes.append(ask(phone, "hours-hibari-1.0.wav"))

    callers = [threading.Thread(target=call, args=(200 * n,)) for n in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=120)
    assert outcomes == [True] * 4
    assert sum(e.event == "turn.answered" for e in agent.drain()[start:]) >= 4


def test_silent_caller_is_asked_then_let_go(tmp_path: Path) -> None:
    changes = {"personas.receptionist.no_input": {"after_ms": 2000, "prompts": ["Hello?", "Goodbye."]}}
    with running_agent(tmp_path, changes) as agent, Softphone() as phone:
        phone.call(agent.uri())
        assert phone.run(until=lambda: phone.is_over, timeout_ms=LONG_MS)
        assert phone.result is not None
        assert phone.result.by is EndedBy.AGENT
        agent.wait_for("turn.spoken", where=lambda e: e.facts["pii_text"] == "Goodbye.")


def test_longest_call_and_sigterm_end_politely(tmp_path: Path) -> None:
    with running_agent(tmp_path, {"personas.receptionist.max_call_s": 10}) as agent:
        with Softphone() as phone:
            phone.call(agent.uri())
            assert phone.run(until=lambda: phone.is_over, timeout_ms=LONG_MS)
            goodbye = agent.wait_for("turn.spoken", where=lambda e: "Goodbye" in e.facts["pii_text"])
            assert goodbye.facts["interrupted"] is False
        start = len(agent.drain())
        with Softphone() as phone:
            up_and_greeted(phone, agent)
            assert agent.child.pid is not None
            os.kill(agent.child.pid, signal.SIGTERM)
            assert phone.run(until=lambda: phone.is_over, timeout_ms=15_000)
            assert len(phone.spans()) >= 2, "a goodbye before the BYE"
        agent.wait_for("agent.stopped", after=start)
        assert agent.wait_for("child.exited", after=start).facts["status"] == 0


def test_callers_who_hang_up_at_any_moment_leave_nothing_behind(agent: RunningAgent) -> None:
    """200 calls ended during the greeting, mid-word, while the model writes, or before the answer."""
    moments = random.Random(7)
    speech = read_wav(CLIPS / "hours-hibari-1.0.wav")

    def call() -> None:
        with Softphone() as phone:
            phone.call(agent.uri())
            if moments.random() < 0.1:
                phone.cancel()
                phone.run(until=lambda: phone.is_over, timeout_ms=5000)
                return
            assert phone.run(until=lambda: phone.is_up, timeout_ms=10_000), phone.result
            if moments.random() < 0.3:
                phone.say(speech)
                phone.run(until=lambda: False, timeout_ms=moments.uniform(0, 3500))
            else:
                phone.run(until=lambda: False, timeout_ms=moments.uniform(0, 200))
            phone.hang_up()
            assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)

    for _ in range(20):
        call()
    settled(agent)
    before = (agent.threads, agent.file_descriptors, agent.rss_kib)
    for _ in range(180):
        call()
    settled(agent)
    print(
        "threads, descriptors, RSS KiB:", before, "→", (agent.threads, agent.file_descriptors, agent.rss_kib)
    )
    assert agent.threads <= before[0]
    assert agent.file_descriptors <= before[1]
    assert agent.rss_kib <= before[2] + 40 * 1024


def settled(agent: RunningAgent) -> None:
    """Wait until every call that began has ended."""
    for _ in range(500):
        log = agent.drain()
        if sum(e.event == "call.started" for e in log) == sum(e.event == "call.ended" for e in log):
            return
        time.sleep(0.02)
    raise AssertionError("calls are still in progress")


def test_garbage_on_the_rtp_port_does_not_disturb_the_call(agent: RunningAgent) -> None:
    garbage = random.Random(11)
    with Softphone() as phone, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        up_and_greeted(phone, agent)
        assert phone.leg.remote is not None
        for _ in range(500):
            size = garbage.randrange(0, 1500)
            sock.sendto(garbage.randbytes(size), (phone.leg.remote.address, phone.leg.remote.port))
        assert ask(phone, "hours-hibari-1.0.wav")
