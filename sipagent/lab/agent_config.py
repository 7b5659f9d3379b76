"""A copy of ``sip.yaml`` for measuring: the log shows what the agent decided, and it may talk much.

The copy knows no trunk but this machine: a measurement neither registers anywhere nor takes real calls.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from sipagent.config.load import load_config

LONG_GREETING = (
    "Thank you for calling. Before you ask, let me tell you how things work here. "
    "We are open from Monday to Thursday between eight and five, and on Friday until two in the afternoon. "
    "If you are new to us, please bring your insurance card and a list of the medicines that you take. "
    "There is free parking behind the house, and the bus stops right in front of the door. "
    "A cleaning takes about forty minutes, and you will have the results on the same day. "
    "Now, what can I do for you today?"
)
"""About twenty seconds of speech that no model has to invent."""
_TALKATIVE_PROMPT = (
    "You are a friendly guide on the phone who loves to explain. Whatever the caller says, answer in four "
    "or five whole sentences about the town of Maple Street, its shops, its park, its people and its history."
)
_REPLY_TOKENS = 120
_THIS_MACHINE = {
    "name": "lab",
    "preset": "generic",
    "domain": "127.0.0.1",
    "allow_from": ["127.0.0.0/8"],
    "transport": "udp",
    "codecs": ["PCMU", "PCMA"],
    "register": False,
}


def talkative_config(config: Path, folder: Path) -> Path:
    """Write ``folder/sip.yaml``: the same agent with long speech and decisions in its log.

    Every persona gets a long greeting that may be interrupted and a prompt that asks for long replies.
    Nothing about the turns changes.

    :returns: the file. :raises ConfigError: ``config`` is not usable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prompt_file = folder / "talkative.md"
    prompt_file.write_text(_TALKATIVE_PROMPT + "\n")

    def change(plain: dict[str, Any]) -> None:
        for persona in plain["personas"].values():
            persona |= {"greeting": LONG_GREETING, "greeting_interruptible": True}
            persona["prompt_file"] = str(prompt_file.absolute())
            persona.pop("knowledge", None)  # it would decline what the prompt invites to
        plain["llm"] = {**(plain.get("llm") or {}), "max_reply_tokens": _REPLY_TOKENS}

    return _rewritten(config, folder / "sip.yaml", change)


def telling_config(config: Path, folder: Path) -> Path:
    """Write ``folder/sip.yaml``: the same agent with its decisions in its log.

    :returns: the file. :raises ConfigError: ``config`` is not usable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return _rewritten(config, folder / "sip.yaml", lambda plain: None)


def _rewritten(config: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    loaded = load_config(config)  # says what is wrong, with the line; this copy has none
    plain: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
    for name, persona in plain["personas"].items():
        for key in ("prompt_file", "flow", "knowledge"):
            if (path := getattr(loaded.personas[name], key)) is not None:
                persona[key] = str(path.absolute())
    plain["models_dir"] = str(loaded.models_dir.absolute())
    plain["trunks"] = [_THIS_MACHINE]
    plain["console"] = False
    plain["logging"] = {**(plain.get("logging") or {}), "level": "debug"}
    change(plain)
    target.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return target
