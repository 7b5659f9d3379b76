"""Sections ``numbers`` and ``personas``: who answers which number, and how."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sipagent.config.clock import AUTO_ZONE, is_time_zone
from sipagent.config.fields import Problem, from_file, from_key, not_sayable, out_of_range
from sipagent.config.guard import GuardConfig
from sipagent.config.keys import KeyConfig, KeypadConfig, key_problems
from sipagent.config.persona_engines import LostConfig, PersonaLlmConfig, PersonaSttConfig
from sipagent.config.tools import tool_list_problems

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
MATCH = re.compile(r"(\+?[A-Za-z0-9_.-]+\*?|\*)")

AUTO_VOICE = "auto"
_CORES_FOR_PIPER = 4
"""Piper speaks five times faster than real time on one core: with fewer of them it makes callers wait."""


def usual_voice(cores: int) -> str:
    """The voice that ``auto`` means on a machine with so many cores."""
    return "piper-en_US-joe-medium" if cores >= _CORES_FOR_PIPER else "hibari"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberConfig:
    """Entry of ``numbers``: which persona answers a dialled number. The first match wins."""

    match: str
    """The number as the trunk sends it, a beginning followed by ``*``, or ``*`` for all."""
    persona: str
    """Name of the persona that answers."""

    def matches(self, dialled: str) -> bool:
        """True where this entry is meant for ``dialled``, the user part of the request's address."""
        if self.match.endswith("*"):
            return dialled.startswith(self.match[:-1])
        return dialled == self.match

    def covers(self, other: "NumberConfig") -> bool:
        """True where every number that ``other`` matches is matched by this entry too."""
        return self.matches(other.match.removesuffix("*")) and (
            self.match.endswith("*") or not other.match.endswith("*")
        )

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if not MATCH.fullmatch(self.match):
            yield "match", f"expected a number, a beginning with * behind it, or *; got {self.match!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoInputConfig:
    """Section ``no_input`` of a persona: what happens when the caller says nothing."""

    after_ms: int = 8000
    """Silence after the agent's last word before the next prompt. 2000..60000 ms."""
    prompts: tuple[str, ...] = ("Are you still there?", "I'll let you go now. Goodbye.")
    """Said in order; behind the last one the agent hangs up. 1..5 of them."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(self, after_ms=(2000, 60000))
        if not 1 <= len(self.prompts) <= 5:
            yield "prompts", f"expected 1..5 sentences, got {len(self.prompts)}"
        if any(not text.strip() or not text.isprintable() for text in self.prompts):
            yield "prompts", "has an empty sentence or one with line breaks"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaConfig:
    """Entry of ``personas``: prompt, greeting, voice and limits of one agent."""

    name: str = field(default="", metadata=from_key())
    """Its key under ``personas``."""
    language: str = "en-US"
    """Language that is spoken, as ``en-US`` or ``ko``."""
    time_zone: str = AUTO_ZONE
    """Where ``{today}`` and ``{now}`` are meant, as ``America/New_York``; ``auto``: where the machine is."""
    greeting: str
    """First sentence of every call."""
    greeting_wav: Path | None = None
    """Recording that is played instead of ``greeting``, which then holds its words; relative to sip.yaml."""
    greeting_interruptible: bool = True
    """False: the greeting is said to its end whatever the caller does."""
    prompt_file: Path
    """What the language model is told about its task, a text file relative to sip.yaml."""
    prompt: str = field(default="", repr=False, metadata=from_file("prompt_file"))
    """Text of ``prompt_file``, without white space around it."""
    flow: Path | None = None
    """Flow file that guides the conversation, relative to sip.yaml; without it the language model leads."""
    knowledge: Path | None = None
    """Folder of Markdown files that callers' questions are answered from, relative to sip.yaml."""
    knowledge_told: Literal["quoted", "model"] = "quoted"
    """Who words an answer that no stored question has: the program quotes the sentences that fit, or the
    language model is shown them, which takes a better model than the small local ones."""
    knowledge_tokens: int = 100
    """Most that the ``model`` is shown for one question. 20..1000 tokens."""
    unknown: str = "I'm sorry, I don't know that. I can take a message, and somebody will call you back."
    """Said to a question that neither ``knowledge`` nor ``prompt_file`` answers."""
    voice: str = AUTO_VOICE
    """Voice model of kind tts in the catalogue, or ``hibari``; ``auto``: ``piper-en_US-joe-medium`` on four
    cores or more, else ``hibari``, which needs a tenth of the time."""
    goodbye: str = "Goodbye."
    """Said before the agent hangs up."""
    apology: str = "Sorry, I didn't get that. Could you say it again?"
    """Said when a turn failed."""
    one_moment: str = "One moment, please."
    """Said when the reply takes long."""
    max_call_s: int = 600
    """Longest call. 10..14400 s."""
    recording: Literal["default", "never", "none", "announced", "spoken", "keyed"] = "default"
    """Instead of ``recording.consent``: another one, or ``never`` for calls that are not recorded."""
    no_input: NoInputConfig = field(default_factory=NoInputConfig)
    """What happens when the caller says nothing."""
    variables: dict[str, str] = field(default_factory=dict)
    """Values for ``{name}`` in the greeting and the other texts, where the call brings none."""
    memory: Literal["off", "on"] = "off"
    """On: name, last outcome and what the tool ``remember`` notes are kept from call to call, sealed."""
    memory_days: int = 365
    """Days without a call after which a caller is forgotten. 1..36500."""
    transfer: dict[str, str] = field(default_factory=dict)
    """Whom a call may be handed to: names and numbers, or SIP addresses."""
    tools: tuple[str, ...] = ()
    """Tools that its flow, or its free conversation, may use; all others are refused."""
    connecting: str = "One moment, I'll put you through."
    """Said before a call is handed over."""
    not_connected: str = "I'm sorry, I can't reach anybody there right now. How else can I help?"
    """Said when nobody took it."""
    stt: PersonaSttConfig = field(default_factory=PersonaSttConfig)
    """The ear of its callers, where it is not that of the section ``speech.stt``."""
    llm: PersonaLlmConfig = field(default_factory=PersonaLlmConfig)
    """What it does otherwise than the section ``llm`` says."""
    lost: LostConfig = field(default_factory=LostConfig)
    """What happens when the caller's turns fail, one after the other."""
    guard: GuardConfig = field(default_factory=GuardConfig)
    """What is said where the model must not have the word."""
    keys: dict[str, KeyConfig] = field(default_factory=dict)
    """What single keys of the caller's telephone do; all others dictate numbers."""
    keypad: KeypadConfig = field(default_factory=KeypadConfig)
    """Numbers that callers dictate with their keys."""

    def __post_init__(self) -> None:
        if self.voice == AUTO_VOICE:
            object.__setattr__(self, "voice", usual_voice(len(os.sched_getaffinity(0))))

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        if not LANGUAGE.fullmatch(self.language):
            yield "language", f"expected a language such as en-US or ko, got {self.language!r}"
        if not is_time_zone(self.time_zone):
            yield "time_zone", f"no time zone {self.time_zone!r}; expected one such as America/New_York"
        yield from not_sayable(self, "greeting", "goodbye", "apology", "one_moment")
        yield from not_sayable(self, "connecting", "not_connected", "unknown")
        yield from key_problems(self.keys, self.transfer)
        if self.lost.transfer and self.lost.transfer not in self.transfer:
            yield "lost.transfer", f"no target {self.lost.transfer!r} under transfer"
        for name, target in (("crisis_transfer", self.guard.crisis_transfer), *self.guard.languages.items()):
            if target and target not in self.transfer:
                key = "crisis_transfer" if name == "crisis_transfer" else f"languages.{name}"
                yield f"guard.{key}", f"no target {target!r} under transfer"
        yield from tool_list_problems(self.tools)
        yield from out_of_range(
            self, max_call_s=(10, 14400), knowledge_tokens=(20, 1000), memory_days=(1, 36500)
        )
