"""The locked requirements: they fit setup.cfg, every one has a hash, and no registry is named."""

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ]+) \\$", re.MULTILINE)


def _pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in PIN.findall(text)}


def _declared(section: str, key: str) -> list[Requirement]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return [Requirement(line) for line in parser[section][key].splitlines() if line]


@pytest.mark.parametrize(
    ("lock", "section", "key"),
    [
        ("runtime.lock", "options", "install_requires"),
        ("test.lock", "options", "install_requires"),
        ("test.lock", "options.extras_require", "test"),
    ],
)
def test_every_declared_dependency_is_locked_within_its_range(lock: str, section: str, key: str) -> None:
    pins = _pins(lock)
    for requirement in _declared(section, key):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}: run scripts/lock"
        assert version in requirement.specifier, f"{lock} has {version}, not {requirement}: run scripts/lock"


def test_the_tests_run_with_what_the_program_runs_with() -> None:
    test_pins = _pins("test.lock")
    assert {name: test_pins.get(name) for name in _pins("runtime.lock")} == _pins("runtime.lock")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash_and_no_registry_is_named(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    pins = PIN.findall(text)
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(pins) == len(blocks)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert not re.search(r"^--|^-[a-z] ", text, re.MULTILINE)
