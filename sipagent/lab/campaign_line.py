"""Places a campaign's calls with the lab's softphone: real SIP and RTP, and keys instead of a conversation.

A person who presses 1 confirms, 2 cancels, 3 wants another time; the opt-out key ends everything.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from sipagent.campaigns.answering import WINDOW_MS, Window
from sipagent.campaigns.conduct import (
    Action,
    Conduct,
    HangUp,
    Say,
    StartFlow,
    StopFlow,
    Transcribe,
)
from sipagent.campaigns.dialler import CallOrder, Finished, Tell
from sipagent.campaigns.line_tones import WINDOW_SAMPLES, tones_in
from sipagent.campaigns.outcomes import Ending, FlowResult, Outcome
from sipagent.codecs.resample import StreamingResampler
from sipagent.errors import EngineError, SipError
from sipagent.lab.rtp_line import SpokenLine
from sipagent.lab.softphone import Softphone
from sipagent.speech.vad import Vad, VadModel
from sipagent.units import Pcm16, samples_to_ms

FLOW_KEYS = {"1": "confirmed", "2": "cancelled", "3": "rescheduled"}
_QUESTION = "Press one to confirm, two to cancel, three for another time, nine to get no more calls."
_PATIENCE_MS = 6000.0

Speak = Callable[[str], Pcm16]
Listen = Callable[[Pcm16], str]


class SoftphoneDialler:
    """A ``Dialler`` over loopback. A thread for each call, at most ``lines`` of them."""

    def __init__(
        self, peer: tuple[str, int], lines: int, vad: VadModel, speak: Speak, listen: Listen | None = None
    ) -> None:
        """:param listen: speech to text; None: the calls go without words."""
        self._peer, self._lines, self._vad, self._speak, self._listen = peer, lines, vad, speak, listen
        self._ears = ThreadPoolExecutor(1, "lab-ear")
        self._live: dict[int, threading.Thread] = {}
        self._closing = threading.Event()

    def __repr__(self) -> str:
        return f"SoftphoneDialler({self._peer[1]}, {len(self._live)} of {self._lines} lines)"

    def free_lines(self) -> int:
        """Lines without a call."""
        return 0 if self._closing.is_set() else self._lines - len(self._live)

    def place(self, order: CallOrder, tell: Tell) -> None:
        """As ``Dialler.place``."""
        thread = threading.Thread(target=self._run, args=(order, tell), name=f"call-{order.attempt_id}")
        self._live[order.attempt_id] = thread
        thread.start()

    def hang_up_all(self) -> None:
        """As ``Dialler.hang_up_all``."""
        self._closing.set()

    def close(self) -> None:
        """Hang up and wait for the threads."""
        self.hang_up_all()
        for thread in list(self._live.values()):
            thread.join(10)
        self._ears.shutdown()

    def _run(self, order: CallOrder, tell: Tell) -> None:
        ending = Ending(Outcome.FAILED)
        try:
            with Softphone(answer_timeout_ms=order.ring_s * 1000, from_user=order.caller_id) as phone:
                call = _LabCall(order, phone, self._vad.open(), self._speak, self._closing.is_set)
                ending = call.hold(f"sip:{order.number}@{self._peer[0]}:{self._peer[1]}", self._hear)
        except (SipError, EngineError, OSError):
            pass  # it could not be placed: failed
        finally:
            self._live.pop(order.attempt_id, None)
            tell(Finished(order.attempt_id, ending))

    def _hear(self, pcm: Pcm16) -> "Future[str] | None":
        return self._ears.submit(self._listen, pcm) if self._listen else None


class _LabCall:
    """One call on its thread."""

    def __init__(
        self, order: CallOrder, phone: Softphone, vad: Vad, speak: Speak, is_closing: Callable[[], bool]
    ) -> None:
        self._order, self._phone, self._vad, self._speak = order, phone, vad, speak
        self._is_closing = is_closing
        self._conduct = Conduct(order.script)
        self._upsampler = StreamingResampler(8000, 16000)
        self._pending: Pcm16 = np.zeros(0, dtype=np.int16)
        self._heard: list[Pcm16] = []
        self._packets = self._keys = 0
        self._at_ms: int | None = None
        self._saying: SpokenLine | None = None
        self._results: list[FlowResult] = []
        self._text: Future[str] | None = None
        self._asked_ms: float | None = None
        self._is_over = False

    def hold(self, uri: str, hear: Callable[[Pcm16], "Future[str] | None"]) -> Ending:
        """Place the call and follow it to its end."""
        self._hear = hear
        self._phone.call(uri)
        self._phone.run(self._poll, (self._order.ring_s + self._order.max_call_s) * 1000)
        if self._phone.is_up:
            self._phone.hang_up()
        elif not self._phone.is_over:
            self._phone.cancel()
        self._phone.run(lambda: self._phone.is_over, 3000)
        leg, result = self._phone.leg, self._phone.result
        talk_ms = int(leg.ended_ms - leg.answered_ms) if leg.answered_ms and leg.ended_ms else 0
        return self._conduct.ending(result.status if result else 0, talk_ms, self._results)

    def _poll(self) -> bool:
        """Every 10 ms: what came in goes to the conduct, what it wants is done."""
        self._take_sound()
        self._take_keys()
        if self._text is not None and self._text.done():
            text, self._text = self._text.result(), None
            self._do(self._conduct.heard(text))
        if self._saying is not None and self._saying.is_finished:
            self._saying = None
            self._do(self._conduct.said())
        if self._asked_ms is not None and _now_ms() - self._asked_ms > _PATIENCE_MS:
            self._is_over = True
        return self._is_over or self._phone.is_over or self._is_closing()

    def _take_sound(self) -> None:
        received, answered_ms = self._phone.line.received, self._phone.leg.answered_ms
        for packet in received[self._packets :]:
            if answered_ms and (self._at_ms is None or self._at_ms < 0):
                self._at_ms, self._pending = 0, self._pending[:0]
            self._pending = np.concatenate([self._pending, self._upsampler.push(packet.pcm)])
            while self._pending.size >= WINDOW_SAMPLES:
                window, self._pending = self._pending[:WINDOW_SAMPLES], self._pending[WINDOW_SAMPLES:]
                self._take_window(window)
        self._packets = len(received)

    def _take_window(self, pcm: Pcm16) -> None:
        start_ms = self._at_ms if self._at_ms is not None else -(10**6)
        self._at_ms = start_ms + WINDOW_MS
        if start_ms >= 0:
            self._heard.append(pcm)
        self._do(self._conduct.window(Window(start_ms, self._vad.probability(pcm), tones_in(pcm))))

    def _take_keys(self) -> None:
        keys = list(self._phone.line.received_digits.values())
        for key in keys[self._keys :]:
            self._do(self._conduct.key_pressed(key))
            if key in FLOW_KEYS and self._asked_ms is not None and not self._is_over:
                self._results.append(FlowResult(FLOW_KEYS[key]))
                self._is_over = True
        self._keys = len(keys)

    def _do(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case StartFlow(announcement):
                    line = self._phone.say(self._speak(f"{announcement} {_QUESTION}".strip()))
                    self._asked_ms = _now_ms() + samples_to_ms(line.pcm.size, 8000)
                case StopFlow():
                    self._asked_ms = None
                    self._phone.line.silence()
                case Say(text):
                    self._saying = self._phone.say(self._speak(text))
                case Transcribe() if self._text is None:
                    self._text = self._hear(np.concatenate(self._heard)) if self._heard else None
                case HangUp():
                    self._is_over = True
                case _:
                    pass


def _now_ms() -> float:
    return time.monotonic_ns() / 1e6
