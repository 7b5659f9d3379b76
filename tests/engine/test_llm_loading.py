"""Which language model is loaded, and what is said when there is none."""

from pathlib import Path

import pytest

from sipagent.brain.llm import PREFERRED, load_llm
from sipagent.errors import ModelError

pytestmark = pytest.mark.engine

MODELS = Path(__file__).parent.parent.parent / "models"


class Store:
    """A folder of models of which some count as installed."""

    def __init__(self, folder: Path, *installed: str) -> None:
        self._folder = folder
        self._installed = installed

    def path(self, name: str) -> Path:
        return self._folder / name

    def is_installed(self, name: str) -> bool:
        return name in self._installed


def _load(model: str, store: Store) -> str:
    llm = load_llm(model, store, max_calls=1, context_tokens=512, threads=1)
    try:
        return llm.name
    finally:
        llm.close()


def test_auto_takes_the_best_installed_one(tmp_path: Path) -> None:
    for n, name in enumerate(PREFERRED):
        with pytest.raises(ModelError, match=f"/{name} holds 0 .gguf files"):
            _load("auto", Store(tmp_path, *PREFERRED[n:]))


def test_auto_without_any_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none of .* is installed; run: sipagent models fetch"):
        _load("auto", Store(tmp_path))


def test_a_named_model_must_be_installed(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="other is not installed; run: sipagent models fetch other"):
        _load("other", Store(tmp_path, *PREFERRED))


def test_a_named_model_is_loaded() -> None:
    name = "smollm2-135m-instruct"
    if not list((MODELS / name).glob("*.gguf")):
        pytest.skip(f"{name} is not installed; run: sipagent models fetch {name}")
    assert _load(name, Store(MODELS, name)) == name
