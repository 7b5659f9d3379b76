"""The sound of one leg: is it held, where does it go, what went through it. SIP thread only."""

from typing import Any

import pjsua2 as pj

from sipagent.call.ports import MediaReport
from sipagent.sip.media_watch import MediaTally, OneWayWatch, StreamCounts

POLL_MS = 1000


class LegMedia:
    """Reads what the library knows about a call's one audio stream. The call is handed in each time: a
    reference to it would outlive it."""

    def __init__(self) -> None:
        self._tally = MediaTally()
        self._watch = OneWayWatch()
        self._polled_ms = 0
        self.index: int | None = None
        self.is_held = False
        """The peer has put us on hold."""
        self.is_active = False
        """Sound is expected both ways."""
        self.takes_events = True
        """The peer understands telephone-events (RFC 4733)."""
        self.local = self.remote = ("", 0)

    def __repr__(self) -> str:
        return f"LegMedia({self.local} → {self.remote}, held={self.is_held})"

    def follow(self, call: pj.Call, info: Any) -> int | None:
        """Take in a change of the media.

        :param info: ``CallInfo``, kept by the caller.
        :returns: index of the stream that the bridge can be connected to; None: there is none now.
        """
        for media in info.media:
            if media.type != pj.PJMEDIA_TYPE_AUDIO or media.status in (
                pj.PJSUA_CALL_MEDIA_NONE,
                pj.PJSUA_CALL_MEDIA_ERROR,
            ):
                continue
            self.index = media.index
            self.is_active = media.status == pj.PJSUA_CALL_MEDIA_ACTIVE
            if media.status != pj.PJSUA_CALL_MEDIA_LOCAL_HOLD:
                self.is_held = media.status == pj.PJSUA_CALL_MEDIA_REMOTE_HOLD
            self._note_addresses(call, media.index)
            return int(media.index) if media.audioConfSlot >= 0 else None
        return None

    def _note_addresses(self, call: pj.Call, index: int) -> None:
        try:
            stream = call.getStreamInfo(index)
            self.takes_events = stream.audTxEventPt >= 0
            self.remote = _address(stream.remoteRtpAddress)
            self.local = _address(call.getMedTransportInfo(index).localRtpName)
        except pj.Error:  # inactive: there is no stream
            return

    def poll(self, call: pj.Call, now_ms: int) -> str | None:
        """Read the counters, once a second at most; what to tell the operator."""
        if self.index is None or now_ms - self._polled_ms < POLL_MS:
            return None
        self._polled_ms = now_ms
        self.count(call)
        return self._watch.step(
            now_ms,
            self._tally.received,
            is_expected=self.is_active,
            sent_to=self.remote[0],
            our_port=self.local[1],
        )

    def count(self, call: pj.Call) -> None:
        """Read the counters now."""
        if self.index is None:
            return
        try:
            statistics = call.getStreamStat(self.index)
            codec = call.getStreamInfo(self.index).codecName
        except pj.Error:  # on hold, or over
            return
        rtcp, buffer = statistics.rtcp, statistics.jbuf
        self._tally.update(
            StreamCounts(
                codec,
                sent=rtcp.txStat.pkt,
                received=rtcp.rxStat.pkt,
                lost=rtcp.rxStat.loss,
                late=buffer.discard,
                jitter_ms=rtcp.rxStat.jitterUsec.mean / 1000,
                round_trip_ms=rtcp.rttUsec.mean / 1000,
                buffer_ms=buffer.avgDelayMsec,
            )
        )

    def stream_ends(self, call: pj.Call) -> None:
        """The library is about to destroy the stream; another one may follow."""
        self.count(call)
        self._tally.stream_ended()

    def report(self) -> MediaReport | None:
        """The whole call's sound so far."""
        return self._tally.report()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port) if port.isdigit() else 0
