"""What the sound of a call went through: its statistics over all its streams, and one-way audio. Pure."""

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from sipagent.call.ports import MediaReport
from sipagent.codecs.e_model import estimate
from sipagent.units import FRAME_MS

_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
"""RFC 1918, and RFC 6598's that carriers use."""
SILENT_MS = 4000
"""Nothing received for so long is worth a word; a pause of the peer's own is shorter."""


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """One RTP stream so far; a re-INVITE begins another one."""

    codec: str
    sent: int = 0
    received: int = 0
    lost: int = 0
    late: int = 0
    """Came, but not in time to be heard."""
    jitter_ms: float = 0.0
    """Mean of RFC 3550's."""
    round_trip_ms: float = 0.0
    """By RTCP; 0 where the peer sends none."""
    buffer_ms: float = 0.0


class MediaTally:
    """Adds up a call's streams."""

    def __init__(self) -> None:
        self._ended: list[StreamCounts] = []
        self._running: StreamCounts | None = None

    def __repr__(self) -> str:
        return f"MediaTally({self.report()})"

    def update(self, counts: StreamCounts) -> None:
        """The running stream stands so."""
        if self._running is not None and counts.received < self._running.received:
            self.stream_ended()
        self._running = counts

    def stream_ended(self) -> None:
        """The next counts are another stream's."""
        if self._running is not None:
            self._ended.append(self._running)
        self._running = None

    @property
    def received(self) -> int:
        """Packets of the whole call."""
        return sum(stream.received for stream in self._streams)

    @property
    def _streams(self) -> list[StreamCounts]:
        return [*self._ended, *([self._running] if self._running else [])]

    def report(self) -> MediaReport | None:
        """The call's summary; None where it had no sound."""
        streams = self._streams
        if not streams:
            return None
        received = sum(stream.received for stream in streams)
        lost, late = sum(stream.lost for stream in streams), sum(stream.late for stream in streams)
        weights = [max(1, s.received) for s in streams]
        last = streams[-1]
        jitter_ms, buffer_ms, round_trip_ms = (
            sum(getattr(s, name) * w for s, w in zip(streams, weights, strict=True)) / sum(weights)
            for name in ("jitter_ms", "buffer_ms", "round_trip_ms")
        )
        expected = received + lost
        quality = estimate(
            last.codec,
            loss_share=(lost + late) / expected if expected else 1.0,
            delay_ms=2 * FRAME_MS + buffer_ms + round_trip_ms / 2,
        )
        return MediaReport(
            codec="+".join(dict.fromkeys(s.codec for s in streams)),
            rtp_sent=sum(s.sent for s in streams),
            rtp_received=received,
            rtp_lost=lost,
            rtp_late=late,
            jitter_ms=round(jitter_ms, 1),
            mos=quality.mos,
        )


class OneWayWatch:
    """Notices that nothing comes while something should, once for each stretch."""

    def __init__(self) -> None:
        self._received = 0
        self._since_ms: int | None = None
        self._has_told = False

    def __repr__(self) -> str:
        return f"OneWayWatch(received={self._received}, told={self._has_told})"

    def step(
        self, now_ms: int, received: int, *, is_expected: bool, sent_to: str, our_port: int
    ) -> str | None:
        """:param received: packets of the whole call. :param sent_to: the peer's address.

        :returns: what to tell the operator.
        """
        if received != self._received or not is_expected or self._since_ms is None:
            self._has_told = self._has_told and received == self._received
            self._received, self._since_ms = received, now_ms
            return None
        silent_ms = now_ms - self._since_ms
        if self._has_told or silent_ms < SILENT_MS:
            return None
        self._has_told = True
        what = "receiving nothing" if received == 0 else "receiving nothing more"
        return f"sending, but {what} for {silent_ms // 1000} s: check {_remedy(sent_to, our_port)}"


def _remedy(sent_to: str, our_port: int) -> str:
    ours = f"that UDP port {our_port} of this machine can be reached (firewall, NAT, rtp.public_address)"
    try:
        address = IPv4Address(sent_to)
    except AddressValueError:
        return ours
    if not any(address in network for network in _PRIVATE):
        return ours
    return f"{ours}, and whether we can reach {sent_to}, the private address that the peer has named"
