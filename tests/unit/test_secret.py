"""Secrets: where they come from, and that programs started from here do not get them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.typing import EventDict, WrappedLogger

from sipagent import logs
from sipagent.config import secret
from sipagent.config.fields import Secret
from sipagent.config.network import RegisterConfig

pytestmark = pytest.mark.unit

WORD = "hunter2-planted"


@pytest.fixture
def nothing_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "_taken", {})


def account(**keys: str) -> RegisterConfig:
    return RegisterConfig(registrar="sip:pbx.example.com", username="100", **keys)  # type: ignore[arg-type]


def test_a_systemd_credential(tmp_path: Path) -> None:
    (tmp_path / "office").write_text(f"{WORD}\n")
    here = {secret.CREDENTIALS_VARIABLE: str(tmp_path)}
    found = secret.read_secret({"password_credential": "office"}, "password", here)
    assert found is not None
    assert found.reveal() == WORD
    assert secret.read_secret({"password_credential": "other"}, "password", here) is None
    assert secret.read_secret({"password_credential": "office"}, "password", {}) is None


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "give one of password_env, password_file, password_credential"),
        ({"password_env": "A", "password_credential": "b"}, "give one of"),
        ({"password_env": "no name!"}, "expected the name of an environment variable"),
        ({"password_credential": "../shadow"}, "expected the name of a systemd credential"),
    ],
)
def test_keys_that_name_no_source(keys: dict[str, str], problem: str) -> None:
    ((_, text),) = list(account(**keys).check_password())
    assert problem in text
    assert "no name!" not in text
    assert "shadow" not in text


def test_a_credential_that_is_missing_names_the_line_of_the_unit() -> None:
    ((key, text, is_fatal),) = list(secret.missing_secrets(account(password_credential="office"), "register"))
    assert (key, is_fatal) == ("register.password_credential", True)
    assert "LoadCredential=office:" in text


def test_what_this_process_took_its_programs_do_not_get(
    monkeypatch: pytest.MonkeyPatch, nothing_taken: None
) -> None:
    monkeypatch.setenv("OFFICE_PASSWORD", WORD)
    section = account(password_env="OFFICE_PASSWORD")
    secret.take_from_environment(section)
    assert "OFFICE_PASSWORD" not in os.environ
    assert WORD not in subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
    again = secret.read_secret({"password_env": "OFFICE_PASSWORD"}, "password", os.environ)
    assert again is not None
    assert again.reveal() == WORD


def test_a_worker_gets_it_through_a_descriptor(monkeypatch: pytest.MonkeyPatch, nothing_taken: None) -> None:
    monkeypatch.setenv("OFFICE_PASSWORD", WORD)
    secret.take_from_environment(account(password_env="OFFICE_PASSWORD"))
    fd, variable = secret.hand_over()
    program = (
        "import os; from sipagent.config import secret; secret.receive(); "
        "print(secret.read_secret({'password_env': 'OFFICE_PASSWORD'}, 'password', os.environ).reveal(), "
        "open('/proc/self/environ').read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        pass_fds=[fd],
        env={**os.environ, **variable},
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(fd)
    assert done.stdout.startswith(f"{WORD} ")
    assert done.stdout.count(WORD) == 1


@pytest.fixture
def own_log() -> Iterator[None]:
    """The log may be set up for the length of a test."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("own_log")
@pytest.mark.parametrize("format_", ["console", "json"])
def test_a_traceback_shows_no_values(format_: logs.Format, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(format_=format_)
    password = Secret(WORD)
    try:
        revealed = password.reveal()
        raise RuntimeError(f"a fault beside {len(revealed)} letters")
    except RuntimeError:
        logs.get_log().exception("call.failed")
    written = capsys.readouterr().err
    assert "a fault beside" in written
    assert WORD not in written


@pytest.mark.usefixtures("own_log")
def test_observers_see_what_the_log_does_not_show(capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    def observe(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        seen.append(event["event"])
        return event

    logs.configure(format_="json", level="error", observers=[observe])
    log = logs.get_log()
    log.debug("turn.acted")
    log.info("call.started")
    log.error("call.failed")
    assert seen == ["call.started", "call.failed"]
    assert capsys.readouterr().err.count("\n") == 1
