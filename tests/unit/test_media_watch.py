"""Media statistics over a call's streams, the E-model's estimate, and one-way audio."""

import pytest

from sipagent.codecs.e_model import estimate, mos_of
from sipagent.sip.media_watch import SILENT_MS, MediaTally, OneWayWatch, StreamCounts

pytestmark = pytest.mark.unit


def test_the_e_models_known_points() -> None:
    """G.107 annex B: R 93.2 is MOS 4.41, 50 is 2.58; G.113: G.711 with 2 % of loss loses about 7 of R."""
    assert mos_of(93.2) == pytest.approx(4.41, abs=0.01)
    assert mos_of(50) == pytest.approx(2.58, abs=0.01)
    assert (mos_of(-5), mos_of(200)) == (1.0, 4.5)
    clean, lossy = (estimate("PCMU", loss_share=share, delay_ms=0) for share in (0.0, 0.02))
    assert clean.r_factor - lossy.r_factor == pytest.approx(95 * 2 / 27.1, abs=0.1)
    assert (
        estimate("PCMU", loss_share=0, delay_ms=400).mos
        < 3.9
        < estimate("PCMU", loss_share=0, delay_ms=100).mos
    )
    assert estimate("G722", loss_share=1, delay_ms=0).mos < 2


def test_streams_of_a_call_are_added_up() -> None:
    tally = MediaTally()
    assert tally.report() is None
    tally.update(StreamCounts("PCMU", sent=100, received=90, lost=10, jitter_ms=2.0))
    tally.update(StreamCounts("PCMU", sent=200, received=180, lost=20, jitter_ms=2.0))
    tally.stream_ended()
    tally.update(StreamCounts("G722", sent=50, received=60, late=5, jitter_ms=6.0))
    report = tally.report()
    assert report is not None
    assert (report.codec, report.rtp_sent, report.rtp_received) == ("PCMU+G722", 250, 240)
    assert (report.rtp_lost, report.rtp_late, report.jitter_ms) == (20, 5, 3.0)
    assert 3.0 < report.mos < 4.2
    assert tally.received == 240


def test_a_stream_that_begins_anew_unnoticed_is_another_one() -> None:
    tally = MediaTally()
    tally.update(StreamCounts("PCMU", received=500))
    tally.update(StreamCounts("PCMU", received=3))
    assert tally.received == 503


def watch(received: list[int], *, sent_to: str = "10.0.0.4", expected: bool = True) -> list[str]:
    """What is told where a second brings so many packets."""
    one_way, told, total = OneWayWatch(), [], 0
    for second, count in enumerate(received):
        total += count
        problem = one_way.step(second * 1000, total, is_expected=expected, sent_to=sent_to, our_port=20000)
        told += [problem] if problem else []
    return told


def test_one_way_audio_is_named_once() -> None:
    assert SILENT_MS == 4000
    (problem,) = watch([0] * 20)
    assert problem.startswith("sending, but receiving nothing for 4 s: check that UDP port 20000")
    assert "whether we can reach 10.0.0.4, the private address" in problem
    assert "private" not in watch([0] * 20, sent_to="198.51.100.7")[0]


def test_a_pause_is_no_fault_and_each_longer_one_is() -> None:
    assert watch([50, 0, 0, 0, 50, 0, 0, 0, 50]) == []
    assert len(watch([50, *[0] * 9, 50, 50, *[0] * 9])) == 2
    assert "receiving nothing more" in watch([50, *[0] * 9])[0]
    assert watch([0] * 20, expected=False) == [], "on hold nothing needs to come"
