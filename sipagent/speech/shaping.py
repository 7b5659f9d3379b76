"""What both synthesizers share: cutting text into pieces, and making their sound fit for the line.

::

    text → pieces → [engine] → 16 kHz → trim → level → fade → (pause of the piece before) + chunk
"""

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from sipagent.codecs.level import Leveller, fade_in, fade_out, trim_silence
from sipagent.codecs.resample import resample_float
from sipagent.codecs.tones import silence
from sipagent.errors import EngineError, JobCancelled
from sipagent.speech.types import Cancelled
from sipagent.units import SAMPLE_RATE_HZ, Pcm16, PcmFloat, to_int16

WARM_UP_TEXT = "Hello, thank you for calling. How can I help you today?"
"""Long enough to find the voice's level, so that the first real clause is right already."""

_PIECE_CHARS = 160
_FADE_MS = 3
_KEEP_MS = 10
_FLOOR_DB = 45.0
_SENTENCE_PAUSE_MS = 280
_CLAUSE_PAUSE_MS = 140
_WORD_PAUSE_MS = 30

_SENTENCE_BORDER = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+")
_CLAUSE_BORDER = re.compile(r"(?<=[,;:—–])\s+")
_UNSAYABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\ufeff\ufffe\uffff\[\](){}<>|\\]")

Render = Callable[[str], Iterable[PcmFloat]]
"""One piece of text → its sentences as float32 at the engine's own rate."""


def has_something_to_say(text: str) -> bool:
    """Whether there is a letter or digit in ``text``: punctuation and pictures are silent."""
    return any(character.isalnum() for character in text)


def pause_after_ms(text: str) -> int:
    """The natural pause between ``text`` and what is said next, by its last sign."""
    last = text.rstrip().rstrip("\"'”’)")[-1:]
    if last and last in ".!?…":
        return _SENTENCE_PAUSE_MS
    if last and last in ",;:—–":
        return _CLAUSE_PAUSE_MS
    return _WORD_PAUSE_MS


def split_for_voice(text: str) -> list[str]:
    """Sentences of at most 160 characters; longer ones are cut at clause signs, words, or anywhere."""
    clean = " ".join(_UNSAYABLE.sub(" ", text).split())
    pieces: list[str] = []
    for sentence in _SENTENCE_BORDER.split(clean):
        pieces += [sentence] if len(sentence) <= _PIECE_CHARS else _cut(sentence)
    return [piece for piece in pieces if has_something_to_say(piece)]


def _cut(sentence: str) -> list[str]:
    """Pack clauses, or words where a clause is too long, into pieces."""
    parts: list[str] = []
    for clause in _CLAUSE_BORDER.split(sentence):
        for word in [clause] if len(clause) <= _PIECE_CHARS else clause.split():
            parts += [word[at : at + _PIECE_CHARS] for at in range(0, len(word), _PIECE_CHARS)]
    pieces = [""]
    for part in parts:
        if len(pieces[-1]) + 1 + len(part) <= _PIECE_CHARS:
            pieces[-1] = f"{pieces[-1]} {part}".strip()
        else:
            pieces.append(part)
    return pieces


def speak_pieces(
    text: str, render: Render, *, rate_hz: int, leveller: Leveller, cancelled: Cancelled, engine: str
) -> Iterator[Pcm16]:
    """The chunks that ``TtsEngine.synthesize`` promises, from an engine's raw sound.

    :raises JobCancelled: ``cancelled()`` turned true before a piece.
    :raises EngineError: the engine raised, or gave something that is no sound.
    """
    pause_ms: int | None = None
    for piece in split_for_voice(text):
        for audio in _rendered(piece, render, cancelled, engine):
            pcm = shape(audio, rate_hz, leveller)
            if pcm.size == 0:
                continue
            yield pcm if pause_ms is None else np.concatenate([silence(pause_ms), pcm])
            pause_ms = _SENTENCE_PAUSE_MS
        if pause_ms is not None:
            pause_ms = pause_after_ms(piece)


def _rendered(piece: str, render: Render, cancelled: Cancelled, engine: str) -> Iterator[PcmFloat]:
    sounds: Iterator[PcmFloat] | None = None
    while True:
        if cancelled():
            raise JobCancelled(f"{engine}: cancelled between chunks")
        try:
            sounds = sounds if sounds is not None else iter(render(piece))
            audio = next(sounds, None)
        except EngineError:
            raise
        except Exception as exc:  # engines raise whatever their parts raise; the text itself is private
            raise EngineError(f"{engine}: cannot say {len(piece)} characters: {type(exc).__name__}") from exc
        if audio is None:
            return
        if audio.ndim != 1 or not np.isfinite(audio).all():
            raise EngineError(f"{engine}: gave no usable sound for {len(piece)} characters")
        yield audio.astype(np.float32, copy=False)


def shape(audio: PcmFloat, rate_hz: int, leveller: Leveller) -> Pcm16:
    """One sentence of raw sound → 16 kHz, at most 20 ms of silence around it, levelled, edges faded."""
    resampled = resample_float(audio, rate_hz, SAMPLE_RATE_HZ)
    peak = float(np.abs(resampled).max(initial=0.0))
    if peak > 1.0:  # the leveller sets the loudness anyway: do not clip before it can
        resampled = resampled / np.float32(peak)
    trimmed = trim_silence(to_int16(resampled), keep_ms=_KEEP_MS, floor_db=_FLOOR_DB)
    return fade_out(fade_in(leveller.apply(trimmed), _FADE_MS), _FADE_MS)
