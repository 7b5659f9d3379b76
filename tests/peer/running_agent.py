"""A real ``sipagent serve`` for the tests: real models, loopback ports, its log as events."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sipagent.lab.agent_process import free_port_block, free_udp_port, wait_ready
from sipagent.lab.child import Child, ChildEvent, Events

ROOT = Path(__file__).resolve().parents[2]
CLIPS = ROOT / "tests" / "golden" / "speech"
LOOPBACK = "127.0.0.1"
_RTP_PORTS = 64


@dataclass
class RunningAgent:
    """The process, where it listens, and everything it has logged."""

    child: Child
    events: Events
    port: int
    ready: dict[str, Any]
    log: list[ChildEvent] = field(default_factory=list)

    def uri(self, user: str = "receptionist") -> str:
        return f"sip:{user}@{LOOPBACK}:{self.port}"

    def drain(self) -> list[ChildEvent]:
        """Everything logged so far."""
        while not self.events.empty():
            self.log.append(self.events.get_nowait())
        return self.log

    def wait_for(
        self, event: str, *, after: int = 0, timeout_s: float = 30, where: Callable[[ChildEvent], bool] = bool
    ) -> ChildEvent:
        """The first such event from the log's index ``after`` on."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for found in self.drain()[after:]:
                if found.event == event and where(found):
                    return found
            time.sleep(0.02)
        raise AssertionError(f"no {event} within {timeout_s} s; the log: {self.drain()[after:]}")

    @property
    def worker_pid(self) -> int:
        """The process that takes the calls; ``child`` is its supervisor."""
        return int(self.ready["pid"])

    @property
    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.worker_pid}/task"))

    @property
    def file_descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.worker_pid}/fd"))

    @property
    def rss_kib(self) -> int:
        status = Path(f"/proc/{self.worker_pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


def write_config(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    """The project's own ``sip.yaml`` with other ports, the small language model and ``changes``.

    A change's key is a dotted path, as ``personas.receptionist.max_call_s``.
    """
    config = yaml.safe_load((ROOT / "sip.yaml").read_text())
    first = free_port_block(_RTP_PORTS)
    port = next(port for port in iter(free_udp_port, 0) if not first <= port < first + _RTP_PORTS)
    config["listen"] = {"udp": f"{LOOPBACK}:{port}", "tcp": f"{LOOPBACK}:{port}"}
    config["rtp"] = {"port_range": f"{first}-{first + _RTP_PORTS - 1}"}
    config["llm"]["model"] = "smollm2-135m-instruct"
    config["limits"] = {"calls_per_second": 20}
    config["supervision"] = {"drain_s": 0, "control": str(folder / "control.sock")}
    config["console"] = {"bind": f"{LOOPBACK}:0"}
    config["models_dir"] = str(ROOT / "models")
    config["personas"]["receptionist"]["prompt_file"] = str(ROOT / "prompts" / "receptionist.md")
    config["personas"]["receptionist"]["knowledge"] = str(ROOT / "knowledge")
    for path, value in (changes or {}).items():
        *parents, key = path.split(".")
        section = config
        for parent in parents:
            section = section.setdefault(parent, {})
        section[key] = value
    file = folder / "sip.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


SUPERVISED = ("-m", "sipagent", "serve")
ALONE = (*SUPERVISED, "--no-supervisor")
"""One process: what a test kills or measures is the agent itself."""
USUAL = SUPERVISED if os.environ.get("SIPAGENT_TEST_SUPERVISED") else ALONE
"""``SIPAGENT_TEST_SUPERVISED=1`` puts every agent of the tests under a supervisor, as on a server."""


@contextmanager
def running_agent(
    folder: Path,
    changes: dict[str, Any] | None = None,
    *,
    program: tuple[str, ...] = USUAL,
) -> Iterator[RunningAgent]:
    """Start the agent, wait until it is ready, end it whatever happens."""
    config = write_config(folder, changes)
    events: Events = Events()
    command = [sys.executable, *program, "-c", str(config), "--log-format", "json"]
    with Child("agent", [*command, "--log-pii"], events, reads="stderr") as child:
        log: list[ChildEvent] = []
        ready = wait_ready(child, events, 120, earlier=log)
        yield RunningAgent(child, events, int(str(ready["udp"]).rpartition(":")[2]), ready, log)


def clip_text(name: str) -> str:
    """What is said in a clip."""
    manifest = json.loads((CLIPS / "manifest.json").read_text())
    return next(str(entry["text"]) for entry in manifest if entry["file"] == name)
