"""``sipagent firewall nft``: an nftables table that lets only the trunks reach SIP and RTP."""

import argparse
import ipaddress
import subprocess
import sys
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from sipagent.config.load import load_config
from sipagent.config.schema import Config, HostPort
from sipagent.errors import SipAgentError

TABLE = "sipagent"
_NEW_TCP_PER_S = 5
"""From one address: the library's table of sockets overflows where connections come and go quickly."""
_FOREIGN_PER_S = 10
"""SIP messages from one address that no trunk allows, where ``security.callers`` lets some of them in."""
_RTP_PER_S = 5000
"""Packets from one address: a media server carries many calls of 50 each."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("firewall", help="keep strangers from SIP and RTP in the kernel")
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    nft = kinds.add_parser("nft", help="write an nftables table from sip.yaml to standard output")
    nft.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    what = nft.add_mutually_exclusive_group()
    what.add_argument("--apply", action="store_true", help="put it in force, in place of an earlier one")
    what.add_argument("--remove", action="store_true", help="take it out of force; fine where it is not")
    nft.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table, or put it in or out of force.

    :raises SipAgentError: nft is missing or refuses.
    """
    if args.remove:
        _nft(removal())
        return 0
    text = table(load_config(args.config))
    if not args.apply:
        sys.stdout.write(text)
        return 0
    _nft(text)
    print(f"table inet {TABLE} is in force; see it with: nft list table inet {TABLE}", file=sys.stderr)
    return 0


def removal() -> str:
    """Delete the table; adding it first makes that succeed where there is none."""
    return f"table inet {TABLE}\ndelete table inet {TABLE}\n"


def table(config: Config) -> str:
    """The whole ruleset for ``nft -f``, which takes all of it or nothing."""
    trunks = collapsed(network for trunk in config.trunks for network in trunk.allow_from)
    media = collapsed([*trunks, *config.security.media_from])
    lines = [
        "# Written by `sipagent firewall nft` from sip.yaml.",
        removal().rstrip(),
        f"table inet {TABLE} {{",
        *_networks("trunks", trunks),
        *_networks("media", media),
        *_chain(
            "sip_udp",
            "trunks",
            config.security.requests_per_s,
            is_foreign_welcome=bool(config.security.callers),
        ),
        *_chain("sip_tcp", "trunks", _NEW_TCP_PER_S, counts="ct state new"),
        *_chain("sound", "media", _RTP_PER_S),
        "    chain input {",
        "        type filter hook input priority filter - 5; policy accept;",
        *_dispatch(config),
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _networks(name: str, networks: list[IPv4Network]) -> list[str]:
    elements = ", ".join(str(network) for network in networks)
    return [f"    set {name} {{ type ipv4_addr; flags interval; elements = {{ {elements} }} }}"]


def _chain(
    name: str, allowed: str, most_per_s: int, *, counts: str = "", is_foreign_welcome: bool = False
) -> list[str]:
    """Rules of one kind of packet: those allowed up to a rate, then answers to our own packets, then none.

    :param counts: which packets the rate counts, all by default.
    """

    def over(meter: str, per_s: int) -> str:
        return f"update @{meter} {{ ip saddr limit rate over {per_s}/second burst {2 * per_s} packets }}"

    rules = [
        f"ip saddr @{allowed} {counts} {over(f'{name}_rate', most_per_s)} counter drop".replace("  ", " "),
        f"ip saddr @{allowed} accept",
        "ct state established accept",
    ]
    if is_foreign_welcome:
        rules += [f"{over(f'{name}_rate', _FOREIGN_PER_S)} counter drop", "accept"]
    return [
        f"    set {name}_rate {{ type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1m; }}",
        f"    chain {name} {{",
        *(f"        {rule}" for rule in rules),
        "        counter drop",
        "    }",
    ]


def _dispatch(config: Config) -> list[str]:
    rules = []
    for chain, protocol, bind in (
        ("sip_udp", "udp", config.listen.udp),
        ("sip_tcp", "tcp", config.listen.tcp),
    ):
        if bind is not None:
            rules.append(f"{_to(bind)}{protocol} dport {bind.port} jump {chain}")
    ports = config.rtp.port_range
    rules.append(f"udp dport {ports.first}-{ports.last} jump sound")
    return [f"        {rule}" for rule in rules]


def _to(bind: HostPort) -> str:
    return "" if bind.host == "0.0.0.0" else f"ip daddr {bind.host} "


def collapsed(networks: Iterable[IPv4Network]) -> list[IPv4Network]:
    """Without duplicates and overlaps, which a set of intervals does not take."""
    return list(ipaddress.collapse_addresses(networks))


def _nft(rules: str) -> None:
    try:
        done = subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        raise SipAgentError("nft is not installed; run: apt install nftables") from None
    if done.returncode:
        reason = done.stderr.strip().partition("\n")[0]
        remedy = "; run it as root" if "permitted" in reason else ""
        raise SipAgentError(f"nft refuses the table: {reason}{remedy}")
