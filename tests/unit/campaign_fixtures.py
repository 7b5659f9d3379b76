"""A campaign on disk, small and complete, and a week that passes while nobody talks."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.settling import Note, note_nothing
from sipagent.campaigns.store import CampaignStore
from sipagent.cli.main import main
from sipagent.config.campaign import CampaignConfig
from sipagent.config.campaign_load import load_campaign
from tests.fakes.dialler import FakeDialler

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
BASE = """name: test
persona: receptionist
contacts: {file: list.csv, zone: zone}
calls: {caller_id: "+15550100", concurrency: 4, calls_per_second: 10}
window: {mon: 09:00-19:00, tue: 09:00-19:00, wed: 09:00-19:00, thu: 09:00-19:00, fri: 09:00-19:00}
"""
BASE_WINDOW = BASE[BASE.index("window:") :]
_ALL_DAY = ", ".join(f"{day}: 00:00-24:00" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
ALL_DAY = f"window: {{{_ALL_DAY}}}\nquiet_hours: {{override: true, reason: test}}\n"
"""In place of ``BASE_WINDOW``: whatever the time of the test is."""


def write_campaign(
    folder: Path,
    extra: str = "",
    *,
    people: Mapping[str, str] | int = 3,
    calls_at_once: int = 4,
    window: str = BASE_WINDOW,
) -> CampaignConfig:
    """``people``: number → zone, or how many in Europe/London."""
    if isinstance(people, int):
        people = {f"+1555300{n:04d}": "Europe/London" for n in range(people)}
    rows = "".join(f"{number},{zone}\n" for number, zone in people.items())
    (folder / "list.csv").write_text(f"number,zone\n{rows}")
    path = folder / "test.yaml"
    base = BASE.replace("concurrency: 4", f"concurrency: {calls_at_once}").replace(BASE_WINDOW, window)
    path.write_text(base + extra)
    return load_campaign(path)


def write_site(folder: Path) -> Path:
    """A sip.yaml with one campaign of two contacts, who may be called."""
    (folder / "prompt.md").write_text("Be kind.")
    (folder / "sip.yaml").write_text(
        "trunks: [{name: lab, domain: 127.0.0.1}]\n"
        "numbers: [{match: '*', persona: other}]\n"
        "personas: {receptionist: {greeting: Hello., prompt_file: prompt.md},\n"
        "  other: {greeting: Hi., prompt_file: prompt.md}}\n"
        "limits: {outbound: {allow: ['+1555*']}}\n"
    )
    (folder / "campaigns").mkdir()
    write_campaign(folder / "campaigns", people=2)
    return folder


def run_command(site: Path, *words: str) -> int:
    """``sipagent campaign WORDS`` there."""
    return main(["campaign", words[0], "-c", str(site / "sip.yaml"), *words[1:]])


class Life:
    """A runner and its clock."""

    def __init__(self, runner: CampaignRunner, store: CampaignStore, dialler: FakeDialler) -> None:
        self.runner, self.store, self.dialler = runner, store, dialler
        self.calls: list[tuple[datetime, str]] = []

    def live(self, start: datetime, end: datetime, *, talk_s: int = 30, most_ticks: int = 20_000) -> int:
        """From ``start`` to ``end``; every call ends after ``talk_s``.

        :returns: ticks it took.
        """
        now, ticks = start, 0
        while now < end:
            ticks += 1
            assert ticks < most_ticks, f"stuck at {now}"
            before = len(self.dialler.orders)
            next_at = self.runner.tick(now)
            self.calls += [(now, order.number) for order in self.dialler.orders[before:]]
            if self.runner.calls and self.dialler.free_lines() <= self.dialler.lines:
                now += timedelta(seconds=talk_s)
                self.dialler.finish()
            else:
                now = max(next_at, now + timedelta(milliseconds=20))
        self.runner.tick(end)
        return ticks


@contextmanager
def life(
    folder: Path, config: CampaignConfig, dialler: FakeDialler | None = None, note: Note = note_nothing
) -> Iterator[Life]:
    """A server of its own on the store in ``folder``."""
    dialler = dialler or FakeDialler()
    with closing(CampaignStore(folder / "state.sqlite", "server-a")) as store:
        yield Life(CampaignRunner((config,), store, dialler, note), store, dialler)
