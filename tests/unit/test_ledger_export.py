"""What comes out of the ledger: tables, objects, a page, a picture."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from sipagent.ledger import LedgerReader
from sipagent.ledger.export import calls, write_csv, write_json
from sipagent.ledger.keystore import KeyStore
from sipagent.ledger.report import html_report
from sipagent.ledger.story import FORGOTTEN, CallStory, tell
from sipagent.ledger.timeline import timeline_svg

pytestmark = pytest.mark.golden

GOOD = Path(__file__).parents[1] / "golden" / "ledger" / "good"


@pytest.fixture
def reader() -> LedgerReader:
    return LedgerReader(GOOD, KeyStore(GOOD / "keys", b""))


@pytest.fixture
def story(reader: LedgerReader) -> CallStory:
    return tell(reader.of_call("call-2"), reader)


def test_a_call_is_told(story: CallStory) -> None:
    assert (story.caller, story.trunk, story.cause) == ("+15550100456", "lab", "caller hung up")
    assert [turn.who for turn in story.turns] == ["caller", "agent"] * 3
    assert story.turns[0].text == "I have a toothache, number 1. Ñandú"
    assert story.turns[1].meant == "We have 2:30."
    assert story.turns[1].stages_ms == {"speech_end": 0, "pause": 180, "commit": 300, "first_rtp": 500}
    assert [turn.is_interrupted for turn in story.turns] == [False, False, False, True, False, False]
    assert story.as_row()["v2v_p50_ms"] == 500
    assert story.duration_ms == 12_000


def test_a_forgotten_call_keeps_its_shape() -> None:
    reader = LedgerReader(GOOD, None)
    story = tell(reader.of_call("call-2"), reader)
    assert story.caller == story.dialled == story.turns[0].text == FORGOTTEN
    assert story.turns[1].v2v_ms == 500


def test_calls_of_a_span_of_time(reader: LedgerReader) -> None:
    found = [story.call_id for story, _ in calls(reader)]
    assert found == ["call-1", "call-2", "call-3", "call-4"]
    starts = [story.began_utc for story, _ in calls(reader)]
    assert [story.call_id for story, _ in calls(reader, since=starts[1], until=starts[2])] == [
        "call-2",
        "call-3",
    ]
    assert [story.call_id for story, _ in calls(reader, call_id="call-3")] == ["call-3"]


def test_csv_is_one_row_a_call(reader: LedgerReader) -> None:
    out = io.StringIO()
    assert write_csv(reader, out) == 4
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["caller"] for row in rows] == ["+15550100123", "+15550100456", "+15550100123", "+15550100456"]
    assert rows[3]["outcome"] == "max_calls"


def test_a_caller_named_like_a_formula_runs_nothing(
    reader: LedgerReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = '=HYPERLINK("http://example.net")'
    real = CallStory.as_row
    monkeypatch.setattr(CallStory, "as_row", lambda self: real(self) | {"caller": evil})
    out = io.StringIO()
    write_csv(reader, out)
    assert {row["caller"] for row in csv.DictReader(io.StringIO(out.getvalue()))} == {f"'{evil}"}


def test_json_is_one_object_a_call(reader: LedgerReader) -> None:
    out = io.StringIO()
    assert write_json(reader, out) == 4
    objects = [json.loads(line) for line in out.getvalue().splitlines()]
    assert objects[0]["entries"][0]["personal"] == {"caller": "+15550100123", "dialled": "+15550100100"}
    assert len(objects[0]["entries"]) == 10


def test_the_page_needs_nothing_from_elsewhere(reader: LedgerReader, story: CallStory) -> None:
    page = html_report(story, reader.of_call("call-2"))
    assert "I have a toothache, number 1. Ñandú" in page
    assert "meant: We have 2:30." in page
    assert page.count("<svg") == 1
    assert not re.search(r"https?:|<script|<link|@import|url\(|src=", page)
    assert reader.of_call("call-2")[0].entry.sha256 in page


def test_what_a_caller_says_is_no_markup(reader: LedgerReader, story: CallStory) -> None:
    evil = '<script>alert("x")</script>'
    turns = tuple(replace(turn, text=evil) for turn in story.turns)
    page = html_report(replace(story, turns=turns, caller=evil), reader.of_call("call-2"))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_picture_shows_every_turn_where_it_was(story: CallStory) -> None:
    picture = ElementTree.fromstring(timeline_svg(story))
    blocks = picture.findall("rect")
    assert [block.get("class") for block in blocks[:4]] == ["caller", "agent", "caller", "agent interrupted"]
    lefts = [float(block.get("x", "")) for block in blocks]
    assert lefts == sorted(lefts)
    assert all(64 <= left <= 948 for left in lefts)
    bars = picture.findall("line[@class='v2v']")
    assert len(bars) == 3
    for bar, block in zip(bars, blocks[1::2], strict=True):
        assert bar.get("x2") == block.get("x")


def test_a_call_without_words_has_a_picture_too(story: CallStory) -> None:
    empty = replace(story, turns=(), events=(), duration_ms=0)
    assert ElementTree.fromstring(timeline_svg(empty)).findall("rect") == []
