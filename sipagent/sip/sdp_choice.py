"""Leaves in a description of ours the codecs that a trunk wants. Pure: text in, text out.

The library has one list of codecs for all calls, and answers in the order of the other side. Here an offer of
ours is put in the trunk's order, and an answer has the trunk's first codec that the other side offers.
"""

import re
from collections.abc import Sequence

_CODECS = {"0": "PCMU", "8": "PCMA", "9": "G722"}
"""RFC 3551 §6: payload types that need no rtpmap."""
_MEDIA = re.compile(r"m=audio (\S+) (\S+) ?(.*)")
_RTPMAP = re.compile(r"a=rtpmap:(\d+) ([\w.-]+)/")
_ABOUT = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d+) ")


def with_codecs(ours: str, theirs: str, codecs: Sequence[str]) -> str:
    """Our description with what a trunk wants of its codecs; other payload types, as keys, stay.

    :param ours: as the library has made it.
    :param theirs: the offer that it answers; empty: ours is the offer.
    :param codecs: names in order of preference. Where none is common the description stays as it is.
    """
    offers = _sections(theirs)
    told = _sections(ours)
    for index, section in enumerate(told):
        if section[0].startswith("m=audio "):
            offer = offers[index] if index < len(offers) else []
            told[index] = _chosen(section, offer, codecs) if offer or not theirs else section
    return "".join(f"{line}\r\n" for section in told for line in section)


def has_none_of(theirs: str, codecs: Sequence[str]) -> bool:
    """True where the other side offers sound, and none of these codecs for it."""
    offers = [section for section in _sections(theirs) if section[0].startswith("m=audio ")]
    names = [_names(section) for section in offers if not section[0].startswith("m=audio 0 ")]
    return bool(names) and not any(set(found.values()) & set(codecs) for found in names)


def _sections(sdp: str) -> list[list[str]]:
    """The session's lines, then those of each medium; empty where there is nothing."""
    sections: list[list[str]] = [[]]
    for line in sdp.replace("\r\n", "\n").split("\n"):
        if line.startswith("m="):
            sections.append([])
        if line:
            sections[-1].append(line)
    return sections if sections[0] else []


def _chosen(ours: list[str], theirs: list[str], codecs: Sequence[str]) -> list[str]:
    media = _MEDIA.fullmatch(ours[0])
    if media is None or media[1] == "0":
        return ours
    names = _names(ours)
    known = {name: payload for payload, name in names.items()}
    offered = _names(theirs).values()
    wanted = [codec for codec in codecs if codec in known and (not theirs or codec in offered)]
    if not wanted:
        return ours
    wanted = wanted[:1] if theirs else wanted
    others = [payload for payload in media[3].split() if names.get(payload) not in _CODECS.values()]
    payloads = [known[codec] for codec in wanted] + others
    about = ((line, _ABOUT.match(line)) for line in ours[1:])
    kept = [line for line, match in about if match is None or match[1] in payloads]
    return [f"m=audio {media[1]} {media[2]} {' '.join(payloads)}", *kept]


def _names(section: list[str]) -> dict[str, str]:
    """Payload type → name of the codec, of a medium."""
    media = _MEDIA.fullmatch(section[0]) if section else None
    if media is None:
        return {}
    maps = {match[1]: match[2] for line in section if (match := _RTPMAP.match(line))}
    return {one: maps.get(one, _CODECS.get(one, "")).upper() for one in media[3].split()}
