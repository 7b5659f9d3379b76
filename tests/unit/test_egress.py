"""The egress list, what is made of it, and the guard inside the interpreter."""

import json
import socket
import threading
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import structlog

from sipagent.config.console import ConsoleConfig
from sipagent.config.egress import EgressConfig
from sipagent.config.fields import HostPort
from sipagent.config.network import ListenConfig
from sipagent.config.openai import OpenAiConfig
from sipagent.config.schema import Config, LlmConfig
from sipagent.config.tools import HttpConfig, ToolConfig
from sipagent.config.trunk import RegisterConfig, TrunkConfig
from sipagent.egress.allow import Allowed, AllowList, dns_servers, work_out
from sipagent.egress.attempts import Attempt, Verdict
from sipagent.egress.guard import PEERS_NAMES_THREAD, EgressGuard, EgressRefused, install_audit_hook
from sipagent.egress.proof import judge_allowed, judge_forbidden
from sipagent.egress.rules import nft_table, systemd_drop_in
from sipagent.sip.names import NameWatch

pytestmark = pytest.mark.unit

NAMES = {"pbx.example.com": ["192.0.2.10", "192.0.2.11"], "reg.example.com": ["198.51.100.7"]}
RESOLV = "# by hand\nsearch example.com\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions ndots:1\n"


def resolve(name: str) -> list[IPv4Address]:
    return [IPv4Address(text) for text in NAMES.get(name, [])]


def config(**changes: object) -> Config:
    account = RegisterConfig(registrar="sip:reg.example.com:5070", username="1", password_env="X")
    office = TrunkConfig(
        name="office",
        domain="pbx.example.com:5080",
        allow_from=(IPv4Network("192.0.2.0/28"),),
        register=account,
    )
    lost = TrunkConfig(name="lost", domain="gone.example.com", allow_from=(IPv4Network("203.0.113.5"),))
    plain = Config(
        listen=ListenConfig(udp=HostPort("0.0.0.0", 5060), tcp=HostPort("0.0.0.0", 5062)),
        trunks=(office, lost),
        console=ConsoleConfig(bind=HostPort("0.0.0.0", 8080)),
        egress=EgressConfig(extra_allow=(IPv4Network("198.18.0.0/15"),)),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def allowed(tmp_path: Path) -> AllowList:
    (tmp_path / "resolv.conf").write_text(RESOLV)
    return work_out(config(), resolve=resolve, resolv_conf=tmp_path / "resolv.conf")


def test_the_list_has_what_the_configuration_names_and_nothing_else(allowed: AllowList) -> None:
    for address in (
        "127.0.0.1",
        "127.0.0.53",
        "192.0.2.10",
        "192.0.2.2",
        "198.51.100.7",
        "203.0.113.5",
        "198.19.1.1",
    ):
        assert allowed.allows(address, 12345), address
    assert allowed.allows("192.0.2.53", 53)
    assert allowed.allows("::1", 80)
    assert allowed.allows("::ffff:192.0.2.10", 80)
    for address in (
        "192.0.2.53",
        "192.0.2.16",
        "203.0.113.6",
        "8.8.8.8",
        "2001:db8::53",
        "2001:db8::1",
        "",
        "x",
    ):
        assert not allowed.allows(address, 443), address
    assert allowed.names == {"pbx.example.com", "reg.example.com", "gone.example.com"}
    assert allowed.unresolved == ("gone.example.com",)
    assert allowed.listening == (5062, 8080)


def test_each_entry_says_why(allowed: AllowList) -> None:
    whys = {str(entry.network): entry.why for entry in allowed.entries}
    assert whys["192.0.2.11/32"] == "trunk office: domain"
    assert whys["198.51.100.7/32"] == "trunk office: registrar"
    assert whys["192.0.2.53/32"] == "DNS server"


def test_media_servers_of_a_known_carrier_are_reached_though_calls_do_not_come_from_them() -> None:
    trunk = TrunkConfig(name="t", domain="192.0.2.1")
    object.__setattr__(trunk, "preset", "twilio")
    found = work_out(config(trunks=(trunk,)), resolve=resolve)
    assert found.allows("168.86.130.1", 10_000)
    assert not trunk.is_allowed("168.86.130.1")


def test_no_resolver_no_servers(tmp_path: Path) -> None:
    assert dns_servers(tmp_path / "none") == []


def test_the_table_has_the_list_and_refuses_the_rest(allowed: AllowList) -> None:
    rules = [line.strip() for line in nft_table(allowed, uid=991).splitlines() if not line.startswith("#")]
    assert rules[:2] == ["table inet sipagent_egress", "delete table inet sipagent_egress"]
    assert "meta skuid 991 jump locked" in rules
    (open_,) = [rule for rule in rules if rule.startswith("ip daddr") and "dport" not in rule]
    assert "192.0.2.0/28" in open_
    assert "192.0.2.53" not in open_
    assert "ip daddr { 192.0.2.53/32 } meta l4proto { tcp, udp } th dport 53 accept" in rules
    assert "tcp sport 8080 ct direction reply accept" in rules
    assert rules[-3] == "counter reject with icmpx admin-prohibited"


def test_the_drop_in_denies_first(allowed: AllowList) -> None:
    lines = [line for line in systemd_drop_in(allowed).splitlines() if not line.startswith("#")]
    assert lines[:3] == ["[Service]", "IPAddressDeny=any", "IPAddressAllow=localhost"]
    assert "IPAddressAllow=192.0.2.53/32" in lines


def test_two_instances_of_one_user_share_a_list(allowed: AllowList) -> None:
    other = AllowList((Allowed(IPv4Network("10.1.2.3"), "trunk b: domain"),), listening=(9090,))
    both = allowed + other
    assert both.allows("10.1.2.3", 5060)
    assert both.allows("192.0.2.10", 5060)
    assert both.listening == (5062, 8080, 9090)


# --- the guard ---


@pytest.fixture
def guard(allowed: AllowList) -> EgressGuard:
    structlog.reset_defaults()
    return EgressGuard(
        allowed,
        structlog.wrap_logger(structlog.PrintLogger(), processors=[structlog.processors.JSONRenderer()]),
    )


def tried(guard: EgressGuard, event: str, *args: object) -> bool:
    try:
        guard.check(event, args)
    except EgressRefused:
        return False
    return True


def test_the_guard_refuses_and_records(guard: EgressGuard, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET) as inet, socket.socket(socket.AF_UNIX) as unix:
        assert tried(guard, "socket.connect", inet, ("192.0.2.10", 5060))
        assert tried(guard, "socket.sendto", inet, ("127.0.0.1", 9))
        assert tried(guard, "socket.sendmsg", inet, None)
        assert tried(guard, "socket.connect", unix, "/run/x")
        assert tried(guard, "socket.connect", inet, ("pbx.example.com", 5060))
        assert capsys.readouterr().out == ""
        for event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            assert not tried(guard, event, inet, ("8.8.8.8", 443))
        assert not tried(guard, "socket.connect", inet, ("evil.example.com", 443))
    (line,) = capsys.readouterr().out.splitlines()  # the others come too fast after it
    assert json.loads(line) == {"destination": "8.8.8.8:443", "attempts": 1, "event": "egress.refused"}
    assert guard.refused == 4


def test_the_guard_lets_only_our_names_be_looked_up(guard: EgressGuard) -> None:
    for name in ("pbx.example.com", "PBX.example.com", b"pbx.example.com", "localhost", None, "", "8.8.8.8"):
        assert tried(guard, "socket.getaddrinfo", name, 5060, 0, 0, 0), name
    for name in ("secret.exfiltrated.example.com", b"x.example.com"):
        assert not tried(guard, "socket.getaddrinfo", name, 5060, 0, 0, 0), name
    assert not tried(guard, "socket.gethostbyname", "evil.example.com")


def test_names_that_a_trunks_peer_brings_may_be_looked_up_for_the_sip_library(guard: EgressGuard) -> None:
    names = NameWatch([])
    assert names._thread.name == PEERS_NAMES_THREAD
    told: list[bool] = []

    def look_up() -> None:
        told.append(tried(guard, "socket.getaddrinfo", "sbc7.carrier.example", None, 2, 0, 0))
        with socket.socket() as sock:
            told.append(tried(guard, "socket.connect", sock, ("8.8.8.8", 443)))

    thread = threading.Thread(target=look_up, name=PEERS_NAMES_THREAD)
    thread.start()
    thread.join()
    assert told == [True, False]


def test_other_events_pass(guard: EgressGuard) -> None:
    assert tried(guard, "open", "/etc/passwd", "r", 0)


def test_a_name_that_dns_forgets_keeps_its_addresses(guard: EgressGuard) -> None:
    literal = (IPv4Network("192.0.2.99"),)
    trunk = TrunkConfig(name="t", domain="no-such-name.invalid", allow_from=literal)
    guard.work_out(config(trunks=(trunk,)))
    with socket.socket(socket.AF_INET) as inet:
        assert tried(guard, "socket.connect", inet, ("192.0.2.99", 1)), "what is new"
        assert tried(guard, "socket.connect", inet, ("192.0.2.11", 1)), "what DNS said before"


def test_a_tool_that_is_new_after_a_reload_may_be_reached(guard: EgressGuard) -> None:
    literal = (IPv4Network("192.0.2.99"),)
    old = config(trunks=(TrunkConfig(name="t", domain="192.0.2.99", allow_from=literal),))
    http = HttpConfig(url="http://203.0.113.77:8000/book")
    guard.use(AllowList(()))
    guard.follow(old)
    with socket.socket(socket.AF_INET) as inet:
        assert not tried(guard, "socket.connect", inet, ("203.0.113.77", 8000))
        guard.follow(replace(old, tools={"book": ToolConfig(description="Books.", http=http)}))
        assert tried(guard, "socket.connect", inet, ("203.0.113.77", 8000))
        assert tried(guard, "socket.connect", inet, ("192.0.2.99", 5060))


def test_no_lock_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[structlog.processors.JSONRenderer()])
    assert install_audit_hook(config(egress=EgressConfig(enforce=False)), log) is None
    assert "egress.unlocked" in capsys.readouterr().out


# --- the proof ---


@pytest.mark.parametrize(
    ("way", "verdict", "is_good", "word"),
    [
        ("native datagram", Verdict.REFUSED, True, "as it must be"),
        ("native datagram", Verdict.PASSED, False, "nothing holds it back"),
        ("native datagram", Verdict.NO_ROUTE, False, "proves nothing"),
        ("native connection", Verdict.NO_ROUTE, True, "as it must be"),
        ("native connection", Verdict.SILENT, True, "as it must be"),
        ("native connection", Verdict.PASSED, False, "nothing holds it back"),
    ],
)
def test_what_is_concluded_about_forbidden_addresses(
    way: str, verdict: Verdict, is_good: bool, word: str
) -> None:
    line = judge_forbidden("8.8.8.8:443", Attempt(way, verdict))
    assert line.is_good is is_good
    assert word in line.text


def test_what_is_concluded_about_allowed_addresses() -> None:
    entry = Allowed(IPv4Network("192.0.2.10"), "trunk office: domain")
    assert judge_allowed("192.0.2.10:5060", entry, Attempt("native datagram", Verdict.PASSED)).is_good
    refused = judge_allowed("192.0.2.10:5060", entry, Attempt("native datagram", Verdict.REFUSED))
    assert not refused.is_good
    assert "is refused, but is allowed (trunk office: domain)" in refused.text


def test_a_language_models_endpoint_may_be_reached_on_its_port_alone(tmp_path: Path) -> None:
    endpoint = OpenAiConfig(url="https://reg.example.com/v1", model="m")
    llm = LlmConfig(engine="openai", openai=endpoint)
    allowed = work_out(config(llm=llm, trunks=()), resolve=resolve, resolv_conf=tmp_path / "none")
    assert allowed.allows("198.51.100.7", 443)
    assert not allowed.allows("198.51.100.7", 80)
    assert "reg.example.com" in allowed.names
