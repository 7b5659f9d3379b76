"""``sipagent check --trunks`` against Kamailio: each fault is found and told with its remedy."""

import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from sipagent.cli.check_trunks import Peer, Result, check_peer, peer_of
from sipagent.config.fields import Secret
from sipagent.config.schema import Config, HostPort, ListenConfig, TrunkConfig
from sipagent.config.trunk import RegisterConfig
from sipagent.lab.agent_process import free_udp_port
from sipagent.lab.child import Child, Events
from sipagent.sip.digest import authorization
from sipagent.sip.probe import Probe, Target
from sipagent.sip.wire_message import SipMessage, build_message, build_response, parse_message
from tests.peer.certificates import Authority
from tests.peer.running_agent import LOOPBACK, ROOT, write_config
from tests.peer.sip_programs import HERE, program, wait_until_bound

pytestmark = pytest.mark.peer

NO_DNS = (LOOPBACK, 9)
"""Nobody answers there, and says so at once."""


@dataclass(frozen=True)
class Carriers:
    """Ports of the Kamailio that plays them all, and the authority of its certificates."""

    ports: dict[str, int]
    authority: Authority


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carriers]:
    path = program("kamailio", "kamailio")
    if not any(Path("/usr/lib").glob("*/kamailio/modules/tls.so")):
        pytest.skip("Kamailio has no TLS (apt install kamailio-tls-modules)")
    folder = tmp_path_factory.mktemp("carriers")
    authority, other = Authority(folder / "tls", "One"), Authority(folder / "other", "Another")
    authority.issue("good", "localhost")
    authority.issue("soon", "localhost", days=5)
    authority.issue("expired", "localhost", days=-3)
    authority.issue("misnamed", "sip.example.com")
    other.issue("foreign", "localhost")
    plain = ("plain", "refusing", "g729", "srtp", "g711")
    secure = {
        "good": authority,
        "soon": authority,
        "expired": authority,
        "misnamed": authority,
        "foreign": other,
    }
    ports = {name: free_udp_port() for name in (*plain, *secure)}
    listen = [f"listen={kind}:{LOOPBACK}:{ports[name]}" for name in plain for kind in ("udp", "tcp")]
    listen += [f"listen=tls:{LOOPBACK}:{ports[name]}" for name in secure]
    sections = ["[server:default]\nmethod=TLSv1.2+\n" + pem(authority, "good")]
    sections += [
        f"[server:{LOOPBACK}:{ports[name]}]\nmethod=TLSv1.2+\n" + pem(signer, name)
        for name, signer in secure.items()
    ]
    (folder / "tls.cfg").write_text("\n".join(sections))
    text = (HERE / "kamailio" / "peers.cfg").read_text().replace("@TLS@", str(folder / "tls.cfg"))
    text = text.replace("@LISTEN@", "\n".join(listen))
    for name in plain:
        text = text.replace(f"@{name.upper()}@", str(ports[name]))
    (folder / "peers.cfg").write_text(text)
    command = [path, "-f", str(folder / "peers.cfg"), "-DD", "-E", "-m", "32", "-M", "4"]
    with Child("peers", [*command, "-Y", str(folder), "-w", str(folder)], Events()) as child:
        wait_until_bound(ports["plain"], child)
        yield Carriers(ports, authority)


def pem(authority: Authority, name: str) -> str:
    return f"certificate={authority.folder}/{name}.crt\nprivate_key={authority.folder}/{name}.key\n"


def peer(carriers: Carriers, name: str, **changes: Any) -> Peer:
    """A trunk to one of the carriers, with ``changes`` to what the checks look at."""
    host = changes.get("host", LOOPBACK)
    trunk = TrunkConfig(
        name=name, domain=f"{host}:{carriers.ports[name]}", allow_from=(IPv4Network(f"{LOOPBACK}/32"),)
    )
    config = Config(listen=ListenConfig(udp=HostPort(LOOPBACK, 5060)), trunks=(trunk,))
    return replace(peer_of(config, trunk), **changes)


def secure(carriers: Carriers, name: str) -> Peer:
    return peer(carriers, name, host="localhost", transport="tls", authorities=carriers.authority.file)


def results(one: Peer) -> dict[str, Result]:
    """By check; of several the worst."""
    found: dict[str, Result] = {}
    rank = ("ok", "note", "failed")
    for result in check_peer(one, NO_DNS):
        before = found.get(result.check)
        if before is None or rank.index(result.outcome) >= rank.index(before.outcome):
            found[result.check] = result
    return found


def failure(one: Peer, check: str) -> Result:
    """The failed check, which must be the only one, with a remedy."""
    failed = [result for result in check_peer(one, NO_DNS) if result.outcome == "failed"]
    assert [result.check for result in failed] == [check], failed
    assert failed[0].remedy
    return failed[0]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_peer_that_is_right(carriers: Carriers, transport: str) -> None:
    found = results(peer(carriers, "g711", transport=transport))
    assert {check: result.outcome for check, result in found.items()} == {
        "connection": "ok",
        "codecs": "ok",
        "address": "ok",
    }
    assert found["codecs"].text == "in common: PCMU, PCMA (the peer has PCMA, PCMU)"


def test_codecs_that_are_not_told_are_no_failure(carriers: Carriers) -> None:
    assert results(peer(carriers, "plain"))["codecs"].outcome == "note"


def test_certificate_that_is_good_and_one_that_ends_soon(carriers: Carriers) -> None:
    good = results(secure(carriers, "good"))
    assert {result.outcome for result in good.values()} <= {"ok", "note"}
    assert good["certificate"].text.startswith("good for localhost until ")
    assert results(secure(carriers, "soon"))["certificate"].outcome == "note"


@pytest.mark.parametrize(
    ("name", "said", "remedy"),
    [
        ("expired", "expired", "renew"),
        ("misnamed", "mismatch", "name that stands in the certificate"),
        ("foreign", "certificate", "authority"),
    ],
)
def test_certificate_that_is_not_good(carriers: Carriers, name: str, said: str, remedy: str) -> None:
    failed = failure(secure(carriers, name), "certificate")
    assert said in failed.text.lower()
    assert remedy in failed.remedy


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_closed_port(carriers: Carriers, transport: str) -> None:
    failed = failure(peer(carriers, "plain", port=9, transport=transport), "connection")
    assert "nobody listens" in failed.text
    assert "port" in failed.remedy


def test_peer_that_says_nothing(carriers: Carriers) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((LOOPBACK, 0))
        one = peer(carriers, "plain", port=mute.getsockname()[1], timeout_s=1.0)
        failed = failure(one, "connection")
    assert "no answer" in failed.text
    assert "firewall" in failed.remedy


def test_no_tls_where_it_should_be(carriers: Carriers) -> None:
    failed = failure(peer(carriers, "plain", transport="tls", timeout_s=1.0), "connection")
    assert "TLS" in failed.remedy


def test_name_without_address(carriers: Carriers) -> None:
    failed = failure(peer(carriers, "plain", host="no-such-peer.invalid"), "name")
    assert "no address for no-such-peer.invalid" in failed.text


@contextmanager
def name_server(host: str, port: int) -> Iterator[tuple[str, int]]:
    """Every SIP service is at one host and port."""

    def answer(question: bytes) -> bytes:
        name = b"".join(bytes([len(part)]) + part.encode() for part in host.split(".")) + b"\0"
        body = struct.pack("!3H", 1, 1, port) + name
        head = question[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
        return head + question[12:] + b"\xc0\x0c" + struct.pack("!2HIH", 33, 1, 60, len(body)) + body

    with responder(answer) as where:
        yield where


@contextmanager
def responder(answer: Callable[[bytes], bytes]) -> Iterator[tuple[str, int]]:
    """Answers datagrams; where."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))

        def serve() -> None:
            while True:
                data, source = sock.recvfrom(65535)
                if not data:
                    return
                sock.sendto(answer(data), source)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()
        finally:
            sock.sendto(b"", sock.getsockname())
            thread.join()


@contextmanager
def sip_peer(answer: Callable[[SipMessage], tuple[str, tuple[tuple[str, str], ...]]]) -> Iterator[Peer]:
    """A trunk to a peer with answers of its own: status line's end, and further headers."""

    def respond(data: bytes) -> bytes:
        request = parse_message(data)
        status, extra = answer(request)
        return build_response(request, status, to_tag="x", extra=list(extra))

    with responder(respond) as (_, port):
        trunk = TrunkConfig(name="a", domain=f"{LOOPBACK}:{port}")
        yield peer_of(Config(listen=ListenConfig(udp=HostPort(LOOPBACK, 5060)), trunks=(trunk,)), trunk)


@pytest.mark.parametrize(
    ("host", "leads_to", "outcome", "words"),
    [
        (
            "no-such-peer.invalid",
            ("edge.example", 5080),
            "failed",
            "SRV records name edge.example:5080: write",
        ),
        ("localhost", ("localhost", 5099), "note", "SRV is not followed: write domain: localhost:5099"),
        ("localhost", ("localhost", 5060), "ok", "localhost is 127.0.0.1"),
    ],
)
def test_srv_records_lead_elsewhere(
    carriers: Carriers, host: str, leads_to: tuple[str, int], outcome: str, words: str
) -> None:
    one = replace(peer(carriers, "plain", host=host), has_port=False, port=5060, timeout_s=0.2)
    with name_server(*leads_to) as dns:
        (found,) = [result for result in check_peer(one, dns) if result.check == "name"]
    assert found.outcome == outcome
    assert words in str(found)


@pytest.mark.parametrize(
    ("status", "is_alive", "words"),
    [
        ("403 Forbidden", False, "let our address in"),
        ("408 Request Timeout", False, "whether domain is the right host"),
        ("480 Temporarily Unavailable", False, "switched on there"),
        ("500 Server Error", False, "fault"),
        ("503 Service Unavailable", False, "takes no calls now"),
        ("404 Not Found", True, ""),
        ("405 Method Not Allowed", True, ""),
        ("481 No Call", True, ""),
    ],
)
def test_what_the_peer_answers_to_options(status: str, words: str, *, is_alive: bool) -> None:
    with sip_peer(lambda _: (status, ())) as one:
        found = results(one)["connection"]
        assert f"answers OPTIONS with {status}" in found.text
        assert (found.outcome == "ok") is is_alive
        assert words in found.remedy
        assert bool(found.remedy) is not is_alive


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_trunks_credentials_are_tried_where_it_asks_for_them(password: str) -> None:
    challenge = 'Digest realm="maple", nonce="n", algorithm=MD5'

    def answer(request: SipMessage) -> tuple[str, tuple[tuple[str, str], ...]]:
        given = request.get("proxy-authorization")
        if given:
            cnonce = re.search(r'cnonce="(\w+)"', given)
            right = authorization(
                challenge, method="OPTIONS", uri=f"sip:{LOOPBACK}", username="maple", password="right",
                cnonce=cnonce[1] if cnonce else "",
            )  # fmt: skip
            if given == right:
                return "200 OK", ()
        return "407 Proxy Authentication Required", (("Proxy-Authenticate", challenge),)

    with sip_peer(answer) as one:
        found = results(replace(one, account=("maple", password)))["account"]
    if password == "right":
        assert (found.outcome, found.text) == ("ok", "maple is let in")
    else:
        assert (found.outcome, found.remedy[:29]) == ("failed", "look at username and password")


def test_peer_that_refuses_us(carriers: Carriers) -> None:
    assert "let our address in" in failure(peer(carriers, "refusing"), "connection").remedy


def test_no_codec_in_common(carriers: Carriers) -> None:
    failed = failure(peer(carriers, "g729"), "codecs")
    assert "the peer has G729" in failed.text


def test_encryption_that_does_not_fit(carriers: Carriers) -> None:
    assert failure(peer(carriers, "srtp"), "encryption").remedy == "set srtp: mandatory"
    assert "off" in failure(peer(carriers, "g711", srtp="mandatory"), "encryption").remedy
    assert results(peer(carriers, "srtp", srtp="mandatory"))["encryption"].outcome == "ok"


def test_account(carriers: Carriers) -> None:
    registrar = (LOOPBACK, carriers.ports["plain"])
    good = peer(carriers, "plain", account=("office", "secret of office"), registrar=registrar)
    assert results(good)["account"].text == "office is let in"
    bad = peer(carriers, "plain", account=("office", "guessed"), registrar=registrar)
    failed = failure(bad, "account")
    assert "refuses office" in failed.text
    assert "guessed" not in str(failed)
    elsewhere = replace(good, registrar=(LOOPBACK, carriers.ports["g711"]))
    assert results(elsewhere)["account"].outcome == "ok"
    none = failure(peer(carriers, "plain", registrar=registrar), "account")
    assert none.text == "there is no password"
    unasked = peer(carriers, "plain", account=("office", "x"))
    assert results(unasked)["account"].outcome == "note"


def test_address_that_the_peer_does_not_see(carriers: Carriers) -> None:
    failed = failure(peer(carriers, "plain", advertised="203.0.113.5"), "address")
    assert failed.remedy == f"set rtp.public_address: {LOOPBACK}"


def reply_in_pieces(connection: socket.socket) -> None:
    request = parse_message(connection.recv(65535))
    headers = [(name, request.get(name)) for name in ("from", "to", "call-id", "cseq")]
    headers.insert(0, ("Via", request.get("via") + ";received=192.0.2.1;rport=7"))
    reply = b"\r\n\r\n" + build_message("SIP/2.0 200 OK", headers, b"body")
    for piece in (reply[:30], reply[30:-2], reply[-2:]):
        connection.sendall(piece)
        time.sleep(0.02)


def test_probe_reads_answers_that_come_in_pieces() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with Probe(Target(LOOPBACK, port, LOOPBACK, "tcp")) as probe:
            connection, _ = server.accept()
            with connection:
                replier = threading.Thread(target=reply_in_pieces, args=(connection,))
                replier.start()
                answer = probe.ask("OPTIONS")
                replier.join()
    assert (answer.status, answer.message.body, answer.seen_as) == (200, b"body", ("192.0.2.1", 7))


def test_command_prints_json_and_fails(carriers: Carriers, tmp_path: Path) -> None:
    trunks = [
        {"name": "good", "domain": f"{LOOPBACK}:{carriers.ports['g711']}", "allow_from": [f"{LOOPBACK}/32"]},
        {"name": "closed", "domain": f"{LOOPBACK}:9", "allow_from": [f"{LOOPBACK}/32"]},
    ]
    config = write_config(tmp_path, {"trunks": trunks})
    done = subprocess.run(
        [sys.executable, "-m", "sipagent", "check", "-c", str(config), "--trunks", "--json"],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    outcomes = {(one["trunk"], one["check"]): one["outcome"] for one in told if "trunk" in one}
    assert outcomes["good", "connection"] == "ok"
    assert outcomes["closed", "connection"] == "failed"
    assert done.returncode == 1, done.stderr


def test_account_comes_from_the_configuration() -> None:
    register = RegisterConfig(
        registrar="sip:pbx.example.com:5070", username="100", password_env="X", password=Secret("p")
    )
    trunk = TrunkConfig(name="a", domain="pbx.example.com", register=register)
    one = peer_of(Config(trunks=(trunk,)), trunk)
    assert (one.account, one.registrar) == (("100", "p"), ("pbx.example.com", 5070))
