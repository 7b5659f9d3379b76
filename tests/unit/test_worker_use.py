"""A worker takes another configuration whole, or says why not and goes on."""

import os
from collections.abc import Iterator
from typing import Any, cast

import pytest

import sipagent.app
from sipagent.app import Switchboard, Worker
from sipagent.config.schema import Config
from sipagent.engines import Engines
from sipagent.errors import ConfigError, ModelError
from sipagent.logs import get_log
from sipagent.supervision.channel import Channel, config_bytes
from sipagent.supervision.memory_file import memory_file
from sipagent.worker_process import WorkerProcess

pytestmark = pytest.mark.unit


class FakeWorker:
    """Takes every configuration, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def use(self, config: Config) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = Channel.pair()
    other = Channel(theirs)
    yield ours, other
    ours.close()
    other.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, {"state": "took", "generation": 2}),
        (ModelError("no voice"), {"state": "refused", "generation": 2, "problems": ["no voice"]}),
        (ConfigError(["a", "b"]), {"state": "refused", "generation": 2, "problems": ["a", "b"]}),
        (
            KeyError("put"),
            {"state": "refused", "generation": 2, "problems": ["could not be taken: KeyError('put')"]},
        ),
    ],
)
def test_whatever_goes_wrong_is_told_and_ends_nothing(
    ends: tuple[Channel, Channel],
    error: Exception | None,
    told: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    process = WorkerProcess("worker-1", Config(), ends[0], get_log())
    fd = memory_file("config", config_bytes(Config(instance="new")))
    process._use(cast(Worker, FakeWorker(error)), fd, 2)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    received = ends[1].receive()
    assert received is not None
    assert received[0] == told
    assert process._config.instance == ("sipagent" if error else "new")


def test_what_cannot_be_loaded_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Switchboard(Config(), get_log())
    engines = cast(Engines, object())
    board.engines = engines
    serving = board.desk._serving

    def fails(*_: object) -> Engines:
        raise ModelError("no voice")

    monkeypatch.setattr(sipagent.app, "renewed", fails)
    with pytest.raises(ModelError):
        board.use(Config(instance="new"))
    assert board.engines is engines
    assert board.desk._serving is serving
    assert board._config == Config()
