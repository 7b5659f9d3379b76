"""A scripted language model: a word is a token, the cache is a list of words, no thread."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

from sipagent.brain.context import fit_window
from sipagent.brain.llm import LlmCounters
from sipagent.brain.types import EndScored, Message, Primer, Role, Said, SamplingLimits
from sipagent.errors import CapacityError, EngineError, JobCancelled
from sipagent.speech.types import Cancelled
from sipagent.units import monotonic_ms

Script = Callable[[Sequence[Message]], str]
"""The messages in the window, the persona's prompt first → the reply."""


def remembering(messages: Sequence[Message]) -> str:
    """Tell a long story when asked for one, else the caller's name if it was said, else what was said."""
    said = [m.text for m in messages if m.role is Role.CALLER]
    if "story" in said[-1]:
        return "Once upon a time, " + "the sea was wide and " * 60
    names = [text.split("name is ")[1].split()[0].strip(".,!?") for text in said if "name is " in text]
    return f"Your name is {names[-1]}." if names else f"You said {said[-1]}"


class FakeLlm:
    """Passes the same contract tests as the real one.

    :param script: makes the replies.
    :param failures: caller's texts that raise EngineError, and its message.
    :param on_word: called before each word is given out: there a test moves its clock or hangs up.

    ``asked`` lists what each reply was shown.
    """

    def __init__(
        self,
        script: Script = remembering,
        *,
        max_calls: int = 4,
        context_tokens: int = 512,
        now_ms: Callable[[], int] = monotonic_ms,
        failures: Mapping[str, str] | None = None,
        on_word: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = "fake"
        self.asked: list[tuple[Message, ...]] = []
        self.script = script
        self.context_tokens = context_tokens
        self.now_ms = now_ms
        self.failures = dict(failures or {})
        self.on_word = on_word
        self.tally = LlmCounters()
        self.open: set[FakeConversation] = set()
        self.is_closed = False
        self._max_calls = max_calls
        self._warm: set[str] = set()

    def __repr__(self) -> str:
        return f"FakeLlm({len(self.open)}/{self._max_calls} open, {len(self.asked)} asked)"

    @property
    def is_idle(self) -> bool:
        return True

    def counters(self) -> LlmCounters:
        return replace(self.tally)

    def open_conversation(self, system_prompt: str) -> "FakeConversation":
        self.warm(system_prompt)
        if len(self.open) >= self._max_calls:
            raise CapacityError(f"llm: all {self._max_calls} conversations are in use")
        conversation = FakeConversation(self, system_prompt)
        self.open.add(conversation)
        return conversation

    def open_reader(self, primer: Primer) -> "FakeReader":
        return FakeReader(primer.text)

    def warm_reader(self, primer: Primer) -> None:
        self.warm(primer.text)

    def warm(self, system_prompt: str) -> None:
        if self.is_closed:
            raise EngineError("llm: the model is closed")
        words = system_prompt.split()
        if len(words) > self.context_tokens // 2:
            raise EngineError(f"llm: a persona's prompt of {len(words)} tokens; shorten it")
        if system_prompt not in self._warm:
            self._warm.add(system_prompt)
            self.tally.decoded_prompt_tokens += len(words)

    def close(self) -> None:
        self.is_closed = True
        for conversation in list(self.open):
            conversation.close()


class FakeConversation:
    """One call's place in a ``FakeLlm``."""

    def __init__(self, model: FakeLlm, system_prompt: str) -> None:
        self._model = model
        self._prompt = Message(Role.SYSTEM, system_prompt)
        self._cache = system_prompt.split()
        self._job_id = 0
        self._is_closed = False

    def read_ahead(self, history: Sequence[Message], caller_text: str) -> None:
        if not self._is_closed:
            self._read(self._window([*history, Message(Role.CALLER, caller_text)]))

    def reply(
        self,
        history: Sequence[Message],
        limits: SamplingLimits,
        cancelled: Cancelled,
        *,
        priority: int = 0,
        on_end_scored: EndScored | None = None,
    ) -> Generator[str, None, None]:
        if self._is_closed:
            raise EngineError("llm: the conversation is closed")
        self._job_id += 1
        stream = self._pieces(history, limits, cancelled)
        if on_end_scored is not None:
            on_end_scored(0.0 if history[-1].text.endswith((" and", " to", " is")) else 1.0)
        next(stream)
        return stream

    def close(self) -> None:
        self._is_closed = True
        self._model.open.discard(self)

    def _pieces(
        self, history: Sequence[Message], limits: SamplingLimits, cancelled: Cancelled
    ) -> Generator[str, None, None]:
        model, job_id, began_ms = self._model, self._job_id, self._model.now_ms()
        yield ""
        messages = self._window(history)
        model.asked.append(messages)
        if history[-1].text in model.failures:
            model.tally.failed_jobs += 1
            raise EngineError(model.failures[history[-1].text])
        model.tally.reused_prompt_tokens += self._read(messages)
        for n, word in enumerate(model.script(messages).split()[: limits.max_tokens]):
            model.on_word()
            if self._is_closed or job_id != self._job_id or cancelled():
                model.tally.cancelled_jobs += 1
                raise JobCancelled("llm: the job was cancelled")
            if model.now_ms() - began_ms >= limits.deadline_ms:
                if n == 0:
                    raise EngineError(f"llm: no word of the reply within {limits.deadline_ms} ms")
                return
            self._cache.append(word)
            model.tally.generated_tokens += 1
            yield word if n == 0 else f" {word}"

    def _window(self, history: Sequence[Message]) -> tuple[Message, ...]:
        used = len(self._prompt.text.split())
        budget = self._model.context_tokens * 3 // 4 - used
        return (
            self._prompt,
            *fit_window(history, lambda m: len(m.text.split()) + 1, budget_tokens=budget).messages,
        )

    def _read(self, messages: Sequence[Message]) -> int:
        """Read what differs from the cache; returns how many words were there already."""
        words = [word for message in messages for word in message.text.split()]
        same = 0
        while same < min(len(words), len(self._cache)) and words[same] == self._cache[same]:
            same += 1
        self._cache = words
        self._model.tally.decoded_prompt_tokens += len(words) - same
        return same


class FakeReader:
    """Understands by likeness: the choice that shares most words with the text, else the last one."""

    def __init__(self, primer: str) -> None:
        self.primer = primer
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
        if self.is_closed:
            raise EngineError("llm: the reader is closed")
        words = set(text.lower().split())
        return next((one for one in choices if words & set(one.split())), choices[-1] if choices else "")

    def close(self) -> None:
        self.is_closed = True
