"""What belongs together in the model's text: between brackets, quotes, stars, back-ticks, tags."""

_CLOSER = {"(": ")", "[": "]", "“": "”", "<": ">"}


def is_inside_span(text: str) -> bool:
    """Whether a span that began in ``text`` is still open at its end.

    Stars and quotes count as openers only where they hug the word behind them, so that "5 * 3", list items
    and inches open nothing; a bracket of an emoticon opens nothing either.
    """
    open_marks: list[str] = []
    position = 0
    while position < len(text):
        mark, width = _mark_at(text, position)
        if "```" in open_marks or "`" in open_marks:
            if mark == open_marks[-1]:
                open_marks.pop()
        elif mark in ("```", "`"):
            open_marks.append(mark)
        elif mark in ("**", "*", "_", '"'):
            _toggle(open_marks, mark, text, position, position + width)
        elif mark in _CLOSER and _opens(text, position, mark):
            open_marks.append(mark)
        elif open_marks and mark == _CLOSER.get(open_marks[-1]):
            open_marks.pop()
        position += width
    return bool(open_marks)


def _mark_at(text: str, position: int) -> tuple[str, int]:
    for mark in ("```", "**"):
        if text.startswith(mark, position):
            return mark, len(mark)
    return text[position], 1


def _toggle(open_marks: list[str], mark: str, text: str, start: int, end: int) -> None:
    before, behind = text[start - 1 : start], text[end : end + 1]
    if mark in open_marks:
        if before and not before.isspace() and not (mark == "_" and behind.isalnum()):
            del open_marks[open_marks.index(mark) :]
    elif behind and not behind.isspace() and not before.isalnum():
        open_marks.append(mark)


def _opens(text: str, position: int, mark: str) -> bool:
    before, behind = text[position - 1 : position], text[position + 1 : position + 2]
    if mark == "(":
        return before not in (":", ";", "=", "-")
    if mark == "<":
        return behind.isalpha() or behind in ("/", "|", "!")
    return True
