"""A flow in a call: what is only prepared has no effect, what is committed has it once."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
import structlog

from sipagent.call.answers import Answers
from sipagent.call.awaited import asked_of
from sipagent.call.dictation import AnswerForm, Asked
from sipagent.call.flow_talk import Deeds, FlowParts, FlowTalk, Understood
from sipagent.call.tool_calls import ToolCalls, ToolDone
from sipagent.call.tool_port import CallContext, ToolAnswer, ToolCall
from sipagent.call.utterance import Utterance
from sipagent.flows.expected import expected_of
from sipagent.flows.load import load_flow
from sipagent.flows.schema import SlotConfig, SlotType
from sipagent.flows.talk import Meaning, Talk
from sipagent.units import monotonic_ms

pytestmark = pytest.mark.unit

FLOWS = Path(__file__).resolve().parents[2] / "flows"
BOOKING = ("I'd like to book", "next Tuesday at ten", "Sarah Miller", "555-0123", "yes")


class Tools:
    """Notes what it is asked to do, and does it when told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.fails = False
        self.jobs: list[Callable[[], None]] = []

    def submit(self, call: ToolCall, done: Callable[[ToolAnswer], None]) -> None:
        self.calls.append((call.tool, dict(call.arguments)))
        done_well = ToolAnswer("ok", call.arguments if call.tool == "send_dtmf" else {})
        answer = ToolAnswer("failed", {}, "down", "Sorry.") if self.fails else done_well
        self.jobs.append(lambda: done(answer))

    def timeout_ms(self, tool: str) -> int:
        return 1000

    def filler(self, tool: str) -> str:
        return f"Looking into {tool}."


class Record:
    """Notes what would be noted."""

    def __init__(self) -> None:
        self.called: list[tuple[str, str]] = []
        self.returned: list[tuple[str, str]] = []

    def tool_called(self, tool: str, run_id: str, arguments: Mapping[str, str]) -> None:
        self.called.append((tool, run_id))

    def tool_returned(self, tool: str, run_id: str, answer: ToolAnswer) -> None:
        self.returned.append((run_id, answer.status))


class Call:
    """Speaker, lane and deeds of one call: notes what is said, runs jobs when told to."""

    def __init__(
        self,
        name: str,
        *,
        safe: bool = False,
        transfers: bool = False,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        flow = load_flow(FLOWS / f"{name}.yaml")
        if safe:
            object.__setattr__(flow.tools["book_slot"], "safe", True)
        self.said: list[str] = []
        self.posted: list[object] = []
        self.jobs: list[Callable[[], None]] = []
        self.deeds: list[str] = []
        self.tools = Tools()
        self.utterances = 0
        deeds = Deeds(
            self.begin_utterance,
            lambda: self.deeds.append("end"),
            lambda name, data: self.deeds.append(name),
            self.hand_over,
            lambda digits: self.deeds.append(f"dtmf {digits}"),
        )
        self.transfers = transfers
        self.record = Record()
        tools = ToolCalls(self.tools, CallContext("c1"), self.record, self.posted.append)
        parts = FlowParts(flow, None, self, self.tools, variables)  # type: ignore[arg-type]  # a lane in a test's hand
        log = structlog.get_logger()
        answers = Answers(self, None)  # type: ignore[arg-type]  # a speaker in a test's hand
        self.talk = FlowTalk(parts, self, answers, deeds, tools, self.posted.append, log)  # type: ignore[arg-type]
        self.opening = self.talk.opened("Hello.")

    def submit(self, job: Callable[[], None], *, cancelled: Callable[[], bool], **_: object) -> None:
        self.jobs.append(lambda: None if cancelled() else job())

    def say(self, utterance: Utterance, text: str) -> None:
        if not utterance.is_cancelled():
            self.said.append(text)

    def reply(
        self, utterance: Utterance, history: Any, *, first: str = "", then: str = "", told: Any = ()
    ) -> None:
        self.said.append(f"{first}<{history[-1].text}>{then}")

    def hand_over(self, target: str, text: str) -> bool:
        if self.transfers:
            self.said.append(text)
        return self.transfers

    def begin_utterance(self) -> Utterance:
        self.utterances += 1
        return Utterance(self.utterances, None)

    def prepare(self, text: str) -> Utterance:
        self.utterances += 1
        utterance = Utterance(self.utterances, self.utterances)
        self.talk.prepare(utterance, [], text)
        return utterance

    def turn(self, *texts: str) -> Utterance:
        """Whole turns of the caller."""
        for text in texts:
            utterance = self.prepare(text)
            self.talk.commit(utterance)
        return utterance

    def work(self) -> None:
        """Run what waits in the lane, and hand the results over."""
        jobs, self.jobs, self.tools.jobs = [*self.jobs, *self.tools.jobs], [], []
        for job in jobs:
            job()
        posted = [one for one in self.posted if isinstance(one, Understood | ToolDone)]
        self.posted.clear()
        for event in posted:
            self.talk.take(event)


def test_greeting_and_first_question_are_one() -> None:
    assert Call("receptionist").opening == "Hello. How can I help?"


def test_what_is_only_prepared_has_no_effect() -> None:
    call = Call("receptionist")
    before = repr(call.talk)
    guess = call.prepare("Goodbye.")
    assert "Goodbye" in call.said[-1]
    guess.cancel()
    assert call.deeds == []
    assert repr(call.talk) == before
    call.turn("Goodbye.")
    assert call.deeds == ["end"]


def test_tool_runs_after_the_commit_and_once() -> None:
    call = Call("receptionist")
    call.turn(*BOOKING)
    guess = call.prepare("Yes")
    call.work()
    assert call.tools.calls == []
    guess.cancel()
    call.turn("Yes, please.")
    call.work()
    assert [name for name, _ in call.tools.calls] == ["book_slot"]
    assert call.tools.calls[0][1]["phone"] == "5550123"
    assert call.said[-1].startswith("You're booked")
    assert call.deeds == ["booked"]


def test_safe_tool_runs_ahead_and_its_answer_waits_for_the_commit() -> None:
    call = Call("receptionist", safe=True)
    call.turn(*BOOKING)
    guess = call.prepare("Yes")
    call.work()
    assert len(call.tools.calls) == 1
    assert call.said[-1].startswith("You're booked")
    assert call.deeds == []
    call.talk.commit(guess)
    assert call.deeds == ["booked"]
    assert len(call.tools.calls) == 1


def test_words_while_a_tool_works_do_not_lose_its_result() -> None:
    call = Call("receptionist")
    call.turn(*BOOKING, "Yes").cancel()  # nothing was audible yet, and the caller goes on
    call.talk.take_back()
    call.prepare("hello?")
    call.work()
    assert call.said[-1].startswith("You're booked")
    assert "main" in repr(call.talk)


def test_tool_that_raises_takes_the_failed_way() -> None:
    call = Call("receptionist")
    call.tools.fails = True
    call.turn(*BOOKING, "Yes")
    call.work()
    assert "can't reach our calendar" in call.said[-1]
    assert call.deeds == ["call_back"]


def test_commit_is_taken_back_while_nothing_was_audible() -> None:
    call = Call("receptionist")
    before = repr(call.talk)
    call.turn("I'd like to book")
    call.talk.take_back()
    assert repr(call.talk) == before
    call.turn("I'd like to book an appointment for Thursday")
    assert call.said[-1] == "Sure. And at what time?"


def test_understanding_that_comes_after_the_commit_still_counts() -> None:
    call = Call("receptionist")
    utterance = call.turn("Do you happen to validate?")
    assert call.said == []
    call.talk.take(Understood(utterance.utterance_id, Meaning("address")))
    assert call.said == ["We're at 12 Maple Street. Is there anything else?"]
    call.talk.take(Understood(99, Meaning("goodbye")))
    assert call.deeds == []


def test_free_question_is_answered_by_the_model_and_the_open_one_follows() -> None:
    call = Call("receptionist")
    call.turn("I'd like to book", "Do you take my insurance?")
    call.work()
    assert call.said[-1] == "<Do you take my insurance?>Which day would suit you?"


def test_transfer_that_is_not_possible_is_told() -> None:
    call = Call("receptionist")
    call.turn("Operator")
    assert call.said[-1].startswith("I'll put you through. I'm sorry, nobody")
    reached = Call("receptionist", transfers=True)
    reached.turn("Operator")
    assert reached.said[-1] == "I'll put you through."
    reached.talk.take_back()  # what was going to be said is dropped: the transfer says it
    assert reached.talk.transfer_failed()
    assert not reached.talk.transfer_failed(), "the flow has been told"
    assert "nobody can take the call" in reached.said[-1]


def test_keys_act_at_once_and_a_number_ends_with_a_pause() -> None:
    call = Call("receptionist")
    call.turn(*BOOKING[:3])
    for key in "5550199":
        call.talk.pressed(key, 1000)
    said = len(call.said)
    call.talk.clock(3999)
    assert len(call.said) == said
    call.talk.clock(4000)
    assert "zero one nine nine" in call.said[-1]


def test_a_key_is_a_digit_only_while_a_number_is_asked_for() -> None:
    call = Call("receptionist")
    taken = []
    for words in BOOKING:
        taken.append(call.talk.takes_digits)
        call.turn(words)
    assert taken == [False, False, False, True, True]  # asked for, then read back


def test_speech_to_text_is_told_of_the_number_that_is_asked_for() -> None:
    call = Call("receptionist")
    hints = []
    for words in BOOKING:
        hints.append(call.talk.hint)
        call.turn(words)
    assert hints[3] == "201-555-0123."
    assert hints[0] == hints[4] == ""  # what anybody may want, and a yes


def test_patience_follows_the_open_slot() -> None:
    call = Call("receptionist")
    asked = []
    for texts in (BOOKING[:2], BOOKING[2:3], BOOKING[3:4]):
        call.turn(*texts)
        asked.append(call.talk.asked)
    assert asked == [Asked.SPELLING, Asked.PHONE, Asked.YES_NO]


def test_slot_tells_what_it_knows_of_its_answer() -> None:
    call = Call("receptionist")
    slots = call.talk._flow.slots
    slots["day"] = replace(slots["day"], patience_ms=900)
    slots["name"] = replace(slots["name"], type="digits", least=4, most=6)
    slots["phone"] = replace(slots["phone"], region="GB")
    assert call.talk.form == AnswerForm()
    call.turn(BOOKING[0])
    assert (call.talk.asked, call.talk.form.patience_ms) == (Asked.DATE, 900)
    call.turn(BOOKING[1])
    assert (call.talk.asked, call.talk.form) == (Asked.NUMBER, AnswerForm(4, 6))
    call.turn("4711")
    assert (call.talk.asked, call.talk.form) == (Asked.YES_NO, AnswerForm()), "its read-back"
    call.turn("yes")
    assert (call.talk.asked, call.talk.form) == (Asked.PHONE, AnswerForm(7, 11))


@pytest.mark.parametrize(
    ("told", "zone"),
    [
        ({"time_zone": "Pacific/Kiritimati"}, "Pacific/Kiritimati"),
        ({"time_zone": "Pacific/Pago_Pago"}, "Pacific/Pago_Pago"),
        ({"time_zone": "Mars/Olympus"}, "America/New_York"),
        ({}, "America/New_York"),
    ],
)
def test_tomorrow_is_meant_where_the_caller_is(told: Mapping[str, str], zone: str) -> None:
    call = Call("receptionist", variables=told)
    call.turn(BOOKING[0], "tomorrow")
    tomorrow = datetime.now(ZoneInfo(zone)).date() + timedelta(days=1)
    assert call.talk._talk.slots["day"].value == tomorrow.isoformat()
    assert call.talk._talk.variables["time_zone"] == zone


def test_every_type_of_slot_has_its_patience() -> None:
    expected = expected_of(load_flow(FLOWS / "receptionist.yaml"), Talk("booking", asking="day"))
    for one in get_args(SlotType):
        slot = SlotConfig(type=one, ask="?")
        assert asked_of(replace(expected, slots=(slot,))) not in (None, Asked.SOMETHING), one


def test_tool_leaves_its_beginning_and_end_and_is_filled_with_its_own_words() -> None:
    call = Call("receptionist")
    call.turn(*BOOKING, "Yes")
    assert call.record.called == [("book_slot", "t1")]
    assert call.talk.filler == "Looking into book_slot."
    call.work()
    assert call.record.returned == [("t1", "ok")]
    assert call.talk.filler == ""


def test_tool_that_nobody_ends_is_given_up_and_its_late_answer_ignored() -> None:
    call = Call("receptionist")
    call.turn(*BOOKING, "Yes")
    call.talk.clock(monotonic_ms() + 1500)
    assert call.record.returned == []
    call.talk.clock(monotonic_ms() + 2500)
    assert call.record.returned == [("t1", "failed")]
    assert "can't reach our calendar" in call.said[-1]
    said = len(call.said)
    call.work()
    assert (len(call.said), call.record.returned) == (said, [("t1", "failed")])


def test_answer_to_a_guess_does_not_answer_the_next_guess() -> None:
    call = Call("receptionist", safe=True)
    call.turn(*BOOKING)
    call.prepare("Yes").cancel()
    call.prepare("Yes, please")
    call.tools.jobs = call.tools.jobs[:1]  # the first guess's alone
    call.work()
    assert "booked" not in call.said[-1]


def test_call_that_ends_before_its_tool_says_so() -> None:
    call = Call("receptionist")
    call.turn(*BOOKING, "Yes")
    call.talk.close()
    assert call.record.returned == [("t1", "failed")]


def test_failure_is_told_in_the_tools_words_where_the_flow_has_none() -> None:
    call = Call("receptionist")
    object.__setattr__(call.talk._flow.states["reserve"].on["failed"], "say", "")
    call.tools.fails = True
    call.turn(*BOOKING, "Yes")
    call.work()
    assert call.said[-1].startswith("Sorry. I've noted")


def test_keys_that_a_flow_presses_go_out_once_the_tool_has_let_them_pass() -> None:
    call = Call("receptionist")
    flow = call.talk._flow
    object.__setattr__(flow, "tools", {"send_dtmf": replace(flow.tools["book_slot"], arguments=("digits",))})
    object.__setattr__(flow, "variables", {**flow.variables, "digits": "12#"})
    object.__setattr__(flow.states["reserve"], "tool", "send_dtmf")
    call.talk.opened("Hello.")
    call.turn(*BOOKING, "Yes")
    assert call.deeds == []
    call.work()
    assert call.deeds == ["dtmf 12#", "booked"]
