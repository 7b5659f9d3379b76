"""Smart Turn for real: finished sentences score high, broken-off ones low."""

import numpy as np
import pytest

from sipagent.errors import ModelError
from sipagent.speech.smart_turn import HEARD_SAMPLES, SmartTurn
from sipagent.units import Pcm16
from tests.engine.speech_clips import clip, model_dir, over_the_phone, silence

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def smart_turn() -> SmartTurn:
    return SmartTurn(model_dir("smart-turn-v3.2-cpu") / "smart-turn-v3.2-cpu.onnx")


def _turn(pcm: Pcm16) -> Pcm16:
    """A turn as it looks at the pause."""
    return np.concatenate([silence(300), pcm, silence(200)])


@pytest.mark.parametrize("name", ["hours-hibari-1.0", "yes-hibari-1.0", "pause-hibari-1.0", "human-0870"])
def test_a_finished_sentence_scores_high(smart_turn: SmartTurn, name: str) -> None:
    assert smart_turn.score(over_the_phone(_turn(clip(name)))) > 0.8


@pytest.mark.parametrize("name", ["yes-hibari-1.0", "pause-hibari-1.0", "human-0870"])
def test_a_broken_off_sentence_scores_low(smart_turn: SmartTurn, name: str) -> None:
    whole = clip(name)
    assert smart_turn.score(over_the_phone(_turn(whole[: whole.size * 6 // 10]))) < 0.5


def test_the_level_does_not_matter(smart_turn: SmartTurn) -> None:
    turn = _turn(clip("pause-hibari-1.0"))
    softer = (turn // 8).astype(np.int16)
    assert smart_turn.score(softer) == pytest.approx(smart_turn.score(turn), abs=0.1)


def test_only_the_last_8_s_count(smart_turn: SmartTurn) -> None:
    turn = np.concatenate([clip("human-0870"), clip("human-0890"), silence(200)])
    assert turn.size > HEARD_SAMPLES
    assert smart_turn.score(turn) == smart_turn.score(turn[-HEARD_SAMPLES:])


def test_no_samples_are_refused(smart_turn: SmartTurn) -> None:
    with pytest.raises(ValueError, match="no samples"):
        smart_turn.score(np.zeros(0, dtype=np.int16))


def test_another_model_is_refused() -> None:
    with pytest.raises(ModelError, match="not Smart Turn"):
        SmartTurn(model_dir("silero-vad") / "silero_vad.onnx")
