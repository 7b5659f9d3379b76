"""Sections ``listen``, ``rtp`` and ``trunks``: where calls come from and where their sound goes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Literal

from sipagent.config.fields import (
    HostPort,
    PortRange,
    Problem,
    not_a_name,
    out_of_range,
    parse_port,
)
from sipagent.config.secret import PasswordSource

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
USERNAME = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,128}")
"""RFC 3261 §25.1 ``user``, without a scheme of its own for escapes."""
LEAST_RTP_PORTS = 16
"""Four calls, each an RTP and an RTCP port, and as many that still drain."""
WIDEST_PREFIX_BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenConfig:
    """Section ``listen``: the SIP sockets. Only those that are written here are opened."""

    udp: HostPort | None = None
    """Address and port for SIP over UDP; ``false`` for none."""
    tcp: HostPort | None = None
    """Address and port for SIP over TCP; ``false`` for none."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if self.udp is None and self.tcp is None:
            yield "udp", "no socket to listen on; give udp or tcp, as in udp: 0.0.0.0:5060"


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpConfig:
    """Section ``rtp``: the sockets of the sound."""

    port_range: PortRange = field(default_factory=lambda: PortRange(20000, 20199))
    """UDP ports for RTP and RTCP, both ends included. 1024..65535, at least 16 of them."""
    public_address: Literal["auto"] | IPv4Address = "auto"
    """Address that peers are told; ``auto``: that of the interface towards them."""

    @property
    def port_first(self) -> int:
        """First port of the range."""
        return self.port_range.first

    @property
    def port_last(self) -> int:
        """Last port of the range, included."""
        return self.port_range.last

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if self.port_last < self.port_first:
            yield "port_range", f"ends before it begins: {self.port_range}"
        elif len(self.port_range) < LEAST_RTP_PORTS:
            yield "port_range", f"expected at least {LEAST_RTP_PORTS} ports, got {len(self.port_range)}"
        if self.port_first < 1024:
            yield "port_range", f"expected ports in 1024..65535, got {self.port_range}"
        if self.public_address == IPv4Address(0):
            yield "public_address", "0.0.0.0 cannot be reached by anybody; give an address or auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterConfig(PasswordSource):
    """Section ``register`` of a trunk: an account at a PBX or carrier that wants REGISTER."""

    registrar: str
    """``sip:host`` or ``sip:host:port``."""
    username: str
    """Name of the account, also the user part of our address."""
    expires_s: int = 300
    """Lifetime asked of the registrar. 60..86400 s."""
    retry_s: int = 30
    """Pause after a refused or unanswered REGISTER. 5..3600 s."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        scheme, _, address = self.registrar.partition(":")
        problem = "write sip:host or sip:host:port" if scheme != "sip" else address_problem(address)
        if problem:
            yield "registrar", f"{problem}, got {self.registrar.rpartition('@')[2]!r}"
        if not USERNAME.fullmatch(self.username):
            yield "username", "expected the user part of a SIP address, without spaces, ':' and '@'"
        yield from self.check_password()
        yield from out_of_range(self, expires_s=(60, 86400), retry_s=(5, 3600))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkConfig:
    """Entry of ``trunks``: a SIP peer that brings calls in."""

    name: str
    """Name in logs and metrics; unique."""
    preset: Literal["generic"] = "generic"
    """Rules of a known kind of peer that the other keys override."""
    domain: str
    """Host name or IPv4 address of the peer, with ``:port`` where it is not 5060."""
    allow_from: tuple[IPv4Network, ...] = ()
    """Networks from which its calls are accepted; all others are refused. Where ``domain`` is an IPv4
    address, that address is the default."""
    transport: Literal["udp", "tcp"] = "udp"
    """How requests go to the peer. Calls come in over either."""
    codecs: tuple[Literal["G722", "PCMU", "PCMA"], ...] = ("G722", "PCMU", "PCMA")
    """Codecs in order of preference."""
    register: RegisterConfig | None = None
    """Account to register; ``false``: calls come by address alone."""

    def __post_init__(self) -> None:
        if not self.allow_from:
            try:
                network = IPv4Network(self.domain.partition(":")[0])
            except ValueError:
                return
            object.__setattr__(self, "allow_from", (network,))

    @property
    def host(self) -> str:
        """``domain`` without the port."""
        return self.domain.partition(":")[0]

    @property
    def port(self) -> int:
        """Port of ``domain``, 5060 where it names none."""
        return int(self.domain.partition(":")[2] or 5060)

    def is_allowed(self, address: str) -> bool:
        """True where SIP from ``address`` (dotted IPv4, no port) belongs to this trunk."""
        try:
            peer = IPv4Address(address)
        except AddressValueError:
            return False
        return any(peer in network for network in self.allow_from)

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from not_a_name(self, "name")
        if problem := address_problem(self.domain):
            yield "domain", f"{problem}, got {self.domain!r}"
        elif not self.allow_from:
            yield "allow_from", f"required: name the networks from which {self.domain} sends calls"
        for network in self.allow_from:
            if network.prefixlen < WIDEST_PREFIX_BITS:
                yield "allow_from", f"{network} lets strangers in; name the peer's own networks"
        if not self.codecs:
            yield "codecs", "is empty; give at least one of G722, PCMU, PCMA"
        if len(set(self.codecs)) != len(self.codecs):
            yield "codecs", f"names a codec twice: {', '.join(self.codecs)}"


def address_problem(text: str) -> str | None:
    """What is wrong with ``host`` or ``host:port``, or None."""
    if "@" in text:
        return "user and password do not belong here"
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
