"""The questions of callers at the example practice, as text: ``sipagent bench knowledge`` has them spoken."""

import pytest

from sipagent.bench.knowledge_set import Verdict, judged, load_questions

pytestmark = pytest.mark.golden


@pytest.mark.parametrize(("is_held_out", "least_right"), [(False, 0.97), (True, 0.74)])
def test_most_questions_are_decided_rightly_and_hardly_any_is_answered_wrongly(
    is_held_out: bool, least_right: float
) -> None:
    knowledge, questions = load_questions()
    asked = [question for question in questions if question.is_held_out is is_held_out]
    verdicts = {question.ask: judged(question, knowledge.advise(question.ask)) for question in asked}
    right = sum(verdict is Verdict.RIGHT for verdict in verdicts.values())
    wrong = [ask for ask, verdict in verdicts.items() if verdict is Verdict.WRONG]
    assert len(asked) >= 50
    assert right / len(asked) >= least_right, verdicts
    assert len(wrong) / len(asked) <= (0.05 if is_held_out else 0.01), wrong


def test_small_talk_and_requests_are_never_declined() -> None:
    knowledge, questions = load_questions()
    declined = [
        q.ask for q in questions if q.kind == "left" and knowledge.advise(q.ask).move.value != "leave"
    ]
    assert declined == []
