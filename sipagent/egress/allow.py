"""Which addresses the server may send to, worked out from ``sip.yaml`` and the machine's resolver."""

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

from sipagent.config.schema import Config

DNS_PORT = 53
LOOPBACK = IPv4Network("127.0.0.0/8")
RESOLV_CONF = Path("/etc/resolv.conf")
CARRIER_MEDIA: dict[str, tuple[str, ...]] = {
    "twilio": ("168.86.128.0/18",),
    "vonage": ("216.147.0.0/18", "168.100.64.0/18"),
}
"""Preset → networks of the carrier's media servers, from the carriers' public pages on IP addresses. Calls do
not come from them, so ``allow_from`` has them not.
"""
Resolve = Callable[[str], Sequence[IPv4Address]]


@dataclass(frozen=True, slots=True)
class Allowed:
    """One network and why it may be reached."""

    network: IPv4Network
    why: str
    port: int | None = None
    """None: every port. SIP, RTP and RTCP go to ports of the peer's choice."""


@dataclass(frozen=True, slots=True)
class AllowList:
    """Everything that may be reached; all else is refused, IPv6 as a whole but for ``::1``."""

    entries: tuple[Allowed, ...]
    names: frozenset[str] = frozenset()
    """Host names that may be looked up."""
    unresolved: tuple[str, ...] = ()
    """Those of them that DNS did not answer for: their addresses are missing above."""
    listening: tuple[int, ...] = ()
    """TCP ports of this server: answers on connections that others have opened may leave."""

    def allows(self, address: str, port: int) -> bool:
        """May ``address`` (dotted IPv4, or IPv6) be sent to?"""
        peer = _ipv4(address)
        if peer is None:
            return address == "::1"
        return any(peer in one.network and one.port in (None, port) for one in self.entries)

    def __add__(self, other: "AllowList") -> "AllowList":
        """Both lists, for two configurations that run as one user."""
        return AllowList(
            tuple(dict.fromkeys((*self.entries, *other.entries))),
            self.names | other.names,
            tuple(dict.fromkeys((*self.unresolved, *other.unresolved))),
            tuple(sorted({*self.listening, *other.listening})),
        )


def work_out(config: Config, *, resolve: Resolve | None = None, resolv_conf: Path = RESOLV_CONF) -> AllowList:
    """The list for a configuration. Asks DNS, which may take its time.

    :param resolve: host name → its IPv4 addresses, none where there are none; the system's resolver.
    """
    found: list[Allowed] = [Allowed(LOOPBACK, "this machine")]
    names: dict[str, bool] = {}
    for host, why, port in _hosts_of(config):
        addresses = (resolve or resolve_host)(host)
        names[host] = bool(addresses)
        found += [Allowed(IPv4Network(address), why, port) for address in addresses]
    for trunk in config.trunks:
        found += (Allowed(network, f"trunk {trunk.name}: allow_from") for network in trunk.allow_from)
        found += (
            Allowed(IPv4Network(network), f"trunk {trunk.name}: media of {trunk.preset}")
            for network in CARRIER_MEDIA.get(trunk.preset, ())
        )
    found += (Allowed(IPv4Network(server), "DNS server", DNS_PORT) for server in dns_servers(resolv_conf))
    found += (Allowed(network, "egress.extra_allow") for network in config.egress.extra_allow)
    return AllowList(
        tuple(_without_doubles(found)),
        frozenset(name for name in names if _ipv4(name) is None),
        tuple(name for name, is_known in names.items() if not is_known),
        _listening(config),
    )


def dns_servers(resolv_conf: Path = RESOLV_CONF) -> list[IPv4Address]:
    """Of ``/etc/resolv.conf``; those with IPv6 addresses are left out, as the program speaks IPv4 only."""
    try:
        text = resolv_conf.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    servers = (_ipv4(found) for found in re.findall(r"^nameserver\s+(\S+)", text, re.MULTILINE))
    return [server for server in servers if server is not None]


def resolve_host(host: str) -> list[IPv4Address]:
    """All addresses of a name or of a dotted address; none where DNS does not know it or does not answer."""
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return []
    return sorted({IPv4Address(str(entry[4][0])) for entry in found})


def literal_address(host: str) -> list[IPv4Address]:
    """The address that ``host`` is; none for a name. Asks nobody."""
    address = _ipv4(host)
    return [] if address is None else [address]


def _hosts_of(config: Config) -> Iterator[tuple[str, str, int | None]]:
    """(host, why, port or None for all) of every peer that the configuration names."""
    for trunk in config.trunks:
        yield trunk.host, f"trunk {trunk.name}: domain", None
        if trunk.register is not None:
            registrar = trunk.register.registrar.partition(":")[2].partition(";")[0].partition(":")[0]
            if registrar != trunk.host:
                yield registrar, f"trunk {trunk.name}: registrar", None
    if stun_host := getattr(config.rtp.public_address, "stun_host", ""):
        yield stun_host, "rtp.public_address: STUN", None
    for name, tool in config.tools.items():
        if tool.http is not None:
            yield tool.http.host, f"tools.{name}: http.url", tool.http.port
    if (endpoint := config.llm.openai) is not None:
        yield endpoint.host, "llm.openai.url", endpoint.port


def _listening(config: Config) -> tuple[int, ...]:
    tls = getattr(config.listen, "tls", None)
    places = [config.listen.tcp, tls.bind if tls else None, config.console.bind if config.console else None]
    return tuple(sorted({place.port for place in places if place is not None and place.port}))


def _without_doubles(entries: Iterable[Allowed]) -> Iterator[Allowed]:
    seen: list[Allowed] = []
    for entry in entries:
        if not any(entry.network.subnet_of(one.network) and one.port in (None, entry.port) for one in seen):
            seen.append(entry)
            yield entry


def _ipv4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text.removeprefix("::ffff:"))
    except AddressValueError:
        return None
