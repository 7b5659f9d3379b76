"""The ledger of a server: what the operator is told, and what is kept how long."""

import time
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from sipagent.audit import Bookkeeper, state_teller
from sipagent.config.ledger import LedgerConfig
from sipagent.config.recording import RecordingConfig
from sipagent.config.schema import Config
from sipagent.errors import ConfigError
from sipagent.ledger import Kind, LedgerReader, LedgerState
from tests.fakes.ledger import write_sample

pytestmark = pytest.mark.unit

LOG: structlog.stdlib.BoundLogger = structlog.get_logger()


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked here does not depend on what is installed."""
    monkeypatch.setattr("sipagent.audit.model_digests", lambda _: {"ear/model.bin": "ab" * 32})


def config_of(folder: Path, recording: RecordingConfig, keep_days: int | str = "forever") -> Config:
    ledger = LedgerConfig(dir=folder / "ledger", keep_days=keep_days)  # type: ignore[arg-type]
    return Config(ledger=ledger, recording=recording)


def test_a_disk_that_fills_up_is_told_once_and_once_that_it_has_room() -> None:
    with capture_logs() as told:
        tell = state_teller(LOG)
        tell(LedgerState(True, "a key that cannot be read"))
        tell(LedgerState(False, "less than 64 MiB free"))
        tell(LedgerState(False, "No space left on device"))
        tell(LedgerState(False, "less than 64 MiB free"))
        tell(LedgerState(True, "a key that cannot be read"))
        tell(LedgerState(False, "less than 64 MiB free"))
        tell(LedgerState(True))
    assert [event["event"] for event in told] == [
        "ledger.problem",
        "ledger.unwritable",
        "ledger.writable",
        "ledger.unwritable",
        "ledger.writable",
    ]
    assert told[1]["reason"] == "less than 64 MiB free"


def test_a_worker_has_a_chain_of_its_own_beside_the_others(tmp_path: Path) -> None:
    config = config_of(tmp_path, RecordingConfig())
    with capture_logs():
        keepers = [Bookkeeper.open(config, LOG, chain=chain) for chain in ("worker-1", "worker-2")]
        with pytest.raises(ConfigError, match="writes this chain"):
            Bookkeeper.open(config, LOG, chain="worker-1")
        for keeper in keepers:
            assert keeper is not None
            keeper.close("SIGTERM")
    reader = LedgerReader(tmp_path / "ledger", None)
    for chain in ("worker-1", "worker-2"):
        kinds = [one.entry.kind for one in reader.entries(chain=chain)]
        assert kinds.count(Kind.SERVER_STARTED) == kinds.count(Kind.SERVER_STOPPED) == 1


def test_the_configuration_says_where_recordings_lie_and_how_long(tmp_path: Path) -> None:
    write_sample(tmp_path / "ledger")
    recordings = tmp_path / "ledger" / "recordings"
    with capture_logs(), pytest.raises(ConfigError, match=r"ledger\.dir: .*move them there"):
        Bookkeeper.open(config_of(tmp_path, RecordingConfig(dir=tmp_path / "sound")), LOG)
    recordings.rename(tmp_path / "sound")
    config = config_of(tmp_path, RecordingConfig(dir=tmp_path / "sound", keep_days=1), keep_days=30_000)
    with capture_logs() as told:
        keeper = Bookkeeper.open(config, LOG)
        assert keeper is not None
        deadline = time.monotonic() + 30
        while not any(event["event"] == "ledger.forgot" for event in told) and time.monotonic() < deadline:
            time.sleep(0.01)
        keeper.close("SIGTERM")
    forgot = [event for event in told if event["event"] == "ledger.forgot"]
    assert [(event["calls"], event["keys"], event["recordings"]) for event in forgot] == [(0, 0, 3)]
    assert not list((tmp_path / "sound").glob("*/*"))
