"""Word error rate: how far what was heard is from what was said."""

import re

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS_IN_ORDER = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TENS = {word: 10 * (n + 2) for n, word in enumerate(_TENS_IN_ORDER)}
_NUMBERS = {word: n for n, word in enumerate(_UNITS)} | _TENS | {"oh": 0}
_SPELLINGS = {"mister": "mr", "missus": "mrs", "doctor": "dr", "okay": "ok", "ok": "ok", "goodby": "goodbye"}
_JOINED = (("good bye", "goodbye"), ("tooth ache", "toothache"), ("all right", "alright"))
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d")


def normal_words(text: str) -> list[str]:
    """The words that count: lower case, no punctuation, every number as its digits one by one.

    ``"Call 555-01, Mister O'Neil at two thirty."`` → ``call 5 5 5 0 1 mr o'neil at 2 3 0``.
    """
    lowered = text.lower().replace("’", "'").replace("-", " ")
    for apart, joined in _JOINED:
        lowered = lowered.replace(apart, joined)
    words: list[str] = []
    open_tens = False
    for word in _WORD.findall(lowered):
        number = _NUMBERS.get(word)
        if number is None:
            words.append(_SPELLINGS.get(word, word))
        elif open_tens and 0 < number < 10:
            words[-1] = str(number)
        else:
            words.extend(str(number))
        open_tens = word in _TENS
    return words


def word_errors(ref: str, hyp: str) -> tuple[int, int]:
    """Substitutions, insertions and deletions that turn ``ref`` into ``hyp``, and the words of ``ref``."""
    said, heard = normal_words(ref), normal_words(hyp)
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            substituted = diagonal + (word != other)
            diagonal = row[j]
            row[j] = min(substituted, row[j] + 1, row[j - 1] + 1)
    return row[-1], len(said)


def word_error_rate(ref: str, hyp: str) -> float:
    """Errors for each word of ``ref``: 0.0 is perfect; above 1.0 where more was invented than said.

    An empty ``ref`` gives 0.0 when nothing was heard either, else the number of words invented.
    """
    errors, words = word_errors(ref, hyp)
    return errors / max(words, 1)
