"""Reading a raw SIP message for what pjsua2 does not hand out. The library has parsed it already."""

import re
from collections.abc import Iterator

_COMPACT = {"f": "from", "t": "to", "i": "call-id", "m": "contact", "v": "via", "c": "content-type"}
_URI_USER = re.compile(r"sips?:([^@;>\s]+)@", re.IGNORECASE)
_TEL_URI = re.compile(r"tel:([^;>\s]+)", re.IGNORECASE)
_TLS_URI = re.compile(r"sips:|sip:[^>,]*;transport=tls\b", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


def fields_of(message: str) -> Iterator[tuple[str, str]]:
    """Header fields in order, lower-case names, folded lines joined."""
    head = message.split("\r\n\r\n", 1)[0]
    lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            yield _COMPACT.get(key, key), value.strip()


def headers_of(message: str) -> dict[str, str]:
    """Header fields by lower-case name; the first of several wins."""
    fields: dict[str, str] = {}
    for name, value in fields_of(message):
        fields.setdefault(name, value)
    return fields


def values_of(message: str, name: str) -> list[str]:
    """Every field of that lower-case name, in order."""
    return [value for key, value in fields_of(message) if key == name]


def body_of(message: str) -> str:
    """What stands behind the header."""
    return message.partition("\r\n\r\n")[2]


def request_uri(message: str) -> str:
    """The Request-URI of a request, or an empty string."""
    parts = message.split("\r\n", 1)[0].split(" ")
    return parts[1] if len(parts) == 3 and parts[2].startswith("SIP/") else ""


def next_hop(request: str) -> str:
    """Where requests of ours go in the dialog that this one begins: its first Record-Route, else Contact."""
    headers = headers_of(request)
    return headers.get("record-route", "").split(",", 1)[0] or headers.get("contact", "")


def is_over_tls(address: str) -> bool:
    """True where a SIP address (also inside a name-addr) asks for TLS."""
    return bool(_TLS_URI.search(address))


def user_of(uri: str) -> str:
    """The user part of a SIP or tel URI (also inside a name-addr), unescaped; empty if it has none."""
    match = _URI_USER.search(uri) or _TEL_URI.search(uri)
    if not match:
        return ""
    user = match.group(1).split(":", 1)[0].split(";", 1)[0]
    return _ESCAPE.sub(lambda m: chr(int(m.group(1), 16)), user)


def identity_of(value: str) -> str:
    """Who a From header names: the user part, else the URI without brackets."""
    user = user_of(value)
    if user:
        return user
    match = re.search(r"<([^>]*)>", value)
    return (match.group(1) if match else value.split(";", 1)[0]).strip()
