"""The softphone on real sockets: against SIPp, and against an agent without models."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sipagent.codecs.tones import sine
from sipagent.errors import SipError
from sipagent.lab.agent_process import AgentFailed, free_udp_port, wait_ready
from sipagent.lab.child import Child, Events
from sipagent.lab.conversation import Party, join
from sipagent.lab.impairments import Impairments
from sipagent.lab.place_call import place_calls
from sipagent.lab.plan import CallPlan, PlannedLine
from sipagent.lab.sip_leg import EndedBy
from sipagent.lab.softphone import Softphone
from sipagent.media.wav import read_wav_channels, write_wav
from sipagent.units import SAMPLE_RATE_HZ, Pcm16

pytestmark = pytest.mark.peer

FAKE_AGENT = Path(__file__).resolve().parents[1] / "fakes" / "scripted_agent.py"
TONE = sine((440,), 400, level_dbov=-20.0, rate_hz=SAMPLE_RATE_HZ)


@contextmanager
def fake_agent(*options: str) -> Iterator[tuple[str, Events]]:
    """(its UDP address, everybody's events)."""
    events: Events = Events()
    with Child("agent", [sys.executable, str(FAKE_AGENT), *options], events, reads="stderr") as child:
        yield str(wait_ready(child, events, 20)["udp"]), events


@pytest.fixture
def sipp_port() -> Iterator[int]:
    """A SIPp that answers one call and sends our RTP back."""
    program = shutil.which("sipp")
    if program is None:
        pytest.skip("SIPp is not installed (apt install sip-tester)")
    port = free_udp_port()
    command = [program, "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-mp", str(free_udp_port())]
    process = subprocess.Popen(
        [*command, "-rtp_echo", "-nostdin"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_bound(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_until_bound(port: int) -> None:
    deadline_s = time.monotonic() + 10
    needle = f":{port:04X} "
    while needle not in Path("/proc/net/udp").read_text():
        assert time.monotonic() < deadline_s, f"SIPp did not open port {port}"
        time.sleep(0.02)


def test_a_call_to_sipp_brings_our_own_voice_back(sipp_port: int, tmp_path: Path) -> None:
    with Softphone() as phone:
        phone.call(f"sip:service@127.0.0.1:{sipp_port}")
        assert phone.run(lambda: phone.is_up, 5000)
        line = phone.say(TONE)
        assert phone.run(lambda: len(phone.line.spans.finished) == 1, 5000)
        phone.hang_up()
        assert phone.run(lambda: phone.is_over, 5000)
        assert phone.result is not None
        assert (phone.result.by, phone.result.status) == (EndedBy.CALLER, 200)
        spoken, (heard,) = phone.line.voiced_span(line), phone.spans()
        assert spoken is not None
        assert heard.start_ms >= spoken.start_ms
        assert phone.rtp_report().lost == 0
        phone.recording(tmp_path / "call.wav")
    (caller, agent), rate_hz = read_wav_channels(tmp_path / "call.wav")
    assert rate_hz == SAMPLE_RATE_HZ
    assert energy(agent) == pytest.approx(energy(caller), rel=0.05)


def test_an_answer_with_a_codec_that_was_not_offered_is_a_fault(sipp_port: int) -> None:
    """SIPp answers PCMU whatever is offered."""
    with Softphone(codecs=("PCMA",)) as phone:
        phone.call(f"sip:service@127.0.0.1:{sipp_port}")
        assert phone.run(lambda: phone.is_over, 5000)
        assert phone.result is not None
        assert phone.result.by is EndedBy.FAULT
        assert "no codec in common" in phone.result.reason


@pytest.mark.parametrize("status", ["486 Busy Here", "503 Service Unavailable"])
def test_a_refused_call_tells_the_status(status: str) -> None:
    with fake_agent("--status", status) as (udp, _), Softphone() as phone:
        phone.call(f"sip:x@{udp}")
        assert phone.run(lambda: phone.is_over, 5000)
        assert phone.result is not None
        assert phone.result.by is EndedBy.REFUSED
        assert f"{phone.result.status} {phone.result.reason}" == status


def test_rfc4733_digits_arrive_once_each() -> None:
    with fake_agent() as (udp, events), Softphone() as phone:
        phone.call(f"sip:x@{udp}")
        assert phone.run(lambda: phone.is_up, 5000)
        assert phone.run(lambda: bool(phone.line.sent), 5000)
        with pytest.raises(ValueError, match="no DTMF digit"):
            phone.dtmf("1x")
        phone.dtmf("112#")
        assert phone.run(lambda: any(e.facts.get("pii_digits") == "112#" for e in list(events.queue)), 5000)


def test_digits_to_a_peer_that_takes_none_are_refused(sipp_port: int) -> None:
    with Softphone() as phone:
        phone.call(f"sip:service@127.0.0.1:{sipp_port}")
        assert phone.run(lambda: bool(phone.line.sent), 5000)
        with pytest.raises(SipError, match="no telephone-event"):
            phone.dtmf("1")


def test_the_agents_hang_up_ends_the_call() -> None:
    with fake_agent("--hangs-up-after", "1") as (udp, _), Softphone() as phone:
        phone.call(f"sip:x@{udp}")
        assert phone.run(lambda: len(phone.line.spans.finished) == 1 and phone.is_up, 5000)
        phone.say(TONE)
        assert phone.run(lambda: phone.is_over, 5000)
        assert phone.result is not None
        assert phone.result.by is EndedBy.AGENT


def test_a_planned_call_in_its_own_process_is_measured(tmp_path: Path) -> None:
    write_wav(tmp_path / "line.wav", TONE)
    lines = tuple(PlannedLine(f"line {n}", str(tmp_path / "line.wav")) for n in range(2))
    with fake_agent() as (udp, events):
        plan = CallPlan(uri=f"sip:x@{udp}", lines=lines, max_call_ms=20_000)
        calls, agent_events = place_calls([("", plan)], events, tmp_path / "out", lambda _: None)
    (call,) = calls
    assert call.was_answered
    assert call.measured is not None
    conversation = join(call.measured, agent_events)
    parties = [u.party for u in conversation.utterances]
    assert parties == [Party.AGENT, Party.CALLER, Party.AGENT, Party.CALLER, Party.AGENT]
    assert len(conversation.v2v_ms) == 2
    assert conversation.utterances[0].text == "Hello, this is nobody."
    assert (tmp_path / "out" / "call.wav").is_file()
    assert {event.event for event in agent_events} >= {"turn.heard", "turn.answered", "call.ended"}
    json.dumps(call.measured)  # what the transcript writes


def test_a_call_that_nobody_answers_says_why(tmp_path: Path) -> None:
    write_wav(tmp_path / "line.wav", TONE)
    plan = CallPlan(uri="sip:x@nosuch.invalid", lines=(PlannedLine("a", str(tmp_path / "line.wav")),))
    (call,), _ = place_calls([("", plan)], Events(), tmp_path / "out", lambda _: None)
    assert not call.was_answered
    assert "cannot find host 'nosuch.invalid'" in call.failure


def test_a_lossy_line_loses_packets_on_the_way_out(sipp_port: int) -> None:
    with Softphone(impairments=Impairments(loss_pct=30, jitter_ms=20)) as phone:
        phone.call(f"sip:service@127.0.0.1:{sipp_port}")
        assert phone.run(lambda: phone.is_up, 5000)
        assert phone.run(lambda: len(phone.line.sent) >= 60, 5000)
        lost = sum(packet.is_lost for packet in phone.line.sent)
        assert 0 < lost < 40
        assert len(phone.line.received) <= len(phone.line.sent) - lost


def test_an_agent_that_does_not_start_is_named_with_its_last_words() -> None:
    events: Events = Events()
    command = [
        sys.executable,
        "-c",
        "import sys; print('sip.yaml:3: no such key', file=sys.stderr); sys.exit(78)",
    ]
    with (
        Child("agent", command, events, reads="stderr") as child,
        pytest.raises(AgentFailed, match=r"status 78(.|\n)*sip\.yaml:3: no such key"),
    ):
        wait_ready(child, events, 20)


def energy(pcm: Pcm16) -> float:
    return float(np.sum(np.square(pcm.astype(np.float64))))
