"""Names that are also words, words that are no names, and letters that are put right."""

import pytest

from sipagent.flows.slots.values import Value
from tests.unit.slot_reading import read, reading_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Will", "Will"),
        ("Will Young", "Will Young"),
        ("My name is Will", "Will"),
        ("my name is will", "Will"),
        ("my name is Will and I want to book", "Will"),
        ("this is will calling", "Will"),
        ("May Day", "May Day"),
        ("An Li", "An Li"),
        ("So Young Park", "So Young Park"),
        ("Grace", "Grace"),
        ("William Tell", "William Tell"),
        ("Sarah Good, please", "Sarah Good"),
        ("Will you call me?", None),
        ("May I ask why?", None),
        ("Can you hear me?", None),
        ("an emergency", None),
    ],
)
def test_a_word_that_is_also_a_name_is_one_where_it_stands_like_one(text: str, value: str | None) -> None:
    assert read("name", text) == value


@pytest.mark.parametrize(
    "text",
    [
        "help",
        "Help!",
        "it's me",
        "none of your business",
        "It's none of your business.",
        "nothing",
        "wait a second",
        "hold on",
        "one moment",
        "the same as before",
        "my husband",
        "no comment",
        "no thanks",
        "It's Monday",
        "I'm busy",
        "dunno",
        "private",
        "that's wrong",
        "no that's wrong",
    ],
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert read("name", text) is None
    assert read("name", text, before="Sarah Miller") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Dr. Smith", "Smith"),
        ("This is Doctor Smith", "Smith"),
        ("Mr. and Mrs. Smith", "Smith"),
        ("Miss Marple", "Marple"),
        ("Bond, James Bond", "James Bond"),
        ("Sarah, Sarah Miller", "Sarah Miller"),
        ("my last name is Miller and my first name is Sarah", "Sarah Miller"),
        ("first name Sarah, last name Miller", "Sarah Miller"),
        ("John F. Kennedy", "John Kennedy"),
        ("Smith dash Jones", "Smith-Jones"),
        ("it's not Smith, it's Smyth", "Smyth"),
        ("Smyth, not Smith", "Smyth"),
        ("Of course, Sarah Miller", "Sarah Miller"),
        ("Sarah Miller, S as in sugar", "Sarah Miller"),
        ("surname Miller", "Miller"),
        ("Maria de la Cruz", "Maria de la Cruz"),
        ("It's for Tom", "Tom"),
    ],
)
def test_names_as_people_introduce_them(text: str, value: str) -> None:
    assert read("name", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Sierra Mike India Tango Hotel", "Smith"),
        ("It's Smith, Sierra Mike Yankee Tango Hotel", "Smyth"),
        ("S for Sierra, M, Y, T, H", "Smyth"),
        ("S for Sierra, M for Mike, Y for Yankee, T for Tango, H for Hotel", "Smyth"),
        ("M like Mary, E, Y, E, R", "Meyer"),
        ("Anna, A-double-N-A", "Anna"),
        ("L, E, double you, I, S", "Lewis"),
        ("Mike Victor", "Mike Victor"),
    ],
)
def test_names_are_spelt_with_the_words_of_the_telephone(text: str, value: str) -> None:
    assert read("name", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Carl with a K", "Karl"),
        ("Catherine with a K", "Katherine"),
        ("Eric with a K", "Erik"),
        ("Smith with a Y", "Smyth"),
        ("Steven with a PH", "Stephen"),
        ("Ann with an E", "Anne"),
        ("Sara with an H", "Sarah"),
        ("Sarah with an H", "Sarah"),
        ("Sarah without an H", "Sara"),
        ("Miler with two Ls", "Miller"),
        ("Miller with double L", "Miller"),
        ("with a K", None),
    ],
)
def test_a_letter_is_put_right_in_the_name(text: str, value: str | None) -> None:
    assert read("name", text) == value


@pytest.mark.parametrize(
    ("before", "text", "value"),
    [
        ("Carl Miller", "no, with a K", "Karl Miller"),
        ("Paker", "no, with a B", "Baker"),
        ("Sarah Smith", "it's a Y not an I", "Sarah Smyth"),
        ("Sarah Miller", "no, without the H", "Sara Miller"),
        ("Sarah Miller", "no, Sara without an H", "Sara Miller"),
        ("Sarah Miler", "with two Ls", "Sarah Miller"),
        ("Ann Brown", "with an E at the end", "Ann Browne"),
        ("Sarah Miller", "no, with a K", None),
        ("Sarah Miller", "no, Sarah with two As", None),
        ("Carla Carter", "with a K", None),
        ("Sarah Miller", "no, my last name is Jones", "Sarah Jones"),
        ("Sarah Miller", "the first name is Clara", "Clara Miller"),
        ("Sarah Miller", "no, McDonald", "Sarah McDonald"),
        ("Sarah Miller", "not Miller, Millar", "Sarah Millar"),
        ("Sarah Smith", "no, Sierra Mike Yankee Tango Hotel", "Sarah Smyth"),
    ],
)
def test_a_name_that_was_read_back_is_mended_or_asked_again(
    before: str, text: str, value: str | None
) -> None:
    assert read("name", text, before=before) == value


def test_a_letter_that_was_put_right_is_spelt_back() -> None:
    reading = reading_of("name", "no, with a K", before="Carl Miller")
    assert reading == Value("Karl Miller", "Karl Miller, spelled K, A, R, L", is_sure=False)


def test_a_name_told_in_passing_may_be_a_word_too() -> None:
    assert read("name", "my name is Will and I want to book", asked=False) == "Will"
    assert read("name", "Will you be open?", asked=False) is None
