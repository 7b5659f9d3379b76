"""The softphone's side of SDP: one G.711 audio stream with telephone-events. Pure, no sockets."""

from dataclasses import dataclass

from sipagent.errors import PacketError

STATIC_PAYLOADS = {"PCMU": 0, "PCMA": 8}
"""RFC 3551 table 4."""
TELEPHONE_EVENT = 101
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class SdpAudio:
    """The audio stream that one side describes."""

    address: str
    """Where it wants to receive RTP."""
    port: int
    """0: the stream is refused."""
    codec: str
    """``PCMU`` or ``PCMA``: the first that both sides know."""
    event_payload: int | None
    """Payload type of telephone-events (RFC 4733), None where the side takes none."""
    direction: str = "sendrecv"

    @property
    def payload_type(self) -> int:
        """Payload type of the codec."""
        return STATIC_PAYLOADS[self.codec]


def describe(
    address: str, port: int, codecs: tuple[str, ...], *, version: int = 1, direction: str = "sendrecv"
) -> bytes:
    """Our description, as an offer or, with one codec, as an answer."""
    payloads = [STATIC_PAYLOADS[codec] for codec in codecs]
    lines = [
        "v=0",
        f"o=lab 1 {version} IN IP4 {address}",
        "s=lab",
        f"c=IN IP4 {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(map(str, payloads))} {TELEPHONE_EVENT}",
        *(f"a=rtpmap:{payload} {codec}/8000" for payload, codec in zip(payloads, codecs, strict=True)),
        f"a=rtpmap:{TELEPHONE_EVENT} telephone-event/8000",
        f"a=fmtp:{TELEPHONE_EVENT} 0-16",
        "a=ptime:20",
        f"a={direction}",
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def parse_audio(body: bytes, codecs: tuple[str, ...]) -> SdpAudio:
    """The other side's audio stream, with the first of its codecs that is in ``codecs``.

    :raises PacketError: no audio stream, no address, or no codec in common.
    """
    session, audio = _sections(body.decode("utf-8", "replace"))
    media = next((line[8:].split() for line in audio if line.startswith("m=audio ")), [])
    if len(media) < 3 or not media[0].split("/")[0].isdigit():
        raise PacketError("sdp: no usable m=audio line")
    port = int(media[0].split("/")[0])
    address = _address(audio) or _address(session)
    if not address:
        raise PacketError("sdp: no c=IN IP4 address for the audio stream")
    names = _payload_names(audio)
    names = {"0": "PCMU", "8": "PCMA"} | names
    offered = [names.get(payload, "") for payload in media[2:]]
    codec = next((name for name in offered if name in codecs), None)
    if codec is None and port:
        raise PacketError(f"sdp: no codec in common; offered {' '.join(media[2:])}, known {' '.join(codecs)}")
    events = [int(p) for p in media[2:] if names.get(p) == "TELEPHONE-EVENT" and p.isdigit()]
    direction = next((line[2:] for line in [*audio, *session] if line[2:] in _MIRROR), "sendrecv")
    return SdpAudio(address, port, codec or codecs[0], events[0] if events else None, direction)


def mirrored(direction: str) -> str:
    """The direction that answers ``direction`` (RFC 3264 s6.1)."""
    return _MIRROR.get(direction, "sendrecv")


def _sections(text: str) -> tuple[list[str], list[str]]:
    """Lines of the session and of its first audio stream."""
    session: list[str] = []
    streams: list[list[str]] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith("m="):
            streams.append([])
        (streams[-1] if streams else session).append(line.strip())
    return session, next((s for s in streams if s[0].startswith("m=audio ")), [])


def _address(lines: list[str]) -> str:
    return next((line[9:].split("/")[0].strip() for line in lines if line.startswith("c=IN IP4 ")), "")


def _payload_names(lines: list[str]) -> dict[str, str]:
    names = {}
    for line in lines:
        if line.startswith("a=rtpmap:"):
            payload, _, encoding = line[9:].partition(" ")
            name, _, rate = encoding.strip().upper().partition("/")
            if rate.split("/")[0] == "8000":
                names[payload.strip()] = name
    return names
