"""A worker without models (``tests/fakes/modelless_worker.py``) as a child process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sipagent.lab.agent_process import wait_ready
from sipagent.lab.child import Child, Events
from tests.peer.running_agent import ROOT, RunningAgent, write_config

LOOPBACK = "127.0.0.1"


@contextmanager
def modelless_worker(
    folder: Path, changes: dict[str, Any] | None = None, *, options: tuple[str, ...] = ()
) -> Iterator[RunningAgent]:
    """Start it, wait until it is ready, end it whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    with modelless_worker_with(write_config(folder, changes), options=options) as worker:
        yield worker


@contextmanager
def modelless_worker_with(config: Path, *, options: tuple[str, ...] = ()) -> Iterator[RunningAgent]:
    """The same with a configuration that is there."""
    port = int(yaml.safe_load(config.read_text())["listen"]["udp"].rpartition(":")[2])
    events: Events = Events()
    command = [sys.executable, str(ROOT / "tests" / "fakes" / "modelless_worker.py"), str(config), *options]
    with Child("agent", command, events, reads="stderr") as child:
        yield RunningAgent(child, events, port, wait_ready(child, events, 30))
