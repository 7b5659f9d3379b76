"""One call's recording: asked for, begun, paused for card numbers, closed, and told to the ledger.

::

    session ──said, keyed, ended, clock──▶ consent ──▶ Recorder ◀──sound── ear
            ──words of both sides──▶ card guard ──pause, resume──┘
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import structlog

from sipagent.call import card_guard, consent
from sipagent.call.card_guard import CardGuard, Pause, Resume
from sipagent.call.consent import AskAgain, Consent, ConsentRules, DoNotRecord, How, Phase, Record, Withdraw
from sipagent.config.recording import ConsentMode, RecordingConfig
from sipagent.config.schema import PersonaConfig
from sipagent.errors import LedgerError
from sipagent.ledger import SUFFIX, Kind, SealedWriter
from sipagent.media.recorder import DiskLimit, PlainFile, Recorder
from sipagent.media.recorder_formats import suffix_of
from sipagent.units import Pcm16

_ANSWER_MS, _TICK_MS = 6_000, 500
"""Before the agent asks whether anybody is there."""
_MARGIN_MS = 1_000
"""Said before the agent was quite done."""


Body = Mapping[str, object]


class Vault(Protocol):
    """Where a call's recording belongs. ``sipagent.ledger.CallLedger`` is one."""

    @property
    def secret(self) -> bytes:
        """The call's key."""

    def recording_path(self, suffix: str = ".wav") -> Path:
        """``<folder of all recordings>/<day>/<call><suffix>``. :raises LedgerError: it cannot be made."""


class Note(Protocol):
    """Enters something into the ledger, at once and without raising. ``CallAudit.note`` is one."""

    def __call__(self, kind: Kind, body: Body | None = None, *, sealed: Body | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class TapePlan:
    """How one persona's calls are recorded."""

    config: RecordingConfig
    mode: ConsentMode
    greeting: str
    answer_ms: int
    """Silence after the question that counts as no answer."""

    @property
    def question(self) -> str:
        """What is said before the greeting; empty where nothing is."""
        if self.mode == "none":
            return ""
        return self.config.announce if self.mode == "announced" else self.config.question

    @property
    def granted(self) -> str:
        """The greeting after a yes."""
        return f"{self.config.granted} {self.greeting}"

    @property
    def refused(self) -> str:
        """The greeting after anything else."""
        return f"{self.config.refused} {self.greeting}"

    def phrases(self) -> tuple[str, ...]:
        """What may be said, to be prepared before the first call."""
        if self.mode == "none":
            return (self.config.withdrawn,)
        if self.mode == "announced":
            return self.question, self.refused, self.config.withdrawn
        return self.question, self.granted, self.refused, self.config.withdrawn


def plan_for(config: RecordingConfig, persona: PersonaConfig) -> TapePlan | None:
    """None: this persona's calls are not recorded."""
    if not config.enabled or persona.recording == "never":
        return None
    mode = config.consent if persona.recording == "default" else persona.recording
    answer_ms = min(_ANSWER_MS, persona.no_input.after_ms - _TICK_MS)
    return TapePlan(config, mode, persona.greeting, answer_ms)


def _rules_of(plan: TapePlan | None) -> ConsentRules:
    if plan is None:
        return ConsentRules("none", frozenset(), frozenset())
    config = plan.config
    return ConsentRules(
        plan.mode,
        yes=frozenset(config.yes),
        no=frozenset(config.no),
        stop=frozenset(config.stop),
        delete=frozenset(config.delete),
        answer_ms=plan.answer_ms,
    )


class CallTape:
    """Call thread only. Without a plan or a ledger it records nothing and asks nothing."""

    def __init__(
        self,
        plan: TapePlan | None,
        vault: Vault | None,
        note: Note,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        if plan is not None and vault is None:
            log.warning("recording.impossible", reason="recordings need the ledger; switch it on")
            plan = None
        self._plan = plan
        self._vault = vault
        self._note = note
        self._log = log
        self._consent = Consent(Phase.GRANTED if plan is not None and plan.mode == "none" else Phase.TELLING)
        self._rules = _rules_of(plan)
        self._guard = CardGuard()
        self._recorder: Recorder | None = None
        self._opening = plan.question if plan else ""
        self._agent_ended_ms = 0

    def __repr__(self) -> str:
        return f"CallTape({self._rules.mode}, {self._consent.phase.value}, {self._recorder})"

    @property
    def opening(self) -> str:
        """What is said where the greeting would be, empty for the greeting itself."""
        return self._opening

    @property
    def is_asking(self) -> bool:
        """The caller has still to answer."""
        return self._is_open and self._rules.mode in ("spoken", "keyed")

    @property
    def is_announcing(self) -> bool:
        """What is being said must be heard to its end."""
        return self._is_open and self._rules.mode == "announced"

    def up(self, at_ms: int) -> None:
        """The call has begun."""
        self._agent_ended_ms = at_ms
        if self._plan is not None and self._plan.mode == "none":
            self._start()

    def take(self, caller: Pcm16, agent: Pcm16) -> None:
        """Both sides' sound."""
        if self._recorder is not None:
            self._recorder.take(caller, agent)

    # --- consent: True means that the opening is to be said (again) now ---

    def reply_to(self, text: str) -> str | None:
        """What answers the caller's words; None: the conversation does. Nothing is decided yet."""
        if self._plan is None:
            return None
        _, actions = consent.step(self._consent, consent.Said(text), self._rules)
        return self._opening_after(actions[0]) if actions else None

    def said(self, text: str, now_ms: int) -> None:
        """The caller's turn is over; its answer is what ``reply_to`` told."""
        self._advance(consent.Said(text), now_ms, sealed={"text": text})
        self._guarded(*card_guard.caller_said(self._guard, text, now_ms), now_ms)

    def pressed(self, digit: str, now_ms: int) -> bool:
        """The caller has pressed a key."""
        if self._advance(consent.Pressed(digit), now_ms, sealed={"digits": digit}):
            return True
        self._guarded(*card_guard.key_pressed(self._guard, now_ms), now_ms)
        return False

    def clock(self, now_ms: int, *, is_quiet: bool) -> bool:
        """Time passes; ``is_quiet``: neither side speaks."""
        if not self.is_asking:
            return False
        return self._advance(consent.Quiet(now_ms) if is_quiet else consent.Busy(now_ms), now_ms)

    def agent_ended(self, text: str, at_ms: int) -> bool:
        """The agent has said ``text`` to its end."""
        self._agent_ended_ms = at_ms
        if self._is_open:
            self._note(Kind.CONSENT_ANNOUNCED, {"text_sha256": sha256(text.encode()).hexdigest()})
            return self._advance(consent.Told(at_ms), at_ms)
        self._advance(consent.Told(at_ms), at_ms)
        self._guarded(*card_guard.agent_ended(self._guard, text, at_ms), at_ms)
        return False

    # --- card numbers ---

    def agent_says(self, text: str, now_ms: int) -> None:
        """A clause goes to the line."""
        self._guarded(*card_guard.agent_says(self._guard, text, now_ms), now_ms)

    def heard(self, text: str, now_ms: int) -> None:
        """The caller's turn so far."""
        self._advance(consent.Heard(text), now_ms)
        self._guarded(*card_guard.caller_said(self._guard, text, now_ms), now_ms)

    def close(self) -> None:
        """The call is over: the file is complete, and its hash is in the ledger. Waits for the disk."""
        if self._recorder is None:
            return
        recorder, self._recorder = self._recorder, None
        done = recorder.close()
        name = _name_of(done.path)
        problem = {"problem": done.problem} if done.problem else {}
        if not done.is_kept:
            self._note(Kind.RECORDING_DROPPED, {"file": name, "reason": done.problem or ""})
            self._log.warning("recording.dropped", file=name, reason=done.problem)
            return
        facts = {
            "sha256": done.sha256,
            "bytes": done.bytes_,
            "duration_ms": done.duration_ms,
            "encrypted": self._is_encrypted,
        }
        self._note(Kind.RECORDING_CLOSED, {"file": name, **facts, **problem})
        self._log.info("recording.closed", file=name, **facts, **problem)

    @property
    def _is_open(self) -> bool:
        return self._plan is not None and self._plan.mode != "none" and self._consent.is_open

    @property
    def _is_encrypted(self) -> bool:
        return self._plan is not None and self._plan.config.encrypt

    def _advance(self, event: consent.Event, now_ms: int, sealed: Body | None = None) -> bool:
        if self._plan is None:
            return False
        after, actions = consent.step(self._consent, event, self._rules)
        for action in actions:
            self._opening = self._opening_after(action)
        self._consent = after
        for action in actions:
            match action:
                case Record(how):
                    self._log.info("consent.given", how=how.value)
                    if how is not How.ANNOUNCED:
                        self._note(Kind.CONSENT_GIVEN, {"how": how.value}, sealed=sealed)
                    self._start()
                case DoNotRecord(how):
                    self._log.info("consent.refused", how=how.value)
                    self._note(Kind.CONSENT_REFUSED, {"how": how.value}, sealed=sealed)
                case Withdraw(how, keeps):
                    self._log.info("consent.withdrawn", how=how.value, keeps=keeps)
                    self._note(Kind.CONSENT_WITHDRAWN, {"how": how.value, "keeps": keeps}, sealed=sealed)
                    self._stop(now_ms, keeps=keeps)
        return bool(actions)

    def _opening_after(self, action: consent.Action) -> str:
        assert self._plan is not None
        match action:
            case AskAgain():
                return self._plan.question
            case Record(how):
                return self._plan.greeting if how is How.ANNOUNCED else self._plan.granted
            case DoNotRecord():
                return self._plan.refused
            case Withdraw():
                is_fresh = self._consent.phase is Phase.GIVEN  # the greeting was not heard yet
                return self._plan.refused if is_fresh else self._plan.config.withdrawn

    def _stop(self, now_ms: int, *, keeps: bool) -> None:
        """Nothing more is recorded; what stays ends before the words that ended it."""
        if self._recorder is None:
            return
        if keeps:
            self._recorder.end(self._since_agent_ms(now_ms))
        else:
            self._recorder.discard("consent was withdrawn")

    def _since_agent_ms(self, now_ms: int) -> int:
        return now_ms - self._agent_ended_ms + _MARGIN_MS

    def _guarded(self, guard: CardGuard, action: card_guard.Action | None, now_ms: int) -> None:
        if self._plan is None or not self._plan.config.pause_for_cards:
            return
        self._guard = guard
        if self._recorder is None:
            return
        match action:
            case Pause(reaches_back):
                back_ms = self._since_agent_ms(now_ms) if reaches_back else 0
                self._recorder.pause(back_ms)
                self._note(Kind.RECORDING_PAUSED, {"reason": "card number", "back_ms": back_ms})
                self._log.info("recording.paused", reason="card number", back_ms=back_ms)
            case Resume():
                self._recorder.resume()
                self._note(Kind.RECORDING_RESUMED, {})
                self._log.info("recording.resumed")

    def _start(self) -> None:
        assert self._plan is not None
        assert self._vault is not None
        config, vault = self._plan.config, self._vault
        suffix = suffix_of(config.format) + (SUFFIX if config.encrypt else "")
        try:
            path = vault.recording_path(suffix)
        except LedgerError as error:
            self._log.warning("recording.failed", reason=str(error))
            return
        limit = DiskLimit(path.parent.parent, config.max_mib << 20)
        secret = vault.secret
        self._recorder = Recorder(
            path,
            config.format,
            limit,
            self._log,
            open_sink=(lambda part: SealedFile(part, secret)) if config.encrypt else PlainFile,
        )
        if self._guard.is_paused:
            self._recorder.pause()
        self._note(Kind.RECORDING_STARTED, {"file": _name_of(path), "format": config.format})
        self._log.info("recording.started", file=_name_of(path), format=config.format)


class SealedFile:
    """A recording under its call's key. Its head cannot be patched: the lengths stay those of a stream."""

    def __init__(self, path: Path, secret: bytes) -> None:
        """:raises OSError: it cannot be made, or is there already."""
        self._writer = SealedWriter(path, secret)

    @property
    def bytes_(self) -> int:
        return self._writer.bytes_

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def patch(self, at_byte: int, data: bytes) -> None:
        """What is sealed stays as it is."""

    def close(self) -> str:
        self._writer.close()
        return self._writer.sha256

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.close()


def _name_of(path: Path) -> str:
    """As the ledger names recordings: the day's folder and the file."""
    return f"{path.parent.name}/{path.name}"
