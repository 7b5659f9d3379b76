"""Section ``egress``: where the server may send to besides what the other sections name."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from sipagent.config.fields import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressConfig:
    """Section ``egress``: the lock on what leaves this machine."""

    enforce: bool = True
    """True: the server's own Python code is refused every destination beyond the list. The system's half
    of the lock, ``sipagent egress nft``, is put in place by ``scripts/install``."""
    extra_allow: tuple[IPv4Network, ...] = ()
    """Networks that may be reached besides trunks and DNS servers, such as a PBX's media servers."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if IPv4Network("0.0.0.0/0") in self.extra_allow:
            yield "extra_allow", "0.0.0.0/0 is the whole internet; set enforce: false where that is meant"
