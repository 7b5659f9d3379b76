"""Our own voice coming back is told from a caller, at any delay and level."""

import numpy as np
import pytest

from sipagent.media.wav import read_wav
from sipagent.speech.echo import EchoGate
from sipagent.units import Pcm16, ms_to_samples
from tests.peer.running_agent import CLIPS

pytestmark = pytest.mark.golden

AGENT = read_wav(CLIPS / "long-hibari-1.0.wav")
CALLER = read_wav(CLIPS / "long-flite-rms.wav")
WINDOW = 512


def unexplained(heard: Pcm16, played: Pcm16, over: Pcm16) -> list[float]:
    """The gate's answers where ``over`` is loud."""
    gate, answers = EchoGate(), []
    for start in range(0, min(len(heard), len(played)) - WINDOW, WINDOW):
        gate.push(heard[start : start + WINDOW], played[start : start + WINDOW])
        if np.abs(over[start : start + WINDOW]).mean() > 100 and start > 8192:
            answers.append(gate.unexplained())
    return answers


def echo_of(pcm: Pcm16, gain_db: float, delay_ms: int) -> Pcm16:
    delay = ms_to_samples(delay_ms)
    late = np.concatenate((np.zeros(delay), pcm[: len(pcm) - delay] * 10 ** (gain_db / 20)))
    return (late + np.random.default_rng(3).normal(0, 8, len(pcm))).astype(np.int16)


@pytest.mark.parametrize("gain_db", [-6, -12, -20])
@pytest.mark.parametrize("delay_ms", [20, 150, 450])
def test_line_echo_is_explained(gain_db: float, delay_ms: int) -> None:
    heard = echo_of(AGENT, gain_db, delay_ms)
    answers = unexplained(heard, AGENT, over=heard)
    assert len(answers) > 20
    assert np.percentile(answers, 95) < 0.2


def test_caller_over_the_agent_is_not_explained() -> None:
    length = min(len(AGENT), len(CALLER))
    answers = unexplained(CALLER[:length], AGENT[:length], over=CALLER)
    assert np.percentile(answers, 5) > 0.7


def test_caller_over_an_echo_is_mostly_not_explained() -> None:
    length = min(len(AGENT), len(CALLER))
    heard = (echo_of(AGENT, -12, 150)[:length].astype(int) + CALLER[:length]).clip(-32768, 32767)
    answers = unexplained(heard.astype(np.int16), AGENT[:length], over=CALLER)
    assert np.percentile(answers, 20) > 0.5


def test_nothing_played_explains_nothing() -> None:
    assert unexplained(CALLER, np.zeros_like(CALLER), over=CALLER) == pytest.approx(
        [1.0] * len(unexplained(CALLER, np.zeros_like(CALLER), over=CALLER))
    )
