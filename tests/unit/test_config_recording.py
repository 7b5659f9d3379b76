"""Section ``recording``: what is refused, and with which words."""

import pytest

from sipagent.config.ledger import LedgerConfig
from sipagent.config.recording import RecordingConfig
from sipagent.config.rules import broken_rules
from sipagent.config.schema import Config

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("section", "field", "problem"),
    [
        (RecordingConfig(announce=" "), "announce", "is empty"),
        (RecordingConfig(max_mib=9), "max_mib", "expected 10..10000000"),
        (RecordingConfig(yes=()), "yes", "at least one"),
        (RecordingConfig(no=("No",)), "no", "in lower case"),
        (RecordingConfig(yes=("ja", "na"), no=("nein", "na")), "no", "'na' is among the words for yes, too"),
    ],
)
def test_refused(section: RecordingConfig, field: str, problem: str) -> None:
    ((found, text),) = section.check()
    assert found == field
    assert problem in text


def test_defaults_are_sound() -> None:
    assert not list(RecordingConfig().check())


def test_recordings_need_the_ledger() -> None:
    def problems(*, recording: bool, ledger: bool) -> list[str]:
        config = Config(recording=RecordingConfig(enabled=recording), ledger=LedgerConfig(enabled=ledger))
        return [key for key, _ in broken_rules(config, lambda _: True)]

    assert problems(recording=True, ledger=False) == ["recording.enabled"]
    assert problems(recording=True, ledger=True) == []
    assert problems(recording=False, ledger=False) == []
