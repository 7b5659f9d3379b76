"""The file as such: unreadable, damaged, hostile."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.config.document import MOST_NODES, compose_text
from sipagent.config.load import load_config
from sipagent.errors import ConfigError

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


def only_problem_of(path: Path) -> str:
    found = [text.replace(f"{path.parent}/", "") for text in try_to_load(path)]
    assert len(found) == 1, found
    return found[0]


def try_to_load(path: Path) -> list[str]:
    try:
        load_config(path, environ={})
    except ConfigError as exc:
        return exc.problems or ["an error without a problem: \n"]
    return []


def test_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "sip.yaml"
    assert "sip.yaml: cannot be read: No such file or directory; give its path with -c" in only_problem_of(
        path
    )
    for content, line in (
        (b"", "sip.yaml: is empty"),
        (b"- a\n", "sip.yaml:1: expected sections"),
        (b"a: [1,\nb: 2\n", "sip.yaml:3: not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "not valid YAML"),
        (b"a: 1\nb: \xff\n", "sip.yaml:2: not UTF-8"),
        (b"a: 1\nb: \x07\n", "sip.yaml:2: not valid YAML: a control character"),
        (b"a: *nobody\n", "sip.yaml:1: not valid YAML"),
        (b"[" * 5000, "nested deeper than"),
        (b"&a [*a]\n", "expected sections"),
        (b"a: &a [*a]\n", "nested deeper than 30 levels, or inside itself"),
        (b"#" * 1_000_001, "larger than 1000000 bytes"),
        (b'a: "\\UFFFFFFFF"\n', "not valid YAML"),
    ):
        path.write_bytes(content)
        assert line in only_problem_of(path), content[:20]


def test_aliases_cannot_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match=f"more than {MOST_NODES} values"):
        compose_text("\n".join(lines), Path("sip.yaml"))


EXAMPLE = (ROOT / "sip.yaml").read_text(encoding="utf-8")


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(
        st.tuples(
            st.integers(0, len(EXAMPLE)),
            st.integers(0, 12),
            st.text(st.characters(codec="utf-8"), max_size=4)
            | st.sampled_from(["\n- ", ": ", "{", "[", "*a", "&a "]),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_file_never_crashes_the_loader(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int, str]]
) -> None:
    text = EXAMPLE
    for at, length, insert in cuts:
        text = text[:at] + insert + text[at + length :]
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    for problem in try_to_load(path):
        assert "\n" not in problem
        problem.encode("utf-8")
