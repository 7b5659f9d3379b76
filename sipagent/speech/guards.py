"""What Whisper says when it should not: the same again, or words about noise. Pure."""

import re
import zlib

NOISE_LOGPROB = -1.8
"""Mean log probability: speech, however garbled, stays above; what Whisper says about noise lies below."""

_MIN_WORD_MS = 60  # nobody says a word in less
_SAID_ABOUT_NOISE = frozenset(
    ("you", "thank you", "thanks", "thanks for watching", "thank you for watching", "bye", "so", "oh", "i")
)
_NAMES_OF_NOISES = frozenset(("beep", "beeping", "boop", "buzz", "click", "ding", "ring", "ringing", "tick"))
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_COMPRESSION_LIMIT = 2.4  # Radford et al. (2022), section 4.5
_MIN_COMPRESSED_BYTES = 60  # shorter text says nothing by its compression
_MIN_WORDS = 3
_MAX_SHORT_PERIOD = 2
_MIN_SHORT_WORDS = 6  # "no no no no" and "five five five" are what people say


def compression_ratio(text: str) -> float:
    """Bytes of ``text`` for each byte of it compressed; high where it repeats itself. 1.0 for short text."""
    raw = text.encode()
    if len(raw) < _MIN_COMPRESSED_BYTES:
        return 1.0
    return len(raw) / len(zlib.compress(raw))


def words_of(text: str) -> list[str]:
    """The lower-case words of ``text``."""
    return _WORD.findall(text.lower())


def repeated_words(text: str) -> int:
    """How many words at the end only repeat what stands right before them; 0 where none does.

    "What is your address? What is your" → 3. People repeat single words and digits, so a period of one or two
    words counts from the seventh on.
    """
    words = words_of(text)
    for period in range(1, len(words)):
        run = 0
        while run < len(words) - period and words[-1 - run] == words[-1 - run - period]:
            run += 1
        enough = _MIN_SHORT_WORDS if period <= _MAX_SHORT_PERIOD else _MIN_WORDS
        if run >= enough:
            return run
    return 0


def is_stammer(text: str) -> bool:
    """True where the text looks like a decoder going round in circles. A person may have said it."""
    return repeated_words(text) > 0 or compression_ratio(text) > _COMPRESSION_LIMIT


def without_repeats(text: str) -> str:
    """``text`` with the words that ``repeated_words`` counts cut off its end, as often as it takes."""
    while run := repeated_words(text):
        starts = [match.start() for match in _WORD.finditer(text)]
        text = text[: starts[len(starts) - run]].rstrip(" ,;:-")
    return text


def is_hallucination(text: str, logprob: float, no_speech: float, sound_ms: int) -> bool:
    """True where the text is what Whisper says about noise, not what somebody said.

    :param logprob: mean log probability of the tokens.
    :param no_speech: Whisper's own probability that nobody spoke.
    :param sound_ms: sound that stood out of the noise.
    """
    words = words_of(text)
    if not words or logprob < NOISE_LOGPROB:
        return True
    if no_speech > 0.6 and logprob < -1.0:
        return True
    if len(words) * _MIN_WORD_MS > sound_ms or _NAMES_OF_NOISES.issuperset(words):
        return True
    return " ".join(words) in _SAID_ABOUT_NOISE and (no_speech > 0.5 or logprob < -0.8)
