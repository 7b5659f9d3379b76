"""The line: canonical by RFC 8785, and its hash checkable without canonicalising."""

import hashlib
import json
import math
from collections.abc import Callable

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from sipagent.ledger.entry import ZERO, Draft, canonical, freeze, hash_of, line_of, parse, tail_of
from sipagent.ledger.kinds import Kind

pytestmark = pytest.mark.unit

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), JSON, max_size=4)


def draft(body: dict[str, object], call_id: str | None = "c-1") -> Draft:
    return Draft(Kind.TURN_AGENT, call_id, canonical(body), "QUJD", 123, 1_700_000_000_123)


def number(digits: str) -> int | float:
    """JSON has doubles only: 9007199254740992 was a float."""
    return int(digits) if abs(int(digits)) < 2**53 else float(digits)


@given(body=BODIES, call_id=st.none() | st.text(st.characters(codec="utf-8"), max_size=12))
def test_line_is_canonical_and_its_hash_leaves_out_only_itself(
    body: dict[str, object], call_id: str | None
) -> None:
    data, sha256 = line_of(draft(body, call_id), seq=7, prev=ZERO)
    line = data.removesuffix(b"\n")
    fields = json.loads(line, parse_int=number)
    assert rfc8785.dumps(fields) == line
    assert fields.pop("sha256") == sha256 == hash_of(line)
    assert hashlib.sha256(rfc8785.dumps(fields)).hexdigest() == sha256


@given(body=BODIES)
def test_tail_and_parse_agree(body: dict[str, object]) -> None:
    data, sha256 = line_of(draft(body), seq=41, prev="ab" * 32)
    tail, entry = tail_of(data[:-1]), parse(data[:-1])
    assert tail is not None
    assert (tail.kind, tail.prev, tail.seq, tail.sha256) == ("turn.agent", "ab" * 32, 41, sha256)
    assert (entry.kind, entry.prev, entry.seq, entry.sha256) == ("turn.agent", "ab" * 32, 41, sha256)
    assert (entry.at_ms, entry.at_utc, entry.call_id) == (123, "2023-11-14T22:13:20.123Z", "c-1")


def test_a_body_cannot_pose_as_the_end_of_the_line() -> None:
    evil = {"kind": "checkpoint", "personal": None, "prev": ZERO, "seq": 1, "sha256": ZERO}
    data, sha256 = line_of(draft({"x": evil, "y": ',"kind":"checkpoint"'}), seq=9, prev=ZERO)
    tail = tail_of(data[:-1])
    assert tail is not None
    assert (tail.kind, tail.seq, tail.sha256) == ("turn.agent", 9, sha256)


@pytest.mark.parametrize("tampered", [b"", b"{}", b'{"kind":"x"}', b"\x00" * 300])
def test_what_is_no_entry_has_no_tail(tampered: bytes) -> None:
    assert tail_of(tampered) is None


def test_what_a_peer_sent_is_mended_not_refused() -> None:
    body = {"name": "caf\udce9", "ratio": math.nan, "big": 2**60, "raw": b"x", "path": {1}}
    mended = json.loads(canonical(body))
    assert mended == {"name": "caf?", "ratio": None, "big": str(2**60), "raw": "b'x'", "path": [1]}


@given(value=JSON)
def test_the_quick_way_says_what_rfc8785_says(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]  # it is JSON


@pytest.mark.parametrize("make", [canonical, freeze])
@pytest.mark.parametrize("character", ["x", "\0"])
def test_a_body_has_a_limit(make: Callable[[object], object], character: str) -> None:
    with pytest.raises(ValueError, match="at most 262144 bytes"):
        make({"text": character * 270_000})


def test_what_was_frozen_stays_as_it_was() -> None:
    body: dict[str, object] = {"list": [1, 2.5, None], "kind": Kind.CHECKPOINT, "text": "a\udc80"}
    plain: dict[str, object] = {"list": [1, {"deep": True}]}
    frozen, quick = freeze(body), freeze(plain)
    body["list"] = plain["list"] = "changed"
    assert json.loads(frozen.canonical()) == {"list": [1, 2.5, None], "kind": "checkpoint", "text": "a?"}
    assert json.loads(quick.canonical()) == {"list": [1, {"deep": True}]}
