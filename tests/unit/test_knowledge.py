"""What operators write down, how it is found, and what the program does where nothing is."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sipagent.bench.knowledge_set import load_questions
from sipagent.brain.types import Message, Role
from sipagent.call.answers import Answers, KnowledgeParts
from sipagent.call.utterance import Utterance
from sipagent.errors import ConfigError
from sipagent.knowledge.asked import Asked, asked_in, is_follow_up
from sipagent.knowledge.clauses import clauses_of
from sipagent.knowledge.knowledge import Knowledge, Move
from sipagent.knowledge.passages import Passage, passages_of, read_folder
from sipagent.knowledge.wanted import Wanted, has_evidence
from sipagent.knowledge.words import subject_of

pytestmark = pytest.mark.unit

TEXT = """\
# Paying

## Which cards do you take?
## Can I pay by card? Do you take Visa?
We take **Visa** and [Mastercard](https://example.com).

At the desk only.

## Refunds
- Within 30 days you get your money back.

After that you get a voucher. It is good for two years. It cannot be paid out, but you may give it away.

```
# no heading
```

Q: Is there a lift?
A: Yes, at the back door.
"""


def passages(text: str = TEXT) -> list[Passage]:
    problems: list[str] = []
    found = list(passages_of(text, "a.md", problems))
    assert problems == []
    return found


@pytest.fixture
def knowledge() -> Knowledge:
    return Knowledge(passages(), "Open from nine to five. Say one short sentence.")


def test_questions_paragraphs_and_their_lines() -> None:
    card, money, voucher, fenced, lift = passages()
    assert card.questions == ("Which cards do you take?", "Can I pay by card?", "Do you take Visa?")
    assert (card.where, card.topic, card.text) == (
        "a.md:5",
        "Paying",
        "We take Visa and Mastercard. At the desk only.",
    )
    assert (money.where, money.topic, money.text) == (
        "a.md:10",
        "Paying / Refunds",
        "Within 30 days you get your money back.",
    )
    assert voucher.questions == ()
    assert voucher.text.startswith("After that")
    assert fenced.text == "# no heading"
    assert (lift.questions, lift.text) == (("Is there a lift?",), "Yes, at the back door.")


def test_each_problem_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n\n## Is it open?\n\n# B\n\n## Is it free?\nYes.\n")
    (tmp_path / "b.md").write_bytes(b"\xff")
    (tmp_path / "c.md").write_text("## Is it free?\nNo.\n")
    (tmp_path / "d.md").write_text("\n")
    with pytest.raises(ConfigError) as caught:
        read_folder(tmp_path)
    told = "\n".join(caught.value.problems).replace(f"{tmp_path}/", "")
    assert "a.md:3: no answer stands under 'Is it open?'" in told
    assert "b.md: is not UTF-8" in told
    assert "c.md:2: 'Is it free?' is answered in a.md:8 already; keep one" in told
    assert "d.md: nothing to tell" in told


def test_a_folder_without_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Markdown file"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "move", "told"),
    [
        ("do you take visa", Move.SAY, "Mastercard"),
        ("Can I pay with a card?", Move.SAY, "Mastercard"),
        ("Is there an elevator?", Move.SAY, "back door"),
        ("is there a lyft", Move.DECLINE, ""),  # too short to be compared by likeness
        ("Do you accept master card?", Move.SAY, "Mastercard"),  # speech-to-text splits words
        ("How long is a voucher good for?", Move.SAY, "It is good for two years."),
        ("How much is a lift?", Move.DECLINE, ""),  # there is one, but no price
        ("Do you sell bicycles?", Move.DECLINE, ""),
        ("When do you open?", Move.LEAVE, ""),  # the model's prompt has it
        ("How are you?", Move.LEAVE, ""),
        ("Can I book a table?", Move.LEAVE, ""),
        ("I'd like a refund.", Move.LEAVE, ""),
        ("", Move.LEAVE, ""),
        ("?!", Move.LEAVE, ""),
        ('Do you take visa" OR NEAR(* ^ -- ?', Move.SAY, "Mastercard"),
    ],
)
def test_advice(knowledge: Knowledge, text: str, move: Move, told: str) -> None:
    advice = knowledge.advise(text)
    assert (advice.move, told in advice.text) == (move, True), advice


@pytest.fixture(scope="module")
def practice() -> Knowledge:
    """What the example practice has written down."""
    return load_questions()[0]


@pytest.mark.parametrize(
    ("known", "foreign"),
    [
        ("Do you do root canals?", "Do you do root canals for dogs?"),
        ("do you straighten teeth", "do you straighten teeth for horses"),
        ("is there parking", "is there parking for trucks"),
        ("do you offer sedation", "do you offer sedation for hamsters"),
        ("how much is a cleaning", "how much is a cleaning for my dog"),
        ("do you have laughing gas", "is laughing gas safe"),
        ("what happens if I miss my appointment", "what if I'm late for my appointment"),
        ("who are the dentists", "is the dentist single"),
        ("do you do root canals, Doctor Chen", "is Doctor Chen nice"),
        ("can I pay cash", "is it cheaper to pay cash"),
        ("do you offer discounts to seniors", "how many seniors do you treat"),
    ],
)
def test_a_subject_that_nobody_wrote_down_weighs_against_an_answer(
    practice: Knowledge, known: str, foreign: str
) -> None:
    assert practice.advise(known).move is Move.SAY
    assert practice.advise(foreign).move is Move.DECLINE, practice.advise(foreign)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("how many dentists are there", "Paul Chen"),  # a list tells how many
        ("how many parking spaces are there", "six"),
        ("how much time does a cleaning take", "45 minutes"),
        ("I have a pacemaker is that a problem", "pacemaker"),
        ("I only have an hour how long does a cleaning take", "45 minutes"),
        ("my dog has bad teeth but how much is a cleaning", "90 dollars"),
        ("do you take a check", "by check"),  # one of several that the stored question names
    ],
)
def test_what_is_written_down_is_told_however_it_is_asked(practice: Knowledge, text: str, told: str) -> None:
    advice = practice.advise(text)
    assert (advice.move, told in advice.text) == (Move.SAY, True), advice


@pytest.mark.parametrize("text", ["I have diabetes is that a problem", "I'm pregnant can I get X-rays"])
def test_what_a_caller_tells_of_themselves_is_part_of_the_question(practice: Knowledge, text: str) -> None:
    assert practice.advise(text).move is Move.DECLINE


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("i have a pacemaker is that a problem", 2),
        ("my tooth broke who can i call", 2),
        ("i live far away and where can i park", 2),
        ("hi, do you take visa", 2),
        ("what do you charge", 1),
        ("the problem is it hurts", 1),
        ("tell me what it is", 1),
        ("so do i", 1),
        ("see dr. chen", 1),
        ("", 0),
    ],
)
def test_a_question_in_the_middle_begins_a_clause(text: str, clauses: int) -> None:
    assert len(clauses_of(text)) == clauses, clauses_of(text)


def test_a_follow_up_is_about_what_was_asked_before(knowledge: Knowledge) -> None:
    assert knowledge.advise("And for how long is it good?", "Do you have vouchers?").move is Move.SAY
    assert knowledge.advise("And how much is it?", "Is there a lift?").move is Move.DECLINE
    assert knowledge.advise("Is there a lift?", "Do you take Visa?").text == "Yes, at the back door."
    assert knowledge.advise("And when is it open?", "Do you sell bicycles?").move is Move.LEAVE
    assert not is_follow_up("What are your opening hours?")


def test_the_model_is_shown_no_more_than_the_budget() -> None:
    shown = Knowledge(passages(), budget_tokens=20).advise("How long is a voucher good for?")
    assert shown.move is Move.TELL
    assert 0 < len(shown.text) <= 60


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("um so what does it cost", Asked.FACT),
        ("I was wondering whether you have parking", Asked.FACT),
        ("Hi there. My son is four. Do you see children?", Asked.FACT),
        ("Could you please transfer me?", Asked.DEED),
        ("I'd like to come on Tuesday is that possible", Asked.DEED),
        ("I need to move my appointment can you do that", Asked.DEED),
        ("is it okay if I come at ten", Asked.DEED),
        ("I broke a tooth can you see me today", Asked.DEED),
        ("can you leave my car alone", Asked.FACT),
        ("can I get an implant", Asked.FACT),
        ("can I come by bus", Asked.FACT),
        ("I need a root canal can you do that", Asked.FACT),
        ("the thing is it hurts", Asked.NOTHING),
        ("Are you a robot?", Asked.TALK),
        ("What's my name?", Asked.TALK),
        ("Tuesday is fine", Asked.NOTHING),
    ],
)
def test_what_is_asked(text: str, asked: Asked) -> None:
    assert asked_in(text) is asked


def test_an_answer_contains_what_is_wanted() -> None:
    assert subject_of("How much is a crown?").wanted is Wanted.PRICE
    assert subject_of("How much is a crown?").words == ("crown",)
    assert not has_evidence("We make crowns in one visit.", Wanted.PRICE)
    assert has_evidence("A crown is 900 dollars.", Wanted.PRICE)


class FakeSpeaker:
    """Notes what it is to say."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.asked: list[Message] = []

    def tell(self, utterance: Utterance, text: str) -> None:
        self.told.append(text)

    def reply(
        self, utterance: Utterance, history: Sequence[Message], *, first: str = "", then: str = ""
    ) -> None:
        self.asked.append(history[-1])


def answered(text: str, knowledge: Knowledge) -> tuple[FakeSpeaker, Utterance]:
    speaker, utterance = FakeSpeaker(), Utterance(1, 1)
    answers = Answers(speaker, KnowledgeParts(knowledge, "I don't know."))  # type: ignore[arg-type]  # a fake
    answers.answer(utterance, [Message(Role.CALLER, text)], first="Well.", then="Anything else?")
    return speaker, utterance


def test_the_model_is_not_asked_for_what_is_written_down(knowledge: Knowledge) -> None:
    speaker, utterance = answered("Do you take Visa?", knowledge)
    assert speaker.told == ["Well. We take Visa and Mastercard. At the desk only. Anything else?"]
    assert (speaker.asked, utterance.by) == ([], "say")


def test_what_nobody_has_written_down_is_declined(knowledge: Knowledge) -> None:
    speaker, utterance = answered("Do you sell bicycles?", knowledge)
    assert (speaker.told, utterance.by) == (["Well. I don't know. Anything else?"], "decline")


def test_passages_reach_the_model_as_a_note() -> None:
    speaker, _ = answered("How long is a voucher good for?", Knowledge(passages(), budget_tokens=50))
    assert speaker.told == []
    assert "two years" in speaker.asked[0].note
    assert speaker.asked[0].text == "How long is a voucher good for?"
