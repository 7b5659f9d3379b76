"""What the language model is shown of a flow: examples once, then a line of the caller. Pure.

A small model classifies well by likeness to examples and badly by instruction, and each token of an answer
costs a step: so the answer is one word, written behind ``Wants:`` under a grammar of the words that the
state allows. The primer is the same for all states and calls, and is read once.
"""

import re
from collections.abc import Iterator

from sipagent.brain.types import Example, Primer
from sipagent.flows.schema import Flow, SlotConfig

OTHER = "other"
WANTS, CHOSE = "Wants", "Chose"
"""Questions that a label answers."""
_OTHER_EXAMPLES = (
    "Do you treat children?",
    "Um, I'm not sure, hold on.",
    "Is there parking?",
    "It's a lovely day today.",
    "Who is this?",
    "How long does it take?",
    "Do I have to bring anything?",
    "The dog is barking, one second.",
    "What is the tallest mountain in the world?",
    "Can you play some music for me?",
    "What is five times six?",
    "My wife is in the kitchen.",
    "I left my jacket with you.",
)
_OPTION_EXAMPLES = 6
_NAME_EXAMPLES = (
    ("Yeah sure, so that would be Anna Bell, I think we met.", "Anna Bell"),
    ("Can you put it down for Robert Kane please.", "Robert Kane"),
    ("Why do you need that?", OTHER),
    ("It's for my daughter, Lucy Park.", "Lucy Park"),
)


def primer_of(flow: Flow) -> Primer:
    """The examples of all intents in turn, so that none is always the last one."""
    lines = [f"Notes on what each caller of {flow.name} wants.\n"]
    examples = {name: one.examples for name, one in flow.intents.items() if one.examples}
    examples[OTHER] = _OTHER_EXAMPLES
    for at in range(max(len(texts) for texts in examples.values())):
        lines += [
            f"{wants_text(texts[at])} {name.replace('_', ' ')}\n"
            for name, texts in examples.items()
            if at < len(texts)
        ]
    if any(slot.type == "name" for slot in flow.slots.values()):
        lines += [f"{name_text(text)} {name}\n" for text, name in _NAME_EXAMPLES]
    options = [pair for slot in flow.slots.values() for pair in _option_examples(slot)]
    lines += [f"{option_text(text)} {option}\n" for text, option in options]
    intents = [(text, name.replace("_", " ")) for name, texts in examples.items() for text in texts]
    return Primer(
        "\n".join([*lines, ""]),
        (
            *(Example(text, WANTS, label) for text, label in intents),
            *(Example(text, CHOSE, label) for text, label in options),
        ),
    )


def _option_examples(slot: SlotConfig) -> Iterator[tuple[str, str]]:
    """The options' other words in turn."""
    for at in range(_OPTION_EXAMPLES):
        for option, others in slot.options.items():
            if at < len(others):
                yield others[at], option.replace("_", " ")


def wants_text(text: str) -> str:
    """Asks which intent."""
    return f"Caller: {_one_line(text)}\n{WANTS}:"


def name_text(text: str) -> str:
    """Asks which name."""
    return f"Caller: {_one_line(text)}\nName:"


def option_text(text: str) -> str:
    """Asks which option."""
    return f"Caller: {_one_line(text)}\n{CHOSE}:"


def label_grammar(labels: list[str]) -> str:
    """GBNF: a space and one of the labels."""
    return "root ::= " + " | ".join(f'" {_quoted(label)}"' for label in labels)


def name_grammar(text: str) -> str:
    """GBNF: one to four words of the caller's own, in any order, or ``other``: nothing can be invented."""
    words = list(dict.fromkeys(re.findall(r"[A-Za-zÀ-ž][\w'’-]*", text)))[:40]
    if not words:
        return f'root ::= " {OTHER}"'
    options = " | ".join(f'" {_quoted(word)}"' for word in words)
    return f'root ::= " {OTHER}" | word | word word | word word word\nword ::= {options}'


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
