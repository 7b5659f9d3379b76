"""Takes out of the model's text what is for eyes only: markdown, HTML, stage directions, labels, pictures."""

import html
import re

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_CODE_BLOCK = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_SPECIAL_TOKEN = re.compile(r"<\|[^|>]{0,40}\|>|</?s>|\[/?INST\]")
_LINE_BREAK_TAG = re.compile(r"<(?:br|/p|/li|/div|hr)\b[^<>]{0,80}>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]]{0,200})\]\(([^()\s]{0,500})(?:\s+\"[^\"]{0,200}\")?\)")
_BRACKETS = re.compile(r"\[[^\[\]]{0,200}\]|【[^】]{0,200}】")
_AUTO_LINK = re.compile(r"<(https?://[^<>\s]{1,500})>")
_PARENTHESES = re.compile(r"\(([^()]{0,300})\)")
_STARRED = re.compile(r"(?<![*\w])\*(?!\s)([^*\n]{1,120}?)(?<!\s)\*(?![*\w])")
_DANGLING_STAR = re.compile(r"(?<![*\w])\*(?!\s)([^*\n]{1,60})$")
_DANGLING_BRACKET = re.compile(r"\[[^\[\]]{0,60}$|<[A-Za-z/|!][^<>]{0,60}$")
_BOLD = re.compile(r"\*\*|__|~~|`+")
_UNDERSCORED = re.compile(r"(?<!\w)_(?!\s)([^_\n]{1,120}?)(?<!\s)_(?!\w)")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+")
_QUOTE = re.compile(r"^\s*(?:>\s?)+")
_BULLET = re.compile(r"^\s*[-*+•‣◦▪–—]\s+")
_NUMBERED = re.compile(r"^\s*(\d{1,2})[.)]\s+(?=\S)")
_RULE = re.compile(r"^\s*(?:[-*_=]\s*){3,}$")
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
_ROLE = re.compile(
    r"^\s*(?:AI|A\.I\.|assistant|agent|bot|chatbot|receptionist|system|user|caller|customer|human|response|reply)"
    r"\s*:\s*",
    re.IGNORECASE,
)
_EMOTICON = re.compile(r"(?<!\w)(?:[:;=xX]-?[)(DPpOo/|3]|8-?[)(]|<3|\^_?\^)(?!\w)")

_ACTING_WORDS = (
    "smile laugh chuckle giggle grin sigh pause nod wink gasp cough sniff hum shrug yawn breathe blush "
    "whisper exhale inhale lean bow tilt"
)
_OTHER_WORDS = (
    "cheer think type check look listen wait clear take wave sing speak beep dial silence applause laughter "
    "inaudible softly warmly cheerfully politely gently quietly excitedly enthusiastically sympathetically "
    "apologetically"
)
_ACTING = frozenset(_ACTING_WORDS.split())
"""What a caller cannot see, whatever words follow: "nods in agreement"."""
_DIRECTIONS = _ACTING | frozenset(_OTHER_WORDS.split())
"""The same alone, or between stars: "checks calendar"."""


def without_markup(text: str) -> str:
    """``text`` as prose: link labels, list items and table cells stay, their decoration goes.

    Takes a whole reply or a clause of one; decoration that is not closed within ``text`` is dropped, its
    words stay but for a direction that was cut off.
    """
    text = _SPECIAL_TOKEN.sub(" ", _CODE_BLOCK.sub(" ", _THOUGHT.sub(" ", text)))
    text = _AUTO_LINK.sub(r"\1", text)
    text = html.unescape(_TAG.sub(" ", _LINE_BREAK_TAG.sub("\n", text)))
    text = _DANGLING_BRACKET.sub(" ", _BRACKETS.sub(" ", _LINK.sub(_label, text)))
    text = " ".join(filter(None, (_line(line) for line in text.splitlines())))
    text = _emphasis(text)
    text = _PARENTHESES.sub(_aside, _EMOTICON.sub(" ", text))
    return _without_role(text)


def _label(match: re.Match[str]) -> str:
    return match[1] if match[1].strip() else " "


def _line(line: str) -> str:
    """One line without its leading decoration, ending in a stop if it ended in no sign."""
    if _RULE.match(line) or _TABLE_RULE.match(line):
        return ""
    line = _HEADING.sub("", _QUOTE.sub("", line))
    is_item = bool(_BULLET.match(line) or _NUMBERED.match(line))
    line = _NUMBERED.sub(r"\1, ", _BULLET.sub("", line))
    if line.count("|") >= 2:
        line = ", ".join(filter(None, (cell.strip() for cell in line.split("|")))) + "."
    line = line.strip()
    if is_item and line and line[-1].isalnum():
        line += "."
    return line


def _emphasis(text: str) -> str:
    text = _BOLD.sub("", text)
    for pattern in (_STARRED, _UNDERSCORED):
        text = pattern.sub(lambda m: " " if is_stage_direction(m[1], is_starred=True) else m[1], text)
    text = _DANGLING_STAR.sub(_cut_off, text)
    return text.replace("*", " ")


def _cut_off(match: re.Match[str]) -> str:
    """A reply that ended within a direction ("*smi") says nothing of it; emphasis keeps its words."""
    inner = match[1]
    is_begun = inner.isalpha() and any(word.startswith(inner.lower()) for word in _DIRECTIONS)
    return " " if is_begun or is_stage_direction(inner, is_starred=True) else inner


def _aside(match: re.Match[str]) -> str:
    inner = match[1].strip()
    if not inner or is_stage_direction(inner):
        return " "
    if inner[0].isdigit() and all(c.isdigit() or c in " -." for c in inner):  # (555) 123-4567
        return match[0]
    if inner == "s":  # one or more appointment(s)
        return "s"
    return f", {inner}, " if match.string[match.end() :].strip() else f", {inner}"


def _without_role(text: str) -> str:
    while (shorter := _ROLE.sub("", text, count=1)) != text:
        text = shorter
    return text


def is_stage_direction(inner: str, *, is_starred: bool = False) -> bool:
    """Whether the words between stars or brackets say how to act: "smiles", "clears throat", "pause"."""
    words = inner.lower().strip(" .!,…").split()
    if not words or len(words) > 6 or not words[0].isalpha():
        return False
    known = bool(_stems(words[0]) & _DIRECTIONS)
    if len(words) == 1:
        return known
    if words[0] in _DIRECTIONS:  # an order, not a description: "*check* your email" is for the caller
        return words[0] in ("pause", "silence") or words[0].endswith("ly")
    return known and (is_starred or bool(_stems(words[0]) & _ACTING))


def _stems(word: str) -> set[str]:
    bare = word.removesuffix("ing")
    stems = {word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ed"), bare, f"{bare}e"}
    if bare != word and len(bare) > 2 and bare[-1] == bare[-2]:
        stems.add(bare[:-1])  # nodding, grinning
    return stems
