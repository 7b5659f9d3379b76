"""A call that outgrows the model's context, with real models: nobody waits for it, names are still known."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipagent.brain.llama import LlamaModel
from sipagent.brain.types import Message, Role, SamplingLimits
from sipagent.modelstore.store import ModelStore
from sipagent.speech.types import never_cancelled

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parent.parent.parent
PROMPT = "You answer the phone at Maple Street Dental. Say one short sentence. Use what the caller told you."
CONTEXT_TOKENS = 512
TURNS, QUICK_TURNS = 40, 24


def small_talk(turns: int) -> list[tuple[str, str]]:
    """What caller and agent say; at the second turn the caller's name."""
    lines = [(f"Thing {n}: it is warm here today.", "That is nice to hear.") for n in range(turns)]
    lines[1] = ("By the way, my name is Penelope.", "Nice to meet you.")
    return lines


def history_of(turns: list[tuple[str, str]]) -> list[Message]:
    messages = [Message(Role.AGENT, "Maple Street Dental, how can I help?")]
    for caller, agent in turns:
        messages += [Message(Role.CALLER, caller), Message(Role.AGENT, agent)]
    return messages


def load(name: str) -> LlamaModel:
    store = ModelStore(ROOT / "models")
    if not store.is_installed(name):
        pytest.skip(f"{name} is not installed: sipagent models fetch")
    (path,) = store.path(name).glob("*.gguf")
    return LlamaModel(path, name=name, max_calls=1, context_tokens=CONTEXT_TOKENS, threads=2)


@pytest.fixture
def quick_model() -> Iterator[LlamaModel]:
    model = load("smollm2-135m-instruct")
    yield model
    model.close()


@pytest.fixture
def good_model() -> Iterator[LlamaModel]:
    model = load("qwen2.5-coder-0.5b-instruct")
    yield model
    model.close()


def wait_until_idle(model: LlamaModel) -> None:
    deadline_s = time.monotonic() + 60
    while not model.is_idle:
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def test_no_turn_waits_for_the_context_to_be_read_again(quick_model: LlamaModel) -> None:
    model, limits = quick_model, SamplingLimits(max_tokens=1)
    conversation = model.open_conversation(PROMPT)
    history = history_of([])
    read_while_waiting = []
    for caller, agent in small_talk(QUICK_TURNS):
        conversation.read_ahead(history, caller)  # as the caller speaks
        wait_until_idle(model)
        before = model.counters().decoded_prompt_tokens
        history.append(Message(Role.CALLER, caller))
        list(conversation.reply(history, limits, never_cancelled))
        read_while_waiting.append(model.counters().decoded_prompt_tokens - before)
        history.append(Message(Role.AGENT, agent))
        conversation.read_ahead(history, "")  # as the agent speaks
        wait_until_idle(model)
    assert len(read_while_waiting) == QUICK_TURNS
    assert max(read_while_waiting) <= 12, read_while_waiting
    spoken_tokens = sum(model.prompts.length_of(message) for message in history)
    assert spoken_tokens > CONTEXT_TOKENS  # it did outgrow the context


def test_a_note_is_read_for_one_turn_and_leaves_no_trace(quick_model: LlamaModel) -> None:
    model, limits = quick_model, SamplingLimits(max_tokens=1)
    conversation = model.open_conversation(PROMPT)
    history, note = history_of([]), "The practice has six free parking spaces behind the building. " * 2
    for turn in range(6):
        conversation.read_ahead(history, "Can I park there?")
        wait_until_idle(model)
        before = model.counters().decoded_prompt_tokens
        list(
            conversation.reply(
                [*history, Message(Role.CALLER, "Can I park there?", note)], limits, never_cancelled
            )
        )
        read = model.counters().decoded_prompt_tokens - before
        assert len(note) // 8 < read <= len(note) // 3 + 20, turn  # the note, and nothing of the turns before
        history += [Message(Role.CALLER, "Can I park there?"), Message(Role.AGENT, "Yes, you can.")]
        conversation.read_ahead(history, "")
        wait_until_idle(model)


def test_the_name_of_the_second_turn_is_known_at_the_fortieth(good_model: LlamaModel) -> None:
    conversation = good_model.open_conversation(PROMPT)
    history = [
        *history_of(small_talk(TURNS)),
        Message(Role.CALLER, "What is my name?"),
    ]
    reply = "".join(
        conversation.reply(
            history, SamplingLimits(max_tokens=30, temperature=0.0, deadline_ms=60_000), never_cancelled
        )
    )
    assert "Penelope" in reply
