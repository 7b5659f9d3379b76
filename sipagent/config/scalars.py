"""YAML scalars → Python values, strictly: a number is no text, ``yes`` is no number."""

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import yaml

STR, NULL, BOOL, INT, FLOAT = (
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "null", "bool", "int", "float")
)
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
DECIMAL = re.compile(r"[-+]?[0-9]{1,18}(\.[0-9]{0,18})?([eE][-+]?[0-9]{1,2})?|[-+]?\.[0-9]{1,18}")
SECRETIVE = re.compile(r"password|secret|token_")
SHOWN_CHARS = 60


def shown(text: str) -> str:
    """``text`` for a message: one line, printable, not endless."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"


def found(node: yaml.Node, key: str) -> str:
    """What stands there, for ``expected …, got …``."""
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if isinstance(node, yaml.MappingNode):
        return "a section"
    if node.tag == NULL:
        return "nothing"
    if SECRETIVE.search(key):
        return "something else (not shown here)"
    text = shown(node.value)
    kinds = {BOOL: f"the yes/no value {text}", INT: f"the number {text}", FLOAT: f"the number {text}"}
    return kinds.get(node.tag, f"'{text}'")


def read_bool(node: yaml.ScalarNode) -> bool:
    """:raises ValueError: not a plain true or false."""
    if node.tag != BOOL:
        raise ValueError
    return node.value.lower() in ("true", "yes", "on")


def read_int(node: yaml.ScalarNode) -> int:
    """:raises ValueError: not a plain whole number without leading zeros."""
    if node.tag != INT or not WHOLE.fullmatch(node.value):
        raise ValueError
    return int(node.value)


def read_float(node: yaml.ScalarNode) -> float:
    """:raises ValueError: not a plain decimal number."""
    if node.style is not None or not DECIMAL.fullmatch(node.value):
        raise ValueError
    return float(node.value)


def read_str(node: yaml.ScalarNode) -> str:
    """:raises ValueError: not text; for a plain number or yes/no with the remedy."""
    if node.tag != STR:
        raise ValueError("" if node.tag == NULL else "put it in quotes")
    return str(node.value)


def read_path(node: yaml.ScalarNode) -> Path:
    """:raises ValueError: not text, empty, or unprintable."""
    text = read_str(node)
    if not text.strip() or not text.isprintable():
        raise ValueError
    return Path(text).expanduser()


def _read_address(node: yaml.ScalarNode) -> IPv4Address:
    try:
        return IPv4Address(read_str(node))
    except AddressValueError:
        raise ValueError from None


def _read_network(node: yaml.ScalarNode) -> IPv4Network:
    text = read_str(node)
    try:
        return IPv4Network(text)
    except ValueError:
        pass
    try:
        loose = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError from None
    raise ValueError(f"did you mean {loose}?")


READERS: dict[Any, tuple[Callable[[yaml.ScalarNode], Any], str]] = {
    bool: (read_bool, "true or false"),
    int: (read_int, "a whole number"),
    float: (read_float, "a number"),
    str: (read_str, "text"),
    Path: (read_path, "a file path"),
    IPv4Address: (_read_address, "an IPv4 address"),
    IPv4Network: (_read_network, "a network, as in 203.0.113.0/24"),
}
"""Type of a field → (reader that raises ValueError with a remedy or nothing, what it expects)."""
