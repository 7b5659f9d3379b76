"""Imports go one way, and a native library stays in its adapter. Read from the source, nothing is run."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
LAYERS: tuple[tuple[str, ...], ...] = (
    ("__init__", "errors", "units", "codecs"),
    ("config", "modelstore"),
    ("media",),
    ("speech",),
    ("brain",),
    ("flows", "knowledge"),
    ("ledger",),
    ("call",),
    ("tools",),
    ("campaigns",),
    ("sip",),
    ("web", "supervision", "egress"),
    ("engines", "call_parts", "app", "audit", "worker_process", "cli", "lab", "bench", "logs", "__main__"),
)
"""A package may import from its own layer and from those above it, not from below."""
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

ADAPTERS: dict[str, tuple[str, ...]] = {
    "pjsua2": ("sip/*",),
    "_pjsua2": ("sip/*",),
    "llama_cpp": ("brain/llama*",),
    "vosk": ("speech/stt_vosk.py",),
    "ctranslate2": ("speech/stt_whisper.py",),
    "tokenizers": ("speech/stt_whisper.py",),
    "piper": ("speech/tts_piper.py",),
    "hibari": ("speech/tts_hibari.py",),
    "hibari_tts": ("speech/tts_hibari.py",),
    "yaml": ("config/*", "modelstore/*", "lab/*"),
    "phonenumbers": ("flows/slots/phones.py", "campaigns/zones.py"),
    "jsonschema": ("config/json_schema.py",),
    "referencing": ("config/json_schema.py",),
    "sqlite3": ("campaigns/store*.py", "knowledge/index.py"),
}
"""Library → the files that may import it."""
ONE_FILE = ("sounddevice",)
"""Libraries that one file, wherever it is, may import."""
SEVERAL = {"onnxruntime": ("speech/*",)}
"""The runtime of more than one model: each of them one file in these places."""


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    """Path inside the package (``codecs/g711.py``, ``sip/leg.py``) and syntax tree of every module."""
    found = []
    for base, prefix in ((ROOT / "sipagent", ""), (ROOT / "codecs", "codecs/")):
        for path in sorted(base.rglob("*.py")):
            name = prefix + path.relative_to(base).as_posix()
            if prefix or not name.startswith("codecs/"):  # a development tree may link the folder
                found.append((name, ast.parse(path.read_text(encoding="utf-8"), name)))
    return tuple(found)


def imports(tree: ast.Module) -> Iterator[tuple[int, str, int]]:
    """(line, module, level) of every import, those inside functions and under TYPE_CHECKING too.

    ``from sipagent import x`` counts as ``sipagent.x``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "sipagent":
                yield from ((node.lineno, f"sipagent.{alias.name}", node.level) for alias in node.names)
            else:
                yield node.lineno, node.module or "", node.level
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value, 0


def package_of(name: str) -> str:
    """``sip/leg.py`` → ``sip``, ``app.py`` → ``app``."""
    return name.partition("/")[0].removesuffix(".py")


def offences(name: str, tree: ast.Module) -> list[str]:
    """What is wrong with the imports of one module."""
    found = []
    own = package_of(name)
    if own not in RANK:
        return [f"{name}: {own} has no place in the order of layers"]
    for line, module, level in imports(tree):
        top = module.partition(".")[0]
        if level:
            found.append(f"{name}:{line}: relative import")
        elif top == "sipagent":
            target = module.split(".")[1] if "." in module else "__init__"
            target = target if target in RANK or not target.startswith("__") else "__init__"
            if target not in RANK:
                found.append(f"{name}:{line}: {module} has no place in the order of layers")
            elif RANK[target] > RANK[own]:
                found.append(f"{name}:{line}: {own} must not import {module}: it stands below")
            elif own == "codecs" and target not in ("codecs", "units", "errors", "__init__"):
                found.append(f"{name}:{line}: codecs are pure maths, not {module}")
        elif top == "codecs" and own != "codecs" and module != "codecs":
            found.append(f"{name}:{line}: the package is sipagent.codecs")
        allowed = ADAPTERS.get(top, SEVERAL.get(top))
        if allowed is not None and not any(fnmatch(name, pattern) for pattern in allowed):
            found.append(f"{name}:{line}: {top} belongs into {' '.join(allowed) or 'no file yet'}")
    return found


def test_imports_go_one_way_and_libraries_stay_in_their_adapters() -> None:
    found = [offence for name, tree in sources() for offence in offences(name, tree)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("library", ONE_FILE)
def test_library_of_one_file(library: str) -> None:
    users = {name for name, tree in sources() for _, module, _ in imports(tree) if module == library}
    assert len(users) <= 1, users


def test_the_walk_sees_the_program() -> None:
    names = {name for name, _ in sources()}
    assert {"errors.py", "config/schema.py", "codecs/g711.py"} <= names
    assert not {name for name in names if "codecs/codecs" in name}


@pytest.mark.parametrize(
    ("name", "text", "offence"),
    [
        ("media/ring.py", "from sipagent.sip.leg import Leg", "media must not import sipagent.sip.leg"),
        ("call/desk.py", "def f():\n    import sipagent.sip", "call must not import sipagent.sip"),
        ("config/load.py", "from sipagent import media", "config must not import sipagent.media"),
        ("config/load.py", "from . import schema", "relative import"),
        ("config/load.py", "import sipagent.unheard_of", "has no place"),
        ("unheard_of/x.py", "", "has no place"),
        ("call/desk.py", "import pjsua2 as pj", "pjsua2 belongs into sip/*"),
        ("app.py", "import importlib\nimportlib.import_module('llama_cpp')", "llama_cpp belongs into"),
        ("brain/prompt.py", "from llama_cpp import Llama", "llama_cpp belongs into"),
        ("call/record.py", "import sqlite3", "sqlite3 belongs into campaigns/store"),
        ("speech/types.py", "import yaml.nodes", "yaml belongs into"),
        ("codecs/g711.py", "from sipagent.config import load", "codecs must not import"),
        ("media/ring.py", "from codecs.g711 import encode", "the package is sipagent.codecs"),
    ],
)
def test_each_rule_can_fail(name: str, text: str, offence: str) -> None:
    found = offences(name, ast.parse(text))
    assert len(found) == 1, found
    assert offence in found[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "sip/leg.py",
            "import pjsua2\nfrom sipagent.call.ports import Call\nfrom sipagent import __version__",
        ),
        ("brain/llama_model.py", "import llama_cpp"),
        ("speech/stt_vosk.py", "import vosk\nimport codecs"),
        ("modelstore/catalog.py", "import yaml\nfrom sipagent.config.document import compose_file"),
        ("cli/main.py", "from sipagent import app, errors"),
        ("codecs/g711.py", "from sipagent.codecs.level import rms\nfrom sipagent.units import Pcm16"),
    ],
)
def test_what_is_right_passes(name: str, text: str) -> None:
    assert offences(name, ast.parse(text)) == []
