"""Keys of the caller: which are the flow's, which the persona's, and which dictate a number."""

from dataclasses import replace
from pathlib import Path

import pytest

from sipagent.config.keys import KeyConfig
from sipagent.flows.free_talk import free_flow
from sipagent.flows.load import load_flow
from sipagent.flows.schema import Flow, StepConfig
from tests.unit.dialogue_call import DialogueCall

pytestmark = pytest.mark.unit

FLOWS = Path(__file__).resolve().parents[2] / "flows"
FREE = free_flow(tools=("take_message", "transfer"), targets=("desk",), goodbye="Bye.")
MESSAGE = ("Can I leave a message?", "The boiler is dripping.", "Sarah Miller")
DESK = {"desk": "sip:desk@192.0.2.7"}


def receptionist(**on: StepConfig) -> Flow:
    """The example, whose first state has these keys, too."""
    flow = load_flow(FLOWS / "receptionist.yaml")
    start = flow.states[flow.start]
    menu = replace(start, on={**start.on, **{name.removeprefix("key_"): one for name, one in on.items()}})
    return replace(flow, states={**flow.states, flow.start: menu})


@pytest.mark.parametrize("flow", [None, FREE], ids=["model", "tools"])
def test_a_number_that_nobody_asked_for_is_words_of_the_caller(flow: Flow | None) -> None:
    call = DialogueCall(flow)
    call.press("12345#")
    assert call.model.asked == ["I keyed in 1 2 3 4 5."]


def test_a_number_in_a_state_of_a_flow_that_takes_no_keys_is_words_of_the_caller() -> None:
    call = DialogueCall(receptionist())
    call.press("12345#")
    assert call.heard == ["I keyed in 1 2 3 4 5."]


def test_a_number_ends_with_a_pause_too() -> None:
    call = DialogueCall(FREE)
    call.press("4711")
    call.wait(2900)
    assert call.model.asked == []
    call.wait(3100)
    assert call.model.asked == ["I keyed in 4 7 1 1."]


def test_key_0_leads_to_the_operator_but_not_within_a_number() -> None:
    call = DialogueCall(FREE, transfer=DESK)
    call.press("0")
    assert "sure_0" in repr(call.flow)
    call = DialogueCall(FREE, transfer=DESK)
    call.press("1205#")
    assert "talk" in repr(call.flow)
    assert call.model.asked == ["I keyed in 1 2 0 5."]


def test_the_open_slots_number_stays_with_the_flow() -> None:
    call = DialogueCall(FREE)
    for text in MESSAGE:
        call.say(text)
    assert call.flow._talk.asking == "phone"
    call.press("5550123#")
    assert call.heard == [*MESSAGE]
    assert call.flow._talk.confirming == "phone"


def test_a_menus_key_acts_at_once_even_behind_a_slip() -> None:
    call = DialogueCall(receptionist(key_1=StepConfig(go="booking")))
    call.press("1")
    assert "booking" in repr(call.flow)
    call = DialogueCall(receptionist(key_1=StepConfig(go="booking")))
    call.press("51")
    assert "booking" in repr(call.flow)
    call.wait(4000)
    assert call.heard == [], "the slip is forgotten"


def test_a_key_that_a_menu_does_not_have_is_told() -> None:
    call = DialogueCall(receptionist(key_1=StepConfig(go="booking")))
    call.press("7")
    call.wait(4000)
    assert call.heard == ["I keyed in 7."]


def test_a_personas_key_acts_where_it_begins_a_number_and_belongs_to_the_number_else() -> None:
    call = DialogueCall(FREE, keys={"9": KeyConfig(transfer="desk")}, transfer=DESK)
    for text in MESSAGE:
        call.say(text)
    call.press("5550199#")
    assert call.flow._talk.confirming == "phone"
    assert call.transfers == []
    call = DialogueCall(FREE, keys={"9": KeyConfig(transfer="desk")}, transfer=DESK)
    call.press("19#")
    assert call.model.asked == ["I keyed in 1 9."]
    assert call.transfers == []
    call.press("9")
    call.play()
    call.wait(0)
    assert call.transfers == ["sip:desk@192.0.2.7"]


def test_keys_do_not_silence_the_goodbye_of_a_flow() -> None:
    call = DialogueCall(FREE)
    call.say("Goodbye.")
    call.press("12345#")
    assert call.dialogue.is_saying
    call.play()
    assert call.has_hung_up


def test_keys_during_a_transfer_are_not_the_agents() -> None:
    call = DialogueCall(FREE, transfer=DESK)
    call.say("Put me through to the desk.")
    call.say("yes")
    assert "through_0" in repr(call.flow)
    call.press("12#")
    assert call.heard == ["Put me through to the desk.", "yes"]
