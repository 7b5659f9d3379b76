"""The supervisor's parts, each alone: reports, notifications, places, changes, channel, control socket."""

import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sipagent.cli.main import build_parser
from sipagent.cli.serve import checked_again
from sipagent.config.fields import HostPort
from sipagent.config.load import load_config
from sipagent.config.schema import Config, for_worker
from sipagent.config.supervision import SupervisionConfig
from sipagent.errors import ConfigError
from sipagent.supervision.changes import RestartNeeded, compare
from sipagent.supervision.channel import LARGEST_BYTES, Channel, config_bytes, config_from
from sipagent.supervision.control import LONGEST_REQUEST_BYTES, ControlServer, Reply, ask_server
from sipagent.supervision.crashes import MOST_REPORT_BYTES, Crash, CrashReports
from sipagent.supervision.memory_file import content_of, memory_file
from sipagent.supervision.notify import Notifier
from sipagent.supervision.places import ControlError, control_path, find_control, state_dir
from sipagent.supervision.reload import LONGEST_MS, Reload, Verdict
from sipagent.supervision.slot import Process, Slot, cause_of
from sipagent.tools.check import load_flows
from tests.fakes.files import flow_with_tool, sip_yaml

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(ROOT / "sip.yaml", environ={})


# --- the configuration's shares and changes ---


def test_each_worker_has_ports_of_its_own(config: Config) -> None:
    config = replace(config, workers=3)
    shares = [for_worker(config, index) for index in range(3)]
    assert [str(one.listen.udp) for one in shares] == ["0.0.0.0:5060", "0.0.0.0:5061", "0.0.0.0:5062"]
    assert [str(one.rtp.port_range) for one in shares] == ["20000-20065", "20066-20131", "20132-20199"]
    any_port = replace(config, listen=replace(config.listen, udp=HostPort("127.0.0.1", 0)))
    assert for_worker(any_port, 2).listen.udp == HostPort("127.0.0.1", 0)
    assert for_worker(replace(config, workers=1), 0) == replace(config, workers=1)


def test_what_a_new_file_changes_at_once_and_what_waits(config: Config) -> None:
    (persona,) = config.personas.values()
    new = replace(
        config,
        personas={"receptionist": replace(persona, greeting="Good morning!")},
        listen=replace(config.listen, udp=HostPort("0.0.0.0", 5080)),
        llm=replace(config.llm, temperature=0.9, model="another"),
        speech=replace(config.speech, turn=replace(config.speech.turn, pause_ms=90, smart_turn=False)),
        workers=2,
    )
    changes = compare(config, new)
    assert set(changes.at_once) == {"personas", "llm.temperature", "speech.turn.pause_ms"}
    assert set(changes.waiting) == {"listen.udp", "llm.model", "speech.turn.smart_turn", "workers"}
    assert changes.config.personas["receptionist"].greeting == "Good morning!"
    assert changes.config.speech.turn.pause_ms == 90
    assert (changes.config.workers, changes.config.llm.model) == (1, config.llm.model)
    assert changes.config.listen == config.listen
    again = compare(changes.config, config)
    assert (set(again.at_once), again.waiting) == (set(changes.at_once), ())
    assert again.config == config


def test_the_same_file_changes_nothing(config: Config) -> None:
    changes = compare(config, load_config(ROOT / "sip.yaml", environ={}))
    assert (changes.at_once, changes.waiting, changes.config) == ((), (), config)


def test_a_new_tool_comes_with_the_persona_that_uses_it(tmp_path: Path) -> None:
    old = load_config(sip_yaml(tmp_path), environ={})
    flow_with_tool(tmp_path / "x.yaml", "put")
    tools = "tools: {put: {description: Puts., command: [/bin/true]}}"
    new = load_config(sip_yaml(tmp_path, "tools: [put]", "flow: x.yaml", top=tools), environ={})
    changes = compare(old, new)
    assert (changes.at_once, changes.waiting) == (("personas", "tools"), ())
    assert list(load_flows(changes.config)) == ["desk"]


def test_a_tool_that_is_gone_is_a_problem_with_its_line_and_no_fault(tmp_path: Path) -> None:
    flow_with_tool(tmp_path / "x.yaml", "put")
    tools = "tools: {put: {description: Puts., command: [/bin/true]}}"
    config = load_config(sip_yaml(tmp_path, "tools: [put]", "flow: x.yaml", top=tools), environ={})
    with pytest.raises(ConfigError, match=r"x\.yaml:6: tools\.put: no tool 'put' under tools of sip\.yaml"):
        load_flows(replace(config, tools={}))


def test_what_does_not_go_with_what_has_to_wait_is_refused_before_any_worker_sees_it(tmp_path: Path) -> None:
    arguments = build_parser("serve").parse_args(["serve", "-c", str(tmp_path / "sip.yaml")])
    running = load_config(sip_yaml(tmp_path), environ={})
    sip_yaml(
        tmp_path,
        'transfer: {front: "100"}',
        top='limits: {outbound: {allow: ["100"]}}\nspeech: {turn: {smart_turn: false}}',
    )
    with pytest.raises(RestartNeeded) as caught:
        checked_again(arguments, running)
    problem, *_, why = caught.value.problems
    assert problem.startswith(f"{tmp_path}/sip.yaml:8: personas.desk.transfer.front: '100' may not be called")
    assert "limits.outbound.allow" in why


class FakeSlot(Slot):
    """Its process does what the test says."""

    def __init__(self, name: str, *, is_up: bool = True) -> None:
        self.name = name
        self.process = Process.__new__(Process) if is_up else None
        self.offers: list[int] = []
        if self.process is not None:
            self.process.generation, self.process.refused = 1, (0, ())

    def offer(self, config: Config, generation: int) -> Process | None:
        self.offers.append(generation)
        return self.process


def reload_of(config: Config, *slots: FakeSlot) -> Reload:
    return Reload(compare(config, config), 2, lambda _: None, slots, 1000)


def test_a_reload_is_over_when_every_worker_that_runs_has_taken_it(config: Config) -> None:
    first, second, down = FakeSlot("worker-1"), FakeSlot("worker-2"), FakeSlot("worker-3", is_up=False)
    reload = reload_of(config, first, second, down)
    assert first.process is not None
    assert second.process is not None
    first.process.generation = 2
    assert reload.verdict(1001) is None
    second.process.generation = 2
    assert reload.verdict(1002) == Verdict()
    assert reload_of(config, down).verdict(1000) == Verdict(), "nobody runs: the next process begins with it"


def test_a_worker_that_refuses_or_dies_has_all_of_them_keep_the_old_one(config: Config) -> None:
    first, second = FakeSlot("worker-1"), FakeSlot("worker-2")
    reload = reload_of(config, first, second)
    assert first.process is not None
    assert second.process is not None
    first.process.generation = 2
    second.process.refused = (2, ("no such voice",))
    assert reload.verdict(1001) == Verdict(problems=("no such voice",))
    reload.take_back(config, 1)
    assert (first.offers, second.offers) == ([2, 1], [2])
    dead = FakeSlot("worker-1")
    reload = reload_of(config, dead)
    dead.process = None
    verdict = reload.verdict(1001)
    assert verdict is not None
    assert verdict.problems == ("worker-1 ended while it took the new configuration",)


def test_a_worker_that_is_busy_for_long_keeps_nobody_waiting(config: Config) -> None:
    reload = reload_of(config, FakeSlot("worker-1"))
    assert reload.verdict(1000 + LONGEST_MS - 1) is None
    assert reload.verdict(1000 + LONGEST_MS) == Verdict(late=("worker-1",))


# --- channel ---


def test_a_configuration_and_a_descriptor_pass_to_another_process(config: Config) -> None:
    ours, theirs = Channel.pair()
    fd = memory_file("config", config_bytes(config))
    assert ours.send({"do": "use"}, [fd])
    os.close(fd)
    received = Channel(theirs).receive()
    assert received is not None
    message, (handed,) = received
    assert message == {"do": "use"}
    assert config_from(content_of(handed)) == config
    os.close(handed)
    theirs.close()
    assert not ours.send({"more": 1})
    assert ours.receive() is None
    ours.close()


def test_a_full_channel_drops_and_never_waits() -> None:
    ours, theirs = Channel.pair()
    sent = 0
    while ours.send({"beat": sent}):
        sent += 1
        assert sent < 100_000
    assert not ours.send({"long": "x" * LARGEST_BYTES})
    other = Channel(theirs)
    assert [other.receive() for _ in range(sent)] == [({"beat": n}, []) for n in range(sent)]
    with pytest.raises(BlockingIOError):
        other.receive(waits=False)
    ours.close()
    other.close()


# --- reports ---


def crash(number: int) -> Crash:
    return Crash(
        at_utc=f"2026-11-22T16:00:00.{number:03}Z",
        worker="worker-1",
        pid=100 + number,
        cause="SIGSEGV",
        status=-11,
        phase="answering",
        uptime_s=1.5,
        rss_mib=900,
        calls_lost=("a",),
        version="1",
    )


def test_the_newest_reports_are_kept_and_none_is_large(tmp_path: Path) -> None:
    reports = CrashReports(tmp_path / "state" / "crashes", 3)
    assert reports.newest() is None
    (tmp_path / "state" / "crashes").mkdir(parents=True)
    (tmp_path / "state" / "crashes" / "cut.part").write_text("{")
    for number in range(5):
        path = reports.keep(crash(number), [{"event": "x" * 5000, "n": n} for n in range(100)], "stack")
        assert path is not None
        assert path.stat().st_size < MOST_REPORT_BYTES
        assert path.stat().st_mode & 0o777 == 0o600
    kept = sorted(path.name for path in reports.folder.iterdir())
    assert [name.rpartition("-")[2] for name in kept] == ["102.json", "103.json", "104.json"]
    newest = reports.newest()
    assert newest is not None
    assert newest[1]["pid"] == 104
    assert newest[1]["events"][-1]["n"] == 99


def test_a_disk_that_takes_no_report_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert CrashReports(tmp_path / "file" / "crashes", 3).keep(crash(1), [], "") is None


def test_causes_in_words() -> None:
    assert [cause_of(status) for status in (-11, -6, 1, 78)] == [
        "SIGSEGV",
        "SIGABRT",
        "exit status 1",
        "exit status 78",
    ]
    assert cause_of(-50) == "signal 50"
    assert cause_of(None).startswith("unknown")


# --- systemd ---


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, is_abstract: bool) -> None:
    name = f"@sipagent-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if is_abstract else name)
        manager.settimeout(5)
        environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
        notifier = Notifier.from_environment(environ)
        assert (environ, notifier.watchdog_ms) == ({}, 1500)
        notifier.ready()
        notifier.status("one")
        notifier.status("one")
        notifier.reloading()
        notifier.watchdog()
        notifier.stopping()
        notifier.close()
        told = [manager.recv(1000).decode() for _ in range(5)]
    assert [text.split("MONOTONIC")[0] for text in told] == [
        "READY=1",
        "STATUS=one",
        "RELOADING=1\n",
        "WATCHDOG=1",
        "STOPPING=1",
    ]
    assert told[2].partition("MONOTONIC_USEC=")[2].isdigit()


def test_without_systemd_nothing_is_told_and_nothing_fails(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}):
        notifier = Notifier.from_environment(environ)
        notifier.ready()
        assert notifier.watchdog_ms == 0
        notifier.close()


# --- places and the control socket ---


def test_places(tmp_path: Path) -> None:
    sip_yaml = tmp_path / "sip.yaml"
    auto = SupervisionConfig()
    assert state_dir(auto, sip_yaml, {}) == tmp_path / "state"
    assert state_dir(auto, sip_yaml, {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")
    assert state_dir(SupervisionConfig(state_dir=Path("/x")), sip_yaml, {"STATE_DIRECTORY": "/y"}) == Path(
        "/x"
    )
    runtime = {"RUNTIME_DIRECTORY": str(tmp_path)}
    path = control_path(auto, sip_yaml, runtime)
    assert path.parent == tmp_path
    assert control_path(auto, tmp_path / "other.yaml", runtime) != path
    with pytest.raises(ControlError, match="no server runs with"):
        find_control(auto, sip_yaml, runtime)
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(path))
        assert find_control(auto, sip_yaml, runtime) == path


class Answering:
    """A control server on a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.selector = selectors.DefaultSelector()
        self.server = ControlServer(path, self.selector, self.ask)
        self.is_over = False
        self.thread = threading.Thread(target=self.run)

    def ask(self, command: str, reply: Reply) -> None:
        reply({"ok": command == "status", "asked": command})

    def run(self) -> None:
        while not self.is_over:
            for key, _ in self.selector.select(0.02):
                key.data()


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "run" / "control.sock"
    running = Answering(path)
    running.server.open()
    running.thread.start()
    yield path
    running.is_over = True
    running.thread.join()
    running.server.close()
    running.selector.close()
    assert not path.exists()


def test_the_control_socket_answers_its_owner_alone(answering: Path) -> None:
    assert answering.stat().st_mode & 0o777 == 0o600
    assert answering.parent.stat().st_mode & 0o777 == 0o700
    assert ask_server(answering, "status") == {"ok": True, "asked": "status"}
    assert ask_server(answering, "dance") == {"ok": False, "asked": "dance"}
    assert ask_server(answering, "status", timeout_s=5)["ok"]


def test_nonsense_on_the_control_socket_disturbs_nobody(answering: Path) -> None:
    silent = [connected(answering) for _ in range(20)]
    with connected(answering) as flooding:
        flooding.sendall(b"x" * (LONGEST_REQUEST_BYTES + 1))
        assert ends(flooding)
    for line in (b"\n", b"[]\n", b'{"command": {}}\n', b"\xff\n"):
        with connected(answering) as odd:
            odd.sendall(line)
            assert json.loads(odd.recv(1000))["ok"] is False
    assert ask_server(answering, "status")["ok"]
    for one in silent:
        one.close()


def connected(path: Path) -> socket.socket:
    """As patient as it takes: the queue of waiting connections is short."""
    asking = socket.socket(socket.AF_UNIX)
    asking.settimeout(5)
    while True:
        try:
            asking.connect(str(path))
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return asking


def ends(asking: socket.socket) -> bool:
    """The server has closed it."""
    try:
        return asking.recv(1) == b""
    except ConnectionError:
        return True


def test_a_second_server_leaves_the_first_ones_socket_alone(answering: Path) -> None:
    second = ControlServer(answering, selectors.DefaultSelector(), lambda *_: None)
    with pytest.raises(ConfigError, match="another server answers"):
        second.open()
    second.close()
    assert ask_server(answering, "status")["ok"]


def test_what_a_killed_server_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match="no server answers"):
        ask_server(path, "status")
    selector = selectors.DefaultSelector()
    server = ControlServer(path, selector, lambda *_: None)
    server.open()
    server.close()
    selector.close()


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    with pytest.raises(ConfigError, match="others may write"):
        ControlServer(open_folder / "x.sock", selectors.DefaultSelector(), lambda *_: None).open()
