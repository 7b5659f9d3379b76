"""Clicks, gaps, levels and echo paths in sound that was made to have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.bench.backchannel_sounds import SOUNDS, sound
from sipagent.codecs.g711 import decode_mulaw, encode_mulaw
from sipagent.codecs.level import fade_in, fade_out, rms_dbov
from sipagent.codecs.resample import resample
from sipagent.codecs.tones import silence, sine
from sipagent.lab.clicks import click_samples
from sipagent.lab.echo_path import find_echo
from sipagent.lab.quality import clauses_of, gaps_within, late_packets, quality_of, track_of
from sipagent.lab.rtp_line import ReceivedPacket
from sipagent.lab.wire import LINE_HZ, PACKET_SAMPLES, Span
from sipagent.units import Pcm16

pytestmark = pytest.mark.unit


def vowel(duration_ms: int, level_dbov: float = -20.0) -> Pcm16:
    """Harmonics of 120 Hz, 16 kHz, with soft ends."""
    pcm = sine((120, 240, 360, 600, 840), duration_ms, level_dbov=level_dbov, rate_hz=16_000)
    return fade_out(fade_in(pcm, 30), 30)


def on_the_line(pcm: Pcm16) -> Pcm16:
    """As it is after the way to 8 kHz and µ-law."""
    return decode_mulaw(encode_mulaw(resample(pcm, 16_000, LINE_HZ)))


def packets(pcm: Pcm16, *, timestamp: int = 0, missing: tuple[int, ...] = ()) -> list[ReceivedPacket]:
    return [
        ReceivedPacket(
            20.0 * n,
            n,
            (timestamp + PACKET_SAMPLES * n) % (1 << 32),
            pcm[PACKET_SAMPLES * n : PACKET_SAMPLES * (n + 1)],
        )
        for n in range(pcm.size // PACKET_SAMPLES)
        if n not in missing
    ]


def loudest_moment(pcm: Pcm16, around: int) -> int:
    return around + int(np.abs(pcm[around : around + 133].astype(np.int32)).argmax())


SPEECH = np.concatenate([silence(200), vowel(600), silence(300), vowel(500), silence(200)])


def test_speech_that_begins_and_ends_softly_has_no_clicks() -> None:
    assert click_samples(on_the_line(SPEECH)) == []


def test_a_cut_without_a_fade_is_a_click_and_one_with_a_fade_is_none() -> None:
    at = loudest_moment(SPEECH, 8000)
    cut = SPEECH.copy()
    cut[at:] = 0
    (found,) = click_samples(on_the_line(cut))
    assert found == pytest.approx(at // 2, abs=16)
    faded = cut.copy()
    faded[:at] = fade_out(cut[:at], 10)
    assert click_samples(on_the_line(faded)) == []


def test_a_hole_in_a_vowel_and_a_beginning_in_its_middle_are_clicks() -> None:
    at = loudest_moment(SPEECH, 6000)
    hole = SPEECH.copy()
    hole[at : at + 640] = 0
    assert click_samples(on_the_line(hole))
    begun = on_the_line(SPEECH)
    begun[: loudest_moment(begun, 3000)] = 0
    assert len(click_samples(begun)) == 1


def test_a_lone_sample_out_of_place_is_a_click() -> None:
    pcm = on_the_line(SPEECH)
    pcm[4000] = 30_000
    (found,) = click_samples(pcm)
    assert found in (3999, 4000)


def test_nothing_is_judged_beside_what_never_came() -> None:
    pcm = on_the_line(SPEECH)
    lossy = quality_of(packets(pcm, missing=(20,)), [])
    assert (lossy.clicks_ms, lossy.lost_packets) == ((), 1)


@given(st.integers(0, 200))
def test_short_sound_is_judged_without_a_fault(samples: int) -> None:
    assert isinstance(click_samples(np.full(samples, 12_000, dtype=np.int16)), list)


def test_packets_are_put_in_order_across_the_wrap_and_copies_are_dropped() -> None:
    pcm = np.arange(10 * PACKET_SAMPLES, dtype=np.int16)
    sent = packets(pcm, timestamp=(1 << 32) - 3 * PACKET_SAMPLES, missing=(7,))
    shuffled = [sent[1], sent[0], sent[0], *sent[2:]]
    track = track_of(shuffled)
    expected = pcm.copy()
    expected[7 * PACKET_SAMPLES : 8 * PACKET_SAMPLES] = 0
    assert np.array_equal(track.pcm, expected)
    assert int(track.is_missing.sum()) == PACKET_SAMPLES
    assert track_of([]).pcm.size == 0


def test_pauses_count_only_inside_an_utterance() -> None:
    spans = [Span(0, 1000), Span(1300, 2000), Span(2700, 4000), Span(12_000, 13_000), Span(14_000, 15_000)]
    assert [gap.duration_ms for gap in gaps_within(spans)] == [700, 1000]
    assert [gap.start_ms for gap in gaps_within(spans, [Span(13_100, 13_400)])] == [2000]


def test_a_packet_is_late_by_its_own_timestamp() -> None:
    sent = packets(on_the_line(SPEECH))
    assert late_packets(sent) == 0
    late = [
        ReceivedPacket(p.arrival_ms + (80 if n in (5, 6) else 0), p.sequence, p.timestamp, p.pcm)
        for n, p in enumerate(sent)
    ]
    assert late_packets(late) == 2
    assert late_packets([]) == 0


def test_clauses_are_levelled_apart() -> None:
    pcm = on_the_line(np.concatenate([vowel(900), silence(400), vowel(900, -28.0), silence(400), vowel(200)]))
    assert len(clauses_of(pcm)) == 2
    quality = quality_of(packets(pcm), [])
    assert quality.clause_levels_dbov == pytest.approx((-20, -28), abs=1.0)
    assert not quality.is_steady
    assert quality_of(packets(on_the_line(SPEECH)), []).is_steady


def test_direct_current_and_clipping_are_told() -> None:
    pcm = on_the_line(SPEECH)
    assert quality_of(packets(pcm), []).dc_dbov < -60
    shifted = quality_of(packets((pcm + 1000).astype(np.int16)), [])
    assert shifted.dc_dbov == pytest.approx(-30.3, abs=0.5)
    loud = np.clip(pcm.astype(np.int32) * 20, -32_124, 32_124).astype(np.int16)
    assert quality_of(packets(loud), []).clipped_samples > 1000
    assert quality_of(packets(pcm), []).clipped_samples == 0


def test_a_call_without_sound_has_no_faults() -> None:
    nothing = quality_of([], [])
    assert (nothing.speech_s, nothing.clicks_ms, nothing.gaps, nothing.level_spread_db) == (0, (), (), 0)


@pytest.mark.parametrize(("delay_ms", "gain_db"), [(0, -6), (120, -12), (400, -20)])
def test_an_echo_is_found_with_its_delay_and_gain(delay_ms: int, gain_db: float) -> None:
    rng = np.random.default_rng(4)
    heard = (3000 * rng.standard_normal(3 * LINE_HZ)).astype(np.int16)
    shift = delay_ms * LINE_HZ // 1000
    said = np.concatenate([np.zeros(shift), heard[: heard.size - shift] * 10 ** (gain_db / 20)])
    noise = 100 * rng.standard_normal(said.size)
    found = find_echo(heard, (said + noise).astype(np.int16))
    assert found is not None
    assert found.delay_ms == delay_ms
    assert found.gain_db == pytest.approx(gain_db, abs=0.3)


def test_where_nothing_comes_back_no_echo_is_found() -> None:
    rng = np.random.default_rng(5)
    heard, other = ((2000 * rng.standard_normal(2 * LINE_HZ)).astype(np.int16) for _ in range(2))
    assert find_echo(heard, other) is None
    assert find_echo(heard, np.zeros_like(heard)) is None


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_the_same_every_time_and_neither_silent_nor_clipped(name: str) -> None:
    pcm = sound(name)
    assert np.array_equal(pcm, sound(name))
    assert -60 < rms_dbov(pcm) < -10
    assert int(np.abs(pcm.astype(np.int32)).max()) < 32_001
    assert 200 <= pcm.size / 16 <= 2500
