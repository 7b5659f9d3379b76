"""What the library has counted of a call's RTP."""

import pjsua2 as pj

from sipagent.call.ports import RtpQuality
from sipagent.codecs.mos import mos_of


def rtp_quality(call: pj.Call) -> RtpQuality | None:
    """How the peer's packets came; None where none did. SIP thread, while the library still has the call's
    media: inside ``onCallState`` at the latest.
    """
    try:
        rtcp = call.getStreamStat(0).rtcp
    except pj.Error:  # the call was never answered, or its audio is not the first stream
        return None
    received, lost = int(rtcp.rxStat.pkt), int(rtcp.rxStat.loss)
    if received == 0:
        return None
    jitter_ms = rtcp.rxStat.jitterUsec.mean / 1000
    mos = mos_of(
        loss_ratio=lost / (received + lost), jitter_ms=jitter_ms, round_trip_ms=rtcp.rttUsec.mean / 1000
    )
    return RtpQuality(received, lost, jitter_ms, mos)
