"""Real calls that are recorded, or not, and what the ledger says about it."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from sipagent.codecs.resample import resample
from sipagent.lab.scenario import LineConfig, VoiceConfig
from sipagent.lab.softphone import Softphone
from sipagent.lab.voices import line_files
from sipagent.ledger import Kind, LedgerReader, unsealed, verify
from sipagent.ledger.keystore import KeyStore
from sipagent.media.wav import read_wav, read_wav_channels
from sipagent.units import Pcm16, PcmFloat, monotonic_ms, to_float
from tests.peer.running_agent import CLIPS, ROOT, RunningAgent, running_agent

pytestmark = pytest.mark.peer

LONG_MS = 60_000
CLIP = "hours-hibari-1.0.wav"


def is_quiet(phone: Softphone) -> bool:
    spans = phone.line.spans
    silent_ms = monotonic_ms() - spans.finished[-1].end_ms if spans.finished else 0
    return spans.speaking_since_ms is None and silent_ms > 800


def wait_quiet(phone: Softphone) -> None:
    assert phone.run(until=lambda: is_quiet(phone), timeout_ms=LONG_MS)


def ask(phone: Softphone, clip: str) -> None:
    spans = len(phone.spans())
    phone.say(read_wav(CLIPS / clip))
    assert phone.run(until=lambda: len(phone.spans()) > spans, timeout_ms=LONG_MS)
    wait_quiet(phone)


def call(agent: RunningAgent, *, yes_clip: str | None = None, digits: str = "") -> None:
    """Be greeted (and asked), answer, ask a question, hang up."""
    start = len(agent.drain())
    with Softphone() as phone:
        phone.call(agent.uri())
        assert phone.run(until=lambda: phone.is_up, timeout_ms=LONG_MS), phone.result
        wait_quiet(phone)
        if yes_clip:
            ask(phone, yes_clip)
        if digits:
            spans = len(phone.spans())
            phone.dtmf(digits)
            assert phone.run(until=lambda: len(phone.spans()) > spans, timeout_ms=LONG_MS)
            wait_quiet(phone)
        ask(phone, CLIP)
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)
    agent.wait_for("call.ended", after=start)


def likeness(clip: Pcm16, channel: Pcm16) -> float:
    """0..1: how much of the clip stands somewhere in the channel, by its best stretch of 400 ms below 4 kHz
    (the line may be a narrow one, and its clocks drift)."""
    hay = to_float(resample(channel, 16_000, 8_000))
    clip_8k = to_float(resample(clip, 16_000, 8_000))
    starts = range(0, max(1, len(clip_8k) - 3200), 1600)
    return max(_correlation(clip_8k[start : start + 3200], hay) for start in starts)


def _correlation(needle: PcmFloat, hay: PcmFloat) -> float:
    size = len(needle) + len(hay)
    product = np.fft.irfft(np.fft.rfft(hay, size) * np.conj(np.fft.rfft(needle, size)), size)
    product = product[: len(hay) - len(needle)]
    at = int(np.argmax(np.abs(product)))
    there = hay[at : at + len(needle)]
    return float(np.abs(product[at]) / (np.linalg.norm(needle) * np.linalg.norm(there) + 1e-3))


def entries(ledger: Path, kind: Kind) -> list[dict[str, object]]:
    return [dict(one.entry.body) for one in LedgerReader(ledger, None).entries() if one.entry.kind == kind]


def test_announced_call_leaves_both_voices_and_their_hash(tmp_path: Path) -> None:
    with running_agent(tmp_path, {"recording.enabled": True, "recording.encrypt": False}) as agent:
        call(agent)
    ledger = tmp_path / "ledger"
    (closed,) = entries(ledger, Kind.RECORDING_CLOSED)
    path = ledger / "recordings" / str(closed["file"])
    assert closed["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert (closed["encrypted"], closed["bytes"]) == (False, path.stat().st_size)
    (announced,) = entries(ledger, Kind.CONSENT_ANNOUNCED)
    assert announced["text_sha256"] == sha256(b"This call is recorded.").hexdigest()
    (caller, to_caller), rate_hz = read_wav_channels(path)
    assert rate_hz == 16_000
    assert abs(len(caller) * 1000 // rate_hz - int(str(closed["duration_ms"]))) <= 1
    clip = read_wav(CLIPS / CLIP)
    assert likeness(clip, caller) > 0.75
    assert likeness(clip, to_caller) < 0.6
    assert np.abs(to_caller).max() > 1000, "the greeting and the answer are there"
    report = verify(ledger)
    assert (report.recordings_checked, report.findings) == (1, ())
    path.write_bytes(path.read_bytes()[:-2])
    assert [finding.fault.value for finding in verify(ledger).findings]


def test_only_a_yes_records_and_forgetting_the_key_would_hide_it(tmp_path: Path) -> None:
    changes = {"recording.enabled": True, "personas.receptionist.recording": "spoken"}
    with running_agent(tmp_path, changes) as agent:
        call(agent, digits="2")
        call(agent, digits="12")
        call(agent, yes_clip="yes-hibari-1.0.wav")
    ledger = tmp_path / "ledger"
    assert [body["how"] for body in entries(ledger, Kind.CONSENT_REFUSED)] == ["keyed"]
    assert [body["how"] for body in entries(ledger, Kind.CONSENT_GIVEN)] == ["keyed", "spoken"]
    withdrawn = [(body["how"], body["keeps"]) for body in entries(ledger, Kind.CONSENT_WITHDRAWN)]
    assert withdrawn == [("keyed", False)]
    assert [body["reason"] for body in entries(ledger, Kind.RECORDING_DROPPED)] == ["consent was withdrawn"]
    (closed,) = entries(ledger, Kind.RECORDING_CLOSED)
    path = ledger / "recordings" / str(closed["file"])
    assert [found for found in (ledger / "recordings").rglob("*") if found.is_file()] == [path]
    assert path.name.endswith(".wav.sealed")
    assert closed["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert b"RIFF" not in path.read_bytes()[:4096]
    call_id = next(
        one.entry.call_id
        for one in LedgerReader(ledger, None).entries()
        if one.entry.kind == Kind.RECORDING_CLOSED
    )
    (stored,) = KeyStore.open(ledger / "keys", ledger / "identity").find(str(call_id))
    clear = tmp_path / "clear.wav"
    clear.write_bytes(b"".join(unsealed(path, stored.key)))
    (caller, _), _ = read_wav_channels(clear)
    assert likeness(read_wav(CLIPS / CLIP), caller) > 0.75
    assert likeness(read_wav(CLIPS / "yes-hibari-1.0.wav"), caller) < 0.6, "before the yes nothing is kept"


def test_a_guided_caller_takes_the_recording_back_in_words(tmp_path: Path) -> None:
    (stop,) = line_files([LineConfig(say="Please stop recording this call.")], VoiceConfig(engine="hibari"))
    changes = {"recording.enabled": True, "personas.receptionist.flow": str(ROOT / "flows" / "survey.yaml")}
    changes["personas.receptionist.tools"] = ["keep_answers"]
    changes["personas.receptionist.transfer"] = {"desk": "sip:desk@127.0.0.1"}
    changes["limits.outbound.allow"] = ["desk"]
    changes["tools"] = {"keep_answers": {"description": "Keeps answers.", "command": ["/bin/true"]}}
    with running_agent(tmp_path, changes) as agent, Softphone() as phone:
        phone.call(agent.uri())
        assert phone.run(until=lambda: phone.is_up, timeout_ms=LONG_MS), phone.result
        wait_quiet(phone)
        start, spans = len(agent.drain()), len(phone.spans())
        phone.say(read_wav(stop))
        assert phone.run(until=lambda: len(phone.spans()) > spans, timeout_ms=LONG_MS)
        wait_quiet(phone)
        told = agent.wait_for("turn.spoken", after=start).facts["pii_text"]
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)
        agent.wait_for("call.ended")
    assert told.startswith("All right, this call is no longer recorded."), told
    assert told.endswith("?"), "the open question is asked again"
    ledger = tmp_path / "ledger"
    assert [body["how"] for body in entries(ledger, Kind.CONSENT_WITHDRAWN)] == ["spoken"]
    assert not entries(ledger, Kind.RECORDING_CLOSED)
