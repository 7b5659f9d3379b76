"""Trunks in ``sip.yaml``: presets, what overrides them, what is refused, and what ``check --show`` says."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sipagent.call.outbound import OutboundCall
from sipagent.cli.call import for_one_call
from sipagent.config.load import load_config
from sipagent.config.presets import PRESETS
from sipagent.config.render import render
from sipagent.config.schema import TrunkConfig
from sipagent.errors import ConfigError

pytestmark = pytest.mark.unit

REST = """\
numbers: [{match: "*", persona: maple}]
personas: {maple: {greeting: Hello., prompt_file: prompt.md}}
"""
TLS = "listen: {udp: 0.0.0.0:5060, tls: {bind: 0.0.0.0:5061, certificate_file: a.pem, key_file: a.key}}\n"
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "prompt.md").write_text("You answer the phone.\n", encoding="utf-8")

    def write_text(text: str) -> Path:
        path = tmp_path / "sip.yaml"
        path.write_text(text + REST, encoding="utf-8")
        return path

    return write_text


def only_problem_of(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})
    assert len(caught.value.problems) == 1, caught.value.problems
    return caught.value.problems[0]


def trunk(write: Write, text: str, before: str = "") -> TrunkConfig:
    return load_config(write(f"{before}trunks:\n  - {{name: a, {text}}}\n"), environ={}).trunks[0]


def test_twilio_needs_a_name_and_nothing_else(write: Write) -> None:
    found = trunk(write, "preset: twilio, domain: maple.pstn.twilio.com")
    assert (found.transport, found.srtp, found.port, found.cps) == ("udp", "off", 5060, 1)
    assert found.codecs == ("PCMU", "PCMA"), "Twilio has no G.722"
    for address in ("54.172.60.3", "177.71.206.192", "54.252.254.67"):
        assert found.is_allowed(address), f"{address}: all regions call"
    assert not found.is_allowed("54.172.60.4")


def test_twilio_over_tls_means_srtp_on_its_port(write: Write) -> None:
    found = trunk(write, "preset: twilio, domain: maple.pstn.frankfurt.twilio.com, transport: tls", TLS)
    assert (found.srtp, found.port) == ("mandatory", 5061)
    assert found.keep_alive_s < 120, "an idle connection is closed after that"


def test_twilio_refuses_half_a_secure_trunk_and_another_host(write: Write) -> None:
    line = "trunks: [{name: a, preset: twilio, domain: maple.pstn.twilio.com, %s}]\n"
    problem = only_problem_of(write(TLS + line % "transport: tls, srtp: optional"))
    assert "all or nothing" in problem
    assert "trunks[0].srtp" in problem
    assert "all or nothing" in only_problem_of(write(line % "srtp: mandatory"))
    problem = only_problem_of(write("trunks: [{name: a, preset: twilio, domain: sip.twilio.com}]\n"))
    assert "expected your Termination SIP URI" in problem
    assert "codecs: Twilio has PCMU and PCMA alone, got G722" in only_problem_of(
        write(line % "codecs: [G722]")
    )


def test_vonage_knows_its_addresses_and_numbers(write: Write) -> None:
    found = trunk(write, "preset: vonage, domain: maple.sip-us.vonage.com")
    assert (found.cps, found.leading_plus, found.options_s) == (3, False, 120)
    assert found.is_allowed("216.147.5.2")
    assert not found.is_allowed("216.147.6.1")


def test_what_the_file_says_goes_before_the_preset(write: Write) -> None:
    text = "preset: vonage, domain: sip.nexmo.com, allow_from: [203.0.113.0/28], cps: 10, codecs: [PCMA]"
    found = trunk(write, text)
    assert (found.cps, found.codecs) == (10, ("PCMA",))
    assert [str(network) for network in found.allow_from] == ["203.0.113.0/28"]
    assert found.leading_plus is False


def test_show_marks_what_a_preset_gave(write: Write) -> None:
    config = load_config(write("trunks: [{name: a, preset: vonage, domain: x.vonage.com, cps: 10}]\n"))
    lines = render(config).splitlines()
    assert "  leading_plus: false  # preset vonage" in lines
    assert "  allow_from:  # preset vonage" in lines
    assert "  cps: 10" in lines, "the file's own value bears no mark"
    assert "  p_asserted_identity: false" in lines, "nor does a default"
    assert load_config(write_again(config_text=render(config), beside=Path(config.source.path))) == config


def write_again(*, config_text: str, beside: Path) -> Path:
    path = beside.with_name("again.yaml")
    path.write_text(config_text, encoding="utf-8")
    return path


def test_every_preset_gives_only_keys_of_a_trunk() -> None:
    for name in PRESETS:
        values = TrunkConfig.preset_values({"preset": name})
        found = TrunkConfig(name="a", preset=name, domain="pbx.example", **values)  # type: ignore[arg-type]
        for key, value in values.items():
            assert getattr(found, key) == value


def test_user_name_and_password_from_where_they_are_kept(write: Write, tmp_path: Path) -> None:
    (tmp_path / "user").write_text("maple\n")
    line = "trunks: [{name: a, domain: 192.0.2.1, auth: {%s}}]\n"
    environ = {"KEY": "from the environment", "WORD": "hunter2"}
    for names, expected in (
        ("username: maple", "maple"),
        ("username_env: KEY", "from the environment"),
        ("username_file: user", "maple"),
    ):
        config = load_config(write(line % f"{names}, password_env: WORD"), environ=environ)
        credentials = config.trunks[0].credentials
        assert credentials is not None
        assert (credentials.username, credentials.password.reveal()) == (expected, "hunter2")
        assert "hunter2" not in render(config) + repr(config)
        assert ("secret_username" in render(config)) is ("username: maple" not in names)
    assert (
        load_config(write(line % "username: a, password_env: GONE"), environ={}).trunks[0].credentials is None
    )
    problem = only_problem_of(write(line % "password_env: WORD"))
    assert problem.endswith("auth.username: give one of username, username_env, username_file")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prefixes: ['+1 555']", "prefixes: expected numbers, beginnings with * behind them, or *"),
        ("caller_id: '+1 (555)'", "caller_id: expected a number"),
        ("cps: 0", "cps: expected 1..100, got 0"),
        ("options_s: 4", "options_s: expected 5..3600 s, got 4"),
        ("transport: tls", "transport: needs listen.tls, which is off"),
        ("srtp: always", "srtp: expected one of off, optional, mandatory, got 'always'"),
        ("preset: twillio", "did you mean twilio?"),
    ],
)
def test_refused_value(write: Write, text: str, problem: str) -> None:
    assert problem in only_problem_of(write(f"trunks: [{{name: a, domain: 192.0.2.1, {text}}}]\n"))


def test_srtp_off_needs_no_quotes(write: Write) -> None:
    """YAML 1.1 reads a bare ``off`` as a no."""
    assert trunk(write, "domain: 192.0.2.1, srtp: off").srtp == "off"
    assert trunk(write, "domain: 192.0.2.1, srtp: 'off'").srtp == "off"


def test_options_may_be_off(write: Write) -> None:
    assert trunk(write, "domain: 192.0.2.1, options_s: 0").options_s == 0


def test_more_trunks_than_the_library_holds(write: Write) -> None:
    many = ", ".join(f"{{name: t{n}, domain: 192.0.2.{n}}}" for n in range(1, 9))
    assert "trunks: 8 of them, but the SIP library holds 7" in only_problem_of(write(f"trunks: [{many}]\n"))


def test_trunk_for_several_at_one_address_goes_by_the_name_that_registers(write: Write) -> None:
    from sipagent.config.schema import trunk_for

    account = "register: {registrar: 'sip:192.0.2.1', username: %s, password_env: X}"
    lines = [f"{{name: {name}, domain: 192.0.2.1, {account % name}}}" for name in ("office", "branch")]
    config = load_config(write(f"trunks: [{', '.join(lines)}]\n"), environ={})
    names = [trunk_for(config, "192.0.2.1", dialled) for dialled in ("branch", "office", "+1555", "")]
    assert [one.name for one in names if one] == ["branch", "office", "office", "office"]
    assert trunk_for(config, "192.0.2.2", "branch") is None


@pytest.mark.parametrize(
    ("text", "shown", "host"),
    [
        ("auto", "auto", ""),
        ("203.0.113.7", "203.0.113.7", ""),
        ("stun:stun.example", "stun:stun.example:3478", "stun.example"),
        ("stun:192.0.2.9:19302", "stun:192.0.2.9:19302", "192.0.2.9"),
    ],
)
def test_public_address(write: Write, text: str, shown: str, host: str) -> None:
    config = load_config(
        write(f"trunks: [{{name: a, domain: 192.0.2.1}}]\nrtp: {{public_address: '{text}'}}\n")
    )
    address = config.rtp.public_address
    assert (str(address), address.stun_host) == (shown, host)
    assert not address.address or IPv4Address(address.address)


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "stun:", "stun:a b", "stun:host:99999", "turn:host", "203.0.113"]
)
def test_public_address_that_is_none(write: Write, text: str) -> None:
    path = write(f"trunks: [{{name: a, domain: 192.0.2.1}}]\nrtp: {{public_address: '{text}'}}\n")
    assert "rtp.public_address: expected auto, an IPv4 address, or stun:host:port" in only_problem_of(path)


def test_money_needs_prices(write: Write) -> None:
    line = "trunks: [{name: a, domain: 192.0.2.1}]\nlimits: {outbound: {allow: ['+1*'], spend_per_day: %s}}\n"
    assert "limits.outbound.rates: required with spend_per_day" in only_problem_of(write(line % "20.0"))
    assert load_config(write(line % "false")).limits.outbound.spend_per_day is None


@pytest.mark.parametrize(
    ("outbound", "target", "problem"),
    [
        (
            "{}",
            "sip:desk@192.0.2.7",
            "personas.maple.transfer.desk: 'desk' may not be called: add it to limits",
        ),
        ("{allow: ['+1555*']}", "'+15541'", "personas.maple.transfer.desk: '+15541' may not be called"),
        (
            "{allow: ['*'], spend_per_day: 5.0, rates: [{prefix: '+1*', per_minute: 1.0}]}",
            "'+44201'",
            "personas.maple.transfer.desk: '+44201' has no price",
        ),
        ("{allow: ['*']}", "'+1 555'", "transfer.desk: expected a number, or an address such as sip:desk@"),
    ],
)
def test_whom_calls_are_handed_to_must_be_allowed(
    write: Write, outbound: str, target: str, problem: str
) -> None:
    path = write(f"trunks: [{{name: a, domain: 192.0.2.1}}]\nlimits: {{outbound: {outbound}}}\n")
    text = path.read_text()
    path.write_text(text.replace("Hello., ", f"Hello., transfer: {{desk: {target}}}, "), encoding="utf-8")
    assert problem in only_problem_of(path)


def test_persona_with_variables_needs_values_for_calls_that_come_in(write: Write, tmp_path: Path) -> None:
    text = "trunks: [{name: a, domain: 192.0.2.1}]\n"
    path = write(text)
    path.write_text(path.read_text().replace("Hello.", "'Hello {name}.'"), encoding="utf-8")
    assert "maple's greeting wants {name}, which a call that comes in does not bring" in only_problem_of(path)


def test_one_call_takes_free_ports_and_registers_nowhere(write: Write) -> None:
    text = (
        TLS + "trunks:\n  - {name: office, domain: 192.0.2.1, transport: tls, options_s: 30,\n"
        "     register: {registrar: 'sip:192.0.2.1', username: '100', password_env: WORD}}\n"
        "  - {name: other, domain: 192.0.2.2}\n"
    )
    config = load_config(write(text), environ={"WORD": "hunter2"})
    alone = for_one_call(config, OutboundCall("+1555", "maple", trunk="office"))
    assert {name: bind.port for name, bind in alone.listen.binds.items()} == {"udp": 0, "tls": 0}
    (office,) = alone.trunks
    assert (office.register, office.options_s, office.caller_id) == (None, 0, "100")
    assert office.credentials == config.trunks[0].credentials
    assert alone.numbers == (), "nobody answers calls that come"
    both = for_one_call(config, OutboundCall("+1555", "maple"), "127.0.0.1:5099")
    assert (str(both.listen.udp), len(both.trunks)) == ("127.0.0.1:5099", 2)
