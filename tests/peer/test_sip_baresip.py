"""A softphone of others calls: what it says is understood, what it records is the agent's voice."""

import time
from pathlib import Path

import numpy as np
import pytest

from sipagent.bench.wer import word_error_rate
from sipagent.codecs.level import rms_dbov
from sipagent.media.wav import read_wav, read_wav_channels
from sipagent.speech.types import never_cancelled
from sipagent.units import Pcm16, ms_to_samples
from tests.peer.running_agent import CLIPS, ROOT, RunningAgent, clip_text
from tests.peer.sip_programs import baresip

pytestmark = pytest.mark.peer

CLIP = "hours-hibari-1.0.wav"
GREETING = "Maple Street Dental, how can I help?"
LISTENS_MS, STAYS_MS = 3000, 40_000
NARROW_BAND_HZ = 4200
"""What G.711 cannot carry, with a margin for the slope of the filters."""


def call(agent: RunningAgent, folder: Path, codec: str, rate_hz: int) -> Path:
    """Listen to the greeting, ask, hear the answer begin, hang up; the recording of the agent."""
    start = len(agent.drain())
    silence = [np.zeros(ms_to_samples(duration_ms), dtype=np.int16) for duration_ms in (LISTENS_MS, STAYS_MS)]
    speech = np.concatenate([silence[0], read_wav(CLIPS / CLIP), silence[1]])
    with baresip(folder, agent.uri(), codec=codec, rate_hz=rate_hz, speech=speech) as phone:
        agent.wait_for("turn.answered", after=start)
        time.sleep(0.5)
        recording = phone.hang_up()
    ended = agent.wait_for("call.ended", after=start).facts
    assert (ended["cause"], ended["turns"]) == ("caller hung up", 1)
    heard = agent.wait_for("turn.heard", after=start).facts["pii_text"]
    assert word_error_rate(clip_text(CLIP), heard) <= 0.35
    return recording


def transcript(pcm: Pcm16) -> str:
    """What a recording says."""
    model = ROOT / "models" / "whisper-tiny.en"
    if not model.is_dir():
        pytest.skip(f"{model.name} is not installed; run: sipagent models fetch {model.name}")
    from sipagent.speech.stt_whisper import WhisperStt

    engine = WhisperStt(model)
    stream = engine.open_stream()
    stream.accept(pcm)
    text = stream.snapshot(never_cancelled).text
    stream.close()
    engine.close()
    return text


def share_above(pcm: Pcm16, rate_hz: int, from_hz: float) -> float:
    """Share of the power above a frequency."""
    power = np.abs(np.fft.rfft(pcm.astype(np.float64))) ** 2
    return float(power[np.fft.rfftfreq(pcm.size, 1 / rate_hz) > from_hz].sum() / power.sum())


@pytest.mark.parametrize(("codec", "rate_hz"), [("G722/16000/1", 16_000), ("PCMU/8000/1", 8_000)])
def test_baresip_is_greeted_and_understood(
    agent: RunningAgent, tmp_path: Path, codec: str, rate_hz: int
) -> None:
    recording = call(agent, tmp_path, codec, rate_hz)
    greeting = read_wav(recording)[: ms_to_samples(LISTENS_MS)]
    assert -40 < rms_dbov(greeting) < -10
    assert word_error_rate(GREETING, transcript(greeting)) <= 0.34
    (own_rate,), own_rate_hz = read_wav_channels(recording)
    assert own_rate_hz == rate_hz
    if rate_hz == 16_000:
        assert share_above(own_rate, rate_hz, NARROW_BAND_HZ) > 0.002, "G.722 without its upper band"
