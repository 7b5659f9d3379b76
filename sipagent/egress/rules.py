"""The half of the lock that the system holds, for native code too: an nftables table, a systemd drop-in."""

from collections.abc import Iterable, Iterator

from sipagent.egress.allow import DNS_PORT, LOOPBACK, Allowed, AllowList

TABLE = "sipagent_egress"
NO_TABLE = f"# egress.enforce is false\ntable inet {TABLE}\ndelete table inet {TABLE}\n"
"""Takes the lock away."""
NO_DROP_IN = "# egress.enforce is false\n[Service]\nIPAddressDeny=\n"
"""The same."""


def nft_table(allowed: AllowList, *, uid: int) -> str:
    """Text for ``nft -f``: replaces the table in one transaction. Only packets of ``uid`` pass through it.

    Refused packets are answered as unreachable at once, counted, and logged by the kernel a few times a
    minute.
    """
    open_networks = [entry for entry in allowed.entries if entry.port is None and entry.network != LOOPBACK]
    rules = [
        'oif "lo" accept',
        *_rule(open_networks, "ip daddr {} accept"),
        *_rule(_dns(allowed), f"ip daddr {{}} meta l4proto {{{{ tcp, udp }}}} th dport {DNS_PORT} accept"),
        *(f"tcp sport {port} ct direction reply accept" for port in allowed.listening),
        'limit rate 6/minute log prefix "sipagent egress refused: "',
        "counter reject with icmpx admin-prohibited",
    ]
    lines = [
        *_reasons(allowed),
        f"table inet {TABLE}",  # so that deleting it cannot fail
        f"delete table inet {TABLE}",
        f"table inet {TABLE} {{",
        "    chain output {",
        "        type filter hook output priority filter; policy accept;",
        f"        meta skuid {uid} jump locked",
        "    }",
        "    chain locked {",
        *(f"        {rule}" for rule in rules),
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def systemd_drop_in(allowed: AllowList) -> str:
    """A drop-in for the service's unit. It knows no ports and holds in both directions."""
    lines = [
        *_reasons(allowed),
        "[Service]",
        "IPAddressDeny=any",
        "IPAddressAllow=localhost",
        *(f"IPAddressAllow={entry.network}" for entry in allowed.entries if entry.network != LOOPBACK),
    ]
    return "\n".join(lines) + "\n"


def _rule(entries: Iterable[Allowed], text: str) -> Iterator[str]:
    if networks := sorted({entry.network for entry in entries}):
        yield text.format("{ " + ", ".join(map(str, networks)) + " }")


def _dns(allowed: AllowList) -> list[Allowed]:
    return [entry for entry in allowed.entries if entry.port == DNS_PORT]


def _reasons(allowed: AllowList) -> Iterator[str]:
    yield "# Written by sipagent egress; changes are lost. What may be reached, and why:"
    for entry in allowed.entries:
        yield f"#   {entry.network}{f' port {entry.port}' if entry.port else ''}: {entry.why}"
    for name in allowed.unresolved:
        yield f"#   {name}: DNS knows no address"
