"""From sampled bytes to speakable text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.brain.llama_text import STOP_MARKERS, ReplyText

pytestmark = pytest.mark.unit


def feed(*pieces: bytes) -> tuple[list[str], ReplyText]:
    text = ReplyText()
    return [*(text.feed(piece) for piece in pieces), text.finish()], text


@given(st.text(), st.integers(1, 4))
def test_text_comes_through_whole_however_it_is_split(said: str, piece_bytes: int) -> None:
    data = said.encode("utf-8", "ignore")
    out, text = feed(*(data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)))
    expected = data.decode().strip()
    if not any(marker in data.decode() for marker in STOP_MARKERS):
        assert "".join(out).rstrip() == text.text.rstrip() == expected
        assert not text.is_stopped


def test_half_a_character_waits_for_the_other_half() -> None:
    out, _ = feed(b"caf", b"\xc3", b"\xa9")
    assert out == ["caf", "", "é", ""]


def test_half_a_character_at_the_end_is_dropped() -> None:
    out, _ = feed(b"ok ", b"\xe2\x82")
    assert "".join(out).rstrip() == "ok"


def test_invalid_bytes_are_dropped() -> None:
    assert feed(b"a\xffb")[1].text == "ab"


@pytest.mark.parametrize("marker", STOP_MARKERS)
def test_leaking_markup_ends_the_reply(marker: str) -> None:
    data = f"Fine.{marker} more".encode()
    out, text = feed(*(data[i : i + 1] for i in range(len(data))))
    assert "".join(out) == "Fine."
    assert text.is_stopped


def test_what_only_looks_like_markup_is_said_later() -> None:
    out, text = feed(b"1 <", b"| 2", b"\nUs", b" two")
    assert out[0] == "1 "
    assert text.text == "1 <| 2\nUs two"


def test_white_space_around_a_reply_is_dropped() -> None:
    out, text = feed(b"\n ", b" Yes", b" \n")
    assert out[:2] == ["", "Yes"]
    assert text.text.strip() == text.text.rstrip("\n ") == "Yes"


def test_a_clause_is_known_by_its_end() -> None:
    text = ReplyText()
    text.feed(b"Yes,")
    assert not text.has_clause
    text.feed(b" we are open.")
    assert text.has_clause
