"""Where a turn's sound has voice in it, and where it may be cut. Pure."""

import numpy as np
import numpy.typing as npt

from sipagent.units import Pcm16, ms_to_samples

FRAME_MS = 20
_FRAME_SAMPLES = ms_to_samples(FRAME_MS)
_FAINTEST_RMS = 58.0  # −55 dBov: what is softer is not meant for us
_ABOVE_FLOOR = 2.5  # 8 dB: hiss and hum stay within that of their own floor
_FLOOR_PERCENTILE = 10


def frame_rms(pcm: Pcm16) -> npt.NDArray[np.float64]:
    """Level of each whole 20 ms of ``pcm``, in steps of int16."""
    frames = pcm[: pcm.size // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES)
    return np.asarray(np.sqrt(np.mean(np.square(frames.astype(np.float64)), axis=1)))


def loud_frames(pcm: Pcm16) -> npt.NDArray[np.bool_]:
    """For each whole 20 ms: does it stand out of the line's own noise?"""
    rms = frame_rms(pcm)
    if rms.size == 0:
        return np.zeros(0, dtype=np.bool_)
    floor = float(np.percentile(rms, _FLOOR_PERCENTILE))
    return np.asarray(rms > max(floor * _ABOVE_FLOOR, _FAINTEST_RMS))


def loud_span(pcm: Pcm16, *, margin_ms: int = 200) -> slice:
    """From the first sound that stands out to the last, with a margin; empty where nothing does."""
    loud = np.flatnonzero(loud_frames(pcm))
    if loud.size == 0:
        return slice(0, 0)
    margin = ms_to_samples(margin_ms)
    start = max(0, int(loud[0]) * _FRAME_SAMPLES - margin)
    return slice(start, min(pcm.size, (int(loud[-1]) + 1) * _FRAME_SAMPLES + margin))


def loud_ms(pcm: Pcm16) -> int:
    """How much of ``pcm`` stands out of its noise."""
    return int(np.count_nonzero(loud_frames(pcm))) * FRAME_MS


def quietest_cut(pcm: Pcm16, *, from_ms: int, to_ms: int, hush_ms: int = 200) -> int:
    """The sample in the middle of the quietest ``hush_ms`` between the two times: the best place to cut.

    :raises ValueError: ``pcm`` ends before ``to_ms``, or the range is shorter than the hush.
    """
    frames = slice(from_ms // FRAME_MS, to_ms // FRAME_MS)
    hush = hush_ms // FRAME_MS
    rms = frame_rms(pcm[: ms_to_samples(to_ms)])[frames]
    if pcm.size < ms_to_samples(to_ms) or rms.size < hush:
        raise ValueError(f"no cut between {from_ms} and {to_ms} ms in {pcm.size} samples")
    loudness = np.convolve(rms, np.ones(hush), mode="valid")
    middle = frames.start + int(np.argmin(loudness)) + hush // 2
    return middle * _FRAME_SAMPLES
