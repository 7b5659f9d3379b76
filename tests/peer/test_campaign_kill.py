"""A server dies with an INVITE out: whom it rang is named and not rung again, all others are called."""

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sipagent.campaigns.store import LEASE_S, CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.cli.main import main
from sipagent.lab.agent_process import wait_ready
from sipagent.lab.child import Child, Events
from sipagent.lab.people import Behaviour, People
from tests.peer.running_agent import write_config
from tests.unit.campaign_fixtures import ALL_DAY, write_campaign

pytestmark = pytest.mark.peer

RINGS = "+15553000000"
DEADLINE_S = LEASE_S + 40.0
"""The dead server's lease must run out before another one begins."""


def site(folder: Path, people: tuple[str, int]) -> Path:
    (folder / "campaigns").mkdir()
    extra = "retry: {attempts: 1}\nresults: {jsonl: out.jsonl}\n"
    write_campaign(folder / "campaigns", extra, people=5, calls_at_once=1, window=ALL_DAY)
    address = f"{people[0]}:{people[1]}"
    changes = {
        "trunks": [{"name": "lab", "domain": address, "caller_id": "+15550100", "options_s": 0}],
        "campaigns": {"enabled": True, "lines_kept_free": 0},
        "limits": {"outbound": {"allow": ["+1555*"], "count_file": str(folder / "count.json")}},
    }
    return write_config(folder, changes)


@contextmanager
def server(config: Path) -> Iterator[Child]:
    events: Events = Events()
    command = [sys.executable, "-m", "tests.fakes.campaign_agent", str(config)]
    with Child("agent", command, events, reads="stderr") as child:
        wait_ready(child, events, 30)
        yield child


def until(is_so: Callable[[], bool], seen: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline_s, seen()
        time.sleep(0.05)


def test_whoever_a_dead_server_rang_is_named_and_never_rung_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def behaviour_of(number: str, before: int) -> Behaviour:
        return Behaviour("rings for ever", 0) if number == RINGS else Behaviour("busy", 486, 50)

    with closing(People(behaviour_of)) as people:
        people.start()
        config = site(tmp_path, people.address)
        state = tmp_path / "campaigns.sqlite"
        with closing(CampaignStore(state, "operator")) as store:
            store.want_run("test", datetime.now(UTC))
        with server(config) as first:
            until(lambda: any("180" in call.responses for call in people.calls), lambda: people.calls)
            os.kill(pid_of(first), signal.SIGKILL)
        assert [call.number for call in people.calls] == [RINGS]
        with server(config), closing(StoreViews(state)) as views:
            wanted = {"done": 4, "unsettled": 1}
            until(lambda: dict(views.view("test").contacts) == wanted, lambda: views.view("test"))
            time.sleep(2.0)  # nobody is called any more
            rung = Counter(call.number for call in people.calls)
            (cut_off,) = views.attempts("test", state="unsettled")
            until(lambda: len(lines_of(tmp_path)) == 5, lambda: lines_of(tmp_path))
    assert rung == {f"+1555300{n:04d}": 1 for n in range(5)}
    assert (cut_off.number, cut_off.n) == (RINGS, 1)
    states = {line["number"]: line["state"] for line in lines_of(tmp_path)}
    assert states == {number: "unsettled" if number == RINGS else "settled" for number in rung}
    assert main(["campaign", "status", "-c", str(config)]) == 0
    assert f"unsettled: test: {RINGS}, attempt 1 at" in capsys.readouterr().out


def lines_of(folder: Path) -> list[dict[str, str]]:
    file = folder / "campaigns/out.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid
