"""Measuring from packets, what a bad line does to them, and putting them back together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.codecs.level import rms_dbov
from sipagent.codecs.tones import silence, sine
from sipagent.lab.impairments import Impairments, LineMixer, SendQueue, pink_noise
from sipagent.lab.playout import agent_track, caller_track
from sipagent.lab.rtp_line import ReceivedPacket, SentPacket, kernel_arrival_ms
from sipagent.lab.wire import (
    LINE_HZ,
    PACKET_SAMPLES,
    Span,
    SpeechSpans,
    answer_to,
    rtp_report,
    voiced_bounds,
)

pytestmark = pytest.mark.unit


def heard(pattern: str, *, start_ms: float = 0.0) -> SpeechSpans:
    """A packet every 20 ms: ``#`` audible, ``.`` not, a blank where none came."""
    spans = SpeechSpans()
    for index, sign in enumerate(pattern):
        if sign != " ":
            spans.add(start_ms + 20 * index, sign == "#")
    return spans


def test_speech_begins_at_the_first_of_two_audible_packets() -> None:
    assert heard("...##").speaking_since_ms == 60
    assert heard("...#.#").speaking_since_ms == 60


def test_a_single_click_is_no_speech() -> None:
    spans = heard("..#....#....#")
    assert spans.speaking_since_ms is None
    assert spans.all == []


def test_a_short_pause_does_not_end_speech_and_a_long_one_does() -> None:
    spans = heard("####" + "." * 11 + "####" + "." * 20)
    assert spans.finished == [Span(0, 380)]


def test_speech_ends_when_packets_stop_coming() -> None:
    spans = heard("#####")
    spans.expire(500)
    assert spans.finished == [Span(0, 100)]


def test_voice_to_voice_runs_from_the_last_voiced_sample_to_the_first_audible_packet() -> None:
    greeting, reply = Span(0, 1000), Span(3600, 5000)
    answer = answer_to(Span(2000, 3000), [greeting, reply])
    assert (answer.v2v_ms, answer.onset_ms) == (600, 3600)
    assert (answer.cut_in_ms, answer.yielded_ms) == (None, None)


def test_an_answer_after_the_next_line_does_not_count() -> None:
    assert answer_to(Span(2000, 3000), [Span(9000, 9500)], until_ms=8000).v2v_ms is None


def test_an_agent_that_talks_on_gives_no_voice_to_voice_time() -> None:
    answer = answer_to(Span(2000, 3000), [Span(1000, 4000)])
    assert answer.v2v_ms is None
    assert answer.yielded_ms == 2000


def test_barge_in_is_measured_from_onset_to_silence() -> None:
    answer = answer_to(Span(2000, 3000), [Span(1000, 2250), Span(3500, 4000)])
    assert (answer.yielded_ms, answer.v2v_ms) == (250, 500)


def test_an_agent_that_begins_before_the_end_of_the_line_cuts_in() -> None:
    answer = answer_to(Span(2000, 3000), [Span(2700, 2900), Span(3400, 4000)])
    assert (answer.cut_in_ms, answer.v2v_ms) == (-300, 400)


def test_trailing_silence_of_a_line_is_not_voiced() -> None:
    tone = sine((300,), 500, level_dbov=-20.0, rate_hz=LINE_HZ)
    quiet_tail = (tone[:1600] // 200).astype(np.int16)
    pcm = np.concatenate([silence(100, LINE_HZ), tone, quiet_tail, silence(400, LINE_HZ)])
    assert voiced_bounds(pcm) == (800, 4800)
    assert voiced_bounds(silence(200, LINE_HZ)) == (0, 0)


def test_loss_order_and_gaps_are_counted_across_the_wrap() -> None:
    sequences = [65534, 65535, 0, 2, 1, 5]
    report = rtp_report([(20.0 * n, sequence) for n, sequence in enumerate(sequences)])
    assert (report.packets, report.lost, report.out_of_order, report.gaps) == (6, 2, 1, 0)
    late = rtp_report([(0.0, 1), (20.0, 2), (90.0, 3)])
    assert (late.lost, late.gaps, late.max_ms) == (0, 1, 70.0)


def test_a_duplicate_is_not_a_loss() -> None:
    assert rtp_report([(0.0, 7), (20.0, 8), (21.0, 8), (40.0, 9)]).lost == 0


@given(st.integers(0, 65535), st.integers(2, 300), st.data())
def test_loss_is_what_is_missing_whatever_the_sequence_numbers(
    start: int, count: int, data: st.DataObject
) -> None:
    dropped = data.draw(st.sets(st.integers(1, count - 2), max_size=20) if count > 2 else st.just(set()))
    kept = [(20.0 * n, (start + n) & 0xFFFF) for n in range(count) if n not in dropped]
    assert rtp_report(kept).lost == len(dropped)


def drained(queue: SendQueue, count: int) -> list[tuple[float, int]]:
    """(release ms, index) of ``count`` packets pushed every 20 ms."""
    out: list[tuple[float, int]] = []
    for index in range(count):
        queue.push(index, b"", 20.0 * index)
    while queue.next_ms != float("inf"):
        now_ms = queue.next_ms
        out += [(now_ms, index) for index, _ in queue.pop_due(now_ms)]
    return out


def test_a_clean_line_delivers_everything_on_time() -> None:
    assert drained(SendQueue(Impairments()), 50) == [(20.0 * n, n) for n in range(50)]


def test_loss_is_seeded_and_near_its_rate() -> None:
    first = drained(SendQueue(Impairments(loss_pct=10, seed=3)), 2000)
    assert first == drained(SendQueue(Impairments(loss_pct=10, seed=3)), 2000)
    assert 1740 < len(first) < 1860


def test_jitter_delays_within_its_bound_and_keeps_the_order_if_asked() -> None:
    kept = drained(SendQueue(Impairments(jitter_ms=60)), 300)
    assert [index for _, index in kept] == list(range(300))
    assert all(0 <= at_ms - 20 * index <= 60 for at_ms, index in kept)
    loose = drained(SendQueue(Impairments(jitter_ms=60, keep_order=False)), 300)
    assert [index for _, index in loose] != list(range(300))
    assert sorted(index for _, index in loose) == list(range(300))


def test_noise_lies_below_the_speech_by_the_ratio() -> None:
    mixer = LineMixer(Impairments(noise_snr_db=10), speech_level_dbov=-22.0)
    blank = np.zeros(PACKET_SAMPLES, dtype=np.int16)
    noise = np.concatenate([mixer.mix(blank) for _ in range(400)])
    assert rms_dbov(noise) == pytest.approx(-32.0, abs=0.5)
    assert pink_noise(-32.0, 1).size % PACKET_SAMPLES == 0


def test_echo_is_what_was_heard_later_and_softer() -> None:
    mixer = LineMixer(Impairments(echo_gain_db=-20, echo_delay_ms=40), -22.0)
    blank = np.zeros(PACKET_SAMPLES, dtype=np.int16)
    heard_pcm = [np.full(PACKET_SAMPLES, 1000 * (n + 1), dtype=np.int16) for n in range(5)]
    echoed = []
    for pcm in heard_pcm:
        mixer.heard(pcm)
        echoed.append(int(mixer.mix(blank)[0]))
    assert echoed == [0, 0, 100, 200, 300]


def test_the_callers_track_has_silence_where_a_packet_was_lost() -> None:
    ones = np.ones(PACKET_SAMPLES, dtype=np.int16)
    sent = [SentPacket(1000.0 + 20 * n, ones, 1000.0, is_lost=n == 1) for n in range(3)]
    track = caller_track(sent, 1000.0, 60.0)
    assert [int(track[160 * n]) for n in range(4)] == [1, 0, 1, 0]


def test_jittery_arrivals_play_evenly_and_a_late_burst_moves_the_time() -> None:
    def packet(arrival_ms: float, n: int) -> ReceivedPacket:
        return ReceivedPacket(
            arrival_ms, n, (2**32 - 160 + 160 * n) % 2**32, np.full(PACKET_SAMPLES, n + 1, dtype=np.int16)
        )

    even = agent_track([packet(0, 0), packet(35, 1), packet(41, 2)], 0.0, 100.0)
    assert [int(even[160 * n]) for n in range(4)] == [1, 2, 3, 0]
    late = agent_track([packet(0, 0), packet(120, 1), packet(140, 2)], 0.0, 200.0)
    assert [int(late[160 * n]) for n in range(9)] == [1, 0, 0, 0, 0, 0, 2, 3, 0]


def test_without_a_kernel_time_a_packet_came_now() -> None:
    assert kernel_arrival_ms([]) > 0
