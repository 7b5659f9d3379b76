"""Which examples a caller's words are like, without a model: the arithmetic of it."""

import numpy as np
import pytest

from sipagent.brain.likeness import Examples
from sipagent.brain.types import Example

pytestmark = pytest.mark.unit

NEAR, FAR, ASIDE = [1.0, 0.1], [-1.0, 0.0], [0.0, -1.0]
EXAMPLES = (
    Example("Where are you?", "Wants", "address"),
    Example("How do I find you?", "Wants", "address"),
    Example("I'd like to come in.", "Wants", "book"),
    Example("the wait", "Chose", "waiting"),
)


def seen(*vectors: list[float]) -> Examples:
    return Examples.of(EXAMPLES, [np.array(one, dtype=np.float32) for one in vectors])


def test_the_label_of_the_nearest_examples_weighs_most() -> None:
    examples = seen(NEAR, [0.9, 0.2], FAR, ASIDE)
    weights = examples.weights(np.array([1.0, 0.2], dtype=np.float32), "Wants", ["book", "address"])
    assert weights[1] > weights[0]


def test_a_choice_without_examples_is_neither_helped_nor_hurt() -> None:
    weights = seen(NEAR, [0.9, 0.2], FAR, ASIDE).weights(
        np.array([1.0, 0.2], dtype=np.float32), "Wants", ["book", "address", "other"]
    )
    assert weights[2] == pytest.approx((weights[0] + weights[1]) / 2)


def test_examples_of_another_question_do_not_count() -> None:
    examples = seen(NEAR, [0.9, 0.2], FAR, ASIDE)
    assert list(examples.weights(np.array(NEAR, dtype=np.float32), "Chose", ["address", "book"])) == [
        0.0,
        0.0,
    ]


def test_words_that_are_all_alike_decide_nothing() -> None:
    examples = seen(NEAR, NEAR, NEAR, NEAR)
    weights = examples.weights(np.array(NEAR, dtype=np.float32), "Wants", ["address", "book"])
    assert np.isfinite(weights).all()
    assert weights[0] == weights[1]
