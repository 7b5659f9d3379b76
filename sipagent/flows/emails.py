"""Dictated e-mail addresses: ``ann dot lee at example dot com``. Pure."""

import re

from sipagent.flows.numbers import ONES
from sipagent.flows.spelling import spelt, spoken_letters
from sipagent.flows.values import Reading, Refused, Said, Value, repaired, without_lead

_WRITTEN = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MARKS = (
    (r"\s*\b(?:dot|point|period)\b\s*|\s+\.\s*", "."),
    (r"\s*\b(?:underscore|under score)\b\s*", "_"),
    (r"\s*\b(?:dash|hyphen|minus)\b\s*", "-"),
    (r"\s*\bplus\b\s*", "+"),
)
_LEAD = re.compile(
    r"^.*?\b(?:e-?mail(?: address)?(?:'s| is)|address(?:'s| is)|it's|it is|that's|that is|send it to|"
    r"is)\b[,: ]*",
    re.I,
)
_KNOWN = {
    "g mail": "gmail", "gee mail": "gmail", "hot mail": "hotmail", "out look": "outlook", "i cloud": "icloud",
    "ya who": "yahoo", "geemail": "gmail", "g-mail": "gmail",
}  # fmt: skip
_ADDRESS = re.compile(r"[a-z0-9][a-z0-9._+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}")


def read_email(said: Said) -> Reading:
    """An address with one ``@`` and a domain; always to be read back."""
    _, last = repaired(said.text)
    text = without_lead(last).replace("’", "'").strip(" .!?")
    if match := _WRITTEN.search(text):
        return _value(match[0].lower().rstrip("."))
    parts = re.split(r"\s*(?:@|\bat\b)\s*", text, flags=re.I)
    if len(parts) < 2:
        return None
    local, domain = parts[-2], parts[-1]
    domain = _joined(domain.lower())
    if "." not in domain:
        return Refused("I did not get the whole address.") if said.is_asked else None
    lead = _LEAD.match(f"{local} ")
    local = local[lead.end() :] if lead and lead.end() < len(local) else local
    return _value(f"{_local(local)}@{domain}")


def _local(text: str) -> str:
    """What stands before the ``@``: words run together, letters and digits that were dictated."""
    joined = _marked(text)
    parts = re.split(r"([._+-])", joined)
    return "".join(part if part in "._+-" else _word(part) for part in parts).strip(".")


def _word(text: str) -> str:
    letters = spelt(text)
    if letters and len(letters) >= len(re.sub(r"[^A-Za-z]", "", text)) // 2:
        return letters + "".join(re.findall(r"\d+", text))
    words = re.sub(r"[^A-Za-z0-9 ]", "", text).lower().split()
    return "".join(str(ONES[word]) if word in ONES and len(words) > 1 else word for word in words)


def _joined(text: str) -> str:
    for heard, meant in _KNOWN.items():
        text = text.replace(heard, meant)
    return re.sub(r"[^a-z0-9._+-]", "", _marked(text)).strip(".")


def _marked(text: str) -> str:
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
