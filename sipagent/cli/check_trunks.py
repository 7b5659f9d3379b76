"""``sipagent check --trunks``: asks every peer of ``sip.yaml``, and says what to do about what fails.

For each trunk: name → connection and certificate → OPTIONS → account → codecs and encryption → our address.
Nothing is called and no registration is changed (a REGISTER without Contact only asks, RFC 3261 s10.2.3).
"""

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal

from sipagent.config.schema import Config, TrunkConfig
from sipagent.errors import PacketError
from sipagent.sip.probe import Answer, Probe, ProbeError, Target, Transport
from sipagent.sip.srv import Server, nameserver, servers_of

Outcome = Literal["ok", "note", "failed"]
_SOON_DAYS = 14
_DAY_S = 86_400
_TELEPHONE_EVENT = "telephone-event"
_STATIC = {"0": "PCMU", "8": "PCMA", "9": "G722", "18": "G729", "3": "GSM"}
"""RFC 3551 s6: payload types that need no rtpmap."""
_CERTIFICATE_REMEDIES = (
    ("expired", "ask the peer to renew it, and look at this machine's clock"),
    ("not yet valid", "look at this machine's clock"),
    ("mismatch", "write the name that stands in the certificate as the trunk's domain"),
    ("self-signed", "put the peer's authority into listen.tls.ca_file"),
    ("signature", "put the peer's authority into listen.tls.ca_file"),
    ("issuer", "put the peer's authority into listen.tls.ca_file"),
)
_OPTIONS_REMEDIES = {
    403: "ask the peer to let our address in",
    408: "the peer answers for somebody behind it who does not: ask whether domain is the right host",
    480: "the peer takes no calls now: ask whether the trunk is switched on there",
    500: "the peer has a fault: try again, then ask it",
    502: "the peer has a fault behind it: try again, then ask it",
    503: "the peer takes no calls now: try again, then ask it",
    504: "the peer answers for somebody behind it who does not: try again, then ask it",
}
"""As for a trunk's health; any other answer shows a living peer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one check of one trunk has found."""

    trunk: str
    check: str
    outcome: Outcome
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.trunk}: {self.check}: {self.text}{f'; {self.remedy}' if self.remedy else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What the checks need of a trunk."""

    name: str
    host: str
    port: int
    transport: Transport
    has_port: bool
    """The port stands in ``domain``: no SRV record is asked for."""
    codecs: tuple[str, ...]
    srtp: str
    account: tuple[str, str] | None
    """User name and password."""
    registrar: tuple[str, int] | None
    """Where the account registers; None: it does not."""
    bind: str
    advertised: str
    """Address that peers are told; ``auto`` for that of the interface."""
    trunk: TrunkConfig
    authorities: Path | None = None
    """PEM file; None for those of the system."""
    certificate: tuple[Path, Path] | None = None
    """Ours and its key, for peers that ask for it."""
    timeout_s: float = 4.0
    """Silence that counts as no answer."""


def check_all(config: Config, *, dns: tuple[str, int] | None = None) -> list[Result]:
    """Ask every trunk, all at the same time.

    :param dns: address and port of the name server for SRV records.
    """
    peers = [peer_of(config, trunk) for trunk in config.trunks]
    with ThreadPoolExecutor(8, thread_name_prefix="check") as pool:
        found = pool.map(lambda peer: list(check_peer(peer, dns or nameserver())), peers)
        return [result for results in found for result in results]


def tell(results: list[Result], *, as_json: bool) -> int:
    """Print the results; :returns: the exit status."""
    for result in results:
        if as_json:
            print(json.dumps(asdict(result), ensure_ascii=False))
        else:
            print(f"{result.outcome}: {result}")
    return int(any(result.outcome == "failed" for result in results))


def peer_of(config: Config, trunk: TrunkConfig) -> Peer:
    """The part of the configuration that the checks look at."""
    credentials, tls = trunk.credentials, config.listen.tls
    bind = config.listen.binds.get(trunk.transport)
    registrar = None
    if trunk.register is not None:
        host, _, port = trunk.register.registrar.partition(":")[2].partition(":")
        registrar = (host, int(port or trunk.usual_port))
    return Peer(
        name=trunk.name,
        host=trunk.host,
        port=trunk.port,
        has_port=":" in trunk.domain,
        transport=trunk.transport,
        codecs=trunk.codecs,
        srtp=trunk.srtp,
        account=(credentials.username, credentials.password.reveal()) if credentials else None,
        registrar=registrar,
        bind="" if bind is None or bind.host == "0.0.0.0" else bind.host,
        advertised=config.rtp.public_address.address or "auto",
        trunk=trunk,
        authorities=tls.ca_file if tls else None,
        certificate=(tls.certificate_file, tls.key_file) if tls else None,
    )


def check_peer(peer: Peer, dns: tuple[str, int]) -> Iterator[Result]:
    """Every check of one trunk; what needs a failed one is left out."""
    found = list(_check_name(peer, dns))
    yield from found
    if any(result.outcome == "failed" for result in found):
        return
    address = socket.gethostbyname(peer.host)
    target = Target(address, peer.port, peer.host, peer.transport)
    try:
        with _probe(peer, target) as probe:
            yield from _check_certificate(peer, probe)
            answer = probe.ask("OPTIONS", extra=(("Accept", "application/sdp"),))
            yield from _check_options(peer, answer)
            yield from _check_account(peer, probe)
            yield from _check_sound(peer, answer)
            yield from _check_address(peer, probe.local[0], answer)
    except ProbeError as error:
        yield _unreachable(peer, error)


def _check_name(peer: Peer, dns: tuple[str, int]) -> Iterator[Result]:
    servers = [] if peer.has_port or _is_address(peer.host) else _servers(peer, dns)
    first = ", ".join(map(str, servers[:3]))
    try:
        address = socket.gethostbyname(peer.host)
    except OSError:
        problem = f"no address for {peer.host}"
        if servers:
            remedy = f"its SRV records name {first}: write domain: {servers[0]}"
        else:
            remedy = "look for a typing mistake in domain, and at this machine's name server"
        yield Result(peer.name, "name", "failed", problem, remedy)
        return
    if servers and not any(_leads_to(server, address, peer.port) for server in servers):
        text = f"{peer.host} is {address}, but its SRV records name {first}"
        yield Result(peer.name, "name", "note", text, f"SRV is not followed: write domain: {servers[0]}")
    elif not _is_address(peer.host):
        yield Result(peer.name, "name", "ok", f"{peer.host} is {address}")
    if not peer.trunk.is_allowed(address):
        networks = ", ".join(map(str, peer.trunk.allow_from))
        text = f"{address} is not in allow_from ({networks}): calls from there are refused"
        yield Result(peer.name, "name", "note", text, "add it if the peer calls from there")


def _servers(peer: Peer, dns: tuple[str, int]) -> list[Server]:
    service = "_sips._tcp" if peer.transport == "tls" else f"_sip._{peer.transport}"
    try:
        return servers_of(f"{service}.{peer.host}", dns)
    except (OSError, PacketError, UnicodeError):
        return []


def _leads_to(server: Server, address: str, port: int) -> bool:
    try:
        return server.port == port and socket.gethostbyname(server.host) == address
    except OSError:
        return False


def _unreachable(peer: Peer, error: ProbeError) -> Result:
    if error.kind == "certificate":
        said = str(error)
        remedies = (words for sign, words in _CERTIFICATE_REMEDIES if sign in said.lower())
        return Result(peer.name, "certificate", "failed", said, next(remedies, "ask the peer"))
    remedy = {
        "refused": f"look at port and transport (we tried {peer.transport}); is the peer running?",
        "timeout": "is the peer up, and do both firewalls let us through? Some peers answer only addresses "
        "that they know: ask for ours to be added",
        "tls": "the peer must offer TLS 1.2; look at the port",
        "unreachable": "look at this machine's routes and firewall",
    }.get(error.kind, "ask the peer")
    return Result(peer.name, "connection", "failed", str(error), remedy)


def _probe(peer: Peer, target: Target) -> Probe:
    return Probe(target, timeout_s=peer.timeout_s, bind=peer.bind, tls=_tls(peer))


def _tls(peer: Peer) -> ssl.SSLContext | None:
    if peer.transport != "tls":
        return None
    context = ssl.create_default_context(cafile=peer.authorities)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # as the SIP library
    if peer.certificate is not None:
        context.load_cert_chain(*peer.certificate)
    return context


def _check_certificate(peer: Peer, probe: Probe) -> Iterator[Result]:
    if peer.transport != "tls":
        return
    until = str(probe.certificate.get("notAfter", ""))
    days = int((ssl.cert_time_to_seconds(until) - time.time()) / _DAY_S)
    if days < _SOON_DAYS:
        text, remedy = f"ends in {days} days ({until})", "tell the peer to renew it"
        yield Result(peer.name, "certificate", "note", text, remedy)
    else:
        yield Result(peer.name, "certificate", "ok", f"good for {peer.host} until {until}")


def _check_options(peer: Peer, answer: Answer) -> Iterator[Result]:
    where = f"{peer.transport} {peer.host}:{peer.port}"
    text = f"{where} answers OPTIONS with {answer.status} {answer.message.reason} after {answer.rtt_ms} ms"
    remedy = _OPTIONS_REMEDIES.get(answer.status, "")
    yield Result(peer.name, "connection", "failed" if remedy else "ok", text, remedy)


def _check_account(peer: Peer, probe: Probe) -> Iterator[Result]:
    if peer.account is None:
        if peer.registrar is not None or peer.trunk.auth is not None:
            remedy = "set the variable or write the file that register or auth names"
            yield Result(peer.name, "account", "failed", "there is no password", remedy)
        return
    username, password = peer.account
    if peer.registrar is None:
        answer, is_asked = probe.ask_with_password("OPTIONS", username=username, password=password)
        if not is_asked:
            text = "the peer asks no password for OPTIONS: only a call can show whether ours is right"
            yield Result(peer.name, "account", "note", text)
            return
    else:
        answer, is_asked = _ask_registrar(peer, probe, username, password)
    yield _account_result(peer, username, answer, is_asked=is_asked)


def _ask_registrar(peer: Peer, probe: Probe, username: str, password: str) -> tuple[Answer, bool]:
    assert peer.registrar is not None
    host, port = peer.registrar
    uri = f"sip:{host}"
    if (host, port) == (peer.host, peer.port):
        return probe.ask_with_password("REGISTER", username=username, password=password, uri=uri)
    try:
        target = Target(socket.gethostbyname(host), port, host, peer.transport)
    except OSError:
        raise ProbeError("unreachable", f"no address for the registrar {host}") from None
    with _probe(peer, target) as other:
        return other.ask_with_password("REGISTER", username=username, password=password, uri=uri)


def _account_result(peer: Peer, username: str, answer: Answer, *, is_asked: bool) -> Result:
    said = f"{answer.status} {answer.message.reason}"
    if answer.status // 100 == 2:
        text = f"{username} is let in" + ("" if is_asked else ", without being asked for a password")
        return Result(peer.name, "account", "ok", text)
    if answer.status in (401, 403, 407):
        text = f"the peer refuses {username} with this password ({said})"
        remedy = "look at username and password; some peers refuse unknown addresses in the same way"
        return Result(peer.name, "account", "failed", text, remedy)
    if answer.status == 404:
        text, remedy = f"the peer has no account {username} ({said})", "ask for it"
    else:
        text, remedy = f"the peer answers {said}", "ask the peer what it means"
    return Result(peer.name, "account", "failed", text, remedy)


def _check_sound(peer: Peer, answer: Answer) -> Iterator[Result]:
    """Codecs and encryption, from the description that some peers add to their answer."""
    if not answer.message.get("content-type").lower().startswith("application/sdp"):
        yield Result(peer.name, "codecs", "note", "the peer does not tell its codecs in advance")
        return
    theirs, is_encrypted = offered(answer.message.body.decode("latin-1"))
    common = [codec for codec in peer.codecs if codec in theirs]
    told = ", ".join(name for name in theirs if name != _TELEPHONE_EVENT) or "none"
    if common:
        yield Result(peer.name, "codecs", "ok", f"in common: {', '.join(common)} (the peer has {told})")
    else:
        text = f"none in common: the peer has {told}, we have {', '.join(peer.codecs)}"
        remedy = "change codecs of the trunk, or have the peer enable one of ours"
        yield Result(peer.name, "codecs", "failed", text, remedy)
    if _TELEPHONE_EVENT not in theirs:
        yield Result(peer.name, "codecs", "note", "no telephone-event: keys that callers press may not come")
    if is_encrypted and peer.srtp == "off":
        yield Result(
            peer.name, "encryption", "failed", "the peer wants SRTP, ours is off", "set srtp: mandatory"
        )
    elif not is_encrypted and peer.srtp == "mandatory":
        text = "SRTP is mandatory here, the peer does not use it"
        yield Result(peer.name, "encryption", "failed", text, "set srtp: off, or switch it on there")
    elif is_encrypted:
        yield Result(peer.name, "encryption", "ok", "both sides use SRTP")


def offered(sdp: str) -> tuple[list[str], bool]:
    """Names of the audio codecs of a description, and whether it asks for SRTP."""
    media = re.search(r"(?m)^m=audio \d+ (\S+) (.*?)\r?$", sdp)
    if media is None:
        return [], False
    named = dict(re.findall(r"(?m)^a=rtpmap:(\d+) ([\w.-]+)/", sdp))
    kinds = [named.get(number, _STATIC.get(number, number)) for number in media[2].split()]
    return [kind if kind == _TELEPHONE_EVENT else kind.upper() for kind in kinds], "SAVP" in media[1]


def _check_address(peer: Peer, local: str, answer: Answer) -> Iterator[Result]:
    """The address that the peer sees must be the one that it is told to send sound to."""
    seen, _ = answer.seen_as
    told = local if peer.advertised == "auto" else peer.advertised
    if not seen:
        yield Result(peer.name, "address", "note", "the peer does not tell which address it sees")
    elif not _is_address(told):
        yield Result(peer.name, "address", "ok", f"the peer sees {seen}; ours is looked up at start ({told})")
    elif seen == told:
        yield Result(peer.name, "address", "ok", f"the peer sees {seen}, which is what we tell it")
    else:
        text = f"the peer sees {seen}, but we tell it {told}: callers would not be heard"
        yield Result(peer.name, "address", "failed", text, f"set rtp.public_address: {seen}")


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
