"""The agent's sound on a real call: no clicks, no holes, also where a murmur holds it and it goes on."""

import itertools
import os
import time
from pathlib import Path

import pytest

from sipagent.bench.backchannel_sounds import sound_files
from sipagent.bench.pace import busy_cores
from sipagent.lab.quality import Quality, quality_of
from sipagent.lab.softphone import Softphone
from sipagent.lab.wire import Span
from sipagent.media.wav import read_wav
from sipagent.units import monotonic_ms
from tests.peer.running_agent import CLIPS, RunningAgent, running_agent

pytestmark = pytest.mark.peer

LONG_MS = 60_000
LONG_GREETING = (
    "We are open from Monday to Thursday between eight and five, and on Friday until two. "
    "There is free parking behind the house. What can I do for you today?"
)
RESUME_MS = 2500
"""The agent must have gone on by then after a murmur: far beyond what is natural, on a shared machine."""
SENTENCE_GAP_MS = 650
"""A pause between two sentences may last this long, quiet last sounds included."""


def greeted(phone: Softphone, agent: RunningAgent) -> None:
    phone.call(agent.uri())
    assert phone.run(until=lambda: phone.line.spans.speaking_since_ms is not None, timeout_ms=LONG_MS)


def is_quiet(phone: Softphone, since_ms: float = 0.0) -> bool:
    spans = phone.line.spans
    if spans.speaking_since_ms is not None or not spans.finished or spans.finished[-1].end_ms < since_ms:
        return False
    return monotonic_ms() - spans.finished[-1].end_ms > 1500


def said(phone: Softphone, clip: Path) -> Span:
    """Say a clip to its end; when it was voiced."""
    line = phone.say(read_wav(clip))
    assert phone.run(until=lambda: phone.line.voiced_span(line) is not None, timeout_ms=LONG_MS)
    span = phone.line.voiced_span(line)
    assert span is not None
    return span


def quality(phone: Softphone, caller: list[Span]) -> Quality:
    found = quality_of(phone.line.received, phone.spans(), caller)
    print(found)
    return found


def test_a_greeting_and_a_reply_have_neither_clicks_nor_gaps(agent: RunningAgent) -> None:
    with Softphone() as phone:
        greeted(phone, agent)
        assert phone.run(until=lambda: is_quiet(phone), timeout_ms=LONG_MS)
        question = said(phone, CLIPS / "hours-hibari-1.0.wav")
        assert phone.run(until=lambda: is_quiet(phone, question.end_ms), timeout_ms=LONG_MS)
        found = quality(phone, [question])
    assert found.speech_s > 1.5
    assert found.clicks_ms == ()
    assert found.lost_packets == 0
    assert found.clipped_samples == 0
    assert found.dc_dbov < -55


def test_speech_that_is_interrupted_falls_silent_without_a_click(agent: RunningAgent) -> None:
    with Softphone() as phone:
        greeted(phone, agent)
        question = said(phone, CLIPS / "hours-hibari-1.0.wav")
        assert phone.run(until=lambda: is_quiet(phone, question.end_ms), timeout_ms=LONG_MS)
        found = quality(phone, [question])
    assert phone.spans()[0].end_ms < question.end_ms, "the greeting was to be interrupted"
    assert found.clicks_ms == ()


@pytest.fixture
def murmur(tmp_path: Path) -> Path:
    """An "mm-hm" as a recording."""
    return sound_files(tmp_path)["hum"]


def test_speech_that_a_murmur_held_goes_on_without_a_click(tmp_path: Path, murmur: Path) -> None:
    changes = {"personas.receptionist.greeting": LONG_GREETING, "logging.level": "debug"}
    with running_agent(tmp_path, changes) as agent:
        start = len(agent.drain())
        with Softphone() as phone:
            greeted(phone, agent)
            phone.run(until=lambda: False, timeout_ms=1500)
            lines = [said(phone, murmur)]
            assert phone.run(until=lambda: is_quiet(phone, lines[0].end_ms + RESUME_MS), timeout_ms=LONG_MS)
            found = quality(phone, lines)
        told = [event.facts.get("action") or event.event for event in agent.drain()[start:]]
    spoken = agent.wait_for("turn.spoken", after=start).facts
    assert spoken["interrupted"] is False, told
    assert found.clicks_ms == ()
    assert [gap for gap in found.gaps if gap.duration_ms > SENTENCE_GAP_MS] == []
    pauses_ms = [b.start_ms - a.end_ms for a, b in itertools.pairwise(phone.spans())]
    assert max(pauses_ms, default=0.0) < RESUME_MS


def test_busy_cores_are_free_again_afterwards() -> None:
    with busy_cores(2) as pids:
        assert len(pids) == 2
        deadline_s = time.monotonic() + 20
        while not all(_used_s(pid) > 0.05 for pid in pids):
            assert time.monotonic() < deadline_s, "the processes do not compute"
            time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def _used_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
