"""What callers say around what they mean: farewells, corrections, wishes for a person."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from sipagent.flows import talk as fm
from sipagent.flows.farewell import without_farewell
from sipagent.flows.load import load_flow
from sipagent.flows.machine import step
from sipagent.flows.schema import Flow
from sipagent.flows.simulate import Simulation
from sipagent.flows.talk import Meaning
from sipagent.flows.ways_out import wants_person

pytestmark = pytest.mark.unit

FLOWS = Path(__file__).resolve().parents[2] / "flows"
NOW = datetime(2026, 11, 24, 9)  # a Tuesday
BOOKING = (
    "I'd like to book an appointment",
    "next Tuesday at half past ten",
    "Sarah Miller",
    "555-0123",
    "yes",
)


def flow(name: str) -> Flow:
    return load_flow(FLOWS / f"{name}.yaml")


def after(name: str, *lines: str) -> Simulation:
    call = Simulation(flow(name), NOW)
    call.open()
    for line in lines:
        call.hear(line)
    return call


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Yes please. Thank you, goodbye.", "Yes"),
        ("yes that's right, cheers", "yes that's right"),
        ("Yes. Have a nice day.", "Yes."),
        ("please cancel it, thanks, bye", "please cancel it"),
        ("No, that's all, thank you.", "No"),
        ("Yes, please. I have to go, bye!", "Yes"),
        ("Absolutely, see you then.", "Absolutely"),
        ("All right, you have a nice day.", ""),
        ("thanks for your help, have a great day, bye bye", ""),
        ("Thank you so much for calling, take care", ""),
        ("I have to hang up now", ""),
        ("bye", ""),
    ],
)
def test_what_was_said_before_a_farewell_is_left(text: str, rest: str) -> None:
    assert without_farewell(text) == (rest, True)


@pytest.mark.parametrize(
    "text",
    [
        "please don't hang up",
        "Bye. Oh wait, what are your hours?",
        "I just called to say goodbye to the doctor",
        "I'd like to see you on Monday",
        "I'll take care of it",
        "No, thanks.",
    ],
)
def test_what_is_no_farewell_stays_whole(text: str) -> None:
    assert without_farewell(text) == (text, False)


@pytest.mark.parametrize(
    ("name", "before", "said", "wanted"),
    [
        ("receptionist", BOOKING, "Yes please. Thank you, goodbye.", "outcome booked"),
        ("receptionist", BOOKING, "yes that's right, cheers", "outcome booked"),
        ("reminder", ("yes",), "Yes, I'll be there. Bye.", "outcome confirmed"),
        ("reminder", ("yes",), "please cancel it, thanks, bye", "Shall I cancel"),
        ("reminder", ("yes",), "goodbye", "hang up"),
        ("reminder", ("yes",), "please don't hang up", "Can you make it"),
        ("survey", (), "No, bye.", "outcome refused"),
    ],
)
def test_a_polite_ending_loses_no_deed(name: str, before: tuple[str, ...], said: str, wanted: str) -> None:
    assert wanted in " ".join(after(name, *before).hear(said))


@pytest.mark.parametrize("said", ["no, Thursday", "no, make it Thursday", "No, hang on, I said Thursday."])
def test_a_correction_behind_a_no_is_kept_and_the_rest_with_it(said: str) -> None:
    call = after("receptionist", *BOOKING)
    told = " ".join(call.hear(said))
    assert "So that's Thursday" in told
    assert "at 10:30 AM, for Sarah Miller. Shall I book it?" in told
    assert call.talk.slots["day"].value == "2026-11-26"


def test_a_plain_no_still_begins_again() -> None:
    call = after("receptionist", *BOOKING)
    assert "let's try again. Agent: Which day" in " ".join(call.hear("no"))
    assert "day" not in call.talk.slots


def test_a_yes_with_another_value_is_asked_once_more() -> None:
    call = after("receptionist", *BOOKING)
    told = " ".join(call.hear("yes but the name is Laura Smith"))
    assert "for Laura Smith. Shall I book it?" in told
    assert "outcome" not in told


def test_a_yes_with_a_reservation_is_no_plain_yes() -> None:
    call = after("reminder", "yes")
    assert "confirmed" not in " ".join(call.hear("yes but can we do it an hour later"))
    assert "confirmed" in " ".join(after("reminder", "yes").hear("yes, but I may be five minutes late"))


def test_read_backs_that_are_never_right_end_at_a_person() -> None:
    call = after("receptionist", *BOOKING[:4])
    told = ""
    for n in range(4, 7):
        told = " ".join(call.hear("no") + call.hear(f"555-012{n}"))
        if "transfer" in told:
            break
    assert "[transfer to desk]" in told


def test_a_read_back_that_was_right_starts_the_count_anew() -> None:
    call = after("receptionist", *BOOKING[:4], "no", "555-0124", "yes")
    assert call.talk.refusals == 0


def test_a_person_wanted_while_a_tool_works_is_called_when_it_is_done() -> None:
    receptionist = flow("receptionist")
    waiting = replace(after("receptionist", *BOOKING).talk, state="reserve", calls=1, is_waiting=True)
    for event in (fm.Heard("operator", Meaning("operator")), fm.Pressed("0")):
        wished, actions = step(receptionist, waiting, event, NOW)
        assert actions == ()
        done, actions = step(receptionist, wished, fm.ToolReturned(1, "ok"), NOW)
        assert done.state == "person"
        assert any(isinstance(one, fm.SetOutcome) and one.name == "booked" for one in actions)
        assert isinstance(actions[-1], fm.Transfer)


@pytest.mark.parametrize(
    "text",
    [
        "transfer me",
        "put me through",
        "can I have an operator",
        "is there a person",
        "front desk please",
        "I don't want to talk to a machine",
        "stop this robot",
        "give me someone who can help",
        "Could you pass me to a colleague, please?",
        "let me talk to somebody",
    ],
)
def test_a_person_is_wanted(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "I was talking to somebody yesterday",
        "give me someone to fix my tooth",
        "don't transfer me",
        "please do not put me through to anybody",
        "I don't want an operator",
        "I need somebody to look at my tooth",
        "Is there a dentist on Friday?",
    ],
)
def test_whoever_speaks_of_people_does_not_want_one_at_once(text: str) -> None:
    assert not wants_person(text)


def test_a_model_alone_sets_nothing_going_that_cannot_be_undone() -> None:
    reminder, call = flow("reminder"), after("reminder", "yes")
    found = Meaning("cancel", is_sure=False)
    talk = replace(call.talk, state="sure")
    doubted, actions = step(reminder, talk, fm.Heard("Delete my appointment.", found), NOW)
    assert actions == (fm.Say("So you don't need the appointment any more?"),)
    done, actions = step(reminder, doubted, fm.Heard("Yes.", Meaning("yes")), NOW)
    assert done.state == "cancel"
    assert isinstance(actions[-1], fm.CallTool)
    asked, actions = step(reminder, doubted, fm.Heard("No.", Meaning("no")), NOW)
    assert (asked.state, asked.doubted, actions) == ("sure", "", (fm.Say("Shall I cancel the appointment?"),))
    silent, _ = step(reminder, doubted, fm.Silent(), NOW)
    assert silent.doubted == ""  # the open question has been asked since: a yes is its answer


def test_what_the_model_finds_and_only_leads_on_needs_no_yes() -> None:
    reminder, call = flow("reminder"), after("reminder", "yes")
    found = Meaning("reschedule", is_sure=False)
    led, _ = step(reminder, call.talk, fm.Heard("Something later?", found), NOW)
    assert led.state == "new_time"


def test_a_model_that_finds_a_deed_without_words_for_it_has_the_question_asked_again() -> None:
    survey = flow("survey")
    intents = {name: replace(one, sure="") for name, one in survey.intents.items()}
    plain, talk = replace(survey, intents=intents), after("survey").talk
    asked, actions = step(plain, talk, fm.Heard("Hm.", Meaning("refuse", is_sure=False)), NOW)
    assert (asked.state, asked.failures) == ("hello", 1)
    assert not any(isinstance(one, fm.SetOutcome | fm.HangUp) for one in actions)


def test_an_appointment_is_told_only_to_whom_it_belongs() -> None:
    told = " ".join(after("reminder").hear("What time was that?"))
    assert "Tuesday at ten" not in told
    assert "Tuesday at ten" in " ".join(after("reminder", "yes").hear("What time was that?"))
