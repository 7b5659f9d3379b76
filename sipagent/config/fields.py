"""Kinds of values that sections of ``sip.yaml`` are made of, and the helpers of their ``check()``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Self

Problem = tuple[str, str]
"""(field of the section, what is wrong with it)."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""Names that go into logs, file names and SIP headers."""
UNITS = {"_ms": " ms", "_s": " s", "_tokens": " tokens"}
DERIVED = "derived"
"""Metadata key of fields that are no keys of the file: the loader fills them."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """An IPv4 address to listen on and its port, written ``0.0.0.0:5060``. Port 0: any free one."""

    host: str
    port: int

    expects = "address:port, as in 0.0.0.0:5060"

    @classmethod
    def parse(cls, text: str) -> Self:
        """:raises ValueError: what is wrong with ``text``."""
        host, colon, port = text.rpartition(":")
        if not colon:
            raise ValueError("the port is missing")
        if "[" in host or ":" in host:
            raise ValueError("IPv6 is not supported; give an IPv4 address")
        try:
            IPv4Address(host)
        except AddressValueError:
            raise ValueError(f"{host!r} is not an IPv4 address") from None
        return cls(host, parse_port(port, lowest=0))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """UDP ports, both ends included, written ``20000-20199``."""

    first: int
    last: int

    expects = "first-last, as in 20000-20199"

    @classmethod
    def parse(cls, text: str) -> Self:
        """:raises ValueError: what is wrong with ``text``."""
        first, dash, last = text.partition("-")
        if not dash:
            raise ValueError("the dash between first and last port is missing")
        return cls(parse_port(first.strip()), parse_port(last.strip()))

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __len__(self) -> int:
        return max(0, self.last - self.first + 1)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A password or token. Prints as ``***``; ``reveal()`` is called where it is handed over."""

    _text: str

    def reveal(self) -> str:
        """The text itself: never log it."""
        return self._text

    def __repr__(self) -> str:
        return "***"


def parse_port(text: str, *, lowest: int = 1) -> int:
    """:raises ValueError: not a port number in ``lowest..65535``."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not lowest <= int(text) <= 65535:
        raise ValueError(f"port {text!r} is not in {lowest}..65535")
    return int(text)


def out_of_range(section: object, **bounds: tuple[float, float]) -> Iterator[Problem]:
    """Yield a problem for each named number outside its (lowest, highest). Words such as auto pass."""
    for name, (lowest, highest) in bounds.items():
        value = getattr(section, name)
        if not isinstance(value, str) and not lowest <= value <= highest:
            unit = next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")
            yield name, f"expected {lowest}..{highest}{unit}, got {value}"


def not_sayable(section: object, *names: str) -> Iterator[Problem]:
    """Yield a problem for each named text that is blank or has control characters."""
    for name in names:
        text = getattr(section, name)
        if not text.strip():
            yield name, "is empty; write the sentence that the caller shall hear"
        elif not text.isprintable():
            yield name, "has line breaks or control characters; write it on one line"


def not_a_name(section: object, *names: str) -> Iterator[Problem]:
    """Yield a problem for each named text that cannot serve as a name in logs and headers."""
    for name in names:
        text = getattr(section, name)
        if not NAME.fullmatch(text):
            yield name, f"expected letters, digits, '.', '_', '-' (1..63 of them), got {text!r}"


def from_key() -> dict[str, str]:
    """Metadata of a field that holds the key under which its section stands in a mapping."""
    return {DERIVED: "key"}


def from_file(path_field: str) -> dict[str, str]:
    """Metadata of a field that holds the text of the file that ``path_field`` names."""
    return {DERIVED: "file", "path_field": path_field}


def from_secret(stem: str) -> dict[str, str]:
    """Metadata of a ``Secret | None`` read from the variable ``<stem>_env`` or the file ``<stem>_file``."""
    return {DERIVED: "secret", "stem": stem}
