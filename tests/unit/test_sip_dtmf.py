"""Key presses out of telephone-events and SIP INFO."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.sip.dtmf import Presses, digit_of_info

pytestmark = pytest.mark.unit

Packet = tuple[str, int, int]
PRESS_MS, GAP_MS, PACKET_MS = 100, 60, 20


def press(digit: str, at_ms: int, duration_ms: int = PRESS_MS) -> list[Packet]:
    """What a good sender sends: every packet of the press, the last one three times."""
    durations = [*range(PACKET_MS, duration_ms + 1, PACKET_MS), duration_ms, duration_ms]
    return [(digit, at_ms, duration) for duration in durations]


def heard(packets: list[Packet]) -> str:
    presses = Presses()
    return "".join(digit for digit, at_ms, duration in packets if presses.is_new(digit, at_ms, duration))


def dialled(digits: str) -> list[list[Packet]]:
    return [press(digit, 1000 + n * (PRESS_MS + GAP_MS)) for n, digit in enumerate(digits)]


@given(
    st.text("0123456789*#ABCD", min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_every_press_is_heard_once_whatever_is_lost_or_repeated(digits: str, chance: st.DataObject) -> None:
    packets: list[Packet] = []
    for one in dialled(digits):
        kept = chance.sample(one, chance.randint(1, len(one)))  # type: ignore[attr-defined]
        packets += sorted(kept) + kept[: chance.randint(0, 2)]  # type: ignore[attr-defined]
    assert heard(packets) == digits


def test_packets_that_overtake_each_other_make_no_press() -> None:
    first, second = dialled("11")
    assert heard([first[1], first[0], *first[2:], second[2], first[-1], *second]) == "11"


def test_a_long_press_in_segments_is_one() -> None:
    """RFC 4733 §2.5.1.3: the next segment begins where the duration would overflow."""
    segment_ms = 8191
    assert heard([*press("5", 0, segment_ms), *press("5", segment_ms, 3000), *press("5", 12_000)]) == "55"


def test_a_sender_that_moves_the_timestamp_with_each_packet_presses_once() -> None:
    moving = [("7", 500 + n * PACKET_MS, (n + 1) * PACKET_MS) for n in range(6)]
    assert heard([*moving, *[("7", at + 400, duration) for _, at, duration in moving]]) == "77"


def test_the_timestamp_may_wrap() -> None:
    assert heard([("1", 2**29 - 20, 20), ("1", 2**29 - 20, 100), ("1", 100, 20)]) == "11"


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay", "Duration=160\r\nsignal = #\r\n", "#"),
        ("Application/DTMF-Relay; charset=utf-8", "Signal=*", "*"),
        ("application/dtmf-relay", "Signal=10", "*"),
        ("application/dtmf", "7", "7"),
        ("application/dtmf", " 11\r\n", "#"),
        ("application/dtmf", "d", "D"),
        ("application/dtmf", "77", None),
        ("application/dtmf", "", None),
        ("application/dtmf-relay", "Signal=!", None),
        ("application/dtmf-relay", "\x00" * 100, None),
        ("text/plain", "7", None),
        ("", "7", None),
    ],
)
def test_info_bodies(content_type: str, body: str, digit: str | None) -> None:
    assert digit_of_info(content_type, body) == digit
