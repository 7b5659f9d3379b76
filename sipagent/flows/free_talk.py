"""The flow behind a persona that has tools and no flow of its own: the language model leads the conversation,
and the program alone decides about tools.

What a caller wants done is known by rules (keywords and the usual ways to ask for a person), never from what
the model writes, and everything that has an effect is read back for a yes first.
"""

from collections.abc import Collection, Mapping

from sipagent.flows.schema import (
    NO,
    NO_MATCH,
    YES,
    Flow,
    FlowTool,
    IntentConfig,
    SlotConfig,
    StateConfig,
    StepConfig,
)

_TALK, _BYE, _MESSAGE, _WHOM = "talk", "bye", "message", "whom"
_TAKE_MESSAGE, _TRANSFER = "take_message", "transfer"
_ANYTHING_ELSE = "Is there anything else?"
_MESSAGE_WORDS = (
    "take a message",
    "take my message",
    "leave a message",
    "leave a note",
    "leave my number",
    "leave * a message",
    "give * a message",
    "pass on a message",
    "pass a message",
    "pass * a message",
    "call me back",
    "call us back",
    "ring me back",
    "phone me back",
    "return my call",
    "know i called",
    "know that i called",
    "pass something on",
    "write something down",
    "phone me when",
    "call me when",
)
_WAYS = (
    "through to",
    "transfer me to",
    "transferred to",
    "connect me to",
    "connect me with",
    "put me on to",
    "speak to",
    "speak with",
    "talk to",
    "talk with",
)


def free_flow(*, tools: Collection[str], targets: Collection[str], goodbye: str) -> Flow:
    """A flow that leaves the talking to the model.

    :param tools: what the persona may use; ``take_message`` and ``transfer`` are built in here.
    :param targets: names that a call may be handed to. :param goodbye: said before hanging up.
    """
    takes_messages = _TAKE_MESSAGE in tools
    names = {name: name.replace("_", " ").replace("-", " ") for name in targets} if _TRANSFER in tools else {}
    states = {_BYE: StateConfig(say=goodbye, end=True)}
    on: dict[str, StepConfig] = {}
    intents: dict[str, IntentConfig] = {}
    if takes_messages:
        intents[_MESSAGE] = IntentConfig(keywords=_MESSAGE_WORDS)
        on[_MESSAGE] = StepConfig(go=_MESSAGE, say="Of course.")
        states |= _message_states()
    intents |= _target_intents(names)
    on |= {f"to_{index}": StepConfig(go=f"sure_{index}") for index in range(len(names))}
    states |= _transfer_states(names, takes_messages=takes_messages)
    states[_TALK] = StateConfig(free=True, on=on)
    return Flow(
        name="free conversation",
        start=_TALK,
        operator=_WHOM,
        goodbye=_BYE,
        intents=intents,
        slots=_SLOTS if takes_messages else {},
        tools={_TAKE_MESSAGE: FlowTool(arguments=tuple(_SLOTS))} if takes_messages else {},
        states=states,
    )


_SLOTS = {
    "message": SlotConfig(name="message", type="text", ask="What shall I pass on?"),
    "name": SlotConfig(name="name", type="text", ask="And who is calling, please?"),
    "phone": SlotConfig(
        name="phone",
        type="phone",
        ask="What number can we reach you at?",
        again="Could you say the number again?",
    ),
}


def _message_states() -> dict[str, StateConfig]:
    lost = {NO_MATCH: StepConfig(go=_TALK, say=f"I'm sorry, let's leave that. {_ANYTHING_ELSE}")}
    again = StepConfig(go=_MESSAGE, say="Then once more.", forget=("message",))
    return {
        _MESSAGE: StateConfig(collect=tuple(_SLOTS), next="read_back", answer=False, on=lost),
        "read_back": StateConfig(
            say="I've noted, from {name}: {message}. Shall I pass that on?",
            answer=False,
            on={YES: StepConfig(go="keep"), NO: again, **lost},
        ),
        "keep": StateConfig(
            tool=_TAKE_MESSAGE,
            on={
                "ok": StepConfig(go="kept", forget=tuple(_SLOTS), outcome="message_taken"),
                "failed": StepConfig(go=_TALK, forget=tuple(_SLOTS)),
            },
        ),
        "kept": StateConfig(say=f"I'll pass it on. {_ANYTHING_ELSE}", next=_TALK),
    }


def _target_intents(names: Mapping[str, str]) -> dict[str, IntentConfig]:
    alone = ("put me through", "connect me", "transfer me") if len(names) == 1 else ()
    ways = {
        f"to_{index}": IntentConfig(
            keywords=(*alone, *(f"{way} {the}{name}" for way in _WAYS for the in ("", "the ")))
        )
        for index, name in enumerate(names.values())
    }
    picks = {f"pick_{index}": IntentConfig(keywords=(name,)) for index, name in enumerate(names.values())}
    return {**ways, **(picks if len(names) > 1 else {})}


def _transfer_states(names: Mapping[str, str], *, takes_messages: bool) -> dict[str, StateConfig]:
    """Who is wanted, a yes, the transfer, and what follows where nobody takes the call."""
    failed = f"I'm sorry, I can't reach anybody there right now. {_ANYTHING_ELSE}"
    instead = StepConfig(go=_TALK, say=failed)
    states: dict[str, StateConfig] = {}
    if takes_messages:
        offer = "I'm sorry, nobody can take the call right now. Shall I take a message?"
        left = StepConfig(go=_TALK, say=f"All right. {_ANYTHING_ELSE}")
        states["offer"] = StateConfig(
            say=offer,
            answer=False,
            on={YES: StepConfig(go=_MESSAGE), NO: left, _MESSAGE: StepConfig(go=_MESSAGE), NO_MATCH: left},
        )
        instead = StepConfig(go="offer")
    stay = StepConfig(go=_TALK, say=f"All right. {_ANYTHING_ELSE}")
    for index, (target, name) in enumerate(names.items()):
        states[f"sure_{index}"] = StateConfig(
            say=f"Shall I put you through to {name}?",
            answer=False,
            on={YES: StepConfig(go=f"through_{index}"), NO: stay, NO_MATCH: stay},
        )
        states[f"through_{index}"] = StateConfig(
            say="One moment, I'll put you through.", transfer=target, on={"failed": instead}
        )
    states[_WHOM] = _whom(names, stay, instead)
    return states


def _whom(names: Mapping[str, str], stay: StepConfig, instead: StepConfig) -> StateConfig:
    """Where a person is wanted and it is not known which one."""
    if not names:
        say = instead.say or ""
        return StateConfig(say=say, next=instead.go) if say else StateConfig(next=instead.go)
    if len(names) == 1:
        return StateConfig(next="sure_0")
    picks = {f"pick_{index}": StepConfig(go=f"sure_{index}") for index in range(len(names))}
    *first, last = names.values()
    return StateConfig(
        say=f"Whom would you like to speak to: {', '.join(first)} or {last}?",
        answer=False,
        on={**picks, NO: stay, NO_MATCH: stay},
    )
