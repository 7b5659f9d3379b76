"""One campaign call on its thread: what the line brings goes to ``Conduct``, what that wants is done."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from sipagent.call.guide import Stage
from sipagent.campaigns.answering import WINDOW_MS, Window
from sipagent.campaigns.conduct import Action, Conduct, HangUp, Say, Script, StartFlow, StopFlow, Transcribe
from sipagent.campaigns.line_tones import tones_in
from sipagent.campaigns.outcomes import CALL_BACK, OPT_OUT, Ending, FlowResult, Outcome
from sipagent.campaigns.zones import zone
from sipagent.units import Pcm16

_BEFORE_MS = -1_000_000
"""Where the clock of early media begins; it ends below zero."""
_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class CampaignGuide:
    """The ``Guide`` of one attempt. The call's thread alone; ``ending`` after ``left``."""

    def __init__(
        self,
        script: Script,
        zone_name: str,
        clock: Callable[[], datetime],
        on_left: Callable[["CampaignGuide"], None],
        on_opted_out: Callable[[], None] = lambda: None,
    ) -> None:
        """:param zone_name: the callee's, in which "call me back at five" is meant.

        :param on_opted_out: told once, in the moment in which the person asks for no more calls.
        """
        self.announcement = script.announcement
        self._conduct = Conduct(script)
        self._zone_name, self._clock, self._on_left = zone_name, clock, on_left
        self._on_opted_out, self._has_opted_out = on_opted_out, False
        self._stage: Stage | None = None
        self._at_ms = _BEFORE_MS
        self._results: list[FlowResult] = []
        self._is_broken = False

    def __repr__(self) -> str:
        return f"CampaignGuide({self._conduct!r})"

    def enter(self, stage: Stage) -> None:
        """As ``Guide.enter``."""
        self._stage = stage

    def answered(self) -> None:
        """As ``Guide.answered``."""
        self._at_ms = 0
        self._conduct.answered()

    def window(self, pcm: Pcm16, voice: float) -> None:
        """As ``Guide.window``."""
        window = Window(self._at_ms, voice, tones_in(pcm))
        self._at_ms += WINDOW_MS
        self._do(self._conduct.window(window))

    def heard(self, text: str) -> None:
        """As ``Guide.heard``."""
        self._do(self._conduct.heard(text))

    def overheard(self, text: str) -> None:
        """As ``Guide.overheard``."""
        self._do(self._conduct.overheard(text))

    def caller_said(self, text: str) -> None:
        """As ``Guide.caller_said``."""
        self._do(self._conduct.caller_said(text))

    def pressed(self, digit: str) -> bool:
        """As ``Guide.pressed``."""
        actions = self._conduct.key_pressed(digit)
        self._do(actions)
        return bool(actions)

    def said(self) -> None:
        """As ``Guide.said``."""
        self._do(self._conduct.said())

    def outcome(self, name: str, data: Mapping[str, str]) -> None:
        """As ``Guide.outcome``."""
        facts = dict(data)
        if name == CALL_BACK and (at := moment_in(facts.values(), self._zone_name, self._clock())):
            facts["at"] = at.isoformat(timespec="minutes")
        self._results = [one for one in self._results if one.name != name] + [FlowResult(name, facts)]
        if name == OPT_OUT:
            self._tell_wish()

    def left(self, *, is_broken: bool) -> None:
        """As ``Guide.left``. What might have gone on ends here."""
        self._stage, self._is_broken = None, is_broken
        if self._conduct.ending(0, 0, self._results).wants_no_more_calls:
            self._tell_wish()
        self._on_left(self)

    def ending(self, sip_status: int, talk_ms: int) -> Ending:
        """How the call ended, where it was answered."""
        ending = self._conduct.ending(sip_status, talk_ms, self._results)
        if self._is_broken and not ending.wants_no_more_calls:
            return replace(ending, outcome=Outcome.FAILED)
        return ending

    @property
    def has_verdict(self) -> bool:
        """It is known who or what answered, or what the network's tones said."""
        return self._conduct.answerer is not None

    def _tell_wish(self) -> None:
        """Before anything else is done: the wish must outlive us."""
        if not self._has_opted_out:
            self._has_opted_out = True
            self._on_opted_out()

    def _do(self, actions: tuple[Action, ...]) -> None:
        if self._conduct.wants_no_calls:
            self._tell_wish()
        for action in actions:
            if self._stage is None:
                return
            match action:
                case StartFlow(announcement):
                    self._stage.begin(announcement)
                case StopFlow():
                    self._stage.fall_silent()
                case Say(text):
                    self._stage.say(text)
                case Transcribe():
                    self._stage.transcribe()
                case HangUp():
                    self._stage.hang_up()


def moment_in(values: Iterable[str], zone_name: str, now: datetime) -> datetime | None:
    """The moment that slots tell, as ``2026-11-26`` and ``14:15``, by the clocks of the zone.

    A time alone is the next such one. Without a time it is not known when: None.
    """
    told = tuple(values)
    day = next((date.fromisoformat(value) for value in told if _DAY.fullmatch(value)), None)
    at_time = next((time.fromisoformat(value) for value in told if _TIME.fullmatch(value)), None)
    if at_time is None:
        return None
    local = now.astimezone(zone(zone_name))
    at = datetime.combine(day or local.date(), at_time, local.tzinfo)
    return at if day or at > local else at + timedelta(days=1)
