"""Variables in a persona's texts: ``{name}``, filled in for each call.

::

    fill     ── the persona's ``variables``, and what a call out brings ──▶ a persona for this call
    as_said  ── what the call itself brings, what is remembered, the clock ──▶ its texts as they are said
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sipagent.config.clock import CLOCK
from sipagent.config.guard import SENTENCES
from sipagent.config.persona import PersonaConfig
from sipagent.errors import SipAgentError

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
OF_THE_CALL = re.compile(
    r"caller|caller_name|dialled|diverted_from|verstat|x_[a-z0-9_]{1,60}|last_call|last_outcome|noted_[a-z0-9_]{1,31}"
)
"""What the call's own headers say, and what is remembered of the caller; a prompt and a flow may name them,
and what the call does not have is empty."""
DIGITS = "digits"
"""In ``keypad.says``, where the keyed number goes."""
_PROMPT = "prompt"
_SPOKEN = ("greeting", "goodbye", "apology", "one_moment", "connecting", "not_connected", "unknown")
_LONGEST_VALUE_CHARS = 500
_SPACE_BEFORE = re.compile(r"\s+(?=[,.;:!?]|$)")
_NOTHING_BEFORE = re.compile(r"^[\s,;:.]+|(?<=[.!?,;:])[,;:]+")


class VariableError(SipAgentError):
    """A persona wants a variable that the call does not bring, or the other way round."""


def is_late(name: str) -> bool:
    """Is the variable filled in when the call is there: of the call, or of the clock?"""
    return name in CLOCK or OF_THE_CALL.fullmatch(name) is not None


def variables_of(persona: PersonaConfig) -> dict[str, str]:
    """Every variable that the persona's texts name and somebody must give a value → the first text that does.

    The clock's have one, and in the prompt what the call does not have is empty.
    """
    found: dict[str, str] = {}
    for where, text in _texts_of(persona).items():
        for name in PLACEHOLDER.findall(text):
            if name in CLOCK or (where == _PROMPT and is_late(name)):
                continue
            found.setdefault(name, where)
    return found


def unfilled_of(persona: PersonaConfig) -> dict[str, str]:
    """Those of them that the persona itself gives no value."""
    return {name: where for name, where in variables_of(persona).items() if name not in persona.variables}


def fill(persona: PersonaConfig, values: Mapping[str, str]) -> PersonaConfig:
    """The persona with its variables filled in, from ``values`` and else from its own ``variables``. Those of
    the call and the clock stay, unless they are among ``values``.

    :raises VariableError: one is missing, unknown, or cannot be spoken; the line names it.
    """
    wanted = variables_of(persona)
    if unknown := sorted(set(values) - set(wanted) - set(persona.variables)):
        known = ", ".join(wanted) or "none"
        raise VariableError(f"persona {persona.name}: no text names {{{unknown[0]}}}; there are: {known}")
    every = {**persona.variables, **values}
    for name, where in wanted.items():
        if name not in every:
            raise VariableError(
                f"persona {persona.name}: its {where} wants {{{name}}}; give it a value (--var {name}=…)"
            )
        if not every[name].isprintable() or len(every[name]) > _LONGEST_VALUE_CHARS:
            raise VariableError(
                f"variable {name}: expected one printable line of at most {_LONGEST_VALUE_CHARS} characters"
            )
    return replace(prepared(persona, values), variables=every)


def prepared(persona: PersonaConfig, values: Mapping[str, str] | None = None) -> PersonaConfig:
    """The persona with what is the same in all of its calls filled in; what is not known stays."""
    given = values or {}
    known = {name: text for name, text in {**persona.variables, **given}.items() if not is_late(name)}
    return _changed(persona, {**known, **given}, _as_it_is)


def as_said(persona: PersonaConfig, values: Mapping[str, str]) -> PersonaConfig:
    """The persona with the call's and the clock's variables filled in; one without a value is empty, and the
    sentence closes over the gap."""
    late = {name: text for name, text in values.items() if is_late(name)}
    return _changed(persona, late, lambda name, text: "" if is_late(name) else text)


def _as_it_is(_name: str, text: str) -> str:
    return text


def _texts_of(persona: PersonaConfig) -> dict[str, str]:
    """Key of every text that is said, or read by the model → the text."""
    texts = {name: getattr(persona, name) for name in (_SPOKEN[0], _PROMPT, *_SPOKEN[1:])}
    texts["no_input.prompts"] = " ".join(persona.no_input.prompts)
    texts["lost.say"] = persona.lost.say
    texts |= {f"guard.{name}": getattr(persona.guard, name) for name in SENTENCES}
    texts["guard.facts"] = " ".join(persona.guard.facts)
    texts |= {f"keys.{key}.summary": action.summary for key, action in persona.keys.items()}
    texts["keypad.says"] = persona.keypad.says.replace(f"{{{DIGITS}}}", "")
    return texts


def _changed(
    persona: PersonaConfig, known: Mapping[str, str], otherwise: Callable[[str, str], str]
) -> PersonaConfig:
    """Every text with ``known`` filled in. ``otherwise`` gets the name of a variable that is not known, and
    the text that stands there."""

    def put(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: known.get(found[1], otherwise(found[1], found[0])), text)

    def said(text: str) -> str:
        filled = put(text)
        has_gap = any(not known.get(name, otherwise(name, name)) for name in PLACEHOLDER.findall(text))
        return _closed(filled) if has_gap else filled

    guard: dict[str, Any] = {name: said(getattr(persona.guard, name)) for name in SENTENCES}
    facts = tuple(put(text) for text in persona.guard.facts)
    prompts = tuple(said(text) for text in persona.no_input.prompts)
    spoken: dict[str, Any] = {name: said(getattr(persona, name)) for name in _SPOKEN}
    return replace(
        persona,
        prompt=put(persona.prompt),
        no_input=replace(persona.no_input, prompts=prompts),
        lost=replace(persona.lost, say=said(persona.lost.say)),
        guard=replace(persona.guard, facts=facts, **guard),
        keys={key: replace(one, summary=said(one.summary)) for key, one in persona.keys.items()},
        keypad=replace(persona.keypad, says=said(persona.keypad.says)),
        **spoken,
    )


def _closed(text: str) -> str:
    """``Hello , how are you`` → ``Hello, how are you``; ``, good morning`` → ``Good morning``."""
    text = " ".join(_NOTHING_BEFORE.sub("", _SPACE_BEFORE.sub("", text)).split())
    return text[:1].upper() + text[1:]
