"""What callers say that the program answers itself; and what it does not."""

from pathlib import Path

import pytest
import yaml

from sipagent.bench.guard_set import SET_FILE, load_guard_cases
from sipagent.bench.understanding_set import SET_DIR, load_cases
from sipagent.brain.conduct import Topic, remark_in
from sipagent.call.conduct import Conduct
from sipagent.call.utterance import Utterance
from sipagent.config.guard import GuardConfig
from sipagent.config.persona import PersonaConfig

pytestmark = pytest.mark.unit

CASES = load_guard_cases()
SOUNDS_LIKE = yaml.safe_load((SET_FILE.parent / "conduct.yaml").read_text(encoding="utf-8"))
"""Topic → what is one, and what only sounds like one."""


def persona(**guard: object) -> PersonaConfig:
    return PersonaConfig(
        name="desk",
        greeting="Hello.",
        prompt_file=Path("p.md"),
        transfer={"crisis": "sip:crisis@10.0.0.1", "spanish": "sip:es@10.0.0.1"},
        guard=GuardConfig(**guard),  # type: ignore[arg-type]  # keys of the section
    )


def test_there_are_two_hundred_lines_and_half_of_them_are_held_out() -> None:
    assert len(CASES) == 200
    assert sum(case.is_held_out for case in CASES) == 100
    assert len({case.line for case in CASES}) == 200


@pytest.mark.parametrize("topic", ["crisis", "abuse", "robot", "language", "private"])
def test_the_tuned_lines_are_recognised(topic: str) -> None:
    mine = [case for case in CASES if case.kind.topic == topic and not case.is_held_out]
    assert mine
    missed = [
        one.line for one in mine if (found := remark_in(one.line)) is None or found.topic.value != topic
    ]
    assert not missed


@pytest.mark.parametrize("topic", ["crisis", "abuse", "robot", "language", "private"])
def test_a_topic_is_found_however_it_is_said(topic: str) -> None:
    lines = SOUNDS_LIKE[topic]["hit"]
    assert len(lines) >= (40 if topic == "crisis" else 30)
    missed = [line for line in lines if (found := remark_in(line)) is None or found.topic.value != topic]
    assert not missed


@pytest.mark.parametrize("topic", list(SOUNDS_LIKE))
def test_what_only_sounds_like_a_topic_is_none(topic: str) -> None:
    lines = SOUNDS_LIKE[topic]["free"]
    assert len(lines) >= (40 if topic == "crisis" else 30)
    assert {line: remark for line in lines if (remark := remark_in(line))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "My tooth is killing me.",
        "I could die for a coffee.",
        "I hate this stupid tooth.",
        "I'm such an idiot, I forgot the time.",
        "It hurts like hell.",
        "I took two painkillers last night.",
        "I can't live with this pain much longer.",
        "I'm going to find you on the map.",
        "Do you speak English?",
        "My name is Dutch Miller.",
        "Is this Maple Street Dental?",
        "Are you the person who does the cleaning?",
        "I want to talk to a real person.",
        "When is my appointment?",
        "When is my son's appointment?",
        "My husband's name is Tom.",
        "Can I book for my wife?",
        "What's the dentist's name?",
        "What's your phone number?",
        "",
    ],
)
def test_ordinary_words_are_left_to_model_and_flow(text: str) -> None:
    assert remark_in(text) is None


def test_no_line_of_the_flows_is_taken_away_from_them() -> None:
    lines = [case.line.say for path in sorted(SET_DIR.glob("*.yaml")) for case in load_cases(path)]
    found = {line: remark.topic for line in lines if (remark := remark_in(line))}
    assert set(found.values()) <= {Topic.ROBOT}, found


def test_a_language_is_none_where_it_is_spoken_anyhow() -> None:
    assert remark_in("Do you speak Spanish?", "es") is None
    asked = remark_in("Do you speak English?", "es")
    assert asked is not None
    assert asked.language == "en"


def test_the_first_insult_is_warned_of_and_the_second_ends_the_call() -> None:
    noted: list[str] = []
    conduct = Conduct(persona(), noted.append)
    first = Utterance(1, attempt=1)
    answer = conduct.prepare(first, "You're a useless idiot.")
    assert answer is not None
    assert not answer.ends_call
    again = Utterance(2, attempt=2)  # the caller went on: the first was never committed
    answer = conduct.prepare(again, "You're a useless idiot, really.")
    assert answer is not None
    assert not answer.ends_call
    conduct.commit(again)
    assert noted == ["abuse"]
    answer = conduct.prepare(Utterance(3, attempt=3), "Shut up, you moron.")
    assert answer is not None
    assert answer.ends_call
    assert answer.text == GuardConfig().abuse_goodbye


def test_despair_is_answered_with_the_fixed_sentence_and_then_handed_over() -> None:
    conduct = Conduct(persona(crisis="Please call 988.", crisis_transfer="crisis"), lambda _: None)
    utterance = Utterance(1, attempt=1)
    answer = conduct.prepare(utterance, "I want to kill myself, you idiot.")
    assert answer is not None
    assert answer.text == "Please call 988."
    assert answer.is_last
    assert conduct.said() == ""
    conduct.commit(utterance)
    assert conduct.said() == "crisis"
    assert conduct.said() == ""


def test_a_language_is_handed_over_where_it_is_spoken_and_else_declined() -> None:
    conduct = Conduct(persona(languages={"es": "spanish"}), lambda _: None)
    spanish = conduct.prepare(Utterance(1, attempt=1), "Do you speak Spanish?")
    french = conduct.prepare(Utterance(2, attempt=2), "Do you speak French?")
    assert spanish is not None
    assert french is not None
    assert (spanish.transfer_to, french.transfer_to) == ("spanish", "")
    assert french.text == GuardConfig().language


def test_targets_must_exist() -> None:
    wrong = persona(crisis_transfer="nobody", languages={"fr": "nobody"})
    problems = dict(wrong.check())
    assert set(problems) == {"guard.crisis_transfer", "guard.languages.fr"}


class Remembered:
    """Stands for ``CallMemory``."""

    def __init__(self, kinds: str = "your name") -> None:
        self.kinds = kinds
        self.count = 0

    def forget(self) -> None:
        self.count += 1


def said_to(conduct: Conduct, number: int, text: str) -> str:
    """What the program answers to a whole turn; empty: nothing."""
    utterance = Utterance(number, attempt=number)
    answer = conduct.prepare(utterance, text)
    conduct.commit(utterance)
    return answer.text if answer else ""


def remembering(memory: Remembered, noted: list[str]) -> Conduct:
    return Conduct(persona(), noted.append, memory)  # type: ignore[arg-type]  # a stand-in


def test_who_wants_to_be_forgotten_is_asked_and_a_yes_forgets() -> None:
    memory, noted = Remembered(), list[str]()
    conduct = remembering(memory, noted)
    assert said_to(conduct, 1, "please delete my data") == GuardConfig().forget
    assert memory.count == 0
    assert said_to(conduct, 2, "yes, please") == GuardConfig().forgotten
    assert (memory.count, noted) == (1, ["forget", "forgotten"])
    assert said_to(conduct, 3, "yes") == ""  # of something else


@pytest.mark.parametrize(
    ("answer", "said"), [("no, leave it", GuardConfig().not_forgotten), ("on Monday", "")]
)
def test_without_a_yes_nothing_is_forgotten(answer: str, said: str) -> None:
    memory, noted = Remembered(), list[str]()
    conduct = remembering(memory, noted)
    said_to(conduct, 1, "forget me")
    assert said_to(conduct, 2, answer) == said
    assert said_to(conduct, 3, "yes") == ""
    assert memory.count == 0


def test_a_yes_that_goes_on_forgets_nothing_before_its_turn_is_over() -> None:
    memory = Remembered()
    conduct = remembering(memory, [])
    said_to(conduct, 1, "forget me")
    conduct.prepare(Utterance(2, attempt=2), "yes")
    assert memory.count == 0
    assert said_to(conduct, 3, "no, don't") == GuardConfig().not_forgotten
    assert memory.count == 0


def test_what_is_known_is_told_by_kind_and_nothing_where_nothing_is() -> None:
    assert said_to(remembering(Remembered(), []), 1, "what do you know about me?").endswith(" your name.")
    assert (
        said_to(remembering(Remembered(""), []), 1, "what do you know about me?")
        == GuardConfig().not_remembered
    )
    for text in ("what do you know about me", "delete my data", "don't remember me"):
        assert said_to(Conduct(persona(), lambda _: None), 1, text) == GuardConfig().not_remembered


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        *(
            (Topic.FORGET, text)
            for text in (
                "please delete my data",
                "can you erase my personal information",
                "forget me",
                "please forget about me",
                "I want to be forgotten",
                "don't remember me",
                "please don't save my number",
                "I don't want you to store my data",
                "delete everything you have on me",
                "remove everything you know about me",
                "stop saving my number",
                "I'd like my data deleted",
                "take me out of your system",
                "Erase my records from your computer today.",
            )
        ),
        *(
            (Topic.KNOWN, text)
            for text in (
                "what do you know about me",
                "what have you stored about me",
                "what data do you have on me",
                "what information do you keep about me",
                "do you have anything on me",
                "do you save my number",
            )
        ),
        *(
            (None, text)
            for text in (
                "don't forget me",
                "did you forget about me",
                "forget it",
                "forget about the appointment",
                "I forgot my number",
                "I don't remember my number",
                "you don't remember me",
                "why don't you remember me",
                "delete my appointment",
                "please remove my stitches",
                "take my name from the waiting list",
                "remove my name from the waiting list",
                "do you remember me",
                "do you know me",
                "do you have my insurance card",
                "what do you need to know about me",
                "can I change my number",
                "what do you know about implants",
            )
        ),
    ],
)
def test_what_callers_say_of_being_remembered(topic: Topic | None, text: str) -> None:
    remark = remark_in(text)
    assert (remark.topic if remark else None) is topic
