"""``load_config``: what is accepted, what is refused, and that every line says where and what to do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sipagent.config.load import default_models_dir, load_config
from sipagent.config.render import render
from sipagent.config.schema import Config
from sipagent.errors import ConfigError

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
LEAST = """\
trunks: [{name: lab, domain: 127.0.0.1}]
numbers: [{match: "*", persona: maple}]
personas: {maple: {greeting: Hello., prompt_file: prompt.md}}
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "prompt.md").write_text("You answer the phone.\n", encoding="utf-8")

    def write_text(text: str) -> Path:
        path = tmp_path / "sip.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def problems_of(path: Path) -> list[str]:
    """Problems of a file, without the folder in front."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})
    return [text.replace(f"{path.parent}/", "") for text in caught.value.problems]


def only_problem_of(path: Path) -> str:
    found = problems_of(path)
    assert len(found) == 1, found
    return found[0]


def test_the_shipped_example_loads() -> None:
    config = load_config(ROOT / "sip.yaml", environ={})
    persona = config.personas["receptionist"]
    assert config.trunks[0].allow_from[0].is_loopback
    assert "Friday" in persona.prompt
    assert persona.name == "receptionist"
    assert config.models_dir == ROOT / "models"


def test_the_shipped_example_shows_the_defaults() -> None:
    """What it writes out is what would be in force without it, so that it never lies about a default."""
    example = load_config(ROOT / "sip.yaml", environ={})
    plain = Config()
    assert example.limits.outbound.count_file == ROOT / plain.limits.outbound.count_file
    outbound = replace(example.limits.outbound, count_file=plain.limits.outbound.count_file)
    example = replace(example, limits=replace(example.limits, outbound=outbound))
    for section in ("listen", "rtp", "speech", "llm", "limits", "logging"):
        assert getattr(example, section) == getattr(plain, section), section


def test_least_file_gets_defaults(write: Write) -> None:
    config = load_config(write(LEAST))
    assert str(config.listen.udp) == "0.0.0.0:5060"
    assert config.listen.tcp == config.listen.udp
    assert (config.rtp.port_first, config.rtp.port_last) == (20000, 20199)
    assert config.speech.turn.commit_ms.latest == 1600
    assert config.personas["maple"].prompt == "You answer the phone."
    assert [str(network) for network in config.trunks[0].allow_from] == ["127.0.0.1/32"]
    assert config.trunks[0].codecs == ("G722", "PCMU", "PCMA")


def test_only_the_sockets_written_are_opened(write: Write) -> None:
    config = load_config(write(LEAST + 'listen: {udp: "127.0.0.1:0"}\n'))
    assert config.listen.tcp is None
    config = load_config(write(LEAST + "listen: {udp: 0.0.0.0:5060, tcp: false}\n"))
    assert config.listen.tcp is None


def test_all_problems_come_at_once_in_order_of_lines(write: Write) -> None:
    text = LEAST + "speech:\n  turn:\n    pause_sm: 200\n    smart_turn: 3\nllm:\n  temperature: 9\n"
    assert problems_of(write(text)) == [
        "sip.yaml:6: speech.turn.pause_sm: unknown key; did you mean pause_ms?",
        "sip.yaml:7: speech.turn.smart_turn: expected true or false, got the number 3",
        "sip.yaml:9: llm.temperature: expected 0..2, got 9.0",
    ]


def test_duplicate_key_is_an_error(write: Write) -> None:
    text = LEAST + "instance: a\nlisten: {udp: 0.0.0.0:5060}\ninstance: b\n"
    assert only_problem_of(write(text)) == "sip.yaml:4: instance: appears twice, on lines 4 and 6; keep one"


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        (
            "llm: {context_tokens: true}",
            "llm.context_tokens: expected a whole number, got the yes/no value true",
        ),
        (
            "llm: {context_tokens: 2048.5}",
            "llm.context_tokens: expected a whole number, got the number 2048.5",
        ),
        ('llm: {context_tokens: "2048"}', "llm.context_tokens: expected a whole number, got '2048'"),
        ("llm: {context_tokens: 99}", "llm.context_tokens: expected 512..32768 tokens, got 99"),
        ("llm: {threads: many}", "llm.threads: expected auto or a whole number, got 'many'"),
        ("llm: {threads: 0}", "llm.threads: expected 1..64, got 0"),
        ("llm: {temperature: .nan}", "llm.temperature: expected a number, got the number .nan"),
        ("limits: {max_calls: 5}", "limits.max_calls: expected 1..4, got 5"),
        ("instance: 7", "instance: expected text, got the number 7; put it in quotes"),
        ("instance: no", "instance: expected text, got the yes/no value no; put it in quotes"),
        ("instance:", "instance: expected text, got nothing"),
        ("listen: 5060", "listen: expected a section of keys, got the number 5060"),
        ("speech: {barge_in: {backchannels: okay}}", "expected a list, as in [a, b], got 'okay'"),
        ("listen: {}", "listen.udp: no socket to listen on; give udp, tcp or tls, as in udp: 0.0.0.0:5060"),
        ('listen: {udp: "[::]:5060"}', "IPv6 is not supported; give an IPv4 address"),
        ("listen: {udp: 0.0.0.0}", "listen.udp: expected address:port, as in 0.0.0.0:5060, got '0.0.0.0'"),
        ("listen: {udp: 0.0.0.0:70000}", "port '70000' is not in 0..65535"),
        ("rtp: {port_range: 20199-20000}", "rtp.port_range: ends before it begins: 20199-20000"),
        ("rtp: {port_range: 20000-20003}", "rtp.port_range: expected at least 16 ports, got 4"),
        ("rtp: {port_range: 5000-5100}", "rtp.port_range: contains 5060, the port of listen.udp; move one"),
        (
            "rtp: {public_address: example}",
            "rtp.public_address: expected auto, an IPv4 address, or stun:host:port, got 'example'",
        ),
        ("logging: {level: warn}", "got 'warn'; did you mean warning?"),
        ("speech: {turn: {pause_ms: 400}}", "speech.turn.pause_ms: expected at most commit_ms.sure (300"),
        (
            "speech: {turn: {commit_ms: {sure: 900}}}",
            "expected sure <= doubt <= latest, got 900, 700, 1600 ms",
        ),
        ("bells: 1", "bells: unknown key; known here: instance, listen, rtp"),
        ("<<: {instance: a}", "<<: unknown key"),
        ("[a, b]: 1", "expected a name before the colon, got a list"),
    ],
)
def test_refused_value(write: Write, extra: str, line: str) -> None:
    found = problems_of(write(LEAST + extra + "\n"))
    assert any(line in problem for problem in found), found
    assert all(problem.startswith("sip.yaml:4: ") for problem in found), found


TRUNK = "numbers: [{match: '*', persona: maple}]\npersonas: {maple: {greeting: Hi, prompt_file: prompt.md}}\n"


@pytest.mark.parametrize(
    ("trunks", "line"),
    [
        (
            "- {name: a, domain: pbx.example.com}",
            "allow_from: required: name the networks from which pbx.example",
        ),
        (
            "- {name: a, domain: 10.0.0.1, allow_from: [10.0.0.1/8]}",
            "got '10.0.0.1/8'; did you mean 10.0.0.0/8?",
        ),
        ("- {name: a, domain: 10.0.0.1, allow_from: [0.0.0.0/0]}", "0.0.0.0/0 lets strangers in"),
        ("- {name: a, domain: 10.0.0.1, preset: twilo}", "preset: expected one of generic, asterisk,"),
        ("- {name: a, domain: 10.0.0.1, codecs: [G729]}", "codecs[0]: expected one of G722, PCMU, PCMA, got"),
        ("- {name: a, domain: 10.0.0.1, codecs: []}", "codecs: is empty"),
        ("- {name: a, domain: 10.0.0.1, codecs: [PCMU, PCMU]}", "names a codec twice"),
        ("- {name: a, domain: 10.0.0.999}", "domain: expected a host name or IPv4 address, got '10.0.0.999'"),
        ("- {name: 'a\\nb', domain: 10.0.0.1}", "name: expected letters, digits"),
        ("- {domain: 10.0.0.1}", "trunks[0].name: required"),
        (
            "- {name: a, domain: 10.0.0.1}\n- {name: a, domain: 10.0.0.2}",
            "'a' is the name of trunks[0] already",
        ),
        (" []", "trunks: at least one entry is required"),
    ],
)
def test_refused_trunk(write: Write, trunks: str, line: str) -> None:
    found = problems_of(write(f"{TRUNK}trunks:\n{trunks}\n"))
    assert any(line in problem for problem in found), found


def test_transport_needs_its_socket(write: Write) -> None:
    text = f"{TRUNK}listen: {{udp: 0.0.0.0:5060}}\ntrunks:\n- name: a\n  domain: 10.0.0.1\n  transport: tcp\n"
    expected = "sip.yaml:7: trunks[0].transport: needs listen.tcp, which is off"
    assert only_problem_of(write(text)) == expected


REGISTER = """\
numbers: [{match: "*", persona: maple}]
personas: {maple: {greeting: Hi, prompt_file: prompt.md}}
trunks:
- name: office
  domain: 192.0.2.10:5070
  register: {registrar: "sip:pbx.example.com:5070", username: "100", %s}
"""


def test_password_comes_from_the_environment_and_never_shows(write: Write) -> None:
    path = write(REGISTER % "password_env: OFFICE_PASSWORD")
    config = load_config(path, environ={"OFFICE_PASSWORD": "hunter2"})
    account = config.trunks[0].register
    assert account is not None
    assert account.password is not None
    assert account.password.reveal() == "hunter2"
    assert "password: '***'" in render(config)
    assert "hunter2" not in render(config) + repr(config) + str(account.password)
    assert (config.trunks[0].host, config.trunks[0].port) == ("192.0.2.10", 5070)


def test_password_comes_from_a_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n", encoding="utf-8")
    account = load_config(write(REGISTER % "password_file: secret"), environ={}).trunks[0].register
    assert account is not None
    assert account.password is not None
    assert account.password.reveal() == "hunter2"


def test_missing_password_is_left_to_check(write: Write) -> None:
    config = load_config(write(REGISTER % "password_env: OFFICE_PASSWORD"), environ={})
    account = config.trunks[0].register
    assert account is not None
    assert account.password is None
    assert "password: (not set)" in render(config)


@pytest.mark.parametrize(
    "wrong",
    ["password: hunter2", "password_env: hunter2!", "password_env: 44444", 'password_file: "hunter2\\0"'],
)
def test_a_password_in_the_wrong_place_is_not_printed(write: Write, wrong: str) -> None:
    found = "\n".join(problems_of(write(REGISTER % wrong)))
    assert "sip.yaml:6: trunks[0].register.password" in found
    assert "hunter2" not in found
    assert "44444" not in found


def test_registrar_with_a_password_is_refused_without_printing_it(write: Write) -> None:
    text = (REGISTER % "password_env: X").replace("sip:pbx", "sip:joe:hunter2@pbx")
    found = only_problem_of(write(text))
    assert "registrar: user and password do not belong here" in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        (
            "[{match: +15550100123, persona: maple}]",
            "expected text, got the number +15550100123; put it in quotes",
        ),
        ('[{match: "*", persona: mapel}]', "numbers[0].persona: no persona 'mapel'; there are: maple"),
        (
            '[{match: "*", persona: maple}, {match: "1", persona: maple}]',
            "is never reached: '*' above matches",
        ),
        ('[{match: "1*", persona: maple}, {match: "12*", persona: maple}]', "is never reached: '1*' above"),
        ('[{match: "1*2", persona: maple}]', "expected a number, a beginning with * behind it, or *"),
    ],
)
def test_refused_number(write: Write, numbers: str, line: str) -> None:
    text = LEAST.replace('[{match: "*", persona: maple}]', numbers)
    assert line in only_problem_of(write(text))


def test_unreadable_entry_does_not_shift_the_blame(write: Write) -> None:
    """Rules that count entries are left out while an entry is missing from the list."""
    numbers = '\n- {match: 1, persona: maple}\n- {match: "*", persona: nobody}'
    found = problems_of(write(LEAST.replace('[{match: "*", persona: maple}]', numbers)))
    assert [problem.partition(" ")[0] for problem in found] == ["sip.yaml:3:"]


def test_number_of_a_broken_persona_is_not_blamed(write: Write) -> None:
    assert "maple.greeting: required" in only_problem_of(write(LEAST.replace("greeting: Hello., ", "")))


@pytest.mark.parametrize(
    ("persona", "line"),
    [
        ("greeting: Hi, prompt_file: nope.md", "prompt_file: cannot read nope.md: No such file"),
        ("greeting: Hi, prompt_file: .", "prompt_file: cannot read "),
        ("greeting: Hi, prompt_file: empty.md", "empty.md is empty"),
        ("greeting: Hi, prompt_file: latin.md", "latin.md is not UTF-8"),
        ("greeting: Hi, prompt_file: long.md", "tokens leave no room for talk"),
        ('greeting: " ", prompt_file: prompt.md', "greeting: is empty"),
        ('greeting: "a\\nb", prompt_file: prompt.md', "greeting: has line breaks"),
        (
            "greeting: Hi, prompt_file: prompt.md, language: english",
            "language: expected a language such as en-US",
        ),
        ("greeting: Hi, prompt_file: prompt.md, max_call_s: 1", "max_call_s: expected 10..14400 s, got 1"),
        ("greeting: Hi, prompt_file: prompt.md, no_input: {prompts: []}", "no_input.prompts: expected 1..5"),
    ],
)
def test_refused_persona(write: Write, tmp_path: Path, persona: str, line: str) -> None:
    (tmp_path / "empty.md").write_text(" \n", encoding="utf-8")
    (tmp_path / "latin.md").write_bytes(b"Gr\xfc\xdfe")
    (tmp_path / "long.md").write_text("word " * 2000, encoding="utf-8")
    text = LEAST.replace("greeting: Hello., prompt_file: prompt.md", persona)
    assert line in only_problem_of(write(text))


def test_aliases_that_save_typing_work(write: Write) -> None:
    text = """\
trunks:
- {name: a, domain: 10.0.0.1, allow_from: &office [10.0.0.0/24]}
- {name: b, domain: 10.0.0.2, allow_from: *office}
numbers: [{match: "*", persona: maple}]
personas: {maple: {greeting: Hello., prompt_file: prompt.md}}
"""
    config = load_config(write(text))
    assert config.trunks[0].allow_from == config.trunks[1].allow_from


def test_what_is_shown_loads_to_the_same(write: Write) -> None:
    config = load_config(ROOT / "sip.yaml")
    assert load_config(write(render(config))) == config
    other = load_config(
        write(LEAST + "listen: {udp: 127.0.0.1:5070, tcp: false}\nllm: {threads: 2, temperature: 0}\n")
    )
    assert load_config(write(render(other))) == other


def test_models_folder(write: Write, tmp_path: Path) -> None:
    assert load_config(write(LEAST + "models_dir: voices\n")).models_dir == tmp_path / "voices"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "catalog.yaml").write_text("{}", encoding="utf-8")
    assert default_models_dir(tmp_path) == tmp_path / "models"
    assert load_config(write(LEAST)).models_dir == tmp_path / "models"


def test_lines_of_a_loaded_file(write: Write) -> None:
    source = load_config(write(LEAST + "llm:\n  threads: 2\n")).source
    assert source.at("llm.threads").endswith("sip.yaml:5: llm.threads")
    assert source.at("llm.model").endswith("sip.yaml:4: llm.model")
    assert source.at("trunks[0].domain").endswith("sip.yaml:1: trunks[0].domain")
    assert source.at("limits.max_calls").endswith("sip.yaml: limits.max_calls")
