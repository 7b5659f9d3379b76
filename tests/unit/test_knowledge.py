"""What operators write down, how it is found, and what the program does where nothing is."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sipagent.brain.types import Message, Role
from sipagent.call.answers import Answers, KnowledgeParts
from sipagent.call.utterance import Utterance
from sipagent.errors import ConfigError
from sipagent.knowledge.asked import Asked, asked_in, is_follow_up
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
