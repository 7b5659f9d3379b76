"""The flow machine as scripts: what comes, where it leads, what is to be done."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from sipagent.flows import talk as fm
from sipagent.flows.load import load_flow
from sipagent.flows.machine import step
from sipagent.flows.schema import Flow
from sipagent.flows.simulate import Simulation
from sipagent.flows.talk import Meaning, Talk

pytestmark = pytest.mark.unit

FLOWS = Path(__file__).resolve().parents[2] / "flows"
NOW = datetime(2026, 11, 24, 9)  # a Tuesday

Script = list[tuple[str, str]]
"""(what the caller says, what must turn up in what follows)."""


def flow(name: str) -> Flow:
    return load_flow(FLOWS / f"{name}.yaml")


def hold(name: str, script: Script, **results: list[str]) -> Simulation:
    call = Simulation(flow(name), NOW, None, results)
    call.open()
    for said, wanted in script:
        told = " ".join(call.hear(said))
        assert wanted in told, (said, told)
    return call


BOOKING: Script = [
    ("I'd like to book an appointment", "Which day"),
    ("next Tuesday at half past ten", "your name"),
    ("Sarah Miller", "phone number"),
    ("555-0123", "five five five, zero one two three"),
    ("yes", "Tuesday, December first at 10:30 AM, for Sarah Miller"),
]


def test_booking_fills_every_slot_and_reads_it_back() -> None:
    call = hold("receptionist", [*BOOKING, ("yes please", "outcome booked")])
    assert call.talk.state == "main"
    assert {name: value.value for name, value in call.talk.slots.items()} == {
        "day": "2026-12-01",
        "time": "10:30",
        "name": "Sarah Miller",
        "phone": "5550123",
    }


def test_question_in_the_middle_is_answered_and_the_open_one_asked_again() -> None:
    script: Script = [
        BOOKING[0],
        ("Are you open on Friday?", "on Friday until two. Agent: Which day"),
        ("What's your address?", "Maple Street. Agent: Which day"),
    ]
    assert "day" not in hold("receptionist", script).talk.slots


def test_free_question_goes_to_the_model_and_then_back() -> None:
    talk = Talk(state="booking", asking="day")
    after, actions = step(flow("receptionist"), talk, fm.Heard("Do dogs count?", Meaning("question")), NOW)
    assert actions == (fm.Answer("Do dogs count?"), fm.Say("Which day would suit you?"))
    assert after == talk


@pytest.mark.parametrize(
    ("script", "phone"),
    [
        ([("no, it's 0124", "zero one two four"), ("yes", "Shall I book")], "5550124"),
        ([("no", "with the area code"), ("555 9876", "nine eight seven six"), ("right", "book")], "5559876"),
    ],
)
def test_read_back_can_be_mended(script: Script, phone: str) -> None:
    assert hold("receptionist", [*BOOKING[:4], *script]).talk.slots["phone"].value == phone


def test_tool_that_finds_the_time_taken_asks_for_the_time_alone() -> None:
    call = hold(
        "receptionist",
        [*BOOKING, ("yes", "that time is taken"), ("eleven", "at 11 AM"), ("yes", "outcome booked")],
        book_slot=["taken", "ok"],
    )
    assert call.talk.slots["time"].value == "11:00"


def test_tool_that_fails_ends_in_a_call_back() -> None:
    hold("receptionist", [*BOOKING, ("yes", "call_back")], book_slot=["failed"])


def test_late_result_of_a_tool_changes_nothing() -> None:
    waiting = replace(hold("receptionist", BOOKING).talk, state="reserve", calls=2, is_waiting=True)
    for event in (fm.ToolReturned(1, "ok"), fm.Heard("yes", Meaning("yes")), fm.Pressed("1")):
        assert step(flow("receptionist"), waiting, event, NOW) == (waiting, ())
    after, _ = step(flow("receptionist"), waiting, fm.ToolReturned(2, "ok"), NOW)
    assert after.state == "main"


PLACES: list[tuple[str, Script]] = [
    ("receptionist", []),
    ("receptionist", BOOKING[:1]),
    ("receptionist", BOOKING[:3]),
    ("receptionist", BOOKING[:4]),
    ("receptionist", BOOKING),
    ("reminder", [("yes", "Can you make it")]),
    ("survey", [("yes", "From one to ten")]),
    ("survey", [("yes", "From one to ten"), ("eight", "improve")]),
]


@pytest.mark.parametrize(("name", "script"), PLACES)
@pytest.mark.parametrize("said", ["operator", "I want to talk to a real person", "agent please"])
def test_person_is_to_be_had_everywhere(name: str, script: Script, said: str) -> None:
    hold(name, [*script, (said, "[transfer to desk]")])


@pytest.mark.parametrize(("name", "script"), PLACES)
def test_goodbye_ends_the_call_everywhere(name: str, script: Script) -> None:
    assert hold(name, [*script, ("Okay, goodbye.", "[hang up]")]).talk.is_over


@pytest.mark.parametrize(("name", "script"), PLACES)
def test_key_0_calls_a_person_everywhere(name: str, script: Script) -> None:
    call = hold(name, script)
    told = call.hear("#0")
    if call.talk.keyed:  # a number may be about to be keyed in: the pause behind the key decides
        _, actions = step(call.flow, call.talk, fm.KeysPaused(), NOW)
        told = [str(actions)]
    assert "desk" in " ".join(told)


def test_number_can_be_keyed_in() -> None:
    call = hold("receptionist", [*BOOKING[:3], ("#5550199#", "zero one nine nine")])
    assert call.talk.slots["phone"].value == "5550199"
    assert (
        hold("survey", [("yes", "From one"), ("#8", ""), ("#*", ""), ("#9#", "improve")])
        .talk.slots["grade"]
        .value
        == "9"
    )


def test_empty_line_is_the_pause_behind_keys() -> None:
    hold("receptionist", [*BOOKING[:3], ("#5550199", ""), ("", "zero one nine nine")])
    hold("receptionist", [*BOOKING[:3], ("#0", ""), ("", "[transfer to desk]")])


def test_answers_of_no_use_end_at_a_person() -> None:
    call = hold(
        "receptionist",
        [
            BOOKING[0],
            ("banana", "didn't get that. Agent: Which day shall I look at?"),
            ("banana", "Which day"),
            ("banana", "[transfer to desk]"),
        ],
    )
    after, actions = step(call.flow, call.talk, fm.TransferFailed(), NOW)
    assert after.state == "main"
    assert "nobody can take the call" in str(actions)


def test_impossible_value_is_told_so() -> None:
    hold("receptionist", [BOOKING[0], ("February 30th", "There is no February 30. Agent: Which day")])
    hold("survey", [("yes", "From one"), ("twelve", "from 1 to 10")])


def test_silence_asks_again() -> None:
    hold("receptionist", [BOOKING[0], ("", "Which day would suit you?")])


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([("yes", "make it"), ("I'll be there", "see you on Tuesday at ten")], "confirmed"),
        (
            [("speaking", "make it"), ("no", "another day"), ("no", "cancel"), ("yes", "cancelled")],
            "cancelled",
        ),
        ([("you have the wrong number", "sorry")], "not_reached"),
        (
            [("yes", "make"),
             ("can we reschedule to Thursday", "time"),
             ("two thirty", "Thursday"), ("yes", "noted")],
            "reschedule",
        ),
    ],
)  # fmt: skip
def test_reminder_ends_in_an_outcome(script: Script, outcome: str) -> None:
    said, wanted = script[-1]
    call = hold("reminder", script[:-1])
    told = " ".join(call.hear(said))
    assert wanted in told
    assert f"[outcome {outcome}" in told
    assert call.talk.is_over


def test_step_is_pure_so_that_a_guess_can_be_thrown_away() -> None:
    receptionist = flow("receptionist")
    talk = hold("receptionist", BOOKING).talk
    before = repr(talk)
    first = step(receptionist, talk, fm.Heard("yes", Meaning("yes")), NOW)
    assert step(receptionist, talk, fm.Heard("yes", Meaning("yes")), NOW) == first
    assert repr(talk) == before


def test_words_over_the_goodbye_bring_it_again_and_nothing_else_follows() -> None:
    call = hold("survey", [("goodbye", "[hang up]")])
    assert call.hear("Thank you.") == ["Agent: Goodbye.", "[hang up]"]
    assert call.hear("#0") == call.hear("") == []
