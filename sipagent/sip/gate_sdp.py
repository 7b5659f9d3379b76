"""What a session description must look like before the library negotiates it (RFC 8866)."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address

_MOST_BYTES, _MOST_LINES, _MOST_LINE_CHARS, _MOST_MEDIA = 3000, 150, 300, 8
_MEDIA = re.compile(r"m=([A-Za-z0-9-]{1,20}) (\d{1,5})(/\d{1,2})? (\S{3,30})((?: \S{1,20}){1,32})")
_RTPMAP = re.compile(r"a=rtpmap:(\d{1,3}) [\w.+-]{1,40}/(\d{1,6})(/\d{1,2})?\s*")
_RTCP = re.compile(r"a=rtcp:(\d{1,5})(?: IN IP4 (\S+))?\s*")
_PTIME = re.compile(r"a=(?:max)?ptime:\s*([1-9]\d{0,2})(\.0+)?\s*")


def sdp_fault(body: bytes) -> str:
    """What is wrong with a description, empty where it may pass."""
    return next(_faults(body.decode("latin-1")), "")


def _faults(text: str) -> Iterator[str]:
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    if len(text) > _MOST_BYTES or len(lines) > _MOST_LINES or any(len(x) > _MOST_LINE_CHARS for x in lines):
        yield "size"
    if any(ord(char) < 32 and char not in "\t\r\n" for char in text):
        yield "control characters"
    if not lines or lines[0] != "v=0" or any(not re.match(r"[a-z]=\S", line) for line in lines):
        yield "not a list of type=value that begins with v=0"
        return
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    if not 1 <= len(starts) <= _MOST_MEDIA:
        yield "number of media"
        return
    session = lines[: starts[0]]
    for kind in "ost":
        if sum(line.startswith(f"{kind}=") for line in session) != 1:
            yield f"{kind}= not there once"
    if not re.fullmatch(r"o=\S{1,64} \d{1,20} \d{1,20} IN IP[46] \S{1,128}", _first(session, "o=").rstrip()):
        yield "o="
    yield from _connection(session)
    has_address = bool(_first(session, "c="))
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield from _media(lines[start:end], has_address=has_address)


def _media(block: list[str], *, has_address: bool) -> Iterator[str]:
    match = _MEDIA.fullmatch(block[0].rstrip())
    if match is None or int(match[2]) > 65535:
        yield "m="
        return
    if "RTP/" in match[4] and any(not f.isdigit() or int(f) > 127 for f in match[5].split()):
        yield "payload type"
    if not has_address and not _first(block, "c="):  # the library aborts, also where the medium is disabled
        yield "no c="
    yield from _connection(block)
    for line in block:
        if line.startswith("a=rtpmap:"):
            rtpmap = _RTPMAP.fullmatch(line)
            if rtpmap is None or int(rtpmap[1]) > 127 or int(rtpmap[2]) == 0:
                yield "a=rtpmap"
        elif line.startswith("a=rtcp:"):
            rtcp = _RTCP.fullmatch(line)
            if rtcp is None or int(rtcp[1]) > 65535 or (rtcp[2] and not _is_address(rtcp[2])):
                yield "a=rtcp"
        elif line.startswith(("a=ptime:", "a=maxptime:")) and not _PTIME.fullmatch(line):
            yield "a=ptime"


def _connection(block: list[str]) -> Iterator[str]:
    """IPv4 only, and no names: the library would wait for the name server on the thread of all calls."""
    for line in block:
        if line.startswith("c="):
            match = re.fullmatch(r"c=IN IP4 (\S{7,15})\s*", line)
            if match is None or not _is_address(match[1]):
                yield "c="


def _first(block: list[str], kind: str) -> str:
    return next((line for line in block if line.startswith(kind)), "")


def _is_address(text: str) -> bool:
    try:
        return not IPv4Address(text).is_multicast
    except AddressValueError:
        return False
