"""Which jobs go into the decoder's next step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.brain.llama_jobs import (
    ASIDE_TOKENS,
    PREPARE_PRIORITY,
    READ_AHEAD_PRIORITY,
    STARVED_MS,
    STEP_TOKENS,
    Job,
    JobKind,
    Place,
    plan_step,
)

pytestmark = pytest.mark.unit

PRIORITIES = {JobKind.REPLY: 0, JobKind.PROMPT: PREPARE_PRIORITY, JobKind.READ_AHEAD: READ_AHEAD_PRIORITY}


def job(
    *,
    kind: JobKind = JobKind.REPLY,
    priority: int | None = None,
    unread: int = 50,
    said: str | None = None,
    last_step_ms: int = 0,
) -> Job:
    """A job with ``unread`` prompt tokens, or one that generates and has said something."""
    made = Job(kind, Place(0), tuple(range(unread)), 0, PRIORITIES[kind] if priority is None else priority)
    made.last_step_ms = last_step_ms
    if said is not None:
        made.sampled.append(1)
        made.text.feed(said.encode())
    return made


def plan(*jobs: Job, now_ms: int = 0) -> list[tuple[int, int]]:
    """(index of the job, tokens)"""
    return [(jobs.index(share.job), share.tokens) for share in plan_step(jobs, now_ms=now_ms)]


def test_nothing_to_do() -> None:
    assert plan() == []


def test_a_long_prompt_is_read_in_steps() -> None:
    assert plan(job(unread=100)) == [(0, STEP_TOKENS)]
    assert plan(job(unread=5)) == [(0, 5)]


LATER = "We are open until five."
"""Said so far: the first clause is out."""


def test_waiting_callers_are_served_one_after_the_other() -> None:
    assert plan(job(unread=10), job(said="We"), job(unread=90)) == [(0, 10)]
    assert plan(job(said="We"), job(unread=10)) == [(0, 1)]


def test_later_clauses_share_the_step() -> None:
    assert plan(job(said=LATER), job(said=LATER)) == [(0, 1), (1, 1)]


def test_a_waiting_caller_comes_before_one_who_hears_something() -> None:
    assert plan(job(said=LATER), job(unread=10)) == [(1, 10)]
    assert plan(job(said=LATER), job(said="We")) == [(1, 1)]


def test_a_lower_priority_number_is_sooner() -> None:
    assert plan(job(priority=2, unread=10), job(priority=1, unread=10)) == [(1, 10)]


def test_a_reply_does_not_starve() -> None:
    jobs = job(said=LATER), job(unread=10)
    assert plan(*jobs, now_ms=STARVED_MS - 1) == [(1, 10)]
    assert plan(*jobs, now_ms=STARVED_MS) == [(0, 1), (1, 10)]


def test_reading_ahead_waits_for_first_clauses() -> None:
    ahead = job(kind=JobKind.READ_AHEAD, unread=20)
    assert plan(job(unread=10), ahead) == [(0, 10)]
    assert plan(job(said="We"), ahead) == [(0, 1)]


def test_a_little_is_read_ahead_beside_later_clauses() -> None:
    ahead = job(kind=JobKind.READ_AHEAD, unread=20)
    assert plan(ahead, job(said=LATER)) == [(1, 1), (0, ASIDE_TOKENS)]


def test_reading_ahead_alone_gets_the_step() -> None:
    assert plan(job(kind=JobKind.READ_AHEAD, unread=20)) == [(0, 20)]
    assert plan(job(kind=JobKind.PROMPT), job(kind=JobKind.READ_AHEAD)) == [(0, STEP_TOKENS)]


JOBS = st.lists(
    st.builds(
        job,
        kind=st.sampled_from(JobKind),
        unread=st.integers(1, 80),
        last_step_ms=st.integers(0, 500),
    )
    | st.builds(job, said=st.sampled_from(["", "We", "We are open, now."]), last_step_ms=st.integers(0, 500)),
    min_size=1,
    max_size=8,
)


@given(JOBS)
def test_a_step_is_small_and_moves_the_most_urgent(jobs: list[Job]) -> None:
    shares = plan_step(jobs, now_ms=500)
    assert 0 < sum(share.tokens for share in shares) <= STEP_TOKENS + ASIDE_TOKENS + len(jobs)
    assert all(0 < share.tokens <= share.job.unread_tokens for share in shares)
    assert len({id(share.job) for share in shares}) == len(shares)
    urgent = min(job.urgency for job in jobs)
    assert shares[0].job is next(job for job in jobs if job.urgency == urgent) or shares[0].job.is_generating
