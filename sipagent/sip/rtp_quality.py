"""What the library has counted of a call's RTP."""

import pjsua2 as pj

from sipagent.call.ports import RtpQuality
from sipagent.codecs.mos import mos_of


class RtpTally:
    """Adds up a call's streams: there is a new one after every hold. SIP thread only."""

    def __init__(self) -> None:
        self._received = 0
        self._lost = 0
        self._jitter_ms = 0.0
        """Times packets."""
        self._round_trip_ms = 0.0

    def __repr__(self) -> str:
        return f"RtpTally(received={self._received}, lost={self._lost})"

    def add(self, call: pj.Call, stream: int) -> None:
        """Take a stream's numbers; inside ``onStreamDestroyed``, for afterwards they are gone.

        :raises pj.Error: there are none, as of a stream that is no audio.
        """
        rtcp = call.getStreamStat(stream).rtcp
        received = int(rtcp.rxStat.pkt)
        self._received += received
        self._lost += int(rtcp.rxStat.loss)
        self._jitter_ms += received * rtcp.rxStat.jitterUsec.mean / 1000
        self._round_trip_ms = max(self._round_trip_ms, rtcp.rttUsec.mean / 1000)

    def quality(self) -> RtpQuality | None:
        """How the peer's packets came; None where none did."""
        if self._received == 0:
            return None
        jitter_ms = self._jitter_ms / self._received
        loss_ratio = self._lost / (self._received + self._lost)
        mos = mos_of(loss_ratio=loss_ratio, jitter_ms=jitter_ms, round_trip_ms=self._round_trip_ms)
        return RtpQuality(self._received, self._lost, jitter_ms, mos)
