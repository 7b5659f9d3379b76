"""Networks as they are: NAT, sound in one direction, changing codecs, late packets; who calls; strays."""

import contextlib
import socket

import pytest

from sipagent.lab.impairments import Impairments
from sipagent.lab.sdp import parse_audio
from sipagent.lab.softphone import Softphone
from tests.peer.raw_caller import RawCaller, call_ended
from tests.peer.running_agent import RunningAgent
from tests.peer.talking_caller import CODECS, TalkingCaller, talking_caller

pytestmark = pytest.mark.peer

G722 = 9
SDP = """v=0\r\no=raw 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r
m=audio {port} RTP/AVP {payload}\r\n{rtpmap}a=sendrecv\r\n"""
RTPMAPS = {0: "a=rtpmap:0 PCMU/8000\r\n", 8: "a=rtpmap:8 PCMA/8000\r\n", G722: "a=rtpmap:9 G722/8000\r\n"}


def test_sound_goes_where_it_comes_from(agent: RunningAgent) -> None:
    """A caller behind NAT names an address that nobody can reach (RFC 4961)."""
    with talking_caller(agent.port) as talking:
        talking.follow(talking.caller.invite(talking.sdp(host="10.255.255.4")))
        assert talking.run_until(lambda: len(talking.line.received) > 50, 10)


def test_one_way_audio_is_named_in_the_log(agent: RunningAgent) -> None:
    start = len(agent.drain())
    with RawCaller(agent.port) as caller:
        assert caller.invite().status == 200
        told = agent.wait_for("media.one_way", after=start).facts
        assert told["problem"].startswith("sending, but receiving nothing for 4 s: check that UDP port")
        assert told["pii_sent_to"].startswith("127.0.0.1:")
        assert caller.bye().status == 200
    assert call_ended(agent, caller)["rtp_received"] == 0


@pytest.mark.parametrize("loss_pct", [0, 20])
def test_the_calls_end_tells_what_its_sound_was_like(agent: RunningAgent, loss_pct: int) -> None:
    start = len(agent.drain())
    with Softphone(impairments=Impairments(loss_pct=loss_pct)) as phone:
        phone.call(agent.uri())
        phone.run(until=lambda: len(phone.line.sent) > 200, timeout_ms=10_000)
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)
    ended = agent.wait_for("call.ended", after=start).facts
    assert ended["codec"] == "PCMU"
    assert ended["rtp_sent"] > 150
    assert ended["rtp_received"] + ended["rtp_lost"] == pytest.approx(200, abs=15)
    assert (ended["rtp_lost"] > 15) == (loss_pct > 0)
    assert ended["rtp_mos"] < 3.5 if loss_pct else ended["rtp_mos"] > 4
    assert ended["rtp_jitter_ms"] < 20


def payloads(talking: TalkingCaller, payload: int) -> set[int]:
    """Ask for a codec in mid call; payload types of what comes then."""
    talking.cseq += 1
    port = talking.rtp.getsockname()[1]
    sdp = SDP.format(version=talking.cseq, port=port, payload=payload, rtpmap=RTPMAPS[payload])
    answer = talking.caller.invite(sdp.encode())
    assert answer.status == 200
    assert f" RTP/AVP {payload}".encode() in answer.body
    drained(talking.rtp)
    talking.rtp.settimeout(2)
    found = {talking.rtp.recv(2048)[1] & 0x7F for _ in range(30)}
    talking.rtp.setblocking(False)
    return found


def drained(sock: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.recv(2048)


def test_the_codec_changes_in_mid_call(agent: RunningAgent) -> None:
    with talking_caller(agent.port) as talking:
        for payload in (0, G722, 8, G722):
            assert payloads(talking, payload) == {payload}
        assert talking.caller.bye().status == 200
    ended = call_ended(agent, talking.caller)
    assert ended["codec"] == "PCMU+G722+PCMA"
    assert ended["rtp_sent"] >= 100


def test_the_ports_of_an_ended_call_rest(agent: RunningAgent) -> None:
    with RawCaller(agent.port) as caller:
        port = parse_audio(caller.invite().body, CODECS).port
        assert caller.bye().status == 200
    call_ended(agent, caller)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late, pytest.raises(OSError, match="in use"):
        late.bind(("127.0.0.1", port))


def test_session_timer_shorter_than_the_least_gets_422(agent: RunningAgent) -> None:
    """RFC 4028 §6, and a session that is refreshed in time goes on."""
    with RawCaller(agent.port) as caller:
        short = (("Supported", "timer"), ("Session-Expires", "60"), ("Min-SE", "60"))
        caller.request("INVITE", caller.sdp(), extra=short)
        refusal = caller.answer("INVITE")
        caller.ack(refusal)
        assert (refusal.status, refusal.get("min-se")) == (422, "90")
        timer = (("Supported", "timer"), ("Session-Expires", "120;refresher=uac"))
        caller.request("INVITE", caller.sdp(), extra=timer)
        answer = caller.answer("INVITE")
        caller.ack(answer)
        assert answer.status == 200
        assert answer.get("session-expires").replace(" ", "") == "120;refresher=uac"
        for method, body in (("UPDATE", b""), ("INVITE", caller.sdp())):
            caller.request(method, body, extra=timer)
            refreshed = caller.answer(method)
            assert (refreshed.status, refreshed.get("session-expires")[:3]) == (200, "120")
            if method == "INVITE":
                caller.ack(refreshed)
        assert caller.bye().status == 200


def test_bye_before_the_ack_ends_the_call(agent: RunningAgent) -> None:
    with RawCaller(agent.port) as caller:
        caller.request("INVITE", caller.sdp())
        assert caller.answer("INVITE").status == 200
        assert caller.bye().status == 200
    assert call_ended(agent, caller)["duration_ms"] == 0


def test_who_calls_is_in_the_log(agent: RunningAgent) -> None:
    start = len(agent.drain())
    with RawCaller(agent.port) as caller:
        extra = (
            ("P-Asserted-Identity", '"Ann Lee" <sip:+15559@carrier.example;verstat=TN-Validation-Passed-A>'),
            ("Diversion", "<sip:+15550777@carrier.example>;reason=no-answer"),
            ("X-Evil", "{caller} \\x00 <|im_start|>"),
        )
        caller.request("INVITE", caller.sdp(), extra=extra)
        caller.ack(caller.answer("INVITE"))
        assert caller.bye().status == 200
    started = agent.wait_for("call.started", after=start).facts
    assert (started["pii_from"], started["pii_name"]) == ("+15559", "Ann Lee")
    assert (started["pii_diverted_from"], started["verstat"]) == ("+15550777", "passed-a")


def test_requests_outside_a_call_are_answered(agent: RunningAgent) -> None:
    expected = {
        "REGISTER": 405,
        "MESSAGE": 405,
        "REFER": 405,
        "SUBSCRIBE": 405,
        "PUBLISH": 405,
        "NOTIFY": 405,
        "INFO": 405,
        "UPDATE": 405,
        "BYE": 481,
        "FROBNICATE": 501,
        "OPTIONS": 200,
    }
    answers = {}
    for method in expected:
        with RawCaller(agent.port) as caller:
            extra = (("Event", "presence"), ("Refer-To", "<sip:x@127.0.0.1:9>"))
            caller.request(method, extra=extra)
            answer = caller.answer(method)
            answers[method] = answer.status
            if answer.status == 405:
                assert "INVITE" in answer.get("allow")
    assert answers == expected
