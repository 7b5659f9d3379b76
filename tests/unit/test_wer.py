"""Word error rate."""

import pytest

from sipagent.bench.wer import normal_words, word_error_rate, word_errors

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("My number is five five five, zero one two three.", "my number is 555-0123"),
        ("at two thirty", "at 2:30"),
        ("twenty three people", "23 people"),
        ("mister john dashwood", "Mr. John Dashwood"),
        ("That's all, goodbye.", "That’s all. Good bye!"),
        ("cold hearted", "Cold-hearted"),
        ("nineteen", "19"),
    ],
)
def test_the_same_words_written_otherwise_are_no_error(said: str, heard: str) -> None:
    assert word_error_rate(said, heard) == 0.0


def test_every_kind_of_error_counts_once() -> None:
    assert word_errors("a b c d", "a x c d") == (1, 4)
    assert word_errors("a b c d", "a c d") == (1, 4)
    assert word_errors("a b c d", "a b b c d") == (1, 4)
    assert word_errors("a b c d", "") == (4, 4)


def test_inventions_count_beyond_one() -> None:
    assert word_error_rate("yes", "no not at all") == 4.0
    assert word_error_rate("", "you") == 1.0
    assert word_error_rate("", "") == 0.0


def test_numbers_are_digits_one_by_one() -> None:
    assert normal_words("forty-two, four twenty, oh") == ["4", "2", "4", "2", "0", "0"]
