"""The caller's process: places one planned call and prints what happens, one JSON object a line.

Run as ``python -m sipagent.lab.caller PLAN.json --out DIR``. Every ``*_ms`` that is a moment is
CLOCK_MONOTONIC, so that it compares with the agent's log. The last line is ``call.measured``.
"""

import argparse
import dataclasses
import gc
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from sipagent.codecs.level import rms_dbov
from sipagent.errors import SipAgentError
from sipagent.lab.echo_path import echo_of
from sipagent.lab.plan import CallPlan, Move, Progress, decide
from sipagent.lab.quality import Quality, quality_of
from sipagent.lab.rtp_line import SpokenLine, prepare_line
from sipagent.lab.softphone import Softphone, go_realtime
from sipagent.lab.wire import LineAnswer, Span, answer_to
from sipagent.media.wav import read_wav
from sipagent.units import monotonic_ms

HANG_UP_TIMEOUT_MS = 5000
_REFUSE_TIMEOUT_MS = 45_000

Emit = Callable[..., None]


@dataclasses.dataclass(slots=True)
class _Spoken:
    """One line of the script as it went."""

    text: str
    was_answered: bool
    """False: the caller gave up waiting before it spoke this."""
    span: Span | None = None
    is_reported: bool = False


class Caller:
    """Plays a plan on a phone."""

    def __init__(self, plan: CallPlan, phone: Softphone, lines: list[SpokenLine], emit: Emit) -> None:
        self._plan, self._phone, self._lines, self._emit = plan, phone, lines, emit
        self._spoken: list[_Spoken] = []
        self._current: SpokenLine | None = None
        self._since_ms = 0.0
        self._spans_told = 0
        self._is_start_told = False
        self._is_hanging_up = False
        self._left_ms: int | None = None

    def place_call(self) -> None:
        """From INVITE to the end; returns when the call is over."""
        self._phone.call(self._plan.uri)
        self._phone.line.level_for(self._lines)
        self._emit("call.placed", at_ms=self._phone.leg.invited_ms, uri=self._plan.uri)
        self._phone.run(
            lambda: self._phone.is_up or self._phone.is_over or self._is_hanging_up, _REFUSE_TIMEOUT_MS
        )
        if self._phone.is_up:
            self._since_ms = self._phone.leg.answered_ms
            self._emit("call.answered", at_ms=self._since_ms, setup_ms=round(self._phone.setup_ms, 1))
            self._phone.run(self._poll, self._plan.max_call_ms + HANG_UP_TIMEOUT_MS)
        self._end()

    def hang_up(self) -> None:
        """End the call at the next poll; for signals."""
        self._is_hanging_up = True

    def _end(self) -> None:
        if not self._phone.is_over:
            self._phone.hang_up()
            self._phone.cancel()
            self._phone.run(lambda: self._phone.is_over, HANG_UP_TIMEOUT_MS)
        self._tell_spans()
        self._tell_answers()
        result = self._phone.result
        by, status, reason = (result.by.value, result.status, result.reason) if result else ("timeout", 0, "")
        self._emit("call.ended", at_ms=self._phone.leg.ended_ms, by=by, status=status, reason=reason)

    def _poll(self) -> bool:
        """Called between packets: say the next line when its time has come. True: the call is over."""
        self._tell_spans()
        self._tell_answers()
        if self._phone.is_over:
            return True
        if self._is_hanging_up:
            self._left_ms = self._left_ms or monotonic_ms()
            self._phone.hang_up()
            return False
        if self._current is None:
            self._decide()
        elif (span := self._phone.line.voiced_span(self._current)) is not None:
            self._spoken[-1].span = span
            self._since_ms = span.end_ms
            self._current = None
            self._emit("line.ended", line=len(self._spoken) - 1, at_ms=span.end_ms, started_ms=span.start_ms)
        return False

    def _decide(self) -> None:
        spans = self._phone.line.spans
        index = len(self._spoken)
        decision = decide(
            self._plan,
            Progress(index, self._since_ms, self._phone.leg.answered_ms),
            spans.all,
            is_agent_speaking=spans.speaking_since_ms is not None,
            now_ms=float(monotonic_ms()),
        )
        if decision.move is Move.HANG_UP:
            self._is_hanging_up = True
        elif decision.move is Move.SPEAK:
            line = self._plan.lines[index]
            self._spoken.append(_Spoken(line.text, decision.was_answered))
            self._current = self._phone.say(self._lines[index])
            self._emit("line.started", line=index, at_ms=monotonic_ms(), text=line.text)

    def _tell_spans(self) -> None:
        spans = self._phone.line.spans
        while self._spans_told < len(spans.finished):
            span = spans.finished[self._spans_told]
            if not self._is_start_told:
                self._emit("agent.started", at_ms=span.start_ms)
            self._emit("agent.stopped", at_ms=span.end_ms, started_ms=span.start_ms)
            self._is_start_told = False
            self._spans_told += 1
        if spans.speaking_since_ms is not None and not self._is_start_told:
            self._emit("agent.started", at_ms=spans.speaking_since_ms)
            self._is_start_told = True

    def _tell_answers(self) -> None:
        for index, spoken in enumerate(self._spoken):
            if spoken.span is not None and not spoken.is_reported:
                answer = self._answer(index)
                if answer.v2v_ms is not None:
                    spoken.is_reported = True
                    v2v_ms = round(answer.v2v_ms, 1)
                    self._emit("line.answered", line=index, at_ms=answer.onset_ms, v2v_ms=v2v_ms)

    def _answer(self, index: int) -> LineAnswer:
        span = self._spoken[index].span
        assert span is not None
        later = self._spoken[index + 1].span if index + 1 < len(self._spoken) else None
        return answer_to(span, self._phone.spans(), later.start_ms if later else float("inf"))

    def measured(self) -> dict[str, Any]:
        """Everything the wire told about the call."""
        phone = self._phone
        sent_ms = [packet.sent_ms for packet in phone.line.sent if packet.sent_ms is not None]
        pace_ms = np.diff(sorted(sent_ms)) if len(sent_ms) > 1 else np.zeros(1)
        lines = []
        for index, spoken in enumerate(self._spoken):
            if spoken.span is not None:
                facts = dataclasses.asdict(self._answer(index)) | dataclasses.asdict(spoken.span)
                lines.append({"text": spoken.text, "was_answered": spoken.was_answered, **facts})
        return {
            "invited_ms": phone.leg.invited_ms,
            "answered_ms": phone.leg.answered_ms,
            "ended_ms": phone.leg.ended_ms,
            "left_ms": self._left_ms or phone.leg.ended_ms,
            "setup_ms": phone.setup_ms if phone.leg.answered_ms else None,
            "greeting_ms": phone.first_audible_ms(),
            "codec": phone.leg.remote.codec if phone.leg.remote else None,
            "lines": lines,
            "agent_spans": [dataclasses.asdict(span) for span in phone.spans()],
            "rtp": dataclasses.asdict(phone.rtp_report()),
            "own_pace_ms": {f"p{q}": float(np.percentile(pace_ms, q)) for q in (50, 99, 100)},
            "skipped_packets": phone.line.skipped_packets,
            "quality": dataclasses.asdict(self._quality()),
            "echo": self._echo(),
        }

    def _quality(self) -> Quality:
        spoken = [line.span for line in self._spoken if line.span is not None]
        return quality_of(self._phone.line.received, self._phone.spans(), spoken)

    def _echo(self) -> dict[str, float] | None:
        """The echo that was asked for, as it was in the packets; the caller's own lines are left out."""
        if self._plan.impairments.echo_gain_db is None:
            return None
        lines = [line.span for line in self._spoken if line.span is not None]
        quiet = [
            packet
            for packet in self._phone.line.sent
            if not any(span.start_ms - 60 < packet.due_ms < span.end_ms + 60 for span in lines)
        ]
        echo = echo_of(quiet, self._phone.line.received)
        return dataclasses.asdict(echo) if echo else None


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process. 0: the call was answered; 1: it was not."""
    parser = argparse.ArgumentParser(prog="sipagent.lab.caller", description="Place one planned call.")
    parser.add_argument("plan", type=Path, help="what CallPlan.save wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for call.wav and packets.csv")
    args = parser.parse_args(argv)
    try:
        return _place(CallPlan.load(args.plan), args.out)
    except SipAgentError as error:
        _print_event("caller.failed", reason=str(error))
        return 1


def _place(plan: CallPlan, out_dir: Path) -> int:
    lines = [prepare_line(read_wav(Path(line.wav))) for line in plan.lines]
    is_realtime = go_realtime()
    gc.freeze()
    with Softphone(codecs=plan.codecs, from_user=plan.from_user, impairments=plan.impairments) as phone:
        caller = Caller(plan, phone, lines, _print_event)

        def on_signal(_: int, __: FrameType | None) -> None:
            caller.hang_up()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)
        caller.place_call()
        was_answered = bool(phone.leg.answered_ms)
        if was_answered:
            phone.recording(out_dir / "call.wav")
            _write_packets(out_dir / "packets.csv", phone)
        _print_event("call.measured", is_realtime=is_realtime, **caller.measured())
    return 0 if was_answered else 1


def _write_packets(path: Path, phone: Softphone) -> None:
    """Every received packet, for those who want to measure something else."""
    rows = ["arrival_ms,sequence,timestamp,level_dbov"]
    for packet in phone.line.received:
        level_dbov = rms_dbov(packet.pcm)
        rows.append(f"{packet.arrival_ms:.3f},{packet.sequence},{packet.timestamp},{level_dbov:.1f}")
    path.write_text("\n".join(rows) + "\n")


def _print_event(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
