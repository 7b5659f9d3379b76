"""The one thread that runs the model: continuous batching over the jobs of all calls.

::

    submit ─→ inbox ─→ admit ─→ reap ─→ begin ─→ plan_step ─→ decode ─→ sample ─→ job.output
                                 ↑         │ cut the cache at the first difference,
                   cancelled, deadline     │ share the persona's prompt
                                 └─────────┴──────────── next step ←──────────────┘
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from sipagent.brain.llama_jobs import Errand, Job, JobEnd, JobKind, Place, Share, plan_step
from sipagent.brain.llama_native import Entry, NativeContext, NativeModel, Sampler
from sipagent.brain.llm import LlmCounters
from sipagent.errors import EngineError, JobCancelled

log = structlog.get_logger()

NowMs = Callable[[], int]

_READER_POLL_S = 0.005


class Decoder:
    """Owns the context. ``submit`` and ``release`` may be called from any thread.

    :param now_ms: monotonic clock of deadlines.
    :param seed: of every reply's sampling, so that a call can be repeated.
    """

    def __init__(self, model: NativeModel, context: NativeContext, *, now_ms: NowMs, seed: int) -> None:
        self._model = model
        self._context = context
        self._now_ms = now_ms
        self._seed = seed
        self._inbox: deque[Job | Place] = deque()
        self._errands: deque[Errand] = deque()
        self._wake = threading.Condition()
        self._is_closing = False
        self._jobs: list[Job] = []
        self._samplers: dict[Job, Sampler] = {}
        self._counters = LlmCounters()
        self._thread = threading.Thread(target=self._run, name="llm", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. Its output always ends with a ``JobEnd``."""
        self._post(job)

    def release(self, place: Place) -> None:
        """Cancel the jobs of a sequence and forget its cells; jobs submitted later find it empty."""
        place.is_closed = True
        self._post(place)

    def run_between(self, errand: Errand) -> None:
        """Have something done on this thread between two steps; what is not urgent, while there are none."""
        with self._wake:
            if not self._is_closing:
                self._errands.append(errand)
                self._wake.notify()
                return
        errand.fail(EngineError("llm: the model is closed"))

    def counters(self) -> LlmCounters:
        """A copy of the counters."""
        return replace(self._counters)

    @property
    def is_idle(self) -> bool:
        """Nothing is waiting or running."""
        with self._wake:
            return not (self._inbox or self._jobs or self._errands)

    def close(self, timeout_s: float = 10.0) -> None:
        """End all jobs and the thread. Idempotent."""
        with self._wake:
            self._is_closing = True
            self._wake.notify()
        if self._thread.ident is None:
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise EngineError(f"llm: the decoder did not stop within {timeout_s:.0f} s")

    def _post(self, item: Job | Place) -> None:
        with self._wake:
            if not self._is_closing:
                self._inbox.append(item)
                self._wake.notify()
                return
        if isinstance(item, Job):
            item.output.put(JobEnd(EngineError("llm: the model is closed")))

    def _run(self) -> None:
        while self._admit():
            try:
                if self._run_errand():
                    continue
                self._reap()
                self._step()
            except Exception as exc:  # the thread must outlive whatever a job brings along
                log.exception("llm.step_failed", jobs=len(self._jobs))
                for job in list(self._jobs):
                    self._forget(job.place)
                    self._end(job, EngineError(f"llm: {type(exc).__name__}: {exc}"))
        for job in [*self._jobs, *(item for item in self._inbox if isinstance(item, Job))]:
            self._end(job, EngineError("llm: the model was closed"))
        for errand in self._errands:
            errand.fail(EngineError("llm: the model was closed"))

    def _admit(self) -> bool:
        """Take what was posted, waiting while there is nothing to do. False: close."""
        with self._wake:
            while not (self._inbox or self._jobs or self._errands or self._is_closing):
                self._wake.wait()
            if self._is_closing:
                return False
            while self._inbox:
                self._take(self._inbox.popleft())
        return True

    def _run_errand(self) -> bool:
        """Do the first that may be done now; False: none."""
        with self._wake:
            errand = next((one for one in self._errands if one.is_urgent or not self._jobs), None)
        if errand is None:
            return False
        errand.run()
        with self._wake:
            self._errands.remove(errand)
        return True

    def _take(self, item: Job | Place) -> None:
        """The newest job of a sequence wins, but reading ahead never ends a reply."""
        place = item.place if isinstance(item, Job) else item
        running = [job for job in self._jobs if job.place is place]
        is_replying = any(job.kind is JobKind.REPLY for job in running)
        if is_replying and isinstance(item, Job) and item.kind is JobKind.READ_AHEAD:
            self._end(item, JobCancelled("llm: a reply is under way"))
            return
        for job in running:
            self._end(job, JobCancelled("llm: another job took the sequence"))
        if isinstance(item, Job):
            self._jobs.append(item)
        else:
            self._forget(item)

    def _reap(self) -> None:
        """End what has lost its purpose, run out of time or lost its sequence."""
        now_ms = self._now_ms()
        for job in list(self._jobs):
            if job.stop.is_set() or job.place.is_closed or _is_cancelled(job):
                self._end(job, JobCancelled("llm: the job was cancelled"))
            elif job.kind is JobKind.REPLY and now_ms - job.submitted_ms >= job.limits.deadline_ms:
                late = EngineError(f"llm: no word of the reply within {job.limits.deadline_ms} ms")
                self._end(job, None if job.text.text else late)

    def _step(self) -> None:
        runnable = [job for job in self._jobs if self._is_runnable(job) and not job.is_waited_for]
        for job in runnable:
            if not job.is_begun:
                self._begin(job)
        shares = plan_step([job for job in runnable if not job.is_ended], now_ms=self._now_ms())
        if shares:
            self._decode(shares)
            return
        with self._wake:
            self._wake.wait(_READER_POLL_S)  # every job waits for its reader

    def _is_runnable(self, job: Job) -> bool:
        """A reply waits for its persona's prompt, which then is as urgent as the reply."""
        prompt = job.prompt
        if job.is_begun or job.kind is JobKind.PROMPT or prompt is None or prompt.is_ready or prompt.is_lost:
            return True
        for other in self._jobs:
            if other.place is prompt.place:
                other.priority = min(other.priority, job.priority)
                return False
        return True  # its prompt is not being read: then the job reads it itself

    def _begin(self, job: Job) -> None:
        """Keep of the cache what the job's prompt begins with, at most all but the token to go on from."""
        job.is_begun = True
        job.last_step_ms = self._now_ms()
        place, usable = job.place, len(job.tokens) - (job.kind is JobKind.REPLY)
        if job.probe is not None:
            usable = min(usable, job.probe)
        kept = min(common_length(place.cells, job.tokens), usable)
        prompt = job.prompt.like if job.prompt and job.kind is JobKind.PROMPT else job.prompt
        if prompt is not None and prompt.is_ready and not prompt.is_lost:
            shared = min(common_length(prompt.tokens, job.tokens), usable)
            if shared > kept:
                self._forget(place)
                self._context.share(prompt.place.sequence, place.sequence, shared)
                place.cells = list(job.tokens[:shared])
                kept = shared
        if not self._cut(place, kept):
            kept = 0
        if job.kind is JobKind.REPLY:
            self._counters.reused_prompt_tokens += kept
        if job.unread_tokens == 0:
            self._finish_reading(job)

    def _decode(self, shares: Sequence[Share]) -> None:
        """Run one step. If llama.cpp refuses it, each job runs alone and only the guilty one fails."""
        failure = self._context.decode(_entries(shares))
        if failure == 0:
            self._finish_step(shares)
            return
        for share in shares:
            self._cut(share.job.place, len(share.job.place.cells))
        for share in shares:
            failure = self._context.decode(_entries([share])) if len(shares) > 1 else failure
            if failure == 0:
                self._finish_step([share])
            else:
                log.warning("llm.decode_failed", code=failure, kind=share.job.kind.value)
                self._forget(share.job.place)
                self._end(share.job, EngineError(f"llm: llama.cpp could not decode (code {failure})"))

    def _finish_step(self, shares: Sequence[Share]) -> None:
        self._counters.steps += 1
        now_ms = self._now_ms()
        batch_end = 0
        for share in shares:
            job, batch_end = share.job, batch_end + share.tokens
            job.last_step_ms = now_ms
            if not job.is_generating:
                self._counters.decoded_prompt_tokens += share.tokens
                self._look_at_probe(share, batch_end)
            job.place.cells += _next_tokens(share)
            if job.is_generating or job.unread_tokens == 0:
                self._advance(job, batch_end - 1)

    def _look_at_probe(self, share: Share, batch_end: int) -> None:
        """Tell how likely the caller's message ends where it stands, if the step has read that token.

        :param batch_end: one past the share's last entry in the batch; its cells are not counted yet.
        """
        job = share.job
        if job.probe is None or job.on_end_scored is None:
            return
        place = job.probe - len(job.place.cells)
        if 0 <= place < share.tokens:
            score = self._context.probability(batch_end - share.tokens + place, self._model.closing_tokens)
            job.on_end_scored(score)

    def _advance(self, job: Job, batch_index: int) -> None:
        """The job's tokens are read: sample the next one, or it is done."""
        if job.kind is not JobKind.REPLY:
            self._finish_reading(job)
            return
        if job.weighed:
            job.weights = self._context.weights(batch_index, job.weighed)
            self._end(job, None)
            return
        token = self._context.sample(self._sampler(job), batch_index)
        if token in self._model.end_tokens:
            self._end(job, None)
            return
        job.sampled.append(token)
        self._counters.generated_tokens += 1
        self._give(job, job.text.feed(self._model.piece(token)))
        if job.text.is_stopped or job.decided is not None or len(job.sampled) >= job.max_tokens:
            self._end(job, None)

    def _finish_reading(self, job: Job) -> None:
        """All of a prompt or a read-ahead is in the cache."""
        if job.kind is JobKind.PROMPT and job.prompt is not None:
            job.prompt.is_ready = True
        self._end(job, None)

    def _sampler(self, job: Job) -> Sampler:
        if job not in self._samplers:
            temperature = job.limits.temperature
            self._samplers[job] = (
                Sampler.under(self._model, job.grammar)
                if job.grammar
                else Sampler(self._model.vocab_tokens, temperature=temperature, seed=self._seed)
            )
        return self._samplers[job]

    def _give(self, job: Job, text: str) -> None:
        if text:
            job.output.put(text)

    def _end(self, job: Job, error: Exception | None) -> None:
        """Give the job its last item. Idempotent."""
        if job.is_ended:
            return
        job.is_ended = True
        if job in self._jobs:
            self._jobs.remove(job)
        sampler = self._samplers.pop(job, None)
        if sampler is not None:
            sampler.close()
        if error is None:
            self._give(job, job.text.finish())
        elif isinstance(error, JobCancelled):
            self._counters.cancelled_jobs += 1
        else:
            self._counters.failed_jobs += 1
        if job.kind is JobKind.PROMPT and job.prompt is not None:
            job.prompt.is_lost |= error is not None
            job.prompt.error = error
            job.prompt.like = None  # read: nothing holds on to it any more
            job.prompt.is_settled.set()
        job.output.put(JobEnd(error))

    def _cut(self, place: Place, length_tokens: int) -> bool:
        """Shorten the sequence's cache. False where the memory could only forget it all."""
        del place.cells[length_tokens:]
        if self._context.cut(place.sequence, length_tokens):
            return True
        self._forget(place)
        return False

    def _forget(self, place: Place) -> None:
        place.cells.clear()
        self._context.cut(place.sequence, 0)


def _entries(shares: Sequence[Share]) -> list[Entry]:
    entries: list[Entry] = []
    for share in shares:
        place, tokens = share.job.place, _next_tokens(share)
        is_reply = share.job.kind is JobKind.REPLY
        is_last = is_reply and share.tokens == share.job.unread_tokens
        for n, token in enumerate(tokens):
            is_probe = not share.job.is_generating and len(place.cells) + n == share.job.probe
            wants_logits = is_probe or (is_last and n == len(tokens) - 1)
            entries.append(Entry(token, len(place.cells) + n, place.sequence, wants_logits))
    return entries


def _next_tokens(share: Share) -> Sequence[int]:
    job, read = share.job, len(share.job.place.cells)
    return job.sampled[-1:] if job.is_generating else job.tokens[read : read + share.tokens]


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """Tokens that both begin with."""
    for n, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right:
            return n
    return min(len(a), len(b))


def _is_cancelled(job: Job) -> bool:
    """A question that raises counts as yes: its call is broken, not the decoder."""
    try:
        return job.cancelled()
    except Exception:
        log.exception("llm.cancelled_raised")
        return True
