"""What goes into the model's window. Pure: the token counter is passed in.

::

    persona's prompt | note on what was dropped | kept turns ......... | reply
    always kept        once turns were dropped    newest, whole turns    reserve

Turns are dropped from the oldest, down to a share of the window, so that the cache is rebuilt only now
and then. The window follows from the history alone: the same history gives the same window, and a longer
one begins alike until the next drop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sipagent.brain.summary import lines_of
from sipagent.brain.types import Message, Role

CountTokens = Callable[[Message], int]
"""Tokens of one message, its share of the template's markup included. More words never count less."""

REPLY_SHARE = 0.25
"""Share of a call's context that is kept free for the reply."""
LEAST_HISTORY_SHARE = 0.125
"""Share that must be left for the conversation beside the persona's prompt."""
KEEP_SHARE = 0.5
"""Share of the window that stays filled after turns were dropped."""
HEADROOM_SHARE = 1 / 12
"""Turns are dropped early, after the agent's message, unless the caller's next one has this much room: then
the rest can be read again while the agent speaks and not while the caller waits."""
NOTE_SHARE = 1 / 8
MESSAGE_SHARE = 0.5
"""A longer message is cut from its beginning: the end is what the caller wants answered."""
_MOST_LINES = 24
"""That are tried: each is counted in tokens."""


@dataclass(frozen=True, slots=True)
class Window:
    """The messages that fit, without the persona's prompt."""

    messages: tuple[Message, ...]
    dropped_messages: int


def fit_window(history: Sequence[Message], count_tokens: CountTokens, *, budget_tokens: int) -> Window:
    """Choose what of ``history`` the model is shown. Empty messages are left out.

    :param budget_tokens: room for the history: the context without the persona's prompt and the reply.
    :returns: messages of at most ``budget_tokens`` together, as long as the budget holds one word.
        The last message is always among them.
    """
    longest = int(budget_tokens * MESSAGE_SHARE)
    messages = [cut_beginning(m, count_tokens, budget_tokens=longest) for m in history if m.text.strip()]
    costs = [count_tokens(message) for message in messages]
    note_tokens = int(budget_tokens * NOTE_SHARE)
    first = _first_kept(messages, costs, budget_tokens=budget_tokens, note_tokens=note_tokens)
    kept = tuple(messages[first:])
    note = note_on_dropped(messages[:first], count_tokens, budget_tokens=note_tokens)
    return Window(kept if note is None else (note, *kept), first)


def cut_beginning(message: Message, count_tokens: CountTokens, *, budget_tokens: int) -> Message:
    """``message`` with as many of its last words as fit; of a single huge word, its last characters."""
    if count_tokens(message) <= budget_tokens:
        return message
    words = message.text.split()

    def last_words(n: int) -> Message:
        return replace(message, text=" ".join(words[len(words) - n :]))

    kept = _largest(len(words), lambda n: count_tokens(last_words(n)) <= budget_tokens)
    if kept:
        return last_words(kept)
    word = words[-1]

    def last_characters(n: int) -> Message:
        return replace(message, text=word[len(word) - n :])

    return last_characters(
        max(1, _largest(len(word), lambda n: count_tokens(last_characters(n)) <= budget_tokens))
    )


def note_on_dropped(
    dropped: Sequence[Message], count_tokens: CountTokens, *, budget_tokens: int
) -> Message | None:
    """One line of what the caller said earlier: what tells most (names, numbers, days, wishes), then how it
    began, then the latest, as far as they fit; in the order of the call.

    :returns: None when nothing was dropped or nothing fits.
    """
    lines = lines_of(dropped)
    first = lines[:1]
    ranked = sorted(lines, key=lambda line: (line[0], line in first, line[1]), reverse=True)
    chosen: list[tuple[int, int, str]] = []
    best: Message | None = None
    for line in ranked[:_MOST_LINES]:
        told = sorted((*chosen, line), key=lambda one: one[1])
        text = "Earlier the caller said: " + " / ".join(dict.fromkeys(one for _, _, one in told))
        note = Message(Role.SYSTEM, text)
        if count_tokens(note) <= budget_tokens:
            chosen, best = told, note
    return best


def _first_kept(
    messages: Sequence[Message], costs: Sequence[int], *, budget_tokens: int, note_tokens: int
) -> int:
    """Replay the call message by message and drop when it overflows, as it did while it was spoken."""
    first = used = turn = 0
    for newest, cost in enumerate(costs):
        is_caller = messages[newest].role is Role.CALLER
        turn = newest if is_caller else turn
        used += cost
        limit = budget_tokens - (note_tokens if first else 0)
        limit -= 0 if is_caller else int(budget_tokens * HEADROOM_SHARE)
        if used <= limit:
            continue
        last_turn_fits = sum(costs[turn : newest + 1]) <= budget_tokens * KEEP_SHARE
        stop = max(turn, first) if last_turn_fits else newest
        while first < stop and (used > budget_tokens * KEEP_SHARE or messages[first].role is not Role.CALLER):
            used -= costs[first]
            first += 1
    return first


def _largest(most: int, is_fitting: Callable[[int], bool]) -> int:
    """The largest n in 0..most for which ``is_fitting`` holds; it holds up to there. 0 is not asked."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if is_fitting(middle):
            low = middle
        else:
            high = middle - 1
    return low
