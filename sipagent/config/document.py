"""YAML text → nodes that know their line. Bounded: size, depth, and what aliases expand to."""

from itertools import chain
from pathlib import Path

import yaml

from sipagent.errors import ConfigError

LARGEST_FILE_BYTES = 1_000_000
MOST_NODES = 20_000
"""After aliases are expanded: an honest file of a hundred personas stays far below."""
DEEPEST = 30


def compose_file(path: Path) -> yaml.MappingNode:
    """Read and parse one file; its values stay uninterpreted.

    :raises ConfigError: unreadable, not UTF-8, not YAML, not a mapping, or too large once expanded.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as exc:
        hint = "; give its path with -c" if isinstance(exc, FileNotFoundError) else ""
        raise ConfigError([f"{path}: cannot be read: {exc.strerror or exc}{hint}"]) from exc
    if len(data) > LARGEST_FILE_BYTES:
        raise ConfigError([f"{path}: larger than {LARGEST_FILE_BYTES} bytes; is this the right file?"])
    return compose_text(_decoded(data, path), path)


def compose_text(text: str, path: Path) -> yaml.MappingNode:
    """The same for text at hand; ``path`` is for the messages."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError([f"{path}:{line}: not valid YAML: {exc.problem or exc.context}"]) from None
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise ConfigError([f"{path}:{line}: not valid YAML: a control character; delete it"]) from None
    except (ValueError, OverflowError):  # PyYAML 6: an escape such as "\UFFFFFFFF" reaches chr()
        raise ConfigError([f"{path}: not valid YAML: an escape sequence that is no character"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: nested deeper than {DEEPEST} levels"]) from None
    if node is None:
        raise ConfigError([f"{path}: is empty; start from the example sip.yaml"])
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError([f"{path}:{node.start_mark.line + 1}: expected sections such as listen:"])
    _bound(node, path)
    return node


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError([f"{path}:{line}: not UTF-8; save the file as UTF-8"]) from None


def _bound(root: yaml.Node, path: Path) -> None:
    """Count nodes as the walker would meet them; aliases can hide 2^n of them, or a circle."""
    sizes: dict[int, int] = {}

    def size_of(node: yaml.Node, depth: int) -> int:
        if depth > DEEPEST:
            line = node.start_mark.line + 1
            raise ConfigError([f"{path}:{line}: nested deeper than {DEEPEST} levels, or inside itself"])
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) not in sizes:
            children = node.value if isinstance(node, yaml.SequenceNode) else chain.from_iterable(node.value)
            sizes[id(node)] = 1 + sum(size_of(child, depth + 1) for child in children)
        return sizes[id(node)]

    if size_of(root, 0) > MOST_NODES:
        raise ConfigError([f"{path}: more than {MOST_NODES} values once its aliases are expanded"])
