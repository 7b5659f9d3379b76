"""One call from the offer to the last log line: its thread, its mailbox, and who gets which event.

The thread waits on the mailbox for a few milliseconds at a time; between events it lets the dialogue listen
and speak, and the controls see the clock. Engines answer through the mailbox. ::

    line, lanes, desk ──▶ mailbox ──▶ Session ──┬─▶ Dialogue: who speaks when, and what is said
                                                └─▶ Controls: keys, holds, transfers
"""

import queue
import threading
from collections.abc import Callable

import structlog

from sipagent.call.controls import ControlEvent, Controls
from sipagent.call.dialogue import Dialogue
from sipagent.call.ear import Ear
from sipagent.call.guide import BeginAtOnce, Guide
from sipagent.call.mouth import Mouth
from sipagent.call.parts import SessionParts
from sipagent.call.ports import (
    DigitPressed,
    EndCall,
    Line,
    LineDown,
    LineProgress,
    LineUp,
    MediaFault,
    Offer,
    Rejection,
    SendDigits,
    TransferCall,
    TransferMode,
)
from sipagent.call.record import CallRecord
from sipagent.call.rest import Rest
from sipagent.call.stage import CallStage
from sipagent.call.tape import CallTape
from sipagent.call.tool_calls import ToolCalls, context_of
from sipagent.call.turn_events import TextHeard
from sipagent.units import Pcm16, monotonic_ms

_POLL_S = 0.005
_GOODBYE_LIMIT_MS = 10_000
_LAST_WORDS_MS = 3000
_UNAVAILABLE = 503


class Session:
    """A call's life. ``post`` may be called from any thread; the rest runs on its own."""

    def __init__(
        self,
        call_id: str,
        offer: Offer,
        line: Line,
        parts: SessionParts,
        record: CallRecord,
        tape: CallTape,
        log: structlog.stdlib.BoundLogger,
        on_end: Callable[["Session"], None],
    ) -> None:
        self.call_id = call_id
        self.seen_ms = monotonic_ms()
        """When the call's thread last went round: whoever watches reads it."""
        self._offer, self._line, self._parts = offer, line, parts
        self._record, self._tape, self._log, self._on_end = record, tape, log, on_end
        self._mailbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"call-{call_id}", daemon=True)
        guide: Guide = parts.guide or BeginAtOnce()
        self._guide = guide
        self._ear = Ear(
            line.audio, parts.hearing, parts.stream, self.post, log, tap=self._tap, watch=guide.window
        )
        mouth = Mouth(line.audio)
        runner = parts.flow.tools if parts.flow is not None else None
        tools = ToolCalls(runner, context_of(call_id, offer, parts.persona), record, self.post)
        self._dialogue = Dialogue(
            self._ear, mouth, parts, record, tape, guide, tools, self.post, self.hang_up, log
        )
        self._stage = CallStage(self._dialogue, self._ear, self.hang_up)
        rest = Rest(self._ear, mouth)
        self._controls = Controls(self._dialogue, offer, line, parts, record, rest, self.post)
        self._up_ms: int | None = None
        self._hears_early_media = False
        self._has_hung_up = False
        self._closing_since_ms = 0
        self._is_time_up = False

    def __repr__(self) -> str:
        return f"Session({self.call_id}, {self._dialogue})"

    def post(self, event: object) -> None:
        """Hand an event to the call's thread. Never blocks."""
        self._mailbox.put(event)

    def transfer(self, target: str, mode: TransferMode, summary: str = "") -> None:
        """Hand the call over; where that fails the caller is told and the conversation goes on. Any thread.

        :param target: name under the persona's ``transfer``.
        :param summary: said to whoever takes the call, before the caller is connected.
        """
        self.post(TransferCall(target, mode, summary))

    def send_digits(self, digits: str) -> None:
        """Press keys on the caller's line, in the way that it takes them. Any thread."""
        self.post(SendDigits(digits))

    def start(self) -> None:
        """Begin the thread, which answers the call."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """True when the thread has ended in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def cut(self) -> None:
        """The process ends now: note that the call did not end by itself. Any thread."""
        self._record.cut()

    def hang_up(self) -> None:
        """End the call. Call thread."""
        if not self._has_hung_up:
            self._has_hung_up = True
            self._line.hang_up()

    # --- the thread ---

    def _run(self) -> None:
        down: LineDown | None = None
        try:
            self._answer()
            while down is None:
                down = self._wait()
        except Exception:  # a call's fault costs this call, never the worker
            self._log.exception("call.failed")
            self._line.hang_up()
        finally:
            self._finish(down)

    def _answer(self) -> None:
        """Answer once the call's start is on the disk."""
        problem = self._record.begin(self._offer, self._parts.persona)
        if problem is None:
            self._guide.enter(self._stage)
            self._line.answer()
            self._record.accepted()
            if self._parts.guide is not None:
                self._dialogue.rehearse(self._guide.announcement)
        else:
            self._line.refuse(Rejection(_UNAVAILABLE, problem, self._parts.retry_after_s))

    def _wait(self) -> LineDown | None:
        self.seen_ms = monotonic_ms()
        try:
            event = self._mailbox.get(timeout=_POLL_S)
        except queue.Empty:
            event = None
        while event is not None:
            if isinstance(event, LineDown):
                return event
            self._take(event)
            try:
                event = self._mailbox.get_nowait()
            except queue.Empty:
                event = None
        if self._up_ms is not None:
            self._pump(self._up_ms)
        elif self._hears_early_media:
            self._ear.listen()  # for the guide
            self._ear.forget()
        return None

    def _finish(self, down: LineDown | None) -> None:
        if self._parts.guide is not None and self._has_last_words:
            self._hear_last_words()
        self._dialogue.stop()
        self._controls.close()
        self._parts.conversation.close()
        self._dialogue.close()
        self._ear.close()
        self._tape.close()
        self._record.ended(down, self._line.audio, monotonic_ms())
        self._line.release()
        if self._parts.memory is not None and self._up_ms is not None:
            self._parts.memory.close()
        self._on_end(self)
        self._guide.left(is_broken=down is None)

    @property
    def _has_last_words(self) -> bool:
        """They have spoken, and nobody knows all of it."""
        if self._up_ms is None:
            return False
        return self._dialogue.is_taking_turn or (self._ear.has_heard and not self._has_hung_up)

    def _hear_last_words(self) -> None:
        """Who says "never call me again" and hangs up has said it."""
        self._stage.transcribe_now()
        deadline_ms = monotonic_ms() + _LAST_WORDS_MS
        while (left_ms := deadline_ms - monotonic_ms()) > 0:
            try:
                event = self._mailbox.get(timeout=left_ms / 1000)
            except queue.Empty:
                return
            if isinstance(event, TextHeard) and event.attempt == self._ear.guides_attempt:
                self._guide.overheard(event.text)
                return

    def _pump(self, up_ms: int) -> None:
        """What the clock brings: sound from the line, room on the line, time."""
        if not self._controls.pump(monotonic_ms()):
            self._dialogue.pump()
        self._mind_time(up_ms, monotonic_ms())

    def _mind_time(self, up_ms: int, now_ms: int) -> None:
        if not self._is_time_up and now_ms - up_ms >= self._parts.persona.max_call_s * 1000:
            self._is_time_up = True
            self._record.end_wanted("call.time_up", max_call_s=self._parts.persona.max_call_s)
            self._dialogue.say_goodbye()
        if not self._dialogue.is_closing:
            self._closing_since_ms = now_ms
        elif self._controls.is_resting or now_ms - self._closing_since_ms >= _GOODBYE_LIMIT_MS:
            self.hang_up()  # the goodbye cannot be heard, or could not be said

    # --- events ---

    def _take(self, event: object) -> None:
        match event:
            case LineUp(at_ms) if self._up_ms is None:
                self._up_ms = at_ms
                self._controls.up(event)
                self._record.up(at_ms)
                self._tape.up(at_ms)
                self._guide.answered()
            case LineProgress():
                self._record.progress(event)
                self._hears_early_media |= event.what == "early_media" and self._parts.guide is not None
            case EndCall(reason):
                self._record.end_wanted("call.end_wanted", reason=reason)
                if self._up_ms is None:
                    self.hang_up()
                else:
                    self._dialogue.say_goodbye()
            case DigitPressed(digit, _, how):
                self._record.pressed(digit, how)
                is_in_number = self._dialogue.takes_digits or self._controls.is_dictating
                if self._up_ms is None or (not is_in_number and self._guide.pressed(digit)):
                    return
                if self._dialogue.has_begun:
                    self._pressed(digit, monotonic_ms())
            case MediaFault(text, sent_to):
                self._record.media_fault(text, sent_to)
            case _ if isinstance(event, ControlEvent):
                self._controls.take(event)
            case _:
                self._dialogue.take(event)

    def _pressed(self, digit: str, now_ms: int) -> None:
        if self._dialogue.pressed(digit, now_ms, is_in_number=self._controls.is_dictating):
            self._controls.forget_number()
        else:
            self._controls.pressed(digit, now_ms)

    def _tap(self, window: Pcm16, played: Pcm16) -> None:
        self._tape.take(window, played)
        self._controls.listen(window)
