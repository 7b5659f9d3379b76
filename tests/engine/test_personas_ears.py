"""Two personas of one process, each with the ear of its language."""

from dataclasses import replace

import numpy as np
import pytest

from sipagent.config.schema import Config
from sipagent.engines import load_ears
from sipagent.logs import get_log
from sipagent.modelstore.store import ModelStore
from sipagent.speech.types import never_cancelled
from tests.engine.speech_clips import ROOT, clip, korean, model_dir, over_the_phone, silence
from tests.fakes.personas import ear_of, persona_of

pytestmark = pytest.mark.engine

SONG = "노래"


def test_each_persona_hears_with_the_model_of_its_language() -> None:
    for model in ("whisper-tiny.en", "vosk-small-ko"):
        model_dir(model)
    maple, seoul = persona_of(name="maple"), persona_of(name="seoul", language="ko")
    config = Config(personas={"maple": maple, "seoul": seoul}, models_dir=ROOT / "models")
    store = ModelStore(config.models_dir)
    ears = load_ears(config, store, get_log(), {})
    try:
        english, other = ear_of(ears, config, "maple"), ear_of(ears, config, "seoul")
        assert (english.name, other.name) == ("whisper", "vosk")
        assert (english.is_streaming, other.is_streaming) == (False, True)
        song = np.concatenate([silence(400), korean(SONG, words_per_min=120), silence(600)])
        for ear, pcm, word in ((english, clip("hours-hibari-1.0"), "friday"), (other, song, SONG)):
            stream = ear.open_stream()
            stream.accept(over_the_phone(pcm))
            assert word in stream.snapshot(never_cancelled).text.lower()
            stream.close()
        more = replace(config, personas={**config.personas, "york": replace(maple, language="en-GB")})
        again = load_ears(more, store, get_log(), ears)
        assert set(map(id, again.values())) == set(map(id, ears.values())), "each model is loaded once"
    finally:
        for ear in ears.values():
            ear.close()
