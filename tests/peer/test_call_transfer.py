"""The call is handed over: by REFER, by a call first, by connecting both legs; and failures come back."""

import numpy as np
import pytest

from sipagent.codecs.g711 import decode_mulaw
from sipagent.codecs.level import rms_dbov
from sipagent.codecs.tones import goertzel_power, sine
from sipagent.lab.rtp_line import prepare_line
from sipagent.units import SAMPLE_RATE_HZ
from tests.peer.conftest import BRIDGING_HOST, CONNECTING, NOT_CONNECTED
from tests.peer.raw_callee import raw_callee
from tests.peer.raw_caller import RawCaller, call_ended
from tests.peer.running_agent import RunningAgent
from tests.peer.talking_caller import talking_caller

pytestmark = pytest.mark.peer

TONE_HZ, LINE_HZ = 600, 8000


def spoken(agent: RunningAgent, text: str, after: int) -> None:
    agent.wait_for("turn.spoken", after=after, where=lambda e: e.facts["pii_text"] == text)


def pressed_zero(agent: RunningAgent, caller: RawCaller) -> int:
    """Call, press 0; where the log stood."""
    start = len(agent.drain())
    assert caller.invite().status == 200
    agent.wait_for("call.connected", after=start)
    assert caller.press("0").status == 200
    return start


def test_blind_transfer_is_reported_and_ends_the_call(trunks_agent: RunningAgent, desk_port: int) -> None:
    with RawCaller(trunks_agent.port) as caller:
        start = pressed_zero(trunks_agent, caller)
        refer = caller.wait_for_request("REFER", 20)
        assert refer.get("refer-to") == f"<sip:desk@127.0.0.1:{desk_port}>"
        spoken(trunks_agent, CONNECTING, start)
        caller.accept(refer, status_line="202 Accepted")
        for status_line in ("100 Trying", "180 Ringing"):
            caller.report_transfer(status_line)
        caller.report_transfer("200 OK", is_final=True)
        caller.accept(caller.wait_for_request("BYE", 10))
    ended = call_ended(trunks_agent, caller)
    assert (ended["cause"], ended["codec"]) == ("agent hung up", "PCMU")
    told = [e.facts["sip_status"] for e in trunks_agent.drain()[start:] if e.event == "transfer.progressed"]
    assert told[-3:] == [100, 180, 200]
    assert trunks_agent.wait_for("transfer.ended", after=start).facts["ok"] is True


@pytest.mark.parametrize("refusal", ["403 Forbidden", "notify"])
def test_failed_transfer_comes_back_to_the_caller(trunks_agent: RunningAgent, refusal: str) -> None:
    with RawCaller(trunks_agent.port) as caller:
        start = pressed_zero(trunks_agent, caller)
        refer = caller.wait_for_request("REFER", 20)
        if refusal == "notify":
            caller.accept(refer, status_line="202 Accepted")
            caller.report_transfer("100 Trying")
            caller.report_transfer("486 Busy Here", is_final=True)
        else:
            caller.accept(refer, status_line=refusal)
        spoken(trunks_agent, NOT_CONNECTED, start)
        ended = trunks_agent.wait_for("transfer.ended", after=start).facts
        assert (ended["ok"], ended["sip_status"]) == (False, 486 if refusal == "notify" else 403)
        assert caller.bye().status == 200, "the call goes on"


def test_attended_transfer_tells_the_human_first(trunks_agent: RunningAgent, desk_port: int) -> None:
    start = len(trunks_agent.drain())
    with raw_callee(desk_port) as callee, RawCaller(trunks_agent.port) as caller:
        assert caller.invite().status == 200
        caller.press("9")
        hold = caller.wait_for_request("INVITE", 20)
        assert b"a=sendonly" in hold.body
        caller.accept(hold, caller.sdp(direction="recvonly"))
        refer = caller.wait_for_request("REFER", 30)
        assert "Replaces=" in refer.get("refer-to")
        summary = decode_mulaw(np.frombuffer(bytes(callee.heard), dtype=np.uint8))
        assert rms_dbov(summary) > -45, "nothing was said to the human"
        assert len(summary) > 2 * LINE_HZ
        caller.accept(refer, status_line="202 Accepted")
        caller.report_transfer("200 OK", is_final=True)
        caller.accept(caller.wait_for_request("BYE", 10))
        trunks_agent.wait_for("call.ended", after=start)
        callee.wait_for("BYE")
    assert trunks_agent.wait_for("transfer.ended", after=start).facts["ok"] is True


def test_attended_transfer_to_nobody_brings_the_caller_back(
    trunks_agent: RunningAgent, desk_port: int
) -> None:
    start = len(trunks_agent.drain())
    with raw_callee(desk_port, "486 Busy Here"), RawCaller(trunks_agent.port) as caller:
        assert caller.invite().status == 200
        caller.press("9")
        caller.accept(caller.wait_for_request("INVITE", 20), caller.sdp(direction="recvonly"))
        back = caller.wait_for_request("INVITE", 20)
        assert b"a=sendrecv" in back.body
        caller.accept(back, caller.sdp())
        spoken(trunks_agent, NOT_CONNECTED, start)
        assert caller.bye().status == 200
    assert trunks_agent.wait_for("transfer.ended", after=start).facts["sip_status"] == 486


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_trunk_without_refer_is_bridged_and_both_end_together(
    trunks_agent: RunningAgent, desk_port: int, who: str
) -> None:
    start = len(trunks_agent.drain())
    with raw_callee(desk_port) as callee, talking_caller(trunks_agent.port, host=BRIDGING_HOST) as talking:
        talking.follow(talking.caller.invite(talking.sdp()))
        assert talking.caller.press("0").status == 200
        assert talking.run_until(lambda: "transfer.ended" in [e.event for e in trunks_agent.drain()[start:]])
        talking.run(0.5)
        before = len(callee.heard)
        talking.line.say(prepare_line(sine((TONE_HZ,), 1000, level_dbov=-20, rate_hz=SAMPLE_RATE_HZ)))
        echoed_from = len(talking.line.received)
        talking.run(2.0)
        heard = decode_mulaw(np.frombuffer(bytes(callee.heard[before:]), dtype=np.uint8))
        echoed = np.concatenate([packet.pcm for packet in talking.line.received[echoed_from:]])
        for pcm in (heard, echoed):
            assert goertzel_power(pcm, TONE_HZ, LINE_HZ) > 0.3 * np.mean((pcm / 32768.0) ** 2)
            assert rms_dbov(pcm) > -35
        if who == "caller":
            assert talking.caller.bye().status == 200
            callee.wait_for("BYE")
        else:
            callee.hang_up()
            talking.caller.accept(talking.caller.wait_for_request("BYE", 10))
    assert trunks_agent.wait_for("transfer.ended", after=start).facts["ok"] is True
    trunks_agent.wait_for("call.ended", after=start)


def test_a_second_leg_goes_the_way_of_every_call(
    trunks_agent: RunningAgent, desk_port: int, sick_port: int
) -> None:
    """Allowed, counted, routed by prefix, tried at the next trunk, as the trunk's caller."""
    start = len(trunks_agent.drain())
    with (
        raw_callee(sick_port, "503 Out Of Order") as sick,
        raw_callee(desk_port) as callee,
        RawCaller(trunks_agent.port, host=BRIDGING_HOST) as caller,
    ):
        assert caller.invite().status == 200
        assert caller.press("8").status == 200
        assert trunks_agent.wait_for("transfer.ended", after=start).facts["ok"] is True
        invite = callee.received[0]
        assert invite.start_line.startswith(f"INVITE sip:+15550177@127.0.0.1:{desk_port}")
        assert "sip:+15550100999@127.0.0.1" in invite.get("from")
        assert "+15550100999" in invite.get("p-asserted-identity")
        assert sick.methods == ["INVITE", "ACK"]
        assert caller.bye().status == 200
        callee.wait_for("BYE")
    call_ended(trunks_agent, caller)
    failed = [e.facts for e in trunks_agent.drain()[start:] if e.event == "call.attempt_failed"]
    assert [(one["leg"], one["trunk"], one["status"]) for one in failed] == [("beside", "first", 503)]


def test_a_caller_who_leaves_while_somebody_is_rung_stops_the_ringing(
    trunks_agent: RunningAgent, desk_port: int
) -> None:
    start = len(trunks_agent.drain())
    with (
        raw_callee(desk_port, "183 Session Progress") as callee,
        RawCaller(trunks_agent.port, host=BRIDGING_HOST) as caller,
    ):
        assert caller.invite().status == 200
        assert caller.press("0").status == 200
        trunks_agent.wait_for("call.ringing", after=start)
        assert caller.bye().status == 200
        callee.wait_for("CANCEL")
        assert call_ended(trunks_agent, caller)["cause"] == "caller hung up"


def test_a_caller_who_leaves_while_the_peer_is_asked_to_call_is_let_go(
    trunks_agent: RunningAgent, desk_port: int
) -> None:
    with RawCaller(trunks_agent.port) as caller:
        pressed_zero(trunks_agent, caller)
        caller.accept(caller.wait_for_request("REFER", 20), status_line="202 Accepted")
        caller.report_transfer("180 Ringing")
        assert caller.bye().status == 200
        assert call_ended(trunks_agent, caller)["cause"] == "caller hung up"
    with RawCaller(trunks_agent.port) as caller:
        assert caller.invite().status == 200, "the next one is taken"
        assert caller.bye().status == 200
