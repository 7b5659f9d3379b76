"""What a flow says word for word in every call. Pure."""

from datetime import datetime

from sipagent.flows.machine import step
from sipagent.flows.schema import VARIABLE, Flow, texts_of
from sipagent.flows.talk import Opened, Say, Talk


def fixed_texts(flow: Flow, greeting: str) -> list[str]:
    """What may be said word for word in every call, for the voice to prepare: texts without variables, and
    the opening."""
    _, opening = step(flow, Talk(), Opened(), datetime.min)
    opened = " ".join([greeting, *(one.text for one in opening if isinstance(one, Say))]).strip()
    texts = [opened, flow.confused, *(slot.ask for slot in flow.slots.values())]
    texts += [intent.sure for intent in flow.intents.values()]
    for state in flow.states.values():
        texts += [text for field_name, text in texts_of(state) if field_name != "word"]
    return [text for text in dict.fromkeys(texts) if text and not VARIABLE.search(text)]
