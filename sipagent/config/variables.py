"""Variables in a persona's texts: ``{name}`` in the greeting or the prompt, filled in for each call."""

import re
from collections.abc import Mapping
from dataclasses import replace

from sipagent.config.persona import PersonaConfig
from sipagent.errors import SipAgentError

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
OF_THE_CALL = re.compile(
    r"caller|caller_name|dialled|diverted_from|verstat|x_[a-z0-9_]{1,60}|last_call|last_outcome|noted_[a-z0-9_]{1,31}"
)
"""What the call's own headers say, and what is remembered of the caller; a prompt and a flow may name them,
and what the call does not have is empty."""
_TEXTS = ("greeting", "prompt", "goodbye", "apology", "one_moment")
_LONGEST_VALUE_CHARS = 500


class VariableError(SipAgentError):
    """A persona wants a variable that the call does not bring, or the other way round."""


def variables_of(persona: PersonaConfig) -> dict[str, str]:
    """Every variable that the persona's texts name → the first text that does."""
    texts = {name: getattr(persona, name) for name in _TEXTS}
    texts |= {"no_input.prompts": " ".join(persona.no_input.prompts)}
    found: dict[str, str] = {}
    for where, text in texts.items():
        for name in PLACEHOLDER.findall(text):
            if where == "prompt" and OF_THE_CALL.fullmatch(name):
                continue
            found.setdefault(name, where)
    return found


def unfilled_of(persona: PersonaConfig) -> dict[str, str]:
    """Those of them that the persona itself gives no value."""
    return {name: where for name, where in variables_of(persona).items() if name not in persona.variables}


def fill(persona: PersonaConfig, values: Mapping[str, str]) -> PersonaConfig:
    """The persona with its variables filled in, from ``values`` and else from its own ``variables``.

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

    def filled(text: str) -> str:
        return PLACEHOLDER.sub(lambda match: every.get(match[1], match[0]), text)

    prompts = tuple(filled(text) for text in persona.no_input.prompts)
    return replace(
        persona,
        greeting=filled(persona.greeting),
        prompt=filled(persona.prompt),
        goodbye=filled(persona.goodbye),
        apology=filled(persona.apology),
        one_moment=filled(persona.one_moment),
        no_input=replace(persona.no_input, prompts=prompts),
        variables=every,
    )
