"""Which codecs our side of a call describes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.sip.sdp_choice import has_none_of, with_codecs

pytestmark = pytest.mark.unit

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
KEYS = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
MAPS = "a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
OURS = f"{HEAD}m=audio 4000 RTP/AVP 9 0 8 101\r\n{MAPS}{KEYS}a=sendrecv\r\n"


def offer(payloads: str, maps: str = "") -> str:
    return f"{HEAD}m=audio 5000 RTP/AVP {payloads}\r\n{maps}a=sendrecv\r\n"


def media(sdp: str) -> str:
    return next(line for line in sdp.splitlines() if line.startswith("m="))


@pytest.mark.parametrize(
    ("theirs", "codecs", "payloads"),
    [
        ("0 8 9 101", ("G722", "PCMU", "PCMA"), "9 101"),
        ("0 8 9 101", ("PCMA", "G722"), "8 101"),
        ("0 8 101", ("G722", "PCMA"), "8 101"),
        ("9 0 8", ("PCMU",), "0 101"),
        ("0", ("PCMA",), "9 0 8 101"),
    ],
)
def test_an_answer_has_the_trunks_first_codec_that_is_offered(
    theirs: str, codecs: tuple[str, ...], payloads: str
) -> None:
    told = with_codecs(OURS, offer(theirs), codecs)
    assert media(told) == f"m=audio 4000 RTP/AVP {payloads}"
    assert told.startswith(HEAD)
    assert KEYS in told
    if len(payloads.split()) == 2:
        assert told.count("a=rtpmap:") == 2


def test_an_offer_of_ours_has_the_trunks_codecs_in_its_order() -> None:
    told = with_codecs(OURS, "", ("PCMA", "G722"))
    assert media(told) == "m=audio 4000 RTP/AVP 8 9 101"
    assert "PCMU" not in told


def test_codecs_go_by_name_where_their_number_is_another() -> None:
    maps = "a=rtpmap:96 g722/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    told = with_codecs(OURS.replace(" 9 ", " 96 ").replace(":9 ", ":96 "), offer("0 96", maps), ("G722",))
    assert media(told) == "m=audio 4000 RTP/AVP 96 101"


def test_a_medium_that_is_switched_off_and_other_media_stay() -> None:
    video = "m=video 0 RTP/AVP 31\r\n"
    off = OURS.replace("m=audio 4000", "m=audio 0") + video
    assert with_codecs(off, offer("0 9") + "m=video 6000 RTP/AVP 31\r\n", ("PCMU",)) == off


@given(st.text(max_size=200), st.text(max_size=200))
def test_nothing_that_a_peer_writes_raises(junk: str, more: str) -> None:
    theirs = f"{HEAD}m=audio {junk}\r\n{more}"
    with_codecs(OURS, theirs, ("PCMU",))
    has_none_of(theirs, ("PCMU",))


@pytest.mark.parametrize(
    ("theirs", "is_none"),
    [
        (offer("18 101"), True),
        (offer("18 0"), False),
        (offer("18").replace("m=audio 5000", "m=audio 0"), False),
        (offer("18") + "m=audio 6000 RTP/AVP 0\r\n", False),
        (HEAD, False),
        ("", False),
    ],
)
def test_an_offer_without_any_of_the_trunks_codecs(theirs: str, is_none: bool) -> None:
    assert has_none_of(theirs, ("PCMU", "PCMA")) is is_none
