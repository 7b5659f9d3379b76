"""Nodes → dataclasses, following the fields' types. Collects every problem instead of stopping at one.

node ── type of the field ──▶ section | mapping | list | choice | scalar
                                 └─ unknown, double and missing keys, then values, then ``check()``
"""

import difflib
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from sipagent.config.fields import DERIVED, Problem
from sipagent.config.scalars import BOOL, NULL, READERS, STR, found, read_bool, read_str, shown
from sipagent.config.secret import read_secret
from sipagent.config.source import SourceMap

LARGEST_TEXT_BYTES = 100_000
"""Of a prompt."""


class Unusable(Exception):
    """A value could not be read; the problem has been noted."""


@dataclass(slots=True)
class Walker:
    """One pass over one file."""

    path: str
    """As in messages."""
    base_dir: Path
    """Relative paths in the file start here."""
    environ: Mapping[str, str]
    lines: dict[str, int] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Key → what is wrong with it."""
    unreadable: set[str] = field(default_factory=set)
    """Keys whose value is missing in what the walk returns, so that rules about it would mislead."""

    @property
    def source(self) -> SourceMap:
        """Where the keys stand that were met so far."""
        return SourceMap(self.path, self.lines)

    def note(self, key: str, text: str) -> None:
        """Remember a problem."""
        self.problems.setdefault(key, []).append(text)

    def report(self) -> list[str]:
        """All problems, in the order of the file, each as ``sip.yaml:5: key: problem``."""
        keys = sorted(self.problems, key=self.source.line_of)
        return [f"{self.source.at(key)}: {text}" for key in keys for text in self.problems[key]]

    def note_checked(self, found_problems: Iterable[Problem], prefix: str = "") -> None:
        """Note what rules found, except about values that were unreadable in the first place."""
        known = tuple(self.problems)
        for name, text in found_problems:
            key = _join(prefix, name)
            is_blamed = any(k == key or k.startswith((f"{key}.", f"{key}[")) for k in known)
            if not is_blamed and text not in self.problems.get(key, ()):
                self.note(key, text)

    def is_readable(self, section: str) -> bool:
        """True where every value under this top-level key could be read."""
        return not any(re.match(rf"{section}(\W|$)", key) for key in self.unreadable)

    def section(self, cls: type, node: yaml.Node, key: str) -> Any:
        """:raises Unusable: not a mapping, or a required key is missing or unreadable."""
        if not isinstance(node, yaml.MappingNode):
            raise self._unusable(key, f"expected a section of keys, got {found(node, key)}")
        entries = dict(self._entries(node, key))
        keys = {f.name: f for f in fields(cls) if DERIVED not in f.metadata}
        self._note_unknown(cls, entries, keys, key)
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        is_whole = True
        for name, spec in keys.items():
            if name in entries:
                try:
                    values[name] = self.convert(hints[name], entries[name], _join(key, name))
                    continue
                except Unusable:
                    pass
            elif is_required(spec):
                self._unusable(_join(key, name), "required")
            is_whole = is_whole and not is_required(spec)
        if not is_whole:
            raise Unusable
        if hasattr(cls, "preset_values"):
            values = {**cls.preset_values(values), **values}
        self._derive(cls, values, key)
        section = cls(**values)
        if hasattr(section, "check"):
            self.note_checked(section.check(), key)
        return section

    def convert(self, hint: Any, node: yaml.Node, key: str) -> Any:
        """The node as a value of type ``hint``.

        :raises Unusable: it is not one; noted.
        """
        origin, args = get_origin(hint), get_args(hint)
        if origin in (types.UnionType, Union):
            return self._one_of(hint, args, node, key)
        if is_dataclass(hint) and isinstance(hint, type) and not hasattr(hint, "parse"):
            return self.section(hint, node, key)
        if hasattr(hint, "from_node"):
            return self._own(hint, node, key)
        if origin is tuple:
            return tuple(self._items(args[0], node, key))
        if origin is dict:
            return self._mapping(args[1], node, key)
        return self._scalar(hint, node, key)

    def _own(self, hint: Any, node: yaml.Node, key: str) -> Any:
        """A value that reads its own node."""
        try:
            return hint.from_node(node)
        except ValueError as exc:
            raise self._unusable(key, str(exc)) from None

    def _one_of(self, hint: Any, args: tuple[Any, ...], node: yaml.Node, key: str) -> Any:
        kinds = [arg for arg in args if arg is not types.NoneType]
        if len(kinds) < len(args) and _is_off(node, kinds):
            return None
        words = [arg for arg in kinds if get_origin(arg) is Literal]
        others = [arg for arg in kinds if get_origin(arg) is not Literal]
        for arg in words:
            if isinstance(node, yaml.ScalarNode) and node.tag == STR and node.value in get_args(arg):
                return node.value
        if len(others) == 1 and not words:
            return self.convert(others[0], node, key)
        return self._scalar(others[0] if others else words[0], node, key, expected=describe(hint))

    def _scalar(self, hint: Any, node: yaml.Node, key: str, expected: str = "") -> Any:
        expected = expected or describe(hint)
        if not isinstance(node, yaml.ScalarNode):
            raise self._unusable(key, f"expected {expected}, got {found(node, key)}")
        remedy = ""
        try:
            if get_origin(hint) is Literal:
                return _choice(get_args(hint), node)
            if hasattr(hint, "parse"):
                return hint.parse(read_str(node))
            value = READERS[hint][0](node)
            return self.base_dir / value if isinstance(value, Path) else value
        except ValueError as exc:
            remedy = f"; {exc}" if str(exc) else ""
        raise self._unusable(key, f"expected {expected}, got {found(node, key)}{remedy}")

    def _items(self, hint: Any, node: yaml.Node, key: str) -> Iterator[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._unusable(key, f"expected {describe(tuple[hint, ...])}, got {found(node, key)}")
        for index, child in enumerate(node.value):
            item_key = f"{key}[{index}]"
            self.lines[item_key] = child.start_mark.line + 1
            try:
                yield self.convert(hint, child, item_key)
            except Unusable:
                continue

    def _mapping(self, hint: Any, node: yaml.Node, key: str) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise self._unusable(key, f"expected a section of names, got {found(node, key)}")
        values = {}
        for name, child in self._entries(node, key):
            try:
                values[name] = self.convert(hint, child, _join(key, name))
            except Unusable:
                continue
        return values

    def _entries(self, node: yaml.MappingNode, key: str) -> Iterator[tuple[str, yaml.Node]]:
        """Keys with their values, each key once; its line is kept."""
        seen: dict[str, int] = {}
        for name_node, child in node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self.lines[_join(key, "?")] = line
                self.note(_join(key, "?"), f"expected a name before the colon, got {found(name_node, key)}")
                continue
            name = str(name_node.value)
            full = _join(key, shown(name))
            if name in seen:
                self.note(full, f"appears twice, on lines {seen[name]} and {line}; keep one")
                continue
            seen[name] = self.lines[full] = line
            yield name, child

    def _note_unknown(self, cls: type, entries: Iterable[str], keys: Mapping[str, Any], key: str) -> None:
        secrets = {f.metadata.get("stem") for f in fields(cls)} - {None}
        for name in entries:
            if name in keys:
                continue
            if name in secrets:
                hint = f"secrets do not stand in this file; use {name}_env, {name}_file or {name}_credential"
            elif close := difflib.get_close_matches(name, keys, n=1):
                hint = f"did you mean {close[0]}?"
            else:
                hint = f"known here: {', '.join(keys)}"
            self.note(_join(key, shown(name)), f"unknown key; {hint}")

    def _derive(self, cls: type, values: dict[str, Any], key: str) -> None:
        """Fill the fields that are no keys: the section's own name, texts of files, secrets."""
        for spec in fields(cls):
            match spec.metadata.get(DERIVED):
                case "key":
                    values[spec.name] = key.rpartition(".")[2]
                case "file":
                    path_field = spec.metadata["path_field"]
                    values[spec.name] = self._text_of(values[path_field], _join(key, path_field))
                case "secret":
                    values[spec.name] = read_secret(values, spec.metadata["stem"], self.environ)

    def _text_of(self, path: Path, key: str) -> str:
        try:
            text = read_text(path).strip()
        except OSError as exc:
            self.note(key, f"cannot read {path}: {exc.strerror or exc}")
            return ""
        except ValueError as exc:
            self.note(key, f"{path} {exc}")
            return ""
        if not text:
            self.note(key, f"{path} is empty")
        return text

    def _unusable(self, key: str, text: str) -> Unusable:
        self.note(key, text)
        self.unreadable.add(key)
        return Unusable(key)


def read_text(path: Path) -> str:
    """A small UTF-8 file.

    :raises OSError: it cannot be read.
    :raises ValueError: too long or not UTF-8.
    """
    with path.open("rb") as file:
        data = file.read(LARGEST_TEXT_BYTES + 1)
    if len(data) > LARGEST_TEXT_BYTES:
        raise ValueError(f"is longer than {LARGEST_TEXT_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None


def is_required(spec: "Field[Any]") -> bool:
    """True for a key without a default."""
    return spec.default is MISSING and spec.default_factory is MISSING


def describe(hint: Any) -> str:
    """What a value of this type looks like, for ``expected …``."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(args) if len(args) < 3 else f"one of {', '.join(args)}"
    if origin in (types.UnionType, Union):
        return " or ".join(describe(arg) for arg in args if arg is not types.NoneType)
    if origin is tuple:
        return "a list, as in [a, b]"
    if hasattr(hint, "parse"):
        return str(hint.expects)
    return READERS[hint][1] if hint in READERS else "a section"


def _choice(options: tuple[str, ...], node: yaml.ScalarNode) -> str:
    if node.tag == BOOL and node.value in options:
        return str(node.value)  # YAML 1.1 takes a bare off for a no
    value = read_str(node)
    if value not in options:
        close = difflib.get_close_matches(value, options, n=1)
        raise ValueError(f"did you mean {close[0]}?" if close else "")
    return value


def _is_off(node: yaml.Node, kinds: list[Any]) -> bool:
    """``false`` or nothing, where something may be left out."""
    if not isinstance(node, yaml.ScalarNode):
        return False
    if node.tag == NULL:
        return True
    readers: set[Callable[..., Any]] = {READERS[kind][0] for kind in kinds if kind in READERS}
    try:
        return not readers & {read_bool, read_str} and not read_bool(node)
    except ValueError:
        return False


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
