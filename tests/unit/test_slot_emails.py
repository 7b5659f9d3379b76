"""E-mail addresses: what is said around them, and what is mended of them."""

import pytest

from tests.unit.slot_reading import read

pytestmark = pytest.mark.unit

BEFORE = "ann.lee@example.com"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ann dot lee at example dot com thanks", BEFORE),
        ("ann dot lee at example dot com, all lower case", BEFORE),
        ("ann dot lee, all lower case, at example dot com", BEFORE),
        ("ann, dot, lee, at, example, dot, com", BEFORE),
        ("It's ann.lee at example.com. Thanks!", BEFORE),
        ("ann dot lee at example. com", BEFORE),
        ("you can reach me at ann dot lee at example dot com", BEFORE),
        ("no spaces, ann lee at example dot com", "annlee@example.com"),
        ("ann lee one word at example dot com", "annlee@example.com"),
        ("sure, it's um ann at example dot com", "ann@example.com"),
        ("ann at sign example dot com", "ann@example.com"),
        ("tom b at hotmail dot com and my phone is 555", "tomb@hotmail.com"),
        ("ann at my shop dot co dot uk please", "ann@myshop.co.uk"),
        ("ann at g m x dot d e", "ann@gmx.de"),
        ("I don't have one", None),
    ],
)
def test_only_the_address_is_taken(text: str, value: str | None) -> None:
    assert read("email", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("s as in sam m y t h at example dot com", "smyth@example.com"),
        ("b as in boy o b at example dot com", "bob@example.com"),
        ("sierra mike india tango hotel at example dot com", "smith@example.com"),
        ("ann forty two at example dot com", "ann42@example.com"),
        ("j s m i t h forty two at example dot com", "jsmith42@example.com"),
        ("sarah nineteen eighty five at example dot net", "sarah1985@example.net"),
        ("info at studio fifty four dot com", "info@studio54.com"),
        ("double oh seven at example dot com", "007@example.com"),
        ("my email is one at example dot com", "one@example.com"),
    ],
)
def test_letters_and_numbers_of_an_address_are_those_that_were_dictated(text: str, value: str) -> None:
    assert read("email", text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no, it's at example dot org", "ann.lee@example.org"),
        ("no, dot org", "ann.lee@example.org"),
        ("not dot com, dot org", "ann.lee@example.org"),
        ("it's dot org not dot com", "ann.lee@example.org"),
        ("example dot org", "ann.lee@example.org"),
        ("no, it's gmail", "ann.lee@gmail.com"),
        ("no, it's ann lee without the dot", "annlee@example.com"),
        ("it's an underscore not a dot", "ann_lee@example.com"),
        ("with a dash", "ann-lee@example.com"),
        ("no, ann dot leigh", "ann.leigh@example.com"),
        ("no, L-E-I-G-H", "ann.leigh@example.com"),
        ("no, bob at example dot org", "bob@example.org"),
        ("no, lee with a K", None),
        ("it's ann lee", None),
        ("no that's wrong", None),
        ("yes", None),
    ],
)
def test_an_address_is_mended_in_the_part_that_is_told(text: str, value: str | None) -> None:
    assert read("email", text, before=BEFORE) == value


def test_numbers_of_an_address_are_mended() -> None:
    assert read("email", "no, forty three", before="ann42@example.com") == "ann43@example.com"
    assert read("email", "forty three not forty two", before="ann42@example.com") == "ann43@example.com"
