"""A flow's texts with their variables. Pure."""

from datetime import datetime

from sipagent.config.clock import clock_words
from sipagent.flows.schema import VARIABLE
from sipagent.flows.talk import Talk


def filled(text: str, talk: Talk, now: datetime) -> str:
    """The text with its variables: slots as they are spoken, then the flow's variables and the clock."""

    def value(name: str) -> str:
        if name in talk.slots:
            return talk.slots[name].spoken
        if name in talk.variables:
            return talk.variables[name]
        return clock_words(now).get(name, "")

    return VARIABLE.sub(lambda match: value(match[1]), text)
