"""The sections themselves: routing, names, units, and that the documentation knows every key."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from sipagent.config.fields import DERIVED, HostPort, PortRange, Secret
from sipagent.config.schema import (
    Config,
    NumberConfig,
    PersonaConfig,
    TrunkConfig,
    persona_for,
    trunk_for,
)

pytestmark = pytest.mark.unit

DOCS = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def persona(name: str) -> PersonaConfig:
    return PersonaConfig(name=name, greeting="Hello.", prompt_file=Path("prompt.md"))


def sections(cls: type = Config, key: str = "") -> Iterator[tuple[str, type]]:
    """Every section with its key: ``trunks[].register``, ``personas.*.no_input``."""
    yield key, cls
    for spec in fields(cls):
        hint = get_type_hints(cls)[spec.name]
        name = f"{key}.{spec.name}" if key else spec.name
        mark = {tuple: "[]", dict: ".*"}.get(get_origin(hint), "")
        for kind in (hint, *get_args(hint)):
            is_section = is_dataclass(kind) and isinstance(kind, type) and not hasattr(kind, "parse")
            if is_section and DERIVED not in spec.metadata:
                yield from sections(kind, name + mark)


def keys(cls: type) -> list["Field[Any]"]:
    return [spec for spec in fields(cls) if DERIVED not in spec.metadata]


def tables() -> dict[str, str]:
    """Key of the section (``Top level`` for the first) → its part of the page."""
    found = {}
    for part in re.split(r"^## ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        found[heading.split("`")[1] if "`" in heading else heading] = part
    return found


def documented() -> dict[str, set[str]]:
    """Section → keys in the first column of its table."""
    return {k: set(re.findall(r"^\| `([^`]+)` \|", part, flags=re.MULTILINE)) for k, part in tables().items()}


@pytest.mark.parametrize(("key", "cls"), list(sections()), ids=lambda value: str(value))
def test_documentation_has_every_key_and_no_other(key: str, cls: type) -> None:
    table = documented().get(key or "Top level")
    assert table is not None, f"docs/configuration.md has no heading for {key}"
    assert table == {spec.name for spec in keys(cls)}


def test_documentation_has_no_section_of_old() -> None:
    with_keys = {name for name, table in documented().items() if table}
    assert with_keys == {key or "Top level" for key, _ in sections()}


def test_documented_defaults_are_the_real_ones() -> None:
    parts = tables()
    checked = 0
    for key, cls in sections():
        for spec in keys(cls):
            if isinstance(spec.default, bool | int | float | str):
                shown = str(spec.default).lower() if isinstance(spec.default, bool) else str(spec.default)
                row = re.search(
                    rf"^\| `{spec.name}` \| `([^`]*)` \|", parts[key or "Top level"], re.MULTILINE
                )
                assert row is not None, f"{key}.{spec.name}"
                assert row[1] == shown, f"{key}.{spec.name}"
                checked += 1
    assert checked > 20


def test_every_key_has_a_docstring_and_every_number_a_unit() -> None:
    bare = {"temperature", "threads", "max_calls", "calls_per_second", "sure", "doubt", "latest", "failures"}
    bare |= {"weight", "cps", "calls_per_day", "spend_per_day", "per_minute"}
    bare |= {"lines_kept_free", "calls_per_number"}
    bare |= {"workers", "crash_reports", "retries", "after"}
    for key, cls in sections():
        for name, (annotation, has_docstring) in fields_in_source(cls).items():
            assert has_docstring, f"{key}.{name} has no docstring"
            if name not in bare and {"int", "float"} & set(re.findall(r"\w+", annotation)):
                assert re.search(r"_(ms|s|days|hz|tokens|bytes|mib|entries)$", name), (
                    f"{key}.{name} has no unit"
                )


def fields_in_source(cls: type) -> dict[str, tuple[str, bool]]:
    """Field → (annotation, whether a docstring follows), read from the module's text."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            found[node.target.id] = (ast.unparse(node.annotation), is_text)
    return found


def test_first_match_wins() -> None:
    config = Config(
        personas={name: persona(name) for name in ("front", "area", "rest")},
        numbers=(
            NumberConfig(match="+15550100123", persona="front"),
            NumberConfig(match="+1555*", persona="area"),
            NumberConfig(match="*", persona="rest"),
        ),
    )
    for dialled, name in (("+15550100123", "front"), ("+15550100124", "area"), ("100", "rest"), ("", "rest")):
        found = persona_for(config, dialled)
        assert found is not None
        assert found.name == name, dialled


def test_a_number_nobody_answers() -> None:
    config = Config(personas={"a": persona("a")}, numbers=(NumberConfig(match="1*", persona="a"),))
    assert persona_for(config, "2") is None
    assert persona_for(Config(), "2") is None


def test_calls_come_only_from_a_trunk() -> None:
    lab = TrunkConfig(name="lab", domain="127.0.0.1:5070")
    config = Config(trunks=(TrunkConfig(name="pbx", domain="pbx.example.com"), lab))
    assert trunk_for(config, "127.0.0.1") is lab
    for stranger in ("127.0.0.2", "10.0.0.1", "", "localhost", "127.0.0.1:5060", "::1"):
        assert trunk_for(config, stranger) is None, stranger


def test_host_and_port() -> None:
    assert HostPort.parse("10.0.0.1:5060") == HostPort("10.0.0.1", 5060)
    assert str(HostPort.parse("0.0.0.0:0")) == "0.0.0.0:0"
    for wrong in (
        "",
        ":",
        "5060",
        "localhost:5060",
        "1.2.3.4:",
        "1.2.3.4:-1",
        "1.2.3.4:65536",
        "::1:5060",
        "1:٣",
    ):
        with pytest.raises(ValueError, match=r"port|address|dash"):
            HostPort.parse(wrong)


def test_port_range() -> None:
    ports = PortRange.parse("20000 - 20003")
    assert len(ports) == 4
    assert 20003 in ports
    assert 20004 not in ports
    for wrong in ("", "20000", "a-b", "0-5", "1-65536", "-5-3"):
        with pytest.raises(ValueError, match=r"port|address|dash"):
            PortRange.parse(wrong)


def test_secret_does_not_print() -> None:
    secret = Secret("hunter2")
    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    assert secret.reveal() == "hunter2"
