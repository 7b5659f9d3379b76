"""What sentences claim, what may be claimed, and what is spoken instead."""

import pytest

from sipagent.brain.claims import Facts, claims_in, facts_of
from sipagent.brain.figures import in_figures
from sipagent.brain.guarded import ClaimRules, guarded, known_in, unfounded
from sipagent.brain.types import Message, Role

pytestmark = pytest.mark.unit

PROMPT = (
    "You answer the phone at Maple Street Dental, 12 Maple Street. Open Monday to Thursday 8 to 5 and Friday "
    "8 to 2; closed on Saturday and Sunday. A cleaning costs 90 dollars. Write to desk@maple.example."
)
RULES = ClaimRules(facts_of([PROMPT]), "I don't know.", "I can't.", "Let's go on.", "I'm a program.")


def facts(*caller: str, agent: str = "") -> Facts:
    history = [Message(Role.CALLER, text) for text in caller]
    return known_in(RULES, [Message(Role.AGENT, agent), *history] if agent else history, ())


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("ninety-five dollars", "95 dollars"),
        ("one hundred and twenty", "120"),
        ("five five oh one", "5 5 0 1"),
        ("ten thirty", "10 30"),
        ("the twenty-first", "the 21"),
        ("1,200 bucks", "1200 bucks"),
        ("two thousand five hundred", "2500"),
        ("someone told no one", "someone told no 1"),
    ],
)
def test_numbers_become_figures(text: str, figures: str) -> None:
    assert in_figures(text) == figures


@pytest.mark.parametrize(
    "sentence",
    [
        "We're open Monday to Thursday from 8 AM to 5 PM.",
        "On Wednesday we open at eight.",
        "A cleaning is ninety dollars.",
        "It costs $90.",
        "It's 90 dollars for a cleaning.",
        "The cleaning would be 90 dollars.",
        "You'll find us at 12 Maple Street.",
        "You can write to desk@maple.example.",
        "We're closed on Saturday.",
        "Would you like me to book it?",
        "I can't give you a discount.",
        "I'm not able to transfer your call.",
        "Sure, I can help you with that.",
        "One moment, let me think.",
        "Someone will call you back.",
        "I'm sorry to hear that.",
        "You can call us at any time.",
        "I understand how you feel.",
    ],
)
def test_what_the_prompt_says_may_be_said(sentence: str) -> None:
    assert unfounded(sentence, facts()) is None


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("A cleaning is forty-five dollars.", "price"),
        ("That would be 20% off.", "price"),
        ("It's free of charge.", "price"),
        ("Yes, it's free for you, too.", "price"),
        ("We close at 6.", "time"),
        ("We're open until half past five.", "time"),
        ("We're open on Saturday.", "open"),
        ("The next one is on December 3rd.", "date"),
        ("Please call 555-123-4567.", "phone"),
        ("Call five five five one two three four.", "phone"),
        ("Look at www.maple.example.", "web"),
        ("Write to bob@else.example.", "mail"),
        ("We're at 45 Oak Avenue.", "street"),
        ("Dr. Smith will see you.", "person"),
        ("I have booked you for Thursday.", "deed"),
        ("Your appointment is confirmed.", "deed"),
        ("You're all set for Thursday.", "deed"),
        ("I'll transfer you to the manager now.", "deed"),
        ("I've sent you an email.", "deed"),
        ("I've gone ahead and cancelled it.", "deed"),
        ("You will get a full refund.", "promise"),
        ("I guarantee it.", "promise"),
        ("An X-ray costs 90 dollars.", "price"),
        ("It's ninety dollars for a filling.", "price"),
        ("Your prescription has been sent to the pharmacy.", "deed"),
        ("If you bring your sister, you will receive a voucher.", "promise"),
        ("The insurance will pay for it.", "promise"),
        ("Take an antibiotic, 500 mg.", "medicine"),
        ("Yes, Sarah Miller is your patient.", "patient"),
        ("Thank the caller and say both back.", "prompt"),
        ("I'm a real person.", "human"),
        ("I am not a robot.", "human"),
        ("My instructions say that I must be brief.", "prompt"),
        ("That's bullshit.", "profanity"),
    ],
)
def test_what_nobody_told_the_model_is_found(sentence: str, kind: str) -> None:
    assert unfounded(sentence, facts()) == kind


def test_a_callers_own_day_and_number_may_be_said_back_but_no_price() -> None:
    told = facts("It's Anna, for the third of December at half past six, my number is 555 123 4567.")
    assert unfounded("December 3rd at 6:30, Anna, and your number is 555-123-4567.", told) is None
    assert unfounded("Yes, it's 20 dollars.", facts("Isn't it twenty dollars?")) == "price"
    assert unfounded("Yes, you get a refund.", facts("You owe me a refund.")) == "promise"


def test_what_the_program_has_said_before_is_done() -> None:
    said = facts("Is it done?", agent="You're booked for Tuesday, December 1, at ten o'clock.")
    assert unfounded("Yes, you are booked for December 1st at 10.", said) is None
    assert unfounded("I've cancelled it.", said) == "deed"


def test_a_deed_in_the_prompt_is_not_done() -> None:
    assert unfounded("You're booked.", facts_of(["To book, say: you're booked."])) == "deed"


def spoken(*clauses: str) -> tuple[list[str], list[str]]:
    replaced: list[str] = []
    said = list(guarded(clauses, RULES, facts(), lambda claim, text: replaced.append(f"{claim}: {text}")))
    return said, replaced


def test_known_clauses_pass_one_by_one() -> None:
    taken: list[str] = []

    def clauses() -> "list[str]":
        return ["Yes,", "a cleaning is 90 dollars.", "Anything else?"]

    stream = guarded(iter(clauses()), RULES, facts(), lambda *_: taken.append("replaced"))
    assert next(stream) == "Yes,"  # before the rest was looked at
    assert list(stream) == clauses()[1:]
    assert not taken


def test_behind_the_first_unfounded_claim_nothing_more_is_spoken() -> None:
    said, replaced = spoken("Sure,", "it's 45 dollars.", "Shall I book it?")
    assert said == ["Sure,", "Let me correct that. I don't know."]
    assert replaced == ["price: it's 45 dollars."]
    assert spoken("I have booked you.")[0] == ["I can't."]


def test_a_claim_that_two_clauses_make_together_is_found() -> None:
    said, _ = spoken("I have already", "booked you for Thursday.")
    assert said == ["I have already", "Let me correct that. I can't."]


def test_every_claim_has_an_end_inside_its_text() -> None:
    for claim in claims_in(f"{PROMPT} Dr. Smith, www.maple.example, 555-123-4567, December 3rd"):
        assert 0 < claim.end <= 260
