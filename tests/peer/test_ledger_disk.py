"""A real agent whose ledger lies on a small disk: full while a call runs, killed as it answers; and what a
registrar and the SIP library leave in it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipagent.lab.softphone import Softphone
from sipagent.ledger import Kind, LedgerReader, verify
from sipagent.sip.wire_message import build_response, parse_message
from tests.peer.raw_caller import RawCaller
from tests.peer.running_agent import RunningAgent, running_agent
from tests.peer.spoken_call import answered, greeted, hung_up

pytestmark = pytest.mark.peer

SIZE = "80m"
"""A little more than must stay free for calls to be taken."""
TRUNK = "office"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    mount = tmp_path_factory.mktemp("disk")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", mount],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"needs root to mount a small tmpfs: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


@pytest.fixture(scope="module")
def registrar() -> Iterator[int]:
    """Refuses everybody; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(0.1)
        is_over = threading.Event()

        def refuse() -> None:
            while not is_over.is_set():
                with contextlib.suppress(TimeoutError):
                    datagram, peer = line.recvfrom(65535)
                    line.sendto(build_response(parse_message(datagram), "403 Forbidden", to_tag="x"), peer)

        thread = threading.Thread(target=refuse)
        thread.start()
        yield int(line.getsockname()[1])
        is_over.set()
        thread.join()


@pytest.fixture(scope="module")
def agent(disk: Path, registrar: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    address = f"127.0.0.1:{registrar}"
    account = {"registrar": f"sip:{address}", "username": "us", "password_env": "TEST_PASSWORD_OFFICE"}
    trunks = [{"name": TRUNK, "domain": address, "register": account}]
    changes = {"ledger.dir": str(disk / "ledger"), "trunks": trunks}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TEST_PASSWORD_OFFICE", "secret")
        with running_agent(tmp_path_factory.mktemp("agent"), changes) as started:
            yield started


def bodies(disk: Path, kind: Kind) -> list[dict[str, object]]:
    reader = LedgerReader.open(disk / "ledger")
    found = [one for one in reader.entries() if one.entry.kind == kind]
    return [{**one.entry.body, **(reader.personal(one) or {})} for one in found]


def test_a_refused_registration_and_a_refusal_of_the_library_are_entries(
    agent: RunningAgent, disk: Path
) -> None:
    agent.wait_for("trunk.registration_failed")
    with RawCaller(agent.port) as caller:
        g729 = caller.sdp().replace(b"AVP 0 ", b"AVP 18 ").replace(b"rtpmap:0 PCMU", b"rtpmap:18 G729")
        assert caller.invite(g729).status == 488
        source = f"127.0.0.1:{caller._local[1]}"
    agent.wait_for("call.refused")
    with Softphone() as phone:  # the end of a call makes everything before it durable
        greeted(phone, agent)
        hung_up(phone)
    agent.wait_for("call.ended")
    (failed,) = bodies(disk, Kind.TRUNK_FAILED)
    assert (failed["trunk"], failed["sip_status"], failed["reason"]) == (TRUNK, 403, "Forbidden")
    (refused,) = bodies(disk, Kind.CALL_REFUSED)
    assert refused["sip_status"] == 488
    assert str(refused["rule"]).startswith("the library: the peer offers G729 and this trunk has G722")
    assert refused["source"] == source


def fill(path: Path) -> None:
    """Take all the space there is."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(b"x")


def test_full_disk_ends_no_call_takes_none_and_is_told_once(agent: RunningAgent, disk: Path) -> None:
    filler = disk / "filler"
    start = len(agent.drain())
    with Softphone() as phone:
        greeted(phone, agent)
        fill(filler)
        told = agent.wait_for("ledger.unwritable", after=start)
        assert (told.facts["level"], told.facts["effect"]) == (
            "error",
            "new calls get 503, running ones go on",
        )
        with RawCaller(agent.port) as caller:
            refused = caller.invite()
            assert (refused.status, refused.get("retry-after")) == (503, "10")
        answered(phone)  # the running call does not notice
        hung_up(phone)
    agent.wait_for("ledger.late", after=start)
    ended = agent.wait_for("call.ended", after=start).facts
    assert ended["cause"] == "caller hung up"
    assert os.statvfs(disk).f_bavail == 0
    filler.unlink()
    agent.wait_for("ledger.writable", after=start)
    with RawCaller(agent.port) as caller:
        assert caller.invite().status == 200
        caller.bye()
    agent.wait_for("call.ended", after=start, where=lambda e: e.facts["call_id"] != ended["call_id"])
    told_times = [event.event for event in agent.drain()[start:]].count("ledger.unwritable")
    assert told_times == 1
    entries = LedgerReader(disk / "ledger", None).of_call(str(ended["call_id"]))
    kinds = [one.entry.kind for one in entries]
    assert kinds[-1] == Kind.CALL_ENDED, "it waited in memory"
    assert {Kind.TURN_CALLER, Kind.TURN_AGENT} <= set(kinds)
    assert Kind.ENTRIES_LOST not in [one.entry.kind for one in LedgerReader(disk / "ledger", None).entries()]
    assert any(str(body["rule"]).startswith("ledger: ") for body in bodies(disk, Kind.CALL_REFUSED))
    assert verify(disk / "ledger").findings == ()


def test_a_call_that_was_answered_is_on_the_disk(agent: RunningAgent, disk: Path) -> None:
    """Last: the agent does not survive it."""
    assert agent.child.pid is not None
    with RawCaller(agent.port) as caller:
        caller.request("INVITE", caller.sdp())
        assert caller.answer("INVITE").status == 200
        os.kill(agent.child.pid, signal.SIGKILL)
        caller.is_up = False
    agent.wait_for("child.exited")
    assert bodies(disk, Kind.CALL_STARTED)[-1]["sip_call_id"] == caller.call_id
