"""Proof of the lock: every address of the list, and some beyond it, tried in every way. Draws conclusions."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from sipagent.egress.allow import LOOPBACK, Allowed, AllowList
from sipagent.egress.attempts import Attempt, Verdict, from_native, from_python

FORBIDDEN = ("192.0.2.1", "9.9.9.9", "198.51.100.1", "8.8.8.8", "203.0.113.1")
"""Documentation networks (RFC 5737), which nobody has, and two addresses that everybody could reach."""
_FORBIDDEN_PORT = 443
_SIP_PORT = 5060
_TRIED_FORBIDDEN = 2


@dataclass(frozen=True, slots=True)
class Line:
    """What was found about one address in one way."""

    is_good: bool
    text: str


def prove(allowed: AllowList) -> Iterator[Line]:
    """Try everything; yields lines as they come. The guard must be installed in this process."""
    forbidden = [host for host in FORBIDDEN if not allowed.allows(host, _FORBIDDEN_PORT)][:_TRIED_FORBIDDEN]
    for host in forbidden:
        for attempt in (*from_python(host, _FORBIDDEN_PORT), *from_native(host, _FORBIDDEN_PORT)):
            yield judge_forbidden(f"{host}:{_FORBIDDEN_PORT}", attempt)
    for entry in allowed.entries:
        if entry.network != LOOPBACK:
            host, port = str(_one_of(entry.network)), entry.port or _SIP_PORT
            for attempt in (from_python(host, port)[0], from_native(host, port)[0]):
                yield judge_allowed(f"{host}:{port}", entry, attempt)


def judge_forbidden(destination: str, attempt: Attempt) -> Line:
    """A datagram must be refused; a connection must only not come about."""
    is_datagram = attempt.way.endswith("datagram")
    if attempt.verdict is Verdict.REFUSED or (not is_datagram and attempt.verdict is not Verdict.PASSED):
        return Line(True, f"{attempt.way} to {destination} is refused, as it must be")
    if attempt.verdict is Verdict.PASSED:
        return Line(False, f"{attempt.way} to {destination} passes: nothing holds it back")
    return Line(
        False, f"{attempt.way} to {destination} {attempt.verdict.value}: that proves nothing about the lock"
    )


def judge_allowed(destination: str, entry: Allowed, attempt: Attempt) -> Line:
    """Whether the peer answers is its own affair; the lock must let the datagram out."""
    if attempt.verdict is Verdict.PASSED:
        return Line(True, f"{attempt.way} to {destination} passes ({entry.why})")
    return Line(
        False, f"{attempt.way} to {destination} {attempt.verdict.value}, but is allowed ({entry.why})"
    )


def _one_of(network: IPv4Network) -> IPv4Address:
    """The first address that a machine can have."""
    return next(iter(network.hosts()), network.network_address)
