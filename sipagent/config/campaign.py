"""A campaign file, ``campaigns/NAME.yaml``, as objects. Checked as ``sip.yaml`` is."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from sipagent.config.campaign_values import Day, Hours, Span
from sipagent.config.fields import DERIVED, Problem, not_a_name, not_sayable, out_of_range
from sipagent.config.source import SourceMap

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EARLIEST, LATEST = 8 * 60, 21 * 60
"""Minutes of the callee's day outside of which nobody is called (47 CFR 64.1200(c)(1)), unless overridden."""
_AREAS = frozenset(
    (
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    )
)
_REGION = re.compile(r"[A-Z]{2}")
_CALLER_ID = re.compile(r"\+?[0-9]{3,15}")
HALF_A_DAY = Span(12 * 3600)
OUTCOMES_RETRIED = ("busy", "no_answer", "voicemail", "machine", "rejected", "failed", "silent")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactsConfig:
    """Section ``contacts``: who is called. One of ``file``, ``sqlite`` and ``command``."""

    file: Path | None = None
    """CSV with a header, or JSON Lines (``.jsonl``), relative to the campaign file."""
    sqlite: Path | None = None
    """SQLite database, opened for reading; with ``query``."""
    query: str = ""
    """The SELECT whose rows are the contacts."""
    command: str = ""
    """Run without a shell in the campaign's folder; prints the contacts."""
    format: Literal["auto", "csv", "jsonl"] = "auto"
    """Of the file or the command's output; ``auto``: by the file's ending, CSV for a command."""
    number: str = "number"
    """Column of the telephone number."""
    region: str = ""
    """Country of numbers without a leading +, as ``US``. Empty: they are an error."""
    key: str = ""
    """Column that names the contact; empty: the number does. Each key is called once."""
    zone: str = ""
    """Column of the callee's time zone, as ``Asia/Kathmandu``; empty, or an empty cell: from the number."""
    skip_bad: bool = False
    """True: rows that cannot be called are left out and named; else one of them stops the campaign."""
    again: Literal["never", "each_run"] = "never"
    """``each_run``: every run calls everybody on its list, also those whom an earlier run has reached."""
    most: int = 100_000
    """Longest list that is believed. 1..1000000."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        given = [name for name in ("file", "sqlite", "command") if getattr(self, name)]
        if len(given) != 1:
            yield "file", f"expected one of file, sqlite and command, got {', '.join(given) or 'none'}"
        if bool(self.sqlite) != bool(self.query):
            yield "query", "goes with sqlite, and sqlite with query"
        if self.region and not _REGION.fullmatch(self.region):
            yield "region", f"expected two letters of a country, as US, got {self.region!r}"
        yield from not_words(self, "command")
        yield from out_of_range(self, most=(1, 1_000_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """Section ``schedule``: when the list is read and its calls begin."""

    cron: str
    """Five fields: minute, hour, day, month, weekday."""
    zone: str
    """Time zone of ``cron``, as ``America/New_York``."""
    open_for: Span = HALF_A_DAY
    """Contacts that were not reached after this are given up until the next time."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from self._cron_problems()
        if not (is_zone(self.zone) or self.zone in ("UTC", "Etc/UTC")):
            yield "zone", f"no time zone {self.zone!r}; expected one such as America/New_York"
        if not 60 <= self.open_for.seconds <= 31 * 86_400:
            yield "open_for", f"expected 1m..31d, got {self.open_for}"

    def _cron_problems(self) -> Iterator[Problem]:
        if len(self.cron.split()) != 5:
            yield "cron", f"expected five fields: minute, hour, day, month, weekday; got {self.cron!r}"
            return
        try:
            CronSim(self.cron, datetime(2026, 1, 1))
        except CronSimError as exc:
            yield "cron", f"{exc or 'not five cron fields'}; got {self.cron!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsConfig:
    """Section ``calls``: how calls are placed."""

    caller_id: str
    """Number that the callee sees; the trunk must own it."""
    trunk: str = ""
    """Name of the trunk; empty: any that takes the number."""
    concurrency: int = 1
    """Calls of this campaign at a time. 1..1000."""
    calls_per_second: float = 1.0
    """New calls in a second, as the carrier allows. 0.01..100."""
    ring_s: int = 30
    """Longest ringing. 5..120 s."""
    max_call_s: int = 300
    """Longest conversation. 10..14400 s."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if not _CALLER_ID.fullmatch(self.caller_id):
            yield "caller_id", f"expected a number such as +15550100, got {self.caller_id!r}"
        yield from out_of_range(
            self, concurrency=(1, 1000), calls_per_second=(0.01, 100), ring_s=(5, 120), max_call_s=(10, 14400)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """Section ``window``: hours of each weekday in the callee's own time zone. A day left out: no calls."""

    mon: Hours | None = None
    """Monday."""
    tue: Hours | None = None
    """Tuesday."""
    wed: Hours | None = None
    """Wednesday."""
    thu: Hours | None = None
    """Thursday."""
    fri: Hours | None = None
    """Friday."""
    sat: Hours | None = None
    """Saturday."""
    sun: Hours | None = None
    """Sunday."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if not any(getattr(self, day) for day in WEEKDAYS):
            yield "mon", "no day has hours: nobody could ever be called"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHoursConfig:
    """Section ``quiet_hours``: calls outside 08:00..21:00 of the callee. Each such override is recorded."""

    override: bool = False
    """True: the window counts as it stands."""
    reason: str = ""
    """Why that is lawful; it goes into the ledger."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if self.override and not self.reason.strip():
            yield "reason", "required with override: say why calls at such hours are lawful"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """Section ``retry``: what follows an attempt that did not reach the person."""

    attempts: int = 3
    """Calls to one contact in one run at most. 1..20."""
    unanswered: int = 9
    """Calls in a row and over all runs that reached nobody, after which a contact is given up. 1..100."""
    after: dict[str, Span] = field(default_factory=dict)
    """Outcome → wait before the next attempt. Defaults: busy 15m, no_answer 2h, machine 4h, failed 30m,
    silent 2h; after voicemail and rejected nobody is called again unless they stand here."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, attempts=(1, 20), unanswered=(1, 100))
        for name in self.after:
            if name not in OUTCOMES_RETRIED:
                yield f"after.{name}", f"no such outcome; there are: {', '.join(OUTCOMES_RETRIED)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignLimitsConfig:
    """Section ``limits``: when to stop."""

    calls_per_day: int = 500
    """Of this campaign, in a day of UTC. 1..1000000."""
    spend_per_day: float | None = None
    """In the money of ``per_minute``; a call whose longest duration goes beyond is not placed."""
    per_minute: float = 0.0
    """Price of each begun minute. 0..1000."""
    breaker_calls: int = 20
    """The campaign pauses itself when, of this many calls, … 5..1000."""
    breaker_answered_pct: float = 5.0
    """… fewer than this share were answered by anybody. 0: never. 0..100."""
    breaker_failed_pct: float = 50.0
    """… or more than this share failed: failed, rejected, invalid number. 100: never. 0..100."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(
            self,
            calls_per_day=(1, 1_000_000),
            per_minute=(0, 1000),
            breaker_calls=(5, 1000),
            breaker_answered_pct=(0, 100),
            breaker_failed_pct=(0, 100),
        )
        if self.spend_per_day is not None and not (self.spend_per_day > 0 and self.per_minute > 0):
            yield "spend_per_day", "expected an amount above 0, with per_minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignConsentConfig:
    """Section ``consent``: what allows the calls, and what is said first."""

    column: str = ""
    """Column with the evidence of consent; whose cell is empty is not called. Empty: none is kept."""
    announcement: str = ""
    """Said first, always to its end, as ``This is an automated call from …``."""
    opt_out_key: str = "9"
    """Key that means: never call me again. Empty: none."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if self.announcement:
            yield from not_sayable(self, "announcement")
        if self.opt_out_key and self.opt_out_key not in "0123456789*#":
            yield "opt_out_key", f"expected one key of 0-9, * and #, got {self.opt_out_key!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsConfig:
    """Section ``results``: where each attempt's outcome goes, besides the state file."""

    csv: Path | None = None
    """A line is added for each attempt."""
    jsonl: Path | None = None
    """A JSON object a line."""
    command: str = ""
    """Run without a shell for each attempt: JSON on standard input; again until it succeeds."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from not_words(self, "command")


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignConfig:
    """The whole of a campaign file."""

    name: str
    """In logs, results and commands."""
    persona: str
    """Who speaks, and by which flow: a persona of sip.yaml."""
    contacts: ContactsConfig
    """Who is called."""
    variables: dict[str, str] = field(default_factory=dict)
    """Name in prompt, flow and texts → column."""
    schedule: ScheduleConfig | None = None
    """When calls begin; without it by ``sipagent campaign now``."""
    calls: CallsConfig
    """How calls are placed."""
    window: WindowConfig
    """Hours in the callee's time zone."""
    quiet_hours: QuietHoursConfig = field(default_factory=QuietHoursConfig)
    """Calls outside 08:00..21:00."""
    holidays: tuple[Day, ...] = ()
    """Days without calls, in the callee's time zone."""
    expires: Day | None = None
    """Last day of calls, in the callee's time zone."""
    retry: RetryConfig = field(default_factory=RetryConfig)
    """What follows an attempt."""
    limits: CampaignLimitsConfig = field(default_factory=CampaignLimitsConfig)
    """When to stop."""
    do_not_call: tuple[Path, ...] = ()
    """Files of numbers that are not called, one a line; read again when they change."""
    consent: CampaignConsentConfig = field(default_factory=CampaignConsentConfig)
    """What allows the calls."""
    voicemail: str = ""
    """Left once after the beep, with ``{variables}``; without this key: that of the persona's flow; ``""``:
    we hang up."""
    results: ResultsConfig = field(default_factory=ResultsConfig)
    """Where outcomes go."""
    source: SourceMap = field(
        default_factory=SourceMap, repr=False, compare=False, metadata={DERIVED: "source"}
    )
    """Where each key stands in the file."""

    @property
    def override(self) -> str:
        """Why and when people are called outside 08:00..21:00, for the ledger."""
        days = ((day, getattr(self.window, day)) for day in WEEKDAYS)
        return "; ".join([self.quiet_hours.reason, *(f"{day} {hours}" for day, hours in days if hours)])

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from not_a_name(self, "name")
        if self.voicemail:
            yield from not_sayable(self, "voicemail")
        if self.quiet_hours.override:
            return
        for day in WEEKDAYS:
            hours: Hours | None = getattr(self.window, day)
            if hours and (hours.spans[0][0] < EARLIEST or hours.spans[-1][1] > LATEST):
                remedy = "narrow it, or set quiet_hours.override and its reason"
                yield f"window.{day}", f"{hours} goes beyond 08:00-21:00; {remedy}"


def not_words(section: object, name: str) -> Iterator[Problem]:
    """Yield a problem where a command cannot be split as a shell would."""
    try:
        shlex.split(getattr(section, name))
    except ValueError as exc:
        yield name, f"cannot be split into words: {exc}"


def is_zone(name: str) -> bool:
    """True for a time zone that this machine knows by area and city. Other names are the machine's own
    (``localtime``), old, or of offsets that follow no place's clocks (``EST``)."""
    if name.partition("/")[0] not in _AREAS or "/" not in name:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
