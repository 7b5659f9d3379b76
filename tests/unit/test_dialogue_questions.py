"""When a question counts as asked: where its sentence begins to be heard."""

from collections.abc import Iterator, Sequence

import pytest

from sipagent.brain.types import Message
from sipagent.call.dictation import Asked
from tests.unit.dialogue_call import DialogueCall

pytestmark = pytest.mark.unit


def asked_after(call: DialogueCall, *played_ms: int) -> list[Asked]:
    found = []
    for ms in played_ms:
        call.play(ms)
        found.append(call.dialogue._turn.patience.asked)
    return found


def test_a_question_counts_once_its_sentence_begins_and_not_before() -> None:
    call = DialogueCall()
    call.dialogue.say_aside("We close at five today. Would Friday suit you?", interruptible=True)
    call.work()
    assert asked_after(call, 400, 300) == [Asked.NOTHING, Asked.YES_NO]


def test_of_a_reply_that_is_still_being_written_nobody_knows_the_question() -> None:
    call = DialogueCall()
    seen: list[Asked] = []

    def reply(history: Sequence[Message], *_: object, **__: object) -> Iterator[str]:
        yield "We close at five. "
        seen.append(call.dialogue._turn.patience.asked)
        yield "What is your telephone number? "

    call.model.reply = reply  # type: ignore[method-assign]
    call.say("What are your hours?")
    assert seen == [Asked.NOTHING]
    assert asked_after(call, 500, 600) == [Asked.NOTHING, Asked.PHONE]
