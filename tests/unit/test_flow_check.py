"""A flow file with a mistake is refused, with its line."""

from itertools import pairwise
from pathlib import Path

import pytest

from sipagent.brain.types import Example
from sipagent.errors import ConfigError
from sipagent.flows.drawing import boxes_of, draw, lanes_of
from sipagent.flows.graph import mermaid
from sipagent.flows.load import load_flow
from sipagent.flows.primer import WANTS, label_grammar, name_grammar, primer_of

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


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "say: Hello?",
            "say: 'Hello {day}?'",
            "x.yaml:13: states.main.say: {day} cannot be known yet: no state",
        ),
        (
            "    collect: [day]",
            "    say: 'On {day}?'\n    collect: [day]",
            "x.yaml:17: states.ordering.say: {day}",
        ),
        (
            'ask: "Which day?"',
            'ask: "Which day, {day}?"',
            "x.yaml:8: slots.day.ask: {day} cannot be known yet",
        ),
        (
            "go: ordering",
            "go: putting",
            "x.yaml:20: states.putting.tool: put is given 'day', but {day} cannot",
        ),
        (
            "go: ordering",
            "go: ordering, say: 'On {day}?'",
            "x.yaml:15: states.main.on.order.say: {day} cannot",
        ),
        (
            "[ok]}\n",
            "[ok], returns: [free]}\neverywhere: {order: {say: 'Free: {free}'}}\n",
            "x.yaml:11: everywhere.order.say: {free} cannot be known yet: no tool before returns it",
        ),
        (
            "[ok]}",
            "[ok], returns: [free]}",
            "",
        ),
        (
            "goodbye: bye",
            "goodbye: bye\nvoicemail: 'On {day}.'",
            "x.yaml:5: voicemail: {day} is not known on a",
        ),
        ("      failed: {go: desk}", "      failed: {go: desk, say: 'Not on {day}.'}", ""),
        ("on:\n      order", "listen: [day]\n    again: 'On {day}?'\n    on:\n      order", ""),
    ],
)
def test_what_is_spoken_must_have_been_told_before(tmp_path: Path, old: str, new: str, problem: str) -> None:
    found = problems(tmp_path, old, new)
    assert any(problem in one for one in found) if problem else found == [], found


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ("order: {forget: [dya]}", "x.yaml:11: everywhere.order.forget: no slot 'dya'; there are: day"),
        ("operator: {go: desk}", "everywhere.operator: is never used: operator leads to 'desk'"),
        ("goodbye: {go: desk}", "everywhere.goodbye: is never used: goodbye leads to 'bye'"),
        ("repeat: {say: Again}", "everywhere.repeat: is never used"),
        ('"0": {go: desk}', "everywhere.0: is the key for the operator ('desk')"),
        ('"5": {go: desk}', ""),
    ],
)
def test_ways_out_of_every_state_are_not_for_everywhere(tmp_path: Path, new: str, problem: str) -> None:
    found = problems(tmp_path, "states:", f"everywhere: {{{new}}}\nstates:")
    assert any(problem in one for one in found) if problem else found == [], found


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ("operator: {say: Nobody is here.}", "x.yaml:15: states.main.on.operator: takes the way to a person"),
        (
            '"0": {go: ordering}',
            "states.main.on.0: takes the way to a person from the caller; let it go to 'desk'",
        ),
        ("goodbye: {say: Wait!}", "states.main.on.goodbye: keeps a caller who takes leave"),
        ("operator: {go: desk, say: Sure.}", ""),
        ('"0": {go: desk}', ""),
        ("goodbye: {go: ordering}", ""),
        ('"7": {go: ordering}', ""),
    ],
)
def test_no_state_takes_the_way_out_from_the_caller(tmp_path: Path, new: str, problem: str) -> None:
    found = problems(tmp_path, "    on:\n      order", f"    on:\n      {new}\n      order")
    assert any(problem in one for one in found) if problem else found == [], found


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "type: date",
            "type: date, least: 2",
            "x.yaml:8: slots.day.least: belongs to a slot of type number or",
        ),
        ("type: date", "type: number, is_past: true", "slots.day.is_past: belongs to a slot of type date"),
        ("type: date", "type: date, region: GB", "slots.day.region: belongs to a slot of type phone"),
        (
            "type: date",
            "type: date, read_back: 'Right?'",
            "slots.day.read_back: says nothing of what was heard",
        ),
        (
            "type: date",
            "type: date, confirm: never, read_back: '{value}?'",
            "slots.day.read_back: is never said",
        ),
        ("    on:\n      order", "    listen: [day]\n    on:\n      order", ""),
        (
            "say: Bye.",
            "say: Bye.\n    listen: [day]",
            "x.yaml:30: states.bye.listen: nobody is listened to here",
        ),
        ("say: Hello?", "say: Hello?\n    next: ordering", "x.yaml:15: states.main.on: is never waited for"),
        ("failed: {go: desk}", "failed: {go: putting}", "states.putting.on: goes round in a circle"),
        (
            "{examples: [I want one], keywords: [order]}",
            "{}",
            "intents.order: has neither examples nor keywords",
        ),
        (
            "  order: {examples",
            "  buy: {keywords: [Order]}\n  order: {examples",
            "intents.order.keywords: 'order' stands under buy, too",
        ),
        (
            "type: date",
            "type: choice, options: {a: [one, two], b: [Two.]}",
            "slots.day.options.b: 'Two.' stands under a, too",
        ),
    ],
)
def test_what_can_never_be_used_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    found = problems(tmp_path, old, new)
    assert any(problem in one for one in found) if problem else found == [], found


@pytest.mark.parametrize("kind", ["text", "yes_no"])
def test_slot_that_any_words_would_fill_is_taken_only_where_it_is_asked_for(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "x.yaml"
    text = GOOD.replace("type: date", f"type: {kind}").replace(
        "say: Hello?", "say: Hello?\n    listen: [day]"
    )
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"x.yaml:14: states.main.listen: day is of type {kind}"):
        load_flow(path)


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_right_and_can_be_drawn(path: Path, tmp_path: Path) -> None:
    flow = load_flow(path)
    text = mermaid(flow)
    assert all(f"\n  s_{name}" in text for name in flow.states)
    draw(flow, tmp_path / "flow.svg")
    assert (tmp_path / "flow.svg").read_text().startswith("<?xml")


def test_no_name_of_a_state_means_something_to_mermaid(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    text = GOOD.replace(" bye", " end").replace("ordering", "subgraph").replace("desk", "anywhere")
    path.write_text(text.replace("say: Hello?", "say: 'Press #1; <b>\"now\"</b>?'"))
    lines = mermaid(load_flow(path)).splitlines()
    assert '  s_end(["end: Bye."])' in lines
    assert '  s_main["main: Press #35;1; #lt;b#gt;#quot;now#quot;#lt;/b#gt;?"]' in lines
    assert '  s_main -->|"order"| s_subgraph' in lines
    assert '  anywhere((anywhere)) -.->|"operator, key 0"| s_anywhere' in lines
    assert all(line.lstrip().startswith(("s_", "anywhere((")) for line in lines[2:])


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_nothing_in_a_picture_lies_over_another(path: Path) -> None:
    flow = load_flow(path)
    boxes = boxes_of(flow)
    lanes = lanes_of(boxes)
    assert {box.name for box in boxes} == {"", *flow.states}
    for box, below in pairwise(boxes):
        assert box.top_inches + box.height_inches < below.top_inches
    rows = [way.y_inches for box in boxes for way in box.ways]
    assert len(rows) == len(set(rows))
    spans: dict[int, list[tuple[float, float]]] = {}
    for name, lane in lanes.items():
        entry = next(box.entry_inches for box in boxes if box.name == name)
        at = [entry, *(way.y_inches for box in boxes for way in box.ways if way.target == name)]
        spans.setdefault(lane, []).append((min(at), max(at)))
    for found in spans.values():
        assert all(high < low for (_, high), (low, _) in pairwise(sorted(found)))


def test_primer_shows_every_example_and_grammars_allow_nothing_else() -> None:
    flow = load_flow(FLOWS / "reminder.yaml")
    primer = primer_of(flow)
    for name, intent in flow.intents.items():
        for example in intent.examples:
            label = name.replace("_", " ")
            assert f"Caller: {example}\nWants: {label}\n" in primer.text
            assert Example(example, WANTS, label) in primer.examples
    assert label_grammar(["a", 'b "c"']) == 'root ::= " a" | " b \\"c\\""'
    assert '" Lee"' in name_grammar("It's Ann Lee")
    assert "Bob" not in name_grammar("It's Ann Lee")
