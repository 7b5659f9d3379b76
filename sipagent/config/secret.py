"""Where passwords come from: a variable, a file or a systemd credential. Never ``sip.yaml`` itself.

A section with a password inherits from ``PasswordSource``; another secret, such as a token, takes
``from_secret("token")`` with fields ``token_env``, ``token_file`` and ``token_credential`` of its own.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from sipagent.config.fields import DERIVED, NAME, Problem, Secret, from_secret

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Set by systemd for units with ``LoadCredential=``."""
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECRET_KINDS = ("env", "file", "credential")
_HANDOVER_VARIABLE = "SIPAGENT_SECRETS_FD"
_LONGEST_SECRET_BYTES = 4096

_taken: dict[str, str] = {}
"""Variables that ``take_from_environment`` has removed from the process's environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordSource:
    """Keys of a section that has a password: one of the three."""

    password_env: str | None = None
    """Environment variable that holds the password."""
    password_file: Path | None = None
    """File that holds the password, relative to sip.yaml."""
    password_credential: str | None = None
    """systemd credential that holds the password (``LoadCredential=`` of the unit)."""
    password: Secret | None = field(default=None, metadata=from_secret("password"))
    """The password itself; None where it is missing (``sipagent check`` tells)."""

    def check_password(self) -> Iterator[Problem]:
        """Yield (field, problem): not exactly one source, or a name that cannot be one."""
        yield from source_problems(self, "password")


def source_problems(section: object, stem: str) -> Iterator[Problem]:
    """Yield (field, problem) of one secret's keys; what they hold is never shown."""
    values = {kind: getattr(section, f"{stem}_{kind}") for kind in SECRET_KINDS}
    if sum(value is not None for value in values.values()) != 1:
        yield f"{stem}_env", f"give one of {', '.join(f'{stem}_{kind}' for kind in SECRET_KINDS)}"
    if values["env"] is not None and not ENV_NAME.fullmatch(values["env"]):
        yield f"{stem}_env", f"expected the name of an environment variable, not the {stem} itself"
    if values["credential"] is not None and not NAME.fullmatch(values["credential"]):
        yield f"{stem}_credential", f"expected the name of a systemd credential, not the {stem} itself"


def read_secret(values: Mapping[str, Any], stem: str, environ: Mapping[str, str]) -> Secret | None:
    """The secret that a section's keys name, or None where it is not to be had.

    :param values: the section's keys.
    """
    if variable := values.get(f"{stem}_env"):
        text = environ.get(variable) or _taken.get(variable, "")
        return Secret(text) if text else None
    if name := values.get(f"{stem}_credential"):
        folder = environ.get(CREDENTIALS_VARIABLE)
        path = Path(folder) / name if folder else None
    else:
        path = values.get(f"{stem}_file")
    text = "" if path is None else _text_of(path)
    return Secret(text) if text else None


def _text_of(path: Path) -> str:
    """One line of text, its line break left out; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_SECRET_BYTES).decode("utf-8-sig").strip("\r\n")
    except (OSError, UnicodeDecodeError):
        return ""


def missing_secrets(section: object, key: str = "") -> Iterator[tuple[str, str, bool]]:
    """Yield (key, problem, whether it is fatal) for every secret below a section that is not to be had, or
    that others may read.
    """
    for name, value in _children(section, key):
        yield from missing_secrets(value, name)
    for name, stem in _secrets_of(section):
        value = getattr(section, name)
        if variable := getattr(section, f"{stem}_env"):
            if value is None:
                yield f"{key}.{stem}_env", f"environment variable {variable} is not set", True
        elif credential := getattr(section, f"{stem}_credential", None):
            if value is None:
                remedy = f"add LoadCredential={credential}:/path/of/the/file to the unit"
                problem = f"no systemd credential {credential!r} here; {remedy}, or run as that unit"
                yield f"{key}.{stem}_credential", problem, True
        elif path := getattr(section, f"{stem}_file"):
            if value is None:
                yield f"{key}.{stem}_file", f"{path} cannot be read or is empty", True
            elif stat.S_IMODE(path.stat().st_mode) & 0o077:
                yield f"{key}.{stem}_file", f"others may read the {stem}; run: chmod 600 {path}", False


def take_from_environment(section: object) -> None:
    """Move the variables that hold secrets out of this process's environment, so that no program it starts
    gets them. This process still finds them when it loads its configuration again; a child of its own that
    shall, too, is started with ``hand_over()``.
    """
    for variable in _variables(section):
        if variable in os.environ:
            _taken[variable] = os.environ.pop(variable)


def hand_over() -> tuple[int, dict[str, str]]:
    """For starting another process of this program: a descriptor for ``pass_fds`` that holds the variables
    that were taken, and the variable that names it. The caller closes it when the child has started.
    """
    fd = os.memfd_create("secrets")
    os.write(fd, json.dumps(_taken).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd, {_HANDOVER_VARIABLE: str(fd)}


def receive() -> None:
    """In a process started with ``hand_over()``: take what is handed over. Elsewhere nothing happens."""
    number = os.environ.pop(_HANDOVER_VARIABLE, "")
    if number:
        with os.fdopen(int(number), "rb") as file:
            _taken.update(json.loads(file.read()))


def _variables(section: object) -> Iterator[str]:
    for _, value in _children(section, ""):
        yield from _variables(value)
    for _, stem in _secrets_of(section):
        if variable := getattr(section, f"{stem}_env"):
            yield variable


def _secrets_of(section: object) -> Iterator[tuple[str, str]]:
    """(field that holds the secret, beginning of the keys that name its source)."""
    for spec in fields(section) if is_dataclass(section) else ():
        if spec.metadata.get(DERIVED) == "secret":
            yield spec.name, spec.metadata["stem"]


def _children(section: object, key: str) -> Iterator[tuple[str, object]]:
    """The sections right below one, with their keys."""
    if not is_dataclass(section):
        return
    for spec in fields(section):
        value, name = getattr(section, spec.name), f"{key}.{spec.name}" if key else spec.name
        if isinstance(value, tuple):
            yield from ((f"{name}[{index}]", child) for index, child in enumerate(value))
        elif isinstance(value, dict):
            yield from ((f"{name}.{child_name}", child) for child_name, child in value.items())
        else:
            yield name, value
