"""``sipagent check``: what it prints, where, and how it leaves."""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipagent.cli import check
from sipagent.cli.check_models import Finding
from sipagent.config.load import load_config
from sipagent.config.schema import Config

pytestmark = pytest.mark.unit

TEXT = """\
trunks:
- name: office
  domain: 192.0.2.10
  register: {registrar: "sip:192.0.2.10", username: "100", password_%s}
numbers: [{match: "*", persona: maple}]
personas: {maple: {greeting: Hello., prompt_file: prompt.md}}
"""
Write = Callable[[str], Path]
Findings = Callable[..., Iterator[Finding]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "prompt.md").write_text("You answer the phone.\n", encoding="utf-8")

    def write_text(text: str) -> Path:
        path = tmp_path / "sip.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces what would look at this machine by the findings given."""

    def put(*findings: Finding) -> None:
        monkeypatch.setattr(check, "environment_findings", lambda config, *, is_thorough: iter(findings))

    return put


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    check.register(parser.add_subparsers())
    args = parser.parse_args(["check", *argv])
    status = args.run(args)
    assert isinstance(status, int)
    return status


def test_ready(write: Write, machine: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(TEXT % "env: HOME")
    machine(Finding("cores", "1 for this process", is_fatal=False))
    assert run("-c", str(path)) == 0
    out, err = capsys.readouterr()
    assert out == (
        f"ok: {path} is right and this machine is ready: "
        "udp 0.0.0.0:5060, tcp 0.0.0.0:5060, 1 trunk, 1 number, 1 persona\n"
    )
    assert err == "note: cores: 1 for this process\n"


def test_wrong_file_leaves_with_78(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(TEXT % "env: HOME" + "speech: {turn: {pause_sm: 1}}\n")
    assert run("-c", str(path)) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"{path}:7: speech.turn.pause_sm: unknown key; did you mean pause_ms?\n"


def test_wrong_machine_leaves_with_78(
    write: Write, machine: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(TEXT % "env: HOME")
    machine(Finding("trunks[0].domain", "is down"), Finding("pjsua2", "is not installed"))
    assert run("-c", str(path)) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"{path}:3: trunks[0].domain: is down\npjsua2: is not installed\n"


def test_json_is_one_object_a_line(
    write: Write, machine: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(TEXT % "env: HOME")
    machine(Finding("cores", "few", is_fatal=False), Finding("memory", "little"))
    assert run("-c", str(path), "--json") == 78
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [
        {"note": "cores: few"},
        {"problem": "memory: little"},
    ]
    assert err == ""
    machine()
    assert run("-c", str(path), "--json", "--show") == 0
    shown, ready = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown["config"].startswith("instance: sipagent\n")
    assert ready["ok"].startswith(str(path))


def test_show_prints_what_is_in_force_without_secrets(
    write: Write,
    machine: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OFFICE_PASSWORD", "hunter2")
    machine()
    assert run("-c", str(write(TEXT % "env: OFFICE_PASSWORD")), "--show") == 0
    out, err = capsys.readouterr()
    assert "pause_ms: 64" in out
    assert "password: '***'" in out
    assert "hunter2" not in out + err


def test_output_folder_is_checked_on_demand(
    write: Write, machine: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine()
    path = write(TEXT % "env: HOME")
    assert run("-c", str(path), "--output", str(path / "below-a-file")) == 78
    assert "--output: " in capsys.readouterr().err
    assert run("-c", str(path), "--output", str(tmp_path / "out")) == 0


def secrets_of(config: Config) -> list[tuple[str, bool]]:
    return [(check._line(config, one), one.is_fatal) for one in check._secrets(config)]


def test_password_that_is_not_there(write: Write, tmp_path: Path) -> None:
    path = write(TEXT % "env: NOT_SET_HERE")
    expected = "4: trunks[0].register.password_env: environment variable NOT_SET_HERE is not set"
    assert secrets_of(load_config(path, environ={})) == [(f"{path}:{expected}", True)]
    path = write(TEXT % "file: nowhere")
    ((line, is_fatal),) = secrets_of(load_config(path, environ={}))
    assert line.endswith(f"{tmp_path / 'nowhere'} cannot be read or is empty")
    assert is_fatal


def test_password_that_others_can_read_is_worth_a_note(write: Write, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    path = write(TEXT % "file: secret")
    ((line, is_fatal),) = secrets_of(load_config(path, environ={}))
    assert line.endswith(f"others may read the password; run: chmod 600 {secret}")
    assert not is_fatal
    secret.chmod(0o600)
    assert secrets_of(load_config(path, environ={})) == []
