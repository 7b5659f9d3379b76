"""Sections ``tools`` and ``messages``: what the program can do for callers besides talking."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sipagent.config.fields import NAME, Problem, Secret, from_key, from_secret, not_sayable, out_of_range
from sipagent.config.json_schema import JsonSchema
from sipagent.config.secret import source_problems

HANG_UP, TRANSFER, SEND_DTMF = "hang_up", "transfer", "send_dtmf"
TAKE_MESSAGE, REMEMBER = "take_message", "remember"
BUILT_IN = (HANG_UP, TRANSFER, SEND_DTMF, TAKE_MESSAGE, REMEMBER)
"""Tools that every installation has."""
TOOL_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
ENTRY_POINT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MOST_RETRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """Section ``http`` of a tool: a request, with the tool's input as JSON, or as the query of a GET."""

    url: str
    """``https://`` or ``http://``; its host joins the egress allow-list. A redirect is a failure."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """GET sends the arguments in the query, the others as JSON."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent besides; nothing secret."""
    token_header: str = "Authorization"
    """Where the token goes; as ``Bearer …`` in ``Authorization``, else as it is."""
    token_env: str | None = None
    """Environment variable that holds a token."""
    token_file: Path | None = None
    """File that holds it, relative to sip.yaml."""
    token_credential: str | None = None
    """systemd credential that holds it (``LoadCredential=`` of the unit)."""
    token: Secret | None = field(default=None, metadata=from_secret("token"))
    """The token itself; None where there is none."""

    @property
    def host(self) -> str:
        """Whom the request goes to."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """… at this port."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        try:
            parts = urlsplit(self.url)
            is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_right = False
        if not is_right or not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            yield "url", f"expected an address such as https://calendar.example.com/book, got {self.url!r}"
        elif parts.username or parts.password:
            yield "url", "secrets do not stand in this file; use token_env, token_file or token_credential"
        for name, text in {**self.headers, self.token_header: ""}.items():
            if not _HEADER.fullmatch(name) or not text.isprintable() or not text.isascii():
                yield "headers", f"{name!r}: expected a header's name and printable ASCII text"
        if any((self.token_env, self.token_file, self.token_credential)):
            yield from source_problems(self, "token")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolConfig:
    """Entry of ``tools``: a tool of the operator's own."""

    name: str = field(default="", metadata=from_key())
    """Its key under ``tools``."""
    description: str
    """What it does, for those who read the file."""
    python: str = ""
    """``package.module:function``, found from ``tools_dir``; runs in a process of its own."""
    command: tuple[str, ...] = ()
    """Program and arguments, run without a shell: JSON on standard input, JSON on standard output."""
    http: HttpConfig | None = None
    """A request over HTTP."""
    arguments: JsonSchema = field(default_factory=lambda: JsonSchema({"type": "object"}))
    """JSON Schema of what it is given."""
    result: JsonSchema = field(default_factory=lambda: JsonSchema({"type": "object"}))
    """JSON Schema of what it returns: an object, whose ``status`` (``ok`` where it has none) leads a flow."""
    timeout_ms: int = 3000
    """Time for it, retries and all; then it is killed and has failed. 100..20000 ms."""
    filler: str = ""
    """Said while it runs, once the caller has waited; empty: the persona's ``one_moment``."""
    on_failure: str = "I'm sorry, that isn't possible right now."
    """Said when it fails, where the flow says nothing itself."""
    idempotent: bool = False
    """True: doing it twice does no more than doing it once, so it may be tried again."""
    retries: int = 0
    """How often it is tried again after a failure, within ``timeout_ms``. 0..3, with ``idempotent`` only."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if not TOOL_NAME.fullmatch(self.name):
            yield "description", f"{self.name!r}: expected a name of lower-case letters, digits and _"
        if self.name in BUILT_IN:
            yield "description", f"{self.name} is a tool that every installation has; choose another name"
        if sum(map(bool, (self.python, self.command, self.http))) != 1:
            yield "python", "give one of python, command, http"
        if self.python and not ENTRY_POINT.fullmatch(self.python):
            yield "python", f"expected package.module:function, got {self.python!r}"
        if self.command and not self.command[0].strip():
            yield "command", "expected a program and its arguments, as in [/usr/local/bin/book, --json]"
        yield from out_of_range(self, timeout_ms=(100, 20_000), retries=(0, _MOST_RETRIES))
        if self.retries and not self.idempotent:
            yield "retries", "needs idempotent: true: it might be done twice"
        yield from not_sayable(self, "on_failure", *(["filler"] if self.filler else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesConfig:
    """Section ``messages``: what callers leave with ``take_message``."""

    dir: Path = Path("messages")
    """Folder that keeps them until they are delivered, one JSON file each, relative to sip.yaml."""
    command: tuple[str, ...] = ()
    """Program that delivers one, JSON on standard input; status 0: it is delivered. Empty: they wait for
    ``sipagent messages``."""
    keep_days: Literal["forever"] | int = 30
    """Days after which a message that nobody took is deleted. 1..36500."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, keep_days=(1, 36500))
        if self.command and not self.command[0].strip():
            yield "command", "expected a program and its arguments, as in [/usr/local/bin/mail-it]"


def tool_list_problems(names: tuple[str, ...]) -> Iterator[Problem]:
    """Yield (field, problem) of a persona's ``tools``."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield "tools", f"{name!r} appears twice"
        elif not NAME.fullmatch(name):
            yield "tools", f"expected names of tools, got {name!r}"
