"""Dictated e-mail addresses: ``ann dot lee at example dot com``. Pure."""

import re
from itertools import pairwise

from sipagent.flows.slots.email_mending import RULED_OUT, TOP_LEVELS, mended_address
from sipagent.flows.slots.numbers import digits_in, with_digits
from sipagent.flows.slots.spelling import as_letters, spelt, spoken_letters
from sipagent.flows.slots.values import Reading, Refused, Said, Value, repaired, without_lead

_WRITTEN = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_TOP = "|".join(sorted(TOP_LEVELS))
_MARKS = (
    (rf"[\s,]*\b(?:dot|point|period)\b[\s,]*|\s+\.\s*|(?<=\w)\.\s+(?=(?:{_TOP})\b)", "."),
    (r"[\s,]*\b(?:underscore|under score)\b[\s,]*", "_"),
    (r"[\s,]*\b(?:dash|hyphen|minus)\b[\s,]*", "-"),
    (r"[\s,]*\bplus\b[\s,]*", "+"),
)
_ASIDE = re.compile(
    r"[,.]?\s*\b(?:(?:it's|that's|it is|and it's) )?(?:(?:all|everything|in|is) )*"
    r"(?:(?:lower|upper|small)[ -]?case(?: letters)?|small letters|one word|no spaces?|"
    r"(?<=all )together)\b,?",
    re.I,
)
"""How it is written, which the address does not hold."""
_LEAD = re.compile(
    r"^.*?\b(?:e-?mail(?: address)?(?:'s| is| would be)|address(?:'s| is| would be)|it's|it is|that's|"
    r"that is|"
    r"(?:that|it) would be|send it to|write (?:it )?to|reach me (?:at|on)|you can use|is)(?:\b|(?<=:))[,: ]*|"
    r"^(?:yes|yeah|sure|okay|ok|so|um+|uh+|and|please|of course|right|alright|all right)\b[,.! ]*",
    re.I,
)
_AT_SIGN = re.compile(r"\bat[ -]?(?:sign|symbol)\b", re.I)
_AT = re.compile(r"[\s,]*(?:@|\bat\b)[\s,]*", re.I)
_KNOWN = {
    "g mail": "gmail", "gee mail": "gmail", "hot mail": "hotmail", "out look": "outlook", "i cloud": "icloud",
    "ya who": "yahoo", "geemail": "gmail", "g-mail": "gmail",
}  # fmt: skip
_ADDRESS = re.compile(r"[a-z0-9][a-z0-9._+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}")


def read_email(said: Said) -> Reading:
    """An address with one ``@`` and a domain; always to be read back."""
    _, last = repaired(said.text)
    text = without_lead(_ASIDE.sub(" ", last.replace("’", "'"))).strip(" .!?")
    if match := _WRITTEN.search(text):
        return _value(match[0].lower().rstrip("."))
    text = as_letters(_AT_SIGN.sub("@", text))
    parts = _AT.split(text)
    for local, domain in reversed(list(pairwise(parts))):
        found = _domain(domain)
        plain = _local(_without_leads(local))
        if found and plain:
            return _value(f"{plain}@{found}")
    if said.before:
        heard = marked(_without_leads(RULED_OUT.sub(" ", parts[-1])))
        domain = _domain(parts[-1]) if len(parts) > 1 else ""
        address = mended_address(said.before.value, text, heard, domain)
        return _value(address) if address else None
    is_begun = len(parts) > 1 and said.is_asked and re.search(r"\w", parts[0])
    return Refused("I did not get the whole address.") if is_begun else None


def _without_leads(text: str) -> str:
    while lead := _LEAD.match(f"{text} "):
        text = f"{text} "[lead.end() :].strip()
    return text


def _local(text: str) -> str:
    """What stands before the ``@``: words run together, letters and digits that were dictated."""
    parts = re.split(r"([._+-])", marked(text))
    return "".join(part if part in ("", *"._+-") else _word(part) for part in parts).strip(".")


def _word(text: str) -> str:
    letters = spelt(text)
    if letters and len(letters) >= len(re.sub(r"[^A-Za-z]", "", text)) // 2:
        return letters + digits_in(text)
    words = re.sub(r"[^A-Za-z0-9' ]", " ", text).lower()
    return with_digits(words) if len(words.split()) > 1 else words.replace("'", "").strip()


def _domain(text: str) -> str:
    """The domain that the text begins with; empty where there is no dot in it. What follows it is no part."""
    low = text.lower()
    for heard, meant in _KNOWN.items():
        low = low.replace(heard, meant)
    words = re.split(r"[\s,]+", marked(low))
    end = next((at for at, word in enumerate(words) if "." in word.strip(".")), None)
    if end is None:
        return ""
    last = words[end].strip(".")
    if len(last.rpartition(".")[2]) == 1:  # "dot d e"
        rest = "".join(words[end + 1 :])
        last += rest if all(len(word) == 1 for word in words[end + 1 :]) else ""
    first, _, top = last.partition(".")
    host = with_digits(" ".join([*words[:end], first])) if end else first
    return re.sub(r"[^a-z0-9._+-]", "", f"{host}.{top}").strip(".")


def marked(text: str) -> str:
    """The text with ``dot`` and ``dash`` as they are written."""
    for pattern, mark in _MARKS:
        text = re.sub(pattern, mark, text, flags=re.I)
    return text


def _value(address: str) -> Reading:
    if not _ADDRESS.fullmatch(address):
        return Refused("That is not a whole e-mail address.")
    local, domain = address.split("@")
    said = re.sub(r"\.", " dot ", local).replace("_", " underscore ").replace("-", " dash ")
    spelt_out = spoken_letters(local) if local.isalpha() else ""
    spoken = f"{said}{f', {spelt_out},' if spelt_out else ''} at {domain.replace('.', ' dot ')}"
    return Value(address, spoken, is_sure=False)
