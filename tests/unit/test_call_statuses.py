"""What ``sipagent call`` tells programs: every outcome has its status, in the help and in the documents."""

import re
from pathlib import Path

import pytest

from sipagent.call.dialling import Attempt, Outcome
from sipagent.call.outbound import CallResult, OutboundCall, PlacedCall
from sipagent.cli.call import _TABLE, STATUS, STATUS_REFUSED, _as_json

pytestmark = pytest.mark.unit

DOCS = Path(__file__).resolve().parents[2] / "docs" / "trunks.md"
FIRST_WORD = {
    Outcome.ANSWERED: "answered",
    Outcome.BUSY: "busy",
    Outcome.NO_ANSWER: "no answer",
    Outcome.REJECTED: "rejected",
    Outcome.FAILED: "failed",
}


def test_every_outcome_has_a_status_of_its_own() -> None:
    assert set(STATUS) == set(Outcome)
    assert len({*STATUS.values(), STATUS_REFUSED, 1, 2, 78}) == len(STATUS) + 4


def test_the_documents_say_the_same() -> None:
    told = dict(re.findall(r"^\| (\d+) \| ([^|]+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    for outcome, words in FIRST_WORD.items():
        status = str(STATUS[outcome])
        assert told[status].startswith(words)
        assert re.search(rf"^  {status} +{words}", _TABLE, re.MULTILINE)
    assert told[str(STATUS_REFUSED)].startswith("not dialled")
    assert told[str(STATUS[Outcome.CANCELLED])] == "cancelled"


def test_every_key_of_the_json_is_documented() -> None:
    attempts = (Attempt("main", 503, "503 No Room"),)
    result = CallResult(
        Outcome.BUSY, "spare", 486, "486 Busy", None, 0, has_early_media=True, attempts=attempts
    )
    placed = PlacedCall("+15550100123", lambda _: None)
    told = _as_json(placed, OutboundCall(to="+15550100123", persona="reminder"), result)
    text = DOCS.read_text(encoding="utf-8")
    for key in (*told, *told["attempts"][0]):
        assert f"`{key}`" in text, key
    assert (told["outcome"], told["sip_status"], told["early_media"]) == ("busy", 486, True)
    assert told["attempts"] == [{"trunk": "main", "sip_status": 503, "reason": "503 No Room"}]
