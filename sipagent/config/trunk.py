"""Section ``trunks``: the SIP peers that bring calls and take calls."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Literal

from sipagent.config.addresses import address_problem
from sipagent.config.fields import Problem, Secret, from_secret, not_a_name, out_of_range
from sipagent.config.presets import PresetName, broken_preset_rules, preset_values
from sipagent.config.secret import ENV_NAME, PasswordSource

USERNAME = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,128}")
"""RFC 3261 §25.1 ``user``, without a scheme of its own for escapes."""
PREFIX = re.compile(r"(\+?[A-Za-z0-9_.-]+\*?|\*)")
CALLER_ID = re.compile(r"\+?[A-Za-z0-9_.-]{1,64}")
WIDEST_PREFIX_BITS = 8
SIP_PORT, SIPS_PORT = 5060, 5061


def matches_number(pattern: str, number: str) -> bool:
    """True where ``number`` is the pattern, or begins as one that ends in ``*`` does."""
    return number.startswith(pattern[:-1]) if pattern.endswith("*") else number == pattern


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
    """Pause after a refused REGISTER, and the longest first pause after an unanswered one. 5..3600 s."""

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
class AuthConfig(PasswordSource):
    """Section ``auth`` of a trunk: what we answer when the peer challenges a call of ours (401, 407)."""

    username: str | None = None
    """The name itself, or one of the next two keys."""
    username_env: str | None = None
    """Environment variable that holds the name."""
    username_file: Path | None = None
    """File that holds the name, relative to sip.yaml."""
    secret_username: Secret | None = field(default=None, metadata=from_secret("username"))
    """The name from its variable or file."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        names = (self.username, self.username_env, self.username_file)
        if sum(name is not None for name in names) != 1:
            yield "username", "give one of username, username_env, username_file"
        if self.username is not None and not USERNAME.fullmatch(self.username):
            yield "username", "expected a user name without spaces, ':' and '@'"
        if self.username_env is not None and not ENV_NAME.fullmatch(self.username_env):
            yield "username_env", "expected the name of an environment variable, not the user name itself"
        yield from self.check_password()


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and its password."""

    username: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkConfig:
    """Entry of ``trunks``: a SIP peer that brings and takes calls. A preset fills in what is left out."""

    name: str
    """Name in logs and metrics; unique."""
    preset: PresetName = "generic"
    """Rules of a known kind of peer that the other keys override."""
    domain: str
    """Host name or IPv4 address of the peer, with ``:port`` where it is not 5060 (5061 for TLS)."""
    allow_from: tuple[IPv4Network, ...] = ()
    """Networks from which its calls are accepted; all others are refused. Where ``domain`` is an IPv4
    address, that address is the default."""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    """How requests go to the peer. Calls come in over any."""
    srtp: Literal["off", "optional", "mandatory"] = "off"
    """Whether sound is encrypted (SDES); ``optional``: where the peer offers it."""
    codecs: tuple[Literal["G722", "PCMU", "PCMA"], ...] = ("G722", "PCMU", "PCMA")
    """Codecs in order of preference."""
    dtmf: Literal["auto", "rfc4733", "info", "inband"] = "auto"
    """How keys travel: RTP events, SIP INFO or tones; ``auto``: as the peer offers."""
    refer: bool = True
    """False: the peer takes no REFER; calls are handed over by connecting both legs here."""
    register: RegisterConfig | None = None
    """Account to register; ``false``: calls come by address alone."""
    auth: AuthConfig | None = None
    """What we answer when the peer challenges a call of ours; where we register, that account does."""
    prefixes: tuple[str, ...] = ("*",)
    """Numbers that this trunk takes; of several trunks the longest match wins."""
    weight: int = 100
    """Share of the calls among trunks with an equally long match; 0: only when the others fail. 0..10000."""
    cps: int = 5
    """New outgoing calls in any second; more of them wait. 1..100."""
    reply_ms: int = 4000
    """Silence after which an INVITE or OPTIONS counts as unanswered. 500..30000 ms."""
    caller_id: str | None = None
    """Number that the called see, unless the call brings its own."""
    p_asserted_identity: bool = False
    """True: send it as P-Asserted-Identity too (RFC 3325)."""
    leading_plus: bool = True
    """False: numbers go out without ``+``."""
    options_s: int = 30
    """Pause between two OPTIONS that ask whether the peer lives; 0: never ask. 0, or 5..3600 s."""
    keep_alive_s: int = 90
    """Pause between two empty lines that keep a NAT or a firewall open; 0: none. 0, or 5..3600 s."""

    @staticmethod
    def preset_values(written: Mapping[str, Any]) -> dict[str, Any]:
        """What the preset gives to keys that the file leaves out."""
        return preset_values(written)

    def __post_init__(self) -> None:
        if not self.allow_from:
            try:
                network = IPv4Network(self.host)
            except ValueError:
                return
            object.__setattr__(self, "allow_from", (network,))

    @property
    def host(self) -> str:
        """``domain`` without the port."""
        return self.domain.partition(":")[0]

    @property
    def port(self) -> int:
        """Port of ``domain``, the usual one of the transport where it names none."""
        return int(self.domain.partition(":")[2] or self.usual_port)

    @property
    def usual_port(self) -> int:
        """Where an address names none."""
        return SIPS_PORT if self.transport == "tls" else SIP_PORT

    @property
    def credentials(self) -> Credentials | None:
        """What answers a challenge; None: nothing does."""
        if self.register is not None and self.register.password is not None:
            return Credentials(self.register.username, self.register.password)
        if self.auth is None or self.auth.password is None:
            return None
        hidden = self.auth.secret_username
        name = hidden.reveal() if hidden else self.auth.username
        return Credentials(name, self.auth.password) if name else None

    def match_length(self, number: str) -> int | None:
        """Characters of the longest of ``prefixes`` that matches; None: none does."""
        return max((len(p.rstrip("*")) for p in self.prefixes if matches_number(p, number)), default=None)

    def takes(self, number: str) -> bool:
        """True where one of ``prefixes`` matches."""
        return self.match_length(number) is not None

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
        yield from self._media_problems()
        yield from self._outbound_problems()

    def _media_problems(self) -> Iterator[Problem]:
        if not self.codecs:
            yield "codecs", "is empty; give at least one of G722, PCMU, PCMA"
        if len(set(self.codecs)) != len(self.codecs):
            yield "codecs", f"names a codec twice: {', '.join(self.codecs)}"
        yield from broken_preset_rules(
            self.preset, host=self.host, transport=self.transport, srtp=self.srtp, codecs=self.codecs
        )

    def _outbound_problems(self) -> Iterator[Problem]:
        for prefix in self.prefixes:
            if not PREFIX.fullmatch(prefix):
                yield "prefixes", f"expected numbers, beginnings with * behind them, or *; got {prefix!r}"
        if self.caller_id is not None and not CALLER_ID.fullmatch(self.caller_id):
            yield "caller_id", f"expected a number, as in '+15550100123', got {self.caller_id!r}"
        if self.register is not None and self.auth is not None:
            yield "auth", "is not used where the trunk registers; leave out one of the two"
        yield from out_of_range(self, weight=(0, 10000), cps=(1, 100), reply_ms=(500, 30000))
        for name in ("options_s", "keep_alive_s"):
            if getattr(self, name):
                yield from out_of_range(self, **{name: (5, 3600)})
