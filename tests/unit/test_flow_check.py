"""A flow file with a mistake is refused, with its line."""

from pathlib import Path

import pytest

from sipagent.errors import ConfigError
from sipagent.flows.graph import draw, mermaid
from sipagent.flows.load import load_flow
from sipagent.flows.primer import label_grammar, name_grammar, primer_of

pytestmark = pytest.mark.unit

FLOWS = Path(__file__).resolve().parents[2] / "flows"
GOOD = """\
name: test
start: main
operator: desk
goodbye: bye
intents:
  order: {examples: [I want one], keywords: [order]}
slots:
  day: {type: date, ask: "Which day?"}
tools:
  put: {arguments: [day], results: [ok]}
states:
  main:
    say: Hello?
    on:
      order: {go: ordering}
  ordering:
    collect: [day]
    next: putting
  putting:
    tool: put
    on:
      ok: {go: bye}
      failed: {go: desk}
  desk:
    transfer: desk
    on:
      failed: {go: bye}
  bye:
    say: Bye.
    end: true
"""


def problems(tmp_path: Path, old: str = "", new: str = "") -> list[str]:
    path = tmp_path / "x.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    try:
        load_flow(path)
    except ConfigError as error:
        return [problem.removeprefix(f"{tmp_path}/") for problem in error.problems]
    return []


def test_good_flow_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("go: ordering", "go: nowhere", "x.yaml:15: states.main.on.order.go: no state 'nowhere'"),
        ("start: main", "start: mian", "x.yaml:2: start: no state 'mian'"),
        ("collect: [day]", "collect: [date]", "states.ordering.collect: no slot 'date'"),
        ("say: Hello?", "say: Hello {who}?", "x.yaml:13: states.main.say: no slot or variable 'who'"),
        ("    tool: put", "    tool: pot", "states.putting.tool: no tool 'pot'"),
        ("      failed: {go: desk}\n", "", "nothing follows 'failed' of put"),
        ("ok: {go: bye}", "maybe: {go: bye}", "put never returns it"),
        ("    next: putting\n", "", "states.ordering.next: required"),
        ("      order: {go", "      oder: {go", "states.main.on.oder: neither an intent nor a key"),
        ("    end: true", "    next: bye", "goes round in a circle without ever listening"),
        ("    on:\n      order: {go: ordering}\n", "", "is a dead end"),
        ("arguments: [day]", "arguments: [hour]", "'hour' is neither a slot nor a variable"),
        ("goodbye: bye\n", "", "goodbye: required"),
        ("  bye:\n", "  lost: {say: a, next: bye}\n  bye:\n", "states.lost: is never reached"),
        ("type: date", "type: day", "slots.day.type: expected one of"),
        ("say: Bye.", "sya: Bye.", "unknown key; did you mean say?"),
        ("  order: {examples", "  yes: {examples", "is understood anyhow"),
        ("    transfer: desk\n", "    say: Wait?\n", "neither an intent nor a key"),
        (
            "type: date",
            "type: date, patience_ms: 5001",
            "x.yaml:8: slots.day.patience_ms: expected 0..5000 ms",
        ),
    ],
)
def test_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    found = problems(tmp_path, old, new)
    assert any(problem in one for one in found), found
    assert all(one.startswith("x.yaml:") for one in found)


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_right_and_can_be_drawn(path: Path, tmp_path: Path) -> None:
    flow = load_flow(path)
    text = mermaid(flow)
    assert all(f"\n  {name}" in text for name in flow.states)
    draw(flow, tmp_path / "flow.svg")
    assert (tmp_path / "flow.svg").read_text().startswith("<?xml")


def test_primer_shows_every_example_and_grammars_allow_nothing_else() -> None:
    flow = load_flow(FLOWS / "reminder.yaml")
    primer = primer_of(flow)
    for name, intent in flow.intents.items():
        for example in intent.examples:
            assert f"Caller: {example}\nWants: {name.replace('_', ' ')}\n" in primer
    assert label_grammar(["a", 'b "c"']) == 'root ::= " a" | " b \\"c\\""'
    assert '" Lee"' in name_grammar("It's Ann Lee")
    assert "Bob" not in name_grammar("It's Ann Lee")
