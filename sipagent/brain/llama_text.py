"""From sampled tokens' bytes to text that can be spoken. Pure."""

STOP_MARKERS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "\nUser:",
    "\nCaller:",
    "\nAssistant:",
    "\nuser\n",
)
"""Template markup that small models write out as plain text; the reply ends before it."""

_CLAUSE_ENDS = ".,;:!?"
_SHORTEST_CLAUSE = 8


class ReplyText:
    """Bytes in, whole characters out; ends at a stop marker. What may yet turn out to be the beginning of
    a marker, or of a character, is held back."""

    def __init__(self) -> None:
        self._bytes = b""
        self._held = ""
        self._is_empty = True
        self.text = ""
        """Everything given out so far."""
        self.is_stopped = False
        """A stop marker was met; further bytes are ignored."""

    def feed(self, piece: bytes) -> str:
        """Take one token's bytes and return the text that is certain now, possibly none."""
        characters, self._bytes = _whole_characters(self._bytes + piece)
        return "" if self.is_stopped else self._take(characters, is_last=False)

    def finish(self) -> str:
        """Return what was held back; half a character is dropped, white space at the end too."""
        return "" if self.is_stopped else self._take("", is_last=True)

    @property
    def has_clause(self) -> bool:
        """Enough text for the voice to begin: it holds the end of a clause."""
        return any(mark in self.text[_SHORTEST_CLAUSE - 1 :] for mark in _CLAUSE_ENDS)

    def _take(self, new: str, *, is_last: bool) -> str:
        text = self._held + new
        if self._is_empty:
            text = text.lstrip()
        cuts = [at for marker in STOP_MARKERS if (at := text.find(marker)) >= 0]
        if cuts:
            self.is_stopped = True
            text = text[: min(cuts)]
        kept = len(text) if is_last or cuts else len(text) - _possible_marker_chars(text)
        self._held, text = text[kept:], text[:kept]
        if is_last or cuts:
            text = text.rstrip()
        if text:
            self._is_empty = False
        self.text += text
        return text


def _whole_characters(data: bytes) -> tuple[str, bytes]:
    """Text of ``data``, and the bytes of a character that has only begun. Invalid bytes are dropped."""
    try:
        return data.decode(), b""
    except UnicodeDecodeError as exc:
        begun = data[exc.start :] if exc.reason == "unexpected end of data" else b""
        return data[: len(data) - len(begun)].decode(errors="ignore"), begun


def _possible_marker_chars(text: str) -> int:
    """Length of the longest end of ``text`` that is white space or begins a marker."""
    for length in range(min(len(text), max(map(len, STOP_MARKERS))), 0, -1):
        end = text[-length:]
        if any(marker.startswith(end) for marker in STOP_MARKERS):
            return length
    return 0
