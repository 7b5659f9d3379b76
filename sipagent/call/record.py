"""What a call leaves: in the log one event for each thing that happened and a summary at its end, in the
audit ledger the same with every word, sealed.
"""

import statistics
from collections.abc import Mapping

import structlog

from sipagent.call.audit import CallAudit
from sipagent.call.conduct import FORGOTTEN
from sipagent.call.ports import DigitWay, LineDown, LineProgress, Offer, TransferMode
from sipagent.call.tool_calls import noted
from sipagent.call.tool_port import ToolAnswer
from sipagent.call.utterance import Utterance
from sipagent.config.schema import PersonaConfig
from sipagent.ledger import Kind
from sipagent.ledger.story import STAGES
from sipagent.media.ring import AudioRings
from sipagent.units import monotonic_ms


class CallRecord:
    """Notes what happens in one call. In the log, everything a person said stands under a ``pii_`` key.
    Call thread only, but for ``cut``.
    """

    def __init__(self, log: structlog.stdlib.BoundLogger, audit: CallAudit) -> None:
        self._log = log
        self._audit = audit
        self._began_ms = monotonic_ms()
        self._turn_id = 0
        self._v2v_ms: list[int] = []
        self._up_ms: int | None = None
        self._interruptions = 0
        self._has_greeted = False
        self._is_outgoing = False
        self._is_unanswered = False
        """Since the caller's last turn nothing was audible."""

    def __repr__(self) -> str:
        return f"CallRecord(turns={self._turn_id}, v2v_ms={self._v2v_ms})"

    @property
    def log(self) -> structlog.stdlib.BoundLogger:
        """The call's own log, for whatever acts on its behalf."""
        return self._log

    def begin(self, offer: Offer, persona: PersonaConfig) -> str | None:
        """Before the answer; waits for the disk.

        :returns: why the call may not be answered.
        """
        self._is_outgoing = offer.direction == "out"
        if not self._is_outgoing:
            return self._audit.begin(offer, persona)
        return self._audit.begin_out(
            trunk=offer.trunk,
            persona=persona,
            dialled=offer.dialled,
            caller=offer.caller,
            campaign=offer.campaign,
            attempt=offer.attempt,
        )

    def accepted(self) -> None:
        """We have answered, or begun to dial."""
        if not self._is_outgoing:
            self._note_answer(monotonic_ms())

    def progress(self, progress: LineProgress) -> None:
        """An outgoing call on its way to the answer."""
        body: dict[str, object] = {"name": progress.what, "trunk": progress.trunk}
        if progress.sip_status:
            body["sip_status"] = progress.sip_status
        self._audit.note(Kind.CALL_MILESTONE, body)

    def _note_answer(self, at_ms: int) -> None:
        self._audit.note(Kind.CALL_ANSWERED, {"ring_ms": at_ms - self._began_ms})

    def up(self, at_ms: int) -> None:
        """The caller's ACK has come."""
        self._up_ms = at_ms
        if self._is_outgoing:
            self._note_answer(at_ms)
        self._log.info("call.connected")
        self._audit.note(Kind.CALL_MILESTONE, {"name": "connected", "reached_ms": at_ms})

    def phrase_began(self, at_ms: int) -> None:
        """A phrase of the program's own is audible; the first one is the greeting."""
        self._is_unanswered = False
        if not self._has_greeted and self._up_ms is not None:
            self._has_greeted = True
            self._log.info("greeting.began", after_ms=at_ms - self._up_ms)

    def heard(self, text: str, began_ms: int | None, ended_ms: int) -> None:
        """The caller's turn is over, or so it seems: where the caller goes on before anything was audible,
        the whole turn comes again.

        :param began_ms: its first voice, where it is known.
        """
        self._turn_id += 1
        self._log.info("turn.heard", turn_id=self._turn_id, pii_text=text)
        body: dict[str, object] = {
            "turn_id": self._turn_id,
            "began_ms": ended_ms if began_ms is None else began_ms,
            "ended_ms": ended_ms,
        }
        if self._is_unanswered:
            body["continues"] = self._turn_id - 1
        self._is_unanswered = True
        self._audit.note(Kind.TURN_CALLER, body, sealed={"text": text})

    def answered(self, answer: Utterance) -> None:
        """The first sample of the answer has gone out."""
        self._is_unanswered = False
        v2v_ms = v2v_ms_of(answer)
        self._v2v_ms.append(v2v_ms)
        stamps = {stage: answer.stamps_ms.get(stage) for stage in STAGES}
        self._log.info(
            "turn.answered",
            turn_id=self._turn_id,
            v2v_ms=v2v_ms,
            stamps=stamps,
            queued_ms=answer.queued_ms,
            by=answer.by or None,
            **_filler_of(answer),
        )

    def spoken(self, utterance: Utterance, text: str, ended_ms: int, *, is_interrupted: bool) -> None:
        """An utterance is over.

        :param text: what the caller heard of it; empty where that is less than a word.
        """
        if "first_rtp" not in utterance.stamps_ms:
            return  # nobody heard anything of it
        self._interruptions += is_interrupted
        self._log.info("turn.spoken", turn_id=self._turn_id, pii_text=text, interrupted=is_interrupted)
        body: dict[str, object] = {
            "turn_id": self._turn_id,
            "began_ms": utterance.filler_at_ms or utterance.stamps_ms["first_rtp"],
            "ended_ms": ended_ms,
            "interrupted": is_interrupted,
        }
        if utterance.attempt is not None:
            body["stamps_ms"] = dict(utterance.stamps_ms)
            body["queued_ms"] = dict(utterance.queued_ms)
            body["v2v_ms"] = v2v_ms_of(utterance)
        self._audit.note(Kind.TURN_AGENT, body, sealed={"text": text, "meant": utterance.prepared_text})

    def outcome(self, name: str, data: Mapping[str, str]) -> None:
        """What the call has come to, and what was told; of several the last one counts."""
        self._log.info("call.outcome", outcome=name, pii_data=dict(data))
        body: dict[str, object] = {"name": f"outcome.{name}", "reached_ms": monotonic_ms()}
        self._audit.note(Kind.CALL_MILESTONE, body, sealed={"data": dict(data)})

    def conduct(self, topic: str) -> None:
        """The program has answered words of the caller's itself."""
        self._log.info("caller.answered_by_rule", topic=topic)
        if topic == FORGOTTEN:
            self._milestone("caller.forgotten")

    def claim_replaced(self, claim: str, text: str) -> None:
        """The model claimed what nobody has told it: a fixed sentence is spoken instead."""
        self._log.warning("reply.claim_replaced", claim=claim, pii_text=text)

    def tool_called(self, tool: str, run_id: str, arguments: Mapping[str, str]) -> None:
        """A tool begins its work."""
        self._log.info("tool.called", tool=tool, tool_call_id=run_id, pii_arguments=dict(arguments))
        self._audit.tool_called(tool, run_id, dict(arguments))

    def tool_returned(self, tool: str, run_id: str, answer: ToolAnswer) -> None:
        """… and is at its end."""
        self._log.info(
            "tool.returned",
            tool=tool,
            tool_call_id=run_id,
            status=answer.status,
            took_ms=answer.took_ms,
            pii_result=answer.result,
        )
        result = noted(answer.result)
        self._audit.tool_returned(tool, run_id, result, ok=answer.is_ok, took_ms=answer.took_ms)

    def pressed(self, digit: str, how: DigitWay) -> None:
        """A DTMF digit."""
        self._log.info("dtmf.received", how=how, pii_digit=digit)
        self._audit.note(Kind.DTMF_RECEIVED, {"how": how}, sealed={"digits": digit})

    def keyed(self, digits: str) -> None:
        """A number dictated with the keys; its digits are entered already."""
        self._log.info("dtmf.dictated", count=len(digits), pii_digits=digits)

    def held(self) -> None:
        """The caller has put us on hold."""
        self._milestone("call.held")

    def resumed(self, held_ms: int) -> None:
        """The caller is back."""
        self._milestone("call.resumed", held_ms=held_ms)

    def media_fault(self, text: str, sent_to: str) -> None:
        """Something is wrong with the sound."""
        self._log.warning("media.one_way", problem=text, pii_sent_to=sent_to)

    def transfer_started(self, how: TransferMode, target: str) -> None:
        """The call is being handed over."""
        self._log.info("transfer.started", how=how, pii_target=target)
        self._audit.transfer_started(how, target)

    def transfer_refused(self, reason: str) -> None:
        """Whom the call was meant for may not be called."""
        self._log.warning("transfer.refused", pii_reason=reason)

    def transfer_progressed(self, sip_status: int) -> None:
        """What the peer tells of it."""
        self._log.info("transfer.progressed", sip_status=sip_status)

    def transfer_ended(self, *, is_ok: bool, sip_status: int) -> None:
        """Somebody has taken the call, or not."""
        self._log.info("transfer.ended", ok=is_ok, sip_status=sip_status)
        self._audit.transfer_ended(ok=is_ok, sip_status=sip_status)

    def end_wanted(self, event: str, **facts: str | int) -> None:
        """Something other than the conversation ends the call."""
        self._milestone(event, **facts)

    def _milestone(self, event: str, **facts: str | int) -> None:
        self._log.info(event, **facts)
        self._audit.note(Kind.CALL_MILESTONE, {"name": event.partition(".")[2], **facts})

    def ended(self, down: LineDown | None, audio: AudioRings, now_ms: int) -> None:
        """The summary. ``down`` is None where the call failed on our side. Waits for the disk."""
        facts = {
            "cause": down.cause if down else "failed",
            "sip_status": down.sip_status if down else None,
            "duration_ms": now_ms - self._up_ms if self._up_ms is not None else 0,
            "turns": self._turn_id,
            "interruptions": self._interruptions,
            "v2v_p50_ms": round(statistics.median(self._v2v_ms)) if self._v2v_ms else None,
            "v2v_max_ms": max(self._v2v_ms, default=None),
            "tx_underruns": audio.to_line.underruns,
            "rx_overrun_samples": audio.from_line.overruns,
            **(down.media.facts() if down and down.media else {}),
        }
        self._log.info("call.ended", **facts)
        self._audit.end({"outcome": self._outcome(down), **facts})

    def cut(self) -> None:
        """The process ends before the call does. Any thread."""
        self._audit.cut()

    def _outcome(self, down: LineDown | None) -> str:
        if down is None:
            return "failed"
        return "conversation" if self._up_ms is not None else "not connected"


def _filler_of(answer: Utterance) -> dict[str, int]:
    """The caller's last voiced sample to the "one moment" before the answer, if it was said."""
    if answer.filler_at_ms is None:
        return {}
    return {"filler_ms": answer.filler_at_ms - answer.stamps_ms["speech_end"]}


def v2v_ms_of(answer: Utterance) -> int:
    """From the caller's last voiced sample to the answer's first."""
    return answer.stamps_ms["first_rtp"] - answer.stamps_ms["speech_end"]
