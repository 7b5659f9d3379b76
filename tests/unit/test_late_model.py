"""A language model that is not there yet when the call comes."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from sipagent.brain.late import LateModel
from sipagent.brain.types import EndScored, LanguageModel, Message, Primer, Reader, Role, Said, SamplingLimits
from sipagent.errors import EngineError, JobCancelled, ModelError
from sipagent.speech.types import Cancelled, never_cancelled

pytestmark = pytest.mark.unit

HISTORY = [Message(Role.CALLER, "Hello?")]


class EchoConversation:
    """Says what it was told."""

    def __init__(self) -> None:
        self.is_closed = False
        self.read: list[str] = []

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        self.read.append(caller_text)

    def reply(
        self,
        history: Sequence[Message],
        limits: SamplingLimits,
        cancelled: Cancelled,
        *,
        priority: int = 0,
        on_end_scored: EndScored | None = None,
    ) -> Iterator[str]:
        yield from history[-1].text.split()

    def close(self) -> None:
        self.is_closed = True


class EchoReader:
    """Reads what it is given."""

    def __init__(self) -> None:
        self.is_closed = False

    def read(
        self,
        text: str,
        grammar: str,
        cancelled: Cancelled,
        *,
        choices: Sequence[str] = (),
        said: Said | None = None,
        max_tokens: int = 32,
        deadline_ms: int = 3000,
    ) -> str:
        return f"{text} {choices}"

    def close(self) -> None:
        self.is_closed = True


class EchoModel:
    """Counts its conversations."""

    name = "echo"

    def __init__(self) -> None:
        self.opened: list[EchoConversation] = []
        self.readers: list[EchoReader] = []
        self.warmed: list[str] = []
        self.is_closed = False

    def open_conversation(self, system_prompt: str) -> EchoConversation:
        self.opened.append(EchoConversation())
        return self.opened[-1]

    def warm(self, system_prompt: str) -> None:
        self.warmed.append(system_prompt)

    def open_reader(self, primer: Primer) -> Reader:
        self.readers.append(EchoReader())
        return self.readers[-1]

    def warm_reader(self, primer: Primer) -> None:
        self.warmed.append(primer.text)

    def close(self) -> None:
        self.is_closed = True


class Loading:
    """A model that is loaded when the test says so."""

    def __init__(self, error: Exception | None = None) -> None:
        self.model = EchoModel()
        self.go = threading.Event()
        self._error = error
        self.late = LateModel(self._load)
        self.late.start()

    def _load(self) -> LanguageModel:
        self.go.wait(10)
        if self._error is not None:
            raise self._error
        return self.model


def test_a_reply_asked_for_early_comes_when_the_model_does() -> None:
    loading = Loading()
    conversation = loading.late.open_conversation("prompt")
    conversation.read_ahead(HISTORY, "early")
    threading.Timer(0.05, loading.go.set).start()
    assert list(conversation.reply(HISTORY, SamplingLimits(), never_cancelled)) == ["Hello?"]
    conversation.read_ahead(HISTORY, "later")
    assert [one.read for one in loading.model.opened] == [["later"]]
    conversation.close()
    assert loading.model.opened[0].is_closed
    loading.late.close()
    assert loading.model.is_closed


def test_a_call_with_a_flow_does_not_wait_for_the_model_either() -> None:
    """The SIP thread opens a call's places: no other call may wait for a model on it."""
    loading = Loading()
    reader = loading.late.open_reader(Primer("primer"))
    with pytest.raises(EngineError, match="still being loaded"):
        reader.read("yes", "g", never_cancelled, deadline_ms=1)
    with pytest.raises(JobCancelled):
        reader.read("yes", "g", lambda: True)
    threading.Timer(0.05, loading.go.set).start()
    assert reader.read("yes", "g", never_cancelled, choices=("a", "b")) == "yes ('a', 'b')"
    reader.close()
    assert [one.is_closed for one in loading.model.readers] == [True]
    assert isinstance(loading.late.open_reader(Primer("primer")), EchoReader)
    loading.late.close()


def test_once_it_is_loaded_calls_have_the_model_itself() -> None:
    loading = Loading()
    loading.go.set()
    loading.late.warm("prompt")
    assert (loading.late.name, loading.model.warmed) == ("echo", ["prompt"])
    assert isinstance(loading.late.open_conversation("prompt"), EchoConversation)
    loading.late.close()


def test_the_wait_is_bounded_and_can_be_cancelled() -> None:
    loading = Loading()
    conversation = loading.late.open_conversation("prompt")
    with pytest.raises(EngineError, match="still being loaded"):
        next(conversation.reply(HISTORY, SamplingLimits(deadline_ms=1), never_cancelled))
    with pytest.raises(JobCancelled):
        next(conversation.reply(HISTORY, SamplingLimits(), lambda: True))
    conversation.close()
    with pytest.raises(JobCancelled):
        next(conversation.reply(HISTORY, SamplingLimits(), never_cancelled))
    loading.go.set()
    loading.late.close()
    assert loading.model.opened == []


def test_a_model_that_cannot_be_loaded_says_so_to_everybody() -> None:
    loading = Loading(ModelError("the file is torn"))
    conversation = loading.late.open_conversation("prompt")
    loading.go.set()
    with pytest.raises(ModelError, match="torn"):
        loading.late.warm("prompt")
    with pytest.raises(EngineError, match="torn"):
        next(conversation.reply(HISTORY, SamplingLimits(), never_cancelled))
    loading.late.close()
