"""What goes wrong around a call costs a pause, never a wish, an ending or another campaign."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sipagent.campaigns.agent_dialler import refusals
from sipagent.campaigns.contacts import ContactList
from sipagent.campaigns.dialler import CallOrder, NotPlaced, Tell, WantsNoCalls
from sipagent.campaigns.list_reader import ReadBeside
from sipagent.campaigns.outcomes import Ending, FlowResult, Outcome
from sipagent.campaigns.results import hand_on
from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.running import read_list
from sipagent.campaigns.store import LEASE_S, CampaignStore, Claim
from sipagent.campaigns.store_views import StoreViews
from sipagent.config.campaign import CampaignConfig
from sipagent.config.campaign_load import load_campaign
from sipagent.config.load import load_config
from sipagent.errors import CampaignStateError
from tests.fakes.dialler import FakeDialler
from tests.unit.campaign_fixtures import MONDAY, life, run_command, write_campaign, write_site

pytestmark = pytest.mark.unit

NOON = MONDAY + timedelta(hours=12)
STOP = Ending(Outcome.OPTED_OUT, 200, "human", 5000, (FlowResult("opt_out"),))


class TellingDialler(FakeDialler):
    """Hands out how its calls tell."""

    def __init__(self) -> None:
        super().__init__(lambda order, before: STOP)
        self.tells: dict[int, Tell] = {}

    def place(self, order: CallOrder, tell: Tell) -> None:
        super().place(order, tell)
        self.tells[order.attempt_id] = tell


class Notes:
    """What a runner has decided."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, str, str]] = []

    def __call__(self, campaign: str, decision: str, rule: str, personal: Mapping[str, str]) -> None:
        self.all.append((campaign, decision, rule, personal.get("contact", "")))

    def of(self, decision: str) -> list[str]:
        return [rule for _, kind, rule, _ in self.all if kind == decision]


def waiting(folder: Path, campaign: str = "test") -> dict[str, int]:
    with closing(StoreViews(folder / "state.sqlite")) as views:
        return dict(views.view(campaign).contacts)


def test_a_wish_not_to_be_called_outlives_a_crash_before_the_end_of_the_call(tmp_path: Path) -> None:
    config, dialler, notes = write_campaign(tmp_path, people=1), TellingDialler(), Notes()
    with life(tmp_path, config, dialler, notes) as one:
        one.store.want_run("test", MONDAY)
        one.runner.tick(NOON)
        (attempt_id,) = dialler.tells
        dialler.tells[attempt_id](WantsNoCalls(attempt_id))
        one.runner.tick(NOON)
    late = NOON + timedelta(seconds=LEASE_S + 1)  # it has died
    with closing(CampaignStore(tmp_path / "state.sqlite", "next")) as store:
        assert [row[0] for row in store.opted_out()] == ["+15553000000"]
        store.sweep(late)
        assert store.resume_unsettled("test", late, 3).count == 0
        assert store.next_due("test") is None
    assert notes.of("opted_out") == ["asked"]


def test_a_wish_is_entered_once_and_not_lost_where_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, dialler, notes = write_campaign(tmp_path, people=1), TellingDialler(), Notes()
    with life(tmp_path, config, dialler, notes) as one:
        one.store.want_run("test", MONDAY)
        one.runner.tick(NOON)
        (attempt_id,) = dialler.tells

        def full(*_: object, **__: object) -> None:
            raise CampaignStateError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(one.store, "opt_out", full)
            dialler.tells[attempt_id](WantsNoCalls(attempt_id))
            dialler.finish()
            with pytest.raises(CampaignStateError):
                one.runner.tick(NOON)
        one.runner.tick(NOON)
        assert len(one.store.opted_out()) == 1
        assert one.runner.calls == 0
    assert notes.of("opted_out") == ["asked"]


class Refusing(FakeDialler):
    """Refuses for good as long as the configuration is wrong."""

    is_wrong = True

    def place(self, order: CallOrder, tell: Tell) -> None:
        if self.is_wrong:
            tell(NotPlaced(order.attempt_id, f"limits.outbound.allow: {order.number}", is_lasting=True))
        else:
            super().place(order, tell)


def test_a_refusal_for_good_pauses_the_campaign_and_burns_no_contact(tmp_path: Path) -> None:
    config, dialler, notes = write_campaign(tmp_path, people=8), Refusing(), Notes()
    with life(tmp_path, config, dialler, notes) as one:
        one.store.want_run("test", MONDAY)
        one.live(NOON, NOON + timedelta(hours=1))
        assert one.store.state("test")[:2] == ("paused", "refused: limits.outbound.allow: the number")
        assert waiting(tmp_path) == {"waiting": 8}
        assert notes.of("paused") == ["refused: limits.outbound.allow: the number"]
        dialler.is_wrong = False
        one.store.set_state("test", "running", "")
        one.live(NOON + timedelta(hours=1), NOON + timedelta(hours=2))
        assert waiting(tmp_path) == {"done": 8}


def two(folder: Path) -> tuple[CampaignConfig, CampaignConfig]:
    """Campaigns ``test`` and ``other`` of their own people."""
    first = write_campaign(folder, people=2)
    text = (folder / "test.yaml").read_text()
    (folder / "other.yaml").write_text(text.replace("name: test", "name: other").replace("list.", "others."))
    (folder / "others.csv").write_text("number,zone\n+15554000000,Europe/London\n")
    return first, load_campaign(folder / "other.yaml")


def test_a_text_that_cannot_be_filled_pauses_its_campaign_and_no_other(tmp_path: Path) -> None:
    first, second = two(tmp_path)
    dialler, notes = FakeDialler(lines=0), Notes()
    with closing(CampaignStore(tmp_path / "state.sqlite", "a")) as store:
        runner = CampaignRunner((first, second), store, dialler, notes)
        for name in ("test", "other"):
            store.want_run(name, MONDAY)
        runner.tick(NOON)
        text = (tmp_path / "test.yaml").read_text()  # a new text wants what the list did not have
        extra = 'variables: {name: zone}\nconsent: {announcement: "Hello {name}."}\n'
        (tmp_path / "test.yaml").write_text(text + extra)
        runner.use((load_campaign(tmp_path / "test.yaml"), second))
        dialler.lines = 4
        runner.tick(NOON + timedelta(seconds=2))
        assert [order.campaign for order in dialler.orders] == ["other"]
        assert store.state("test")[0] == "paused"
        assert "cannot be filled" in store.state("test")[1]
        assert store.running("test") == 0
        store.set_state("test", "running", "")
        store.want_run("test", NOON)
        runner.tick(NOON + timedelta(seconds=3))
        assert dialler.orders[-1].script.announcement == "Hello Europe/London."


def test_a_fault_of_one_campaign_is_not_the_others_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialler, notes = FakeDialler(), Notes()
    with closing(CampaignStore(tmp_path / "state.sqlite", "a")) as store:
        runner = CampaignRunner(two(tmp_path), store, dialler, notes)
        for name in ("test", "other"):
            store.want_run(name, MONDAY)
        due = store.due

        def faulty(campaign: str, now: datetime, most: int) -> list[object]:
            if campaign == "test":
                raise ValueError("a fault of ours")
            return list(due(campaign, now, most))

        monkeypatch.setattr(store, "due", faulty)
        for minute in range(3):
            runner.tick(NOON + timedelta(minutes=minute))
        assert [order.campaign for order in dialler.orders] == ["other"]
        assert notes.of("failed") == ["ValueError('a fault of ours')"]


def test_reads_that_fail_end_neither_the_thread_nor_the_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, dialler, notes, stop = (
        write_campaign(tmp_path, people=3),
        TellingDialler(),
        Notes(),
        threading.Event(),
    )
    with closing(CampaignStore(tmp_path / "state.sqlite", "a")) as store:
        store.want_run("test", MONDAY)
        runner = CampaignRunner((config,), store, dialler, notes)
        began = time.monotonic()
        thread = threading.Thread(
            target=runner.run, args=(stop, lambda: NOON + timedelta(seconds=time.monotonic() - began))
        )
        thread.start()
        until(lambda: len(dialler.orders) == 3)

        def locked(*_: object) -> None:
            raise sqlite3.OperationalError("database is locked")

        for name in ("due", "state", "untold"):
            monkeypatch.setattr(store, name, locked)
        dialler.finish()
        until(lambda: runner.calls == 0)
        assert thread.is_alive()
        monkeypatch.undo()
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        assert len(store.opted_out()) == 3
    assert waiting(tmp_path) == {"done": 3}
    assert len(notes.of("not_recorded")) < 4


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_every_fault_of_the_state_file_is_told_as_such(tmp_path: Path) -> None:
    with closing(CampaignStore(tmp_path / "state.sqlite", "a")) as store:
        with closing(sqlite3.connect(tmp_path / "state.sqlite")) as other:
            other.execute("DROP TABLE contact")
            other.commit()
        for read in (lambda: store.due("test", NOON, 1), lambda: store.next_due("test")):
            with pytest.raises(CampaignStateError, match="no such table"):
                read()
        with pytest.raises(CampaignStateError):
            store.opt_out("+15553000000", "asked", "test", NOON)
        assert store.opted_out() == []  # all or nothing


def test_a_claim_that_could_not_be_dialled_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_campaign(tmp_path, people=1)
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)

        def full(*_: object, **__: object) -> bool:
            raise CampaignStateError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(one.store, "dial", full)
            one.runner.tick(NOON)
        assert one.store.running("test") == 1
        one.live(NOON + timedelta(seconds=2), NOON + timedelta(minutes=2))
        assert len(one.dialler.orders) == 1
        assert waiting(tmp_path) == {"done": 1}


def test_a_dialler_that_breaks_has_used_the_attempt_up(tmp_path: Path) -> None:
    class Broken(FakeDialler):
        def place(self, order: CallOrder, tell: Tell) -> None:
            self.orders.append(order)
            raise RuntimeError("nobody knows whether it left")

    config, dialler = write_campaign(tmp_path, people=1), Broken()
    with life(tmp_path, config, dialler) as one:
        one.store.want_run("test", MONDAY)
        one.live(NOON, NOON + timedelta(minutes=20))
        assert len(dialler.orders) == 1
        assert one.runner.calls == 0
        with closing(StoreViews(tmp_path / "state.sqlite")) as views:
            assert views.view("test").outcomes == {"failed": 1}


def test_a_slow_list_keeps_no_call_waiting(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=2)
    with closing(CampaignStore(tmp_path / "state.sqlite", "a")) as store:
        runner = CampaignRunner((config,), store, dialler := FakeDialler(), reader=ReadBeside())
        store.want_run("test", MONDAY)
        until(lambda: bool(runner.tick(NOON) and dialler.orders))
        text = (tmp_path / "test.yaml").read_text()
        slow = text.replace(
            "file: list.csv", "command: \"sh -c 'while ! test -e go; do sleep 0.05; done; cat list.csv'\""
        )
        (tmp_path / "test.yaml").write_text(slow)
        with (tmp_path / "list.csv").open("a") as file:
            file.write("+15553000009,Europe/London\n")
        runner.use((load_campaign(tmp_path / "test.yaml"),))
        store.want_run("test", NOON)
        dialler.finish()
        for second in range(1, 100):  # ends are settled, leases renewed, the others called
            began_s = time.monotonic()
            runner.tick(NOON + timedelta(seconds=second))
            assert time.monotonic() - began_s < 1
        assert len(dialler.orders) == 2
        assert waiting(tmp_path) == {"done": 1, "calling": 1}
        assert store.sweep(NOON + timedelta(seconds=120)).unsettled == ()
        (tmp_path / "go").touch()
        late = NOON + timedelta(seconds=121)
        until(lambda: bool(runner.tick(late) and len(dialler.orders) == 3))


def test_a_list_that_cannot_be_read_beside_pauses_as_ever(tmp_path: Path) -> None:
    config = write_campaign(tmp_path, people=2)
    (tmp_path / "list.csv").write_text("number,zone\n555,\n")
    with closing(CampaignStore(tmp_path / "state.sqlite", "a")) as store:
        runner = CampaignRunner((config,), store, FakeDialler(), reader=ReadBeside())
        store.want_run("test", MONDAY)
        until(lambda: bool(runner.tick(NOON) and store.state("test")[0] == "paused"))
        assert "list.csv:2" in store.state("test")[1]


def test_a_list_that_nobody_asked_for_in_time_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, reader, woken = write_campaign(tmp_path, people=2), ReadBeside(), threading.Event()
    may_read = threading.Event()

    def read_slowly(of: CampaignConfig) -> ContactList:
        assert may_read.wait(10)
        return read_list(of)

    monkeypatch.setattr("sipagent.campaigns.list_reader.read_list", read_slowly)
    assert reader.read(config, NOON, woken.set) is None
    may_read.set()
    assert woken.wait(10)
    write_campaign(tmp_path, people=3)
    monkeypatch.setattr("sipagent.campaigns.list_reader._KEPT_S", -1.0)
    may_read.clear()
    woken.clear()
    assert reader.read(config, NOON, woken.set) is None
    may_read.set()
    assert woken.wait(10)
    monkeypatch.setattr("sipagent.campaigns.list_reader._KEPT_S", 30.0)
    found = reader.read(config, NOON, woken.set)
    assert found is not None
    assert len(found.contacts) == 3


def test_an_end_that_a_fault_of_ours_holds_up_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, dialler = write_campaign(tmp_path, people=3), TellingDialler()
    with life(tmp_path, config, dialler) as one:
        one.store.want_run("test", MONDAY)
        until(
            lambda: bool(
                one.runner.tick(NOON + timedelta(seconds=len(dialler.orders))) and one.runner.calls == 3
            )
        )
        settle = one.store.settle

        def faulty(claim: Claim, *rest: Any, **named: Any) -> bool:
            if claim.contact.number == "+15553000000":
                raise ValueError("a fault of ours")
            return settle(claim, *rest, **named)

        monkeypatch.setattr(one.store, "settle", faulty)
        dialler.finish()
        for _ in range(4):
            with contextlib.suppress(ValueError):
                one.runner.tick(NOON + timedelta(seconds=9))
        assert one.runner.calls == 1
        assert len(one.store.opted_out()) == 2


# --- results ---


def test_what_one_sink_rejects_for_ever_blocks_nothing_and_is_told_once(tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nread line\ncase $line in *+15553000000*) exit 3;; esac\necho $line >> told\n")
    hook.chmod(0o755)
    config = write_campaign(tmp_path, f"results: {{csv: r.csv, command: {hook}}}\n", people=3)
    failures: list[str] = []
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=12))
    now = datetime.now(UTC)
    with closing(StoreViews(tmp_path / "state.sqlite")) as views:
        for minute in (0, 1, 2, 3, 4, 200, 400):
            hand_on(config, views, failures.append, now + timedelta(minutes=minute))
        assert len((tmp_path / "told").read_text().splitlines()) == 2
        assert len((tmp_path / "r.csv").read_text().splitlines()) == 4
        assert len(failures) == 1
        assert "attempt 1 was not handed on to command" in failures[0]
        (left,) = views.unreported("test", int(now.timestamp()) + 10**6)
        assert left.sinks["csv"] == {}
        assert 3 < left.sinks["command"]["tries"] < 8  # with longer and longer waits
        hook.write_text("#!/bin/sh\ncat >> told\n")
        assert hand_on(config, views, failures.append, now + timedelta(days=1)) == 1
        assert len((tmp_path / "r.csv").read_text().splitlines()) == 4


def test_a_command_that_is_down_costs_a_round_three_tries(tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\necho x >> tried\nexit 1\n")
    hook.chmod(0o755)
    config = write_campaign(tmp_path, f"results: {{jsonl: r.jsonl, command: {hook}}}\n", people=9)
    with life(tmp_path, config) as one:
        one.store.want_run("test", MONDAY)
        one.live(MONDAY, MONDAY + timedelta(hours=12))
    with closing(StoreViews(tmp_path / "state.sqlite")) as views:
        hand_on(config, views, lambda _: None)
        assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 9
        assert len((tmp_path / "tried").read_text().splitlines()) == 3


# --- the commands ---


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("+1555*", "+1999*", "list.csv:2: limits.outbound.allow: the number is not among them"),
        ("domain: 127.0.0.1", "domain: 127.0.0.1, prefixes: ['+44']", "no trunk takes the number"),
        ("greeting: Hello.", "greeting: 'Hello {name}.'", "its greeting wants {name}"),
    ],
)
def test_check_tells_before_the_first_call_what_would_be_refused(
    site: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, problem: str
) -> None:
    assert run_command(site, "check") == 0
    text = (site / "sip.yaml").read_text()
    (site / "sip.yaml").write_text(text.replace(old, new))
    assert run_command(site, "check") == 78
    err = capsys.readouterr().err
    assert problem in err
    assert "(1 more rows)" in err


def test_refusals_name_the_row_that_alone_is_refused(site: Path) -> None:
    config = load_config(site / "sip.yaml")
    campaign = load_campaign(site / "campaigns" / "test.yaml")
    with (site / "campaigns" / "list.csv").open("a") as file:
        file.write("+442071234567,Europe/London\n")
    (told,) = refusals(config, campaign, read_list(campaign).contacts)
    assert "list.csv:4: " in told
    assert "more row" not in told


def test_a_run_of_a_paused_or_stopped_campaign_is_refused_and_resume_is_named(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("pause", "stop"):
        assert run_command(site, command, "test") == 0
        assert run_command(site, "now", "test") == 1
        assert "sipagent campaign resume test" in capsys.readouterr().err
    now = datetime.now(UTC)
    with closing(CampaignStore(site / "campaigns.sqlite", "a")) as store:
        assert store.lead("test", now, LEASE_S)
        assert run_command(site, "run", "test") == 1
        assert "sipagent campaign resume test" in capsys.readouterr().err
        assert store.state("test")[3] is None


def test_run_ends_when_its_server_is_gone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(CampaignStore(site / "campaigns.sqlite", "a")) as store:
        assert store.lead("test", datetime.now(UTC), 3)  # then it is gone
        monkeypatch.setattr("signal.signal", lambda *_: None)
        began_s = time.monotonic()
        assert run_command(site, "run", "test") == 1
        assert time.monotonic() - began_s < 10
        assert store.state("test")[3] is not None


def test_what_operators_decide_at_the_command_line_is_in_the_ledger_of_the_server(site: Path) -> None:
    for words in ("pause test", "resume test", "now test", "optout +15553000000"):
        assert run_command(site, *words.split()) == 0
    notes = Notes()
    config = load_campaign(site / "campaigns" / "test.yaml")
    with closing(CampaignStore(site / "campaigns.sqlite", "server")) as store:
        runner = CampaignRunner((config,), store, FakeDialler(lines=0), notes)
        runner.tick(NOON)
        assert notes.all[:4] == [
            ("test", "paused", "by the operator", ""),
            ("test", "resumed", "by the operator", ""),
            ("test", "run_wanted", "by the operator", ""),
            ("", "opted_out", "by the operator", "+15553000000"),
        ]
        assert store.untold() == []
        one = FakeDialler()
        again = CampaignRunner((config,), store, one, notes)
        again.tick(NOON + timedelta(seconds=1))
        again.tick(NOON + timedelta(seconds=2))
        assert [order.number for order in one.orders] == ["+15553000001"]
        assert ("test", "not_called", "opted out", "+15553000000") in notes.all


def test_a_reader_that_has_seen_enough_is_no_fault(site: Path) -> None:
    write_campaign(site / "campaigns", people=3000)
    command = [
        sys.executable,
        "-m",
        "sipagent",
        "campaign",
        "dry-run",
        "-c",
        str(site / "sip.yaml"),
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["campaign"] == "test"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
