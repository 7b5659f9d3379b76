"""Jobs of the decoder, and which of them go into its next step. No model here."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from sipagent.brain.llama_text import ReplyText
from sipagent.brain.types import EndScored, SamplingLimits
from sipagent.speech.types import Cancelled, never_cancelled

STEP_TOKENS = 32
"""Most tokens of one step: reading is no quicker per token in larger ones, and whatever is urgent waits
for the step under way to end."""
ASIDE_TOKENS = 8
"""Tokens read for nobody's sake now, in a step that also continues a reply."""
STARVED_MS = 200
"""A reply that is left out of the steps for this long gets one token: speech needs about four a second."""
UNREAD_PIECES = 3
PREPARE_PRIORITY = 1000
READ_AHEAD_PRIORITY = 2000


class JobKind(Enum):
    """What a job is for."""

    REPLY = "reply"
    READ_AHEAD = "read_ahead"
    PROMPT = "prompt"
    """Reads a persona's prompt into its own sequence."""


@dataclass(eq=False, slots=True)
class Place:
    """A sequence of the KV cache while a call or a persona has it. ``cells`` is the decoder's alone."""

    sequence: int
    cells: list[int] = field(default_factory=list)
    """Token ids in the cache, in order."""
    is_closed: bool = False


@dataclass(eq=False, slots=True)
class Prompt:
    """A persona's prompt and the sequence that keeps it, for calls to share."""

    text: str
    tokens: tuple[int, ...]
    place: Place
    is_ready: bool = False
    is_lost: bool = False
    """Reading it failed or its sequence was given away: a call reads the prompt itself."""
    error: Exception | None = None
    is_settled: threading.Event = field(default_factory=threading.Event)
    """It is ready or lost."""
    like: "Prompt | None" = None
    """Another that begins alike, as the persona's for other callers: what they share is not read again."""


@dataclass(frozen=True, slots=True)
class JobEnd:
    """The last item of a job's output."""

    error: Exception | None = None


@dataclass(eq=False, slots=True)
class Job:
    """One thing to do for one sequence. The newest job of a sequence ends the one before.

    The submitting thread fills the upper half; the lower one is the decoder's.
    """

    kind: JobKind
    place: Place
    tokens: tuple[int, ...]
    """The whole prompt. What the cache already holds of it is not read again."""
    submitted_ms: int
    priority: int
    prompt: Prompt | None = None
    """Whose beginning this job may share."""
    limits: SamplingLimits = field(default_factory=SamplingLimits)
    cancelled: Cancelled = never_cancelled
    max_tokens: int = 0
    grammar: str = ""
    """GBNF that the reply keeps to; then the likeliest token is taken. Empty: free text."""
    choices: tuple[str, ...] = ()
    """A reply that can only become one of these is over."""
    weighed: tuple[int, ...] = ()
    """Tokens of which the likeliest is wanted, and nothing written: ``weights`` is the answer."""
    probe: int | None = None
    """Index of the token whose followers are looked at: does the caller's message end there?"""
    on_end_scored: EndScored | None = None
    output: "queue.SimpleQueue[str | JobEnd]" = field(default_factory=queue.SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)

    is_begun: bool = False
    is_ended: bool = False
    text: ReplyText = field(default_factory=ReplyText)
    sampled: list[int] = field(default_factory=list)
    """Tokens of the reply; the last one is not in the cache yet."""
    weights: tuple[float, ...] = ()
    """What speaks for each of ``weighed``."""
    last_step_ms: int = 0

    @property
    def is_generating(self) -> bool:
        return bool(self.sampled)

    @property
    def unread_tokens(self) -> int:
        """Tokens to read before there is something new."""
        return 1 if self.sampled else len(self.tokens) - len(self.place.cells)

    @property
    def is_waited_for(self) -> bool:
        """A clause is out and its reader has not come back for more: it needs the cores for its voice."""
        return self.text.has_clause and self.output.qsize() >= UNREAD_PIECES

    @property
    def decided(self) -> str | None:
        """The one choice that the reply can still become; None: there are more, or it is free."""
        if not self.choices or not self.sampled:
            return None
        left = [choice for choice in self.choices if choice.startswith(self.text.text)]
        return left[0] if len(left) == 1 else None

    @property
    def urgency(self) -> int:
        """Lower is sooner. Once a clause is out the caller hears something and others come first."""
        return self.priority * 2 + self.text.has_clause


@dataclass(eq=False, slots=True)
class Errand:
    """Something that needs the decoder's thread and is no job of a sequence."""

    work: Callable[[], None]
    is_urgent: bool
    """Somebody waits; else it is done while there are no jobs."""
    error: Exception | None = None
    is_done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Do it. Never raises."""
        try:
            self.work()
        except Exception as error:  # whoever waits gets it
            self.error = error
        self.is_done.set()

    def fail(self, error: Exception) -> None:
        """It is not done."""
        self.error = error
        self.is_done.set()


@dataclass(frozen=True, slots=True)
class Share:
    """How many tokens of a job go into the step."""

    job: Job
    tokens: int


def plan_step(jobs: Sequence[Job], *, now_ms: int) -> list[Share]:
    """Choose the next step's tokens. Pure.

    Each sequence more makes the step slower for all: two cost twice as much as one, four three times. So
    callers who wait in silence are served one after the other, the longest waiting first, until each has
    a clause to hear; what is less urgent shares its steps. Exceptions: a reply that starves gets its token,
    and where only later clauses are written, a little is read ahead on the side.

    :param jobs: runnable jobs, oldest first, all begun.
    """
    if not jobs:
        return []
    best = min(job.urgency for job in jobs)
    chosen = [job for job in jobs if job.urgency == best]
    if chosen[0].kind is JobKind.REPLY and not chosen[0].text.has_clause:
        del chosen[1:]
    starved = [
        job
        for job in jobs
        if job not in chosen and job.is_generating and now_ms - job.last_step_ms >= STARVED_MS
    ]
    shares = [Share(job, 1) for job in [*chosen, *starved] if job.is_generating]
    room = STEP_TOKENS - len(shares)
    for job in chosen:
        if not job.is_generating and room > 0:
            shares.append(Share(job, min(room, job.unread_tokens)))
            room -= shares[-1].tokens
    if all(share.job.is_generating and share.job.text.has_clause for share in shares):
        aside = [job for job in jobs if job.kind is not JobKind.REPLY][:1]
        shares += [Share(job, min(ASIDE_TOKENS, job.unread_tokens)) for job in aside]
    return shares
