"""Section ``llm.openai``: a language model behind an OpenAI-compatible endpoint."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from sipagent.config.addresses import HOST
from sipagent.config.fields import Problem, Secret, from_secret, out_of_range
from sipagent.config.secret import SECRET_KINDS, source_problems

_OWN_NETWORK = re.compile(r"[^.]+|.+\.(?:local|lan|internal|home\.arpa)")
"""Names that only a network of one's own knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiConfig:
    """Section ``llm.openai``: where replies come from with ``engine: openai``."""

    url: str
    """Beginning of the endpoint's addresses, as ``https://llm.example.com/v1``; without TLS only inside a
    network of one's own. Its host joins the egress list."""
    model: str
    """The model's name at the endpoint."""
    api_key_env: str | None = None
    """Environment variable that holds the key."""
    api_key_file: Path | None = None
    """File that holds the key, relative to sip.yaml."""
    api_key_credential: str | None = None
    """systemd credential that holds the key."""
    api_key: Secret | None = field(default=None, metadata=from_secret("api_key"))
    """The key itself; None where the endpoint wants none."""
    ca_file: Path | None = None
    """Certificates (PEM) that the endpoint's is verified by, not by the system's; relative to sip.yaml."""
    connect_ms: int = 1000
    """Time for the connection, TLS included. 100..10000 ms."""
    first_token_ms: int = 2500
    """Time for the first word; past it the local model answers. 200..20000 ms."""
    probe_s: int = 20
    """After a failure the local model answers, until a probe in this pace succeeds. 1..3600 s."""
    local: bool = True
    """Keep the local model (``llm.model``) beside: it steps in, understands callers in flows and tells where
    a sentence cannot be over. False saves its memory; a failure then costs the turn."""
    length_key: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How the endpoint calls the longest reply; some cloud models want the second."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from _url_problems(self.url)
        if not self.model.strip() or not self.model.isprintable():
            yield "model", "expected the model's name at the endpoint"
        if any(getattr(self, f"api_key_{kind}") is not None for kind in SECRET_KINDS):
            yield from source_problems(self, "api_key")
        yield from out_of_range(self, connect_ms=(100, 10000), first_token_ms=(200, 20000), probe_s=(1, 3600))

    @property
    def host(self) -> str:
        """Name or address of the endpoint."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its TCP port."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)


def _url_problems(url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        yield "url", f"is no address: {error}"
        return
    if parts.scheme not in ("http", "https") or not parts.hostname or not HOST.fullmatch(parts.hostname):
        yield "url", f"expected https://host/v1 or http://address/v1, got {_without_user(parts)!r}"
    elif parts.username or parts.query or parts.fragment or port == 0:
        yield "url", "expected no user, no question mark and no port 0; keys belong into api_key_env"
    elif parts.scheme == "http" and not _is_own_network(parts.hostname):
        yield (
            "url",
            f"{parts.hostname} is not in a network of yours: callers' words go there by https only",
        )


def _without_user(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _is_own_network(host: str) -> bool:
    try:
        address = IPv4Address(host)
    except AddressValueError:
        return _OWN_NETWORK.fullmatch(host) is not None
    return address.is_private or address.is_loopback
