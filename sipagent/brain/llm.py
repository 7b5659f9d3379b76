"""Choosing and loading the language model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sipagent.brain.types import LanguageModel
from sipagent.errors import ModelError

AUTO = "auto"
PREFERRED = ("qwen2.5-0.5b-instruct", "qwen2.5-coder-0.5b-instruct", "smollm2-135m-instruct")
"""What ``auto`` takes, best first. The Coder build holds a receptionist's talk as well as the general one;
the last one does not follow a prompt and is for trying things out."""


@dataclass(slots=True)
class LlmCounters:
    """What a model did since it was loaded."""

    steps: int = 0
    decoded_prompt_tokens: int = 0
    """Prompt tokens that were computed."""
    reused_prompt_tokens: int = 0
    """Prompt tokens that a reply found in the cache."""
    generated_tokens: int = 0
    cancelled_jobs: int = 0
    failed_jobs: int = 0


class CountedLanguageModel(LanguageModel, Protocol):
    """A language model that tells what it does."""

    def counters(self) -> LlmCounters:
        """A copy of the counters."""

    @property
    def is_idle(self) -> bool:
        """No job is waiting or running."""


class LlmStore(Protocol):
    """Where installed models are."""

    def path(self, name: str) -> Path:
        """The model's folder."""

    def is_installed(self, name: str) -> bool:
        """Whether all its files are there."""


def load_llm(
    model: str, store: LlmStore, *, max_calls: int, context_tokens: int, threads: int
) -> CountedLanguageModel:
    """Load ``model`` (a name of the catalogue, or ``auto``: the best that is installed).

    llama.cpp is imported only here.

    :param context_tokens: prompt, conversation and reply of one call.
    :raises ModelError: it is not installed, damaged, or no chat model.
    """
    name = _chosen(model, store)
    files = sorted(store.path(name).glob("*.gguf"))
    if len(files) != 1:
        raise ModelError(f"llm: {store.path(name)} holds {len(files)} .gguf files, expected one")
    from sipagent.brain.llama import LlamaModel

    return LlamaModel(
        files[0], name=name, max_calls=max_calls, context_tokens=context_tokens, threads=threads
    )


def _chosen(model: str, store: LlmStore) -> str:
    if model != AUTO:
        if not store.is_installed(model):
            raise ModelError(f"llm: {model} is not installed; run: sipagent models fetch {model}")
        return model
    for name in PREFERRED:
        if store.is_installed(name):
            return name
    raise ModelError(f"llm: none of {', '.join(PREFERRED)} is installed; run: sipagent models fetch")
