"""The personas' knowledge, from the folders that the configuration names."""

from sipagent.config.schema import Config
from sipagent.errors import ConfigError
from sipagent.knowledge.knowledge import Knowledge
from sipagent.knowledge.passages import read_folder


def knowledge_of(config: Config) -> dict[str, Knowledge]:
    """What each persona knows that has a folder.

    :raises ConfigError: with one line for each problem, ``file:line: what is wrong``.
    """
    found: dict[str, Knowledge] = {}
    problems: list[str] = []
    for name, persona in config.personas.items():
        if persona.knowledge is None:
            continue
        if not persona.knowledge.is_dir():
            where = config.source.at(f"personas.{name}.knowledge")
            problems.append(f"{where}: {persona.knowledge} is no folder; make it, or leave the key out")
            continue
        own_text = "\n".join((persona.prompt, *persona.variables.values()))
        budget = persona.knowledge_tokens if persona.knowledge_told == "model" else None
        try:
            passages = read_folder(persona.knowledge)
        except ConfigError as error:
            problems += error.problems
            continue
        found[name] = Knowledge(passages, own_text, budget_tokens=budget)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return found


def knowledge_problems(config: Config) -> list[str]:
    """What is wrong with the folders; empty: nothing."""
    try:
        knowledge_of(config)
    except ConfigError as error:
        return error.problems
    return []
