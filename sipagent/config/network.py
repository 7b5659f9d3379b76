"""Sections ``listen`` and ``rtp``: the sockets of SIP and of the sound."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sipagent.config.addresses import PublicAddress
from sipagent.config.fields import HostPort, PortRange, Problem, out_of_range

LEAST_RTP_PORTS = 16
"""Four calls, each an RTP and an RTCP port, and as many that still drain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """Section ``listen.tls``: SIP over TLS 1.2, for calls that come and for calls that go."""

    bind: HostPort
    """Address and port, usually ``0.0.0.0:5061``."""
    certificate_file: Path
    """Our certificate and those that lead to its authority, PEM, relative to sip.yaml."""
    key_file: Path
    """Its private key, PEM, readable by sipagent alone."""
    ca_file: Path | None = None
    """Authorities that we trust, PEM; without the key those of the system."""
    verify_peers: bool = True
    """False: any certificate will do when we connect to a peer. For a bench, never for a carrier."""
    require_client_certificate: bool = False
    """True: who connects to us must show a certificate of one of these authorities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenConfig:
    """Section ``listen``: the SIP sockets. Only those that are written here are opened."""

    udp: HostPort | None = None
    """Address and port for SIP over UDP; ``false`` for none."""
    tcp: HostPort | None = None
    """Address and port for SIP over TCP; ``false`` for none."""
    tls: TlsConfig | None = None
    """SIP over TLS; ``false`` for none."""

    @property
    def binds(self) -> dict[str, HostPort]:
        """``udp``, ``tcp``, ``tls`` → where it listens, for those that are on."""
        found = {"udp": self.udp, "tcp": self.tcp, "tls": self.tls.bind if self.tls else None}
        return {name: bind for name, bind in found.items() if bind is not None}

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if not self.binds:
            yield "udp", "no socket to listen on; give udp, tcp or tls, as in udp: 0.0.0.0:5060"


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpConfig:
    """Section ``rtp``: the sockets of the sound."""

    port_range: PortRange = field(default_factory=lambda: PortRange(20000, 20199))
    """UDP ports for RTP and RTCP, both ends included. 1024..65535, at least 16 of them."""
    public_address: PublicAddress = field(default_factory=PublicAddress)
    """Address that peers are told, for SIP and for sound; ``auto``: that of the interface towards them;
    ``stun:host:port``: the one that this server sees when we start."""
    quarantine_s: int = 5
    """Time in which the ports of an ended call are given to no other one. 0..60 s."""

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
        yield from out_of_range(self, quarantine_s=(0, 60))
