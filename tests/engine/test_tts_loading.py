"""Which voice is loaded, and what is said where none can be."""

from pathlib import Path

import pytest

from sipagent.errors import ModelError
from sipagent.speech.tts import load_tts
from sipagent.speech.tts_hibari import HibariTts
from sipagent.speech.tts_piper import PiperTts

pytestmark = pytest.mark.engine

MODELS = Path(__file__).parent.parent.parent / "models"
JOE = "piper-en_US-joe-medium"


class FolderStore:
    """Models as folders."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, name: str) -> Path:
        return self._root / name

    def is_installed(self, name: str) -> bool:
        return any(self.path(name).glob("*.onnx"))


@pytest.mark.skipif(not any((MODELS / JOE).glob("*.onnx")), reason=f"{JOE} is not installed")
@pytest.mark.parametrize("engine", ["auto", "piper"])
def test_an_installed_piper_voice_is_loaded(engine: str) -> None:
    tts = load_tts("auto" if engine == "auto" else "piper", JOE, FolderStore(MODELS))
    assert tts.name == JOE
    tts.close()


def test_auto_falls_back_to_hibari(tmp_path: Path) -> None:
    tts = load_tts("auto", JOE, FolderStore(tmp_path))
    assert tts.name == "hibari-heart"
    tts.close()


@pytest.mark.parametrize("voice", ["hibari", "hibari-heart"])
def test_hibari_is_loaded_by_name(voice: str, tmp_path: Path) -> None:
    assert load_tts("auto", voice, FolderStore(tmp_path)).name == "hibari-heart"


def test_what_cannot_be_loaded_names_the_remedy(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(ModelError, match=f"voice {JOE} is not installed; run: sipagent models fetch {JOE}"):
        load_tts("piper", JOE, store)
    with pytest.raises(ModelError, match=r"hibari is not a Piper voice; set speech\.tts\.engine to auto"):
        load_tts("piper", "hibari", store)
    with pytest.raises(ModelError, match="no voice 'nobody'; there are heart"):
        HibariTts("nobody")
    with pytest.raises(ModelError, match=r"has one \.onnx file, found 0"):
        PiperTts(tmp_path)
    (tmp_path / "x.onnx").write_bytes(b"no model")
    (tmp_path / "x.onnx.json").write_text("{}")
    with pytest.raises(ModelError, match="not a usable Piper voice"):
        PiperTts(tmp_path)
