"""Addresses of peers as they stand in ``sip.yaml``."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Self

from sipagent.config.fields import parse_port

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
STUN_PORT = 3478
"""RFC 8489 §14.1: where a STUN server listens if nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """How peers reach us: ``auto``, an IPv4 address, or what the server ``stun:host:port`` sees."""

    address: str = ""
    """Dotted IPv4; empty: not given."""
    stun_host: str = ""
    """Host name or address of a STUN server; empty: none is asked."""
    stun_port: int = STUN_PORT

    expects = "auto, an IPv4 address, or stun:host:port"

    @classmethod
    def parse(cls, text: str) -> Self:
        """:raises ValueError: what is wrong with ``text``."""
        if text == "auto":
            return cls()
        scheme, colon, rest = text.partition(":")
        if colon and scheme == "stun":
            if problem := address_problem(rest):
                raise ValueError(problem)
            host, _, port = rest.partition(":")
            return cls("", host, int(port or STUN_PORT))
        try:
            address = IPv4Address(text)
        except AddressValueError:
            raise ValueError from None
        if address == IPv4Address(0):
            raise ValueError("0.0.0.0 cannot be reached by anybody; give an address or auto")
        return cls(str(address))

    def __str__(self) -> str:
        if self.stun_host:
            return f"stun:{self.stun_host}:{self.stun_port}"
        return self.address or "auto"


def address_problem(text: str) -> str | None:
    """What is wrong with ``host`` or ``host:port``, or None."""
    if "@" in text:
        return "user and password do not belong here"
    if text.count(":") > 1:
        return "IPv6 is not spoken by the SIP library; give the peer's IPv4 address, or a name that has one"
    if text.startswith(("sip:", "sips:")):
        return "leave out sip: (transport: tls is a key of its own)"
    host, colon, port = text.partition(":")
    if not HOST.fullmatch(host) or ".." in host:
        return "expected a host name or IPv4 address"
    if re.fullmatch(r"[0-9.]+", host):
        try:
            IPv4Address(host)
        except AddressValueError:
            return "expected a host name or IPv4 address"
    if colon:
        try:
            parse_port(port)
        except ValueError as exc:
            return str(exc)
    return None
