"""Section ``security``: who is kept out, how fast the rest may come, how long offenders are ignored."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

from sipagent.config.fields import Problem, not_a_name, out_of_range
from sipagent.config.network import USERNAME
from sipagent.config.secret import PasswordSource


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerConfig(PasswordSource):
    """Entry of ``security.callers``: who may call from any address after digest (RFC 8760)."""

    username: str
    """Name that the caller's phone authenticates with."""
    trunk: str
    """Name of the trunk that these calls count as."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if not USERNAME.fullmatch(self.username):
            yield "username", "expected the user part of a SIP address, without spaces, ':' and '@'"
        yield from self.check_password()
        yield from not_a_name(self, "trunk")


@dataclass(frozen=True, slots=True, kw_only=True)
class BanConfig:
    """Section ``security.ban``: strangers that go on after refusals are ignored for a while."""

    enabled: bool = True
    """False: nobody is banned."""
    failures: int = 10
    """Refused requests of one address within ``window_s`` after which it is banned. 1..1000."""
    window_s: int = 60
    """Time in which they are counted. 1..3600 s."""
    first_s: int = 600
    """Length of the first ban; each further one is twice as long. 1..86400 s."""
    longest_s: int = 86400
    """No ban is longer. 1..2592000 s."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(
            self, failures=(1, 1000), window_s=(1, 3600), first_s=(1, 86400), longest_s=(1, 2592000)
        )
        if self.longest_s < self.first_s:
            yield "longest_s", f"expected at least first_s ({self.first_s} s), got {self.longest_s}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityConfig:
    """Section ``security``."""

    strangers: Literal["refuse", "drop"] = "refuse"
    """Requests from addresses that no trunk allows: ``refuse`` answers 403, ``drop`` answers nothing."""
    callers: tuple[CallerConfig, ...] = ()
    """Who may call from any address after digest. Over UDP."""
    digest: Literal["md5", "sha-256", "both"] = "md5"
    """How their passwords are asked for. Older phones give up where SHA-256 is offered, even beside MD5."""
    media_from: tuple[IPv4Network, ...] = ()
    """Networks that sound comes from besides those of the trunks: for ``sipagent firewall``."""
    requests_per_s: int = 100
    """SIP messages taken from one address; what goes beyond is dropped. 5..5000."""
    total_requests_per_s: int = 400
    """The same for all trunks together, and as much again for all strangers together. 5..5000."""
    ban: BanConfig = field(default_factory=BanConfig)
    """Bans of strangers."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, requests_per_s=(5, 5000), total_requests_per_s=(5, 5000))
        if self.total_requests_per_s < self.requests_per_s:
            yield "total_requests_per_s", f"expected at least requests_per_s ({self.requests_per_s})"
        names = [caller.username for caller in self.callers]
        if len(set(names)) != len(names):
            yield "callers", "names a username twice"
