"""RTP: golden packets, broken ones, round trips, order across the wrap, jitter, telephone events."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.codecs.rtp import (
    JitterEstimator,
    RtpPacket,
    TelephoneEvent,
    digit_event,
    pack_rtp,
    pack_telephone_event,
    parse_rtp,
    parse_telephone_event,
    seq16_after,
    seq16_distance,
)
from sipagent.errors import PacketError

pytestmark = pytest.mark.golden

GOLDEN = Path(__file__).parent.parent / "golden" / "codecs"
U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=U16,
    timestamp=U32,
    ssrc=U32,
    payload=st.binary(max_size=200),
    is_marked=st.booleans(),
    csrcs=st.lists(U32, max_size=15).map(tuple),
)


def test_rfc3550_plain_packet() -> None:
    packet = parse_rtp((GOLDEN / "rtp_plain.bin").read_bytes())
    assert packet == RtpPacket(0, 1, 0xA00, 0xDEADBEEF, bytes.fromhex("ff7f00aa"))


def test_rfc3550_everything_at_once() -> None:
    packet = parse_rtp((GOLDEN / "rtp_full.bin").read_bytes())
    assert packet == RtpPacket(
        payload_type=0x65,
        sequence=0xFFFE,
        timestamp=0xFFFFFFF0,
        ssrc=0x01020304,
        payload=bytes([1, 2, 3, 4, 5]),
        is_marked=True,
        csrcs=(10, 11),
        extension_profile=0xBEDE,
        extension=bytes.fromhex("10aa0000"),
    )
    assert pack_rtp(packet, pad_to_bytes=4) == (GOLDEN / "rtp_full.bin").read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rtp_header_truncated", "rtp: header needs 12 bytes, got 7"),
        ("rtp_csrc_truncated", "rtp: 3 CSRCs need 24 bytes, got 16"),
        ("rtp_extension_truncated", "rtp: extension of 2 words needs 24 bytes, got 20"),
        ("rtp_padding_zero", "rtp: padding must be 1..4 bytes, got 0"),
        ("rtp_padding_beyond", "rtp: padding must be 1..4 bytes, got 9"),
        ("rtp_version_one", "rtp: version must be 2, got 1"),
    ],
)
def test_broken_packets_say_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(PacketError) as caught:
        parse_rtp((GOLDEN / f"{name}.bin").read_bytes())
    assert str(caught.value) == message


@given(
    packet=PACKETS,
    words=st.none() | st.binary(max_size=40).map(lambda b: b[: len(b) // 4 * 4]),
    pad=st.integers(1, 16),
)
def test_packets_survive_a_round_trip(packet: RtpPacket, words: bytes | None, pad: int) -> None:
    sent = RtpPacket(
        packet.payload_type,
        packet.sequence,
        packet.timestamp,
        packet.ssrc,
        packet.payload,
        packet.is_marked,
        packet.csrcs,
        None if words is None else 0xBEDE,
        words or b"",
    )
    packed = pack_rtp(sent, pad_to_bytes=pad)
    assert len(packed) % pad == 0
    assert parse_rtp(packed) == sent


@given(junk=st.binary(max_size=120))
def test_junk_is_refused_or_read_but_never_crashes(junk: bytes) -> None:
    try:
        packet = parse_rtp(junk)
    except PacketError:
        return
    assert packet.payload in junk  # nothing invented


def test_fields_out_of_range_are_our_mistake() -> None:
    with pytest.raises(ValueError, match=r"rtp: payload type must be 0\.\.127, got 200"):
        pack_rtp(RtpPacket(200, 0, 0, 0, b""))
    with pytest.raises(ValueError, match="whole 4-byte words, got 3 bytes"):
        pack_rtp(RtpPacket(0, 0, 0, 0, b"", extension_profile=1, extension=b"abc"))


@given(base=U16, ahead=st.integers(1, 0x7FFF))
def test_sequence_numbers_are_ordered_across_the_wrap(base: int, ahead: int) -> None:
    later = (base + ahead) & 0xFFFF
    assert seq16_after(later, base)
    assert not seq16_after(base, later)
    assert not seq16_after(base, base)
    assert seq16_distance(later, base) == ahead
    assert seq16_distance(base, later) == -ahead


@given(start=U32, start_ms=st.floats(0, 1e9))
def test_a_8_steady_packets_have_no_jitter_even_across_the_wrap(start: int, start_ms: float) -> None:
    jitter = JitterEstimator(8000)
    for n in range(30):
        jitter.update((start + 160 * n) & 0xFFFFFFFF, start_ms + 20 * n)
    assert jitter.jitter_ms < 0.2  # rounding to timestamp units only


def test_a_8_jitter_gains_a_sixteenth_of_each_change() -> None:
    jitter = JitterEstimator(8000)
    jitter.update(0, 0)
    assert jitter.update(160, 30) == pytest.approx(80 / 16)  # 10 ms late: 80 units
    assert jitter.update(320, 40) == pytest.approx(5 + (80 - 5) / 16)  # back in time: the same change


def test_rfc4733_event_layout() -> None:
    event = TelephoneEvent(event=11, is_end=True, volume_db=10, duration=1600)
    assert pack_telephone_event(event) == bytes.fromhex("0b8a0640")
    assert parse_telephone_event(bytes.fromhex("0b8a0640")) == event
    assert event.digit == "#"
    assert TelephoneEvent(16, False, 0, 0).digit is None
    assert [digit_event(d) for d in "09*#Ad"] == [0, 9, 10, 11, 12, 15]


@given(
    event=st.builds(
        TelephoneEvent,
        event=st.integers(0, 255),
        is_end=st.booleans(),
        volume_db=st.integers(0, 63),
        duration=U16,
    )
)
def test_rfc4733_events_survive_a_round_trip(event: TelephoneEvent) -> None:
    assert parse_telephone_event(pack_telephone_event(event)) == event


def test_rfc4733_short_payload_is_refused() -> None:
    with pytest.raises(PacketError, match="rtp: telephone-event needs 4 bytes, got 3"):
        parse_telephone_event(b"abc")
    with pytest.raises(ValueError, match="'12' is no DTMF digit"):
        digit_event("12")
