"""Single keys that act, and dictated numbers."""

import pytest

from sipagent.call.keys import LONGEST_NUMBER, Act, Dictated, KeyRules, Keys, elapsed, pressed

pytestmark = pytest.mark.unit

RULES = KeyRules(frozenset("0"), inter_digit_ms=3000)


def dial(*presses: tuple[str, int], rules: KeyRules = RULES) -> list[Act | Dictated]:
    """What the keys bring, the clock looked at every 100 ms until ten seconds after the last."""
    keys, outcomes = Keys(), []
    waiting = list(presses)
    for now_ms in range(0, presses[-1][1] + 10_000, 100):
        while waiting and waiting[0][1] <= now_ms:
            keys, outcome = pressed(keys, waiting.pop(0)[0], now_ms, rules)
            outcomes += [outcome] if outcome else []
        keys, ended = elapsed(keys, now_ms, rules)
        outcomes += [ended] if ended else []
    return outcomes


def test_hash_or_a_pause_ends_a_number() -> None:
    assert dial(("5", 0), ("5", 500), ("1", 1000), ("#", 1500)) == [Dictated("551")]
    assert dial(("5", 0), ("1", 2900)) == [Dictated("51")]
    assert dial(("5", 0), ("1", 3100)) == [Dictated("5"), Dictated("1")]
    assert dial(("#", 0)) == []


def test_a_key_with_an_action_acts_only_where_it_begins_a_number() -> None:
    assert dial(("0", 0)) == [Act("0")]
    assert dial(("5", 0), ("0", 100), ("#", 200)) == [Dictated("50")]
    assert dial(("5", 0), ("#", 100), ("0", 200)) == [Dictated("5"), Act("0")]
    assert dial(("*", 0), ("1", 100), ("#", 200)) == [Dictated("*1")]


def test_a_number_without_end_is_cut() -> None:
    (outcome,) = dial(*[("7", 100 * n) for n in range(200)], ("#", 20_000))
    assert outcome == Dictated("7" * LONGEST_NUMBER)
