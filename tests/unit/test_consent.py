"""Consent to a recording, by script: events in, actions and state out."""

import pytest

from sipagent.call.consent import (
    Action,
    Answer,
    AskAgain,
    Busy,
    Consent,
    ConsentRules,
    DoNotRecord,
    Event,
    Heard,
    How,
    Phase,
    Pressed,
    Quiet,
    Record,
    Said,
    Told,
    Withdraw,
    answer_of,
    step,
)
from sipagent.config.recording import ConsentMode, RecordingConfig

pytestmark = pytest.mark.unit


def rules(mode: ConsentMode) -> ConsentRules:
    config = RecordingConfig()
    return ConsentRules(
        mode,
        yes=frozenset(config.yes),
        no=frozenset(config.no),
        stop=frozenset(config.stop),
        delete=frozenset(config.delete),
        answer_ms=6000,
    )


def run(mode: ConsentMode, *events: Event) -> tuple[Consent, list[Action]]:
    state, done = Consent(), list[Action]()
    for event in events:
        state, actions = step(state, event, rules(mode))
        done += actions
    return state, done


YES = Record(How.SPOKEN)
Script = tuple[ConsentMode, tuple[Event, ...], Phase, list[Action]]
SCRIPTS: dict[str, Script] = {
    "announced: only when it was said to its end": (
        "announced", (Said("stop"), Pressed("2"), Quiet(99_000)), Phase.TELLING, []),
    "announced: then it begins": ("announced", (Told(1000),), Phase.GRANTED, [Record(How.ANNOUNCED)]),
    "announced: once": ("announced", (Told(1000), Told(2000)), Phase.GRANTED, [Record(How.ANNOUNCED)]),
    "spoken yes": ("spoken", (Told(1000), Said("Yes, please.")), Phase.GIVEN, [Record(How.SPOKEN)]),
    "yes before the question ends": ("spoken", (Said("sure"),), Phase.GIVEN, [Record(How.SPOKEN)]),
    "spoken no": ("spoken", (Told(1000), Said("No!")), Phase.REFUSED, [DoNotRecord(How.SPOKEN)]),
    "key 1": ("spoken", (Told(1000), Pressed("1")), Phase.GIVEN, [Record(How.KEYED)]),
    "key 2": ("keyed", (Told(1000), Pressed("2")), Phase.REFUSED, [DoNotRecord(How.KEYED)]),
    "keyed: a spoken yes is no key": (
        "keyed", (Told(1000), Said("yes"), Told(9000), Said("yes")),
        Phase.REFUSED, [AskAgain(), DoNotRecord(How.UNCLEAR)]),
    "keyed: a spoken no is a no": ("keyed", (Told(1), Said("no")), Phase.REFUSED, [DoNotRecord(How.SPOKEN)]),
    "unclear, then yes": (
        "spoken", (Told(1000), Said("what are your hours"), Told(5000), Said("yes")),
        Phase.GIVEN, [AskAgain(), Record(How.SPOKEN)]),
    "unclear twice": (
        "spoken", (Told(1000), Said("hello?"), Told(5000), Pressed("7")),
        Phase.REFUSED, [AskAgain(), DoNotRecord(How.UNCLEAR)]),
    "silence twice": (
        "spoken", (Told(0), Quiet(5999), Quiet(6000), Quiet(99_000), Told(100_000), Quiet(106_000)),
        Phase.REFUSED, [AskAgain(), DoNotRecord(How.SILENCE)]),
    "who speaks is not silent": ("spoken", (Told(0), Busy(5000), Quiet(10_999)), Phase.WAITING, []),
    "decided is decided": (
        "spoken", (Said("no"), Said("yes"), Pressed("1"), Told(1), Quiet(99_000)),
        Phase.REFUSED, [DoNotRecord(How.SPOKEN)]),
    "yes, and in the same breath no": (
        "spoken", (Told(1), Said("yes"), Said("yes no wait")),
        Phase.WITHDRAWN, [YES, Withdraw(How.SPOKEN, False)]),
    "no into the thanks": (
        "spoken", (Told(1), Said("yes"), Said("wait, I'd rather not")),
        Phase.WITHDRAWN, [YES, Withdraw(How.SPOKEN, False)]),
    "key 1, then key 2": (
        "keyed", (Told(1), Pressed("1"), Pressed("2")),
        Phase.WITHDRAWN, [Record(How.KEYED), Withdraw(How.KEYED, False)]),
    "yes, yes please": ("spoken", (Told(1), Said("yes"), Said("yes please")), Phase.GIVEN, [YES]),
    "a yes is firm once it is thanked for": (
        "spoken", (Told(1), Said("yes"), Told(9), Said("no, I have no pain"), Pressed("2")),
        Phase.GRANTED, [YES]),
    "other words make it firm, too": (
        "spoken", (Told(1), Said("yes"), Said("what are your hours"), Said("no")), Phase.GRANTED, [YES]),
    "later: what was allowed stays": (
        "spoken", (Told(1), Said("yes"), Told(9), Said("hello"), Said("Please stop recording!")),
        Phase.WITHDRAWN, [YES, Withdraw(How.SPOKEN, True)]),
    "later: delete it": (
        "spoken", (Told(1), Said("yes"), Told(9), Said("stop recording and delete the recording")),
        Phase.WITHDRAWN, [YES, Withdraw(How.SPOKEN, False)]),
    "stop, and later delete": (
        "spoken", (Told(1), Said("yes"), Told(9), Said("stop recording"), Said("delete the recording"),
                   Said("delete the recording"), Said("stop recording")),
        Phase.WITHDRAWN, [YES, Withdraw(How.SPOKEN, True), Withdraw(How.SPOKEN, False)]),
    "announced: whoever objects never agreed": (
        "announced", (Told(1), Said("I don't want to be recorded.")),
        Phase.WITHDRAWN, [Record(How.ANNOUNCED), Withdraw(How.SPOKEN, False)]),
    "announced: objected into the announcement": (
        "announced", (Heard("please don't"), Heard("please don't record me"), Told(1), Said("yes")),
        Phase.REFUSED, [DoNotRecord(How.SPOKEN)]),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str) -> None:
    mode, events, phase, actions = SCRIPTS[name]
    state, done = run(mode, *events)
    assert (state.phase, done) == (phase, actions)


def test_nothing_but_a_clear_yes_ever_records() -> None:
    for mode in ("spoken", "keyed"):
        for text in ("", "mm-hm?", "no", "no thanks", "yes no", "I don't know", "well", "maybe later"):
            _, done = run(mode, Told(0), Said(text), Told(9), Said(text), Told(10), Quiet(99_000))
            assert not any(isinstance(action, Record) for action in done), (mode, text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes.", Answer.YES),
        ("No problem!", Answer.YES),
        ("Sure, go ahead.", Answer.YES),
        ("I don’t mind", Answer.YES),
        ("why not", Answer.YES),
        ("No.", Answer.NO),
        ("I do not want that", Answer.NO),
        ("Please don't.", Answer.NO),
        ("you may not", Answer.NO),
        ("yes, I mean no", Answer.UNCLEAR),
        ("yesterday I knew nothing", Answer.UNCLEAR),
        ("", Answer.UNCLEAR),
        ("please stop recording", Answer.NO),
        ("yes but don't record it", Answer.UNCLEAR),
    ],
)
def test_words(text: str, answer: Answer) -> None:
    assert answer_of(text, rules("spoken")) is answer
