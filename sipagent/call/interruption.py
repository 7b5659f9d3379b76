"""Do the caller's sounds over the agent mean anything? Pure.

A listener murmurs ("mm-hm", "I see") and coughs; whoever wants the turn says so in words. Speech-to-text
invents words for a murmur ("And my mom."), mostly with little confidence, so what is short counts only where
it is sure, is one clear word ("Insurance."), or is what people interrupt or answer with.
"""

import re

from sipagent.call.endpointing import words_of

SHORT_MS = 1000
"""Voice below which the words alone are not trusted."""
_TRUSTED_CONFIDENCE = 0.6
"""Measured over G.711 in four voices: words invented for a murmur stay below it, but one in twelve."""
_CLEAR_CONFIDENCE = 0.4
"""The same for a single word: what is invented for a murmur is mostly several, or no longer than it."""
_CLEAR_MS = 300
_CLEAR_LETTERS = 4
_MURMUR = re.compile(
    r"[hmn]+(-[hmna]+)*|u+h+m*|u+h+-?(h*u+h+)|a+h+(-?h*a+h*)?|o+h*|u+m+|e+r*m*|huh", re.IGNORECASE
)
_INTERRUPTS = frozenset(
    words_of(
        """stop wait no nope yes what sorry pardon excuse hello hey hi help hold hang actually but agent
        operator human person representative goodbye bye please listen repeat again never quiet
        how when where who why which can could are is do does did will would"""
    )
)
"""Short as they are, these are meant."""
_ANSWERS = frozenset(
    words_of(
        """monday tuesday wednesday thursday friday saturday sunday today tonight tomorrow morning
        afternoon evening one two three four five six seven eight nine ten eleven twelve"""
    )
)
"""Murmurs are never taken for these."""


def is_backchannel(text: str, backchannels: frozenset[str]) -> bool:
    """True where every word only says "I am listening", or where there is no word at all.

    :param backchannels: lower-case words and phrases, each as ``" ".join(words_of(phrase))``.
    """
    words = words_of(text)
    longest = max((len(phrase.split()) for phrase in backchannels), default=1)
    at = 0
    while at < len(words):
        if _MURMUR.fullmatch(words[at]):
            at += 1
            continue
        for count in range(longest, 0, -1):
            if " ".join(words[at : at + count]) in backchannels and at + count <= len(words):
                at += count
                break
        else:
            return False
    return True


def means_something(text: str, confidence: float, voiced_ms: int, backchannels: frozenset[str]) -> bool:
    """True where the caller wants the turn.

    :param confidence: 0..1, of the text. :param voiced_ms: how long the caller's voice was heard.
    """
    if is_backchannel(text, backchannels):
        return False
    if voiced_ms >= SHORT_MS or confidence >= _TRUSTED_CONFIDENCE:
        return True
    words = words_of(text)
    if words[0] in _INTERRUPTS or any(word.isdigit() or word in _ANSWERS for word in words):
        return True
    is_one = len(set(words)) == 1 and len(words[0]) >= _CLEAR_LETTERS
    return is_one and voiced_ms >= _CLEAR_MS and confidence >= _CLEAR_CONFIDENCE
