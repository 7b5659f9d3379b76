"""Reads from an INVITE's headers who calls. Tolerant: what is malformed is left out, nothing raises."""

import re
from collections.abc import Sequence

from sipagent.call.identity import Identity
from sipagent.sip.message import identity_of, request_uri, user_of, values_of

_LONGEST = 256
"""Of any one value; the rest is cut."""
_LONGEST_HEADER = 2000
_MOST_EXTRA = 32
_ENTRY = re.compile(r'(?:"(?:\\.|[^"\\])*"|<[^>]*>|[^,"<])+')
_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"')
_CAUSE = re.compile(r"[?&;]reason=([^&>;]+)", re.IGNORECASE)
_VERSTAT = re.compile(r"verstat=\"?([A-Za-z0-9-]{1,40})", re.IGNORECASE)
_TN_VALIDATION = re.compile(r"(?:TN-Validation-)?(passed(?:-[a-c])?|failed(?:-[a-c])?|no)\b", re.IGNORECASE)


def identity_in(message: str) -> Identity:
    """Everything an INVITE tells about its parties."""
    asserted, party, sender = (_first(message, n) for n in ("p-asserted-identity", "remote-party-id", "from"))
    named = asserted or party or sender
    diverted_from, reason = _diversion(message)
    privacy = set(re.split("[;, \t]+", ",".join(values_of(message, "privacy")).lower()))
    return Identity(
        caller=_cut(identity_of(named)),
        caller_name=next((name for name in map(_display_name, (asserted, party, sender)) if name), ""),
        dialled=_cut(user_of(request_uri(message))),
        diverted_from=diverted_from,
        diversion_reason=reason,
        verstat=_verstat(message, (asserted, sender)),
        is_private=bool(privacy & {"id", "user", "header"}) or "privacy=full" in party.lower(),
        extra=_extra(message),
    )


def _first(message: str, name: str) -> str:
    """The first entry of a header that may hold several."""
    return next(iter(_entries(message, name)), "")


def _entries(message: str, name: str) -> list[str]:
    whole = ",".join(value[:_LONGEST_HEADER] for value in values_of(message, name))
    return [entry.strip() for entry in _ENTRY.findall(whole[:_LONGEST_HEADER]) if entry.strip()]


def _display_name(value: str) -> str:
    quoted = _QUOTED.match(value)
    if quoted:
        return _cut(re.sub(r"\\(.)", r"\1", quoted.group(1)))
    return _cut(value.partition("<")[0]) if "<" in value else ""


def _diversion(message: str) -> tuple[str, str]:
    """(number, reason): Diversion's first entry (RFC 5806: the latest), else the last but one of History-Info
    (RFC 7044), which names the one before us."""
    entry = _first(message, "diversion")
    if not entry:
        history: Sequence[str] = _entries(message, "history-info")
        entry = history[-2] if len(history) >= 2 else ""
    reason = _CAUSE.search(entry)
    return _cut(user_of(entry)), _cut(reason.group(1).strip('"')) if reason else ""


def _verstat(message: str, signed: tuple[str, ...]) -> str:
    """``passed-a`` … of the carrier's own header or of a ``verstat`` parameter (3GPP TS 24.229)."""
    claims = [value for name in ("x-twilio-verstat", "x-verstat") for value in values_of(message, name)]
    claims += [match.group(1) for match in map(_VERSTAT.search, signed) if match]
    for claim in claims:
        if verdict := _TN_VALIDATION.match(claim.strip()):
            return "" if verdict.group(1).lower() == "no" else verdict.group(1).lower()
    return ""


def _extra(message: str) -> dict[str, str]:
    names = re.findall(r"^([Xx]-[A-Za-z0-9-]{1,60})[ \t]*:", message.partition("\r\n\r\n")[0], re.MULTILINE)
    return {
        name.lower().replace("-", "_"): _cut(values_of(message, name.lower())[0])
        for name in list(dict.fromkeys(names))[:_MOST_EXTRA]
    }


def _cut(text: str) -> str:
    return "".join(char for char in text[:_LONGEST] if char.isprintable()).strip()
