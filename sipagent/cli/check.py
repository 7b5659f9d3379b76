"""``sipagent check``: is ``sip.yaml`` right, and is this machine ready for it?"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sipagent.campaigns.service import load_all
from sipagent.cli.check_llm import endpoint_findings
from sipagent.cli.check_machine import (
    Library,
    core_notes,
    imported_libraries,
    memory_problems,
    missing_libraries,
)
from sipagent.cli.check_models import Finding, libraries_of, model_findings, models_in_force
from sipagent.cli.check_ports import port_problems
from sipagent.cli.check_tls import tls_findings
from sipagent.cli.check_tools import tool_findings
from sipagent.cli.check_trunks import check_all, tell
from sipagent.config.load import load_config
from sipagent.config.render import render
from sipagent.config.schema import Config
from sipagent.config.secret import missing_secrets
from sipagent.errors import ConfigError, ModelError
from sipagent.knowledge.load import knowledge_problems
from sipagent.modelstore.store import ModelStore
from sipagent.tools.check import load_flows


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("check", help="check sip.yaml and this machine before calls come")
    parser.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    parser.add_argument(
        "--show", action="store_true", help="print the configuration in force; secrets as ***"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
    parser.add_argument("--trunks", action="store_true", help="also ask every trunk; failures give status 1")
    parser.add_argument("--output", type=Path, metavar="DIR", help="also check that DIR can be written")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check everything and tell everything.

    :returns: 0; 78 (``EX_CONFIG``) when something must be mended before ``sipagent serve``; 1 when only a
        trunk fails.
    """
    try:
        config = load_config(args.config)
    except ConfigError as error:
        _tell("problem", error.problems, as_json=args.json)
        return os.EX_CONFIG
    if args.show:
        print(json.dumps({"config": render(config)}) if args.json else render(config), end="\n" * args.json)
    findings = list(environment_findings(config, is_thorough=True))
    if args.output is not None:
        findings += [Finding("--output", text) for text in directory_problems(args.output)]
    _tell("note", [_line(config, one) for one in findings if not one.is_fatal], as_json=args.json)
    problems = [*_flow_problems(config), *(_line(config, one) for one in findings if one.is_fatal)]
    _tell("problem", problems, as_json=args.json)
    if problems:
        return os.EX_CONFIG
    summary = f"{args.config} is right and this machine is ready: {_summary(config)}"
    print(json.dumps({"ok": summary}) if args.json else f"ok: {summary}")
    return tell(check_all(config), as_json=args.json) if args.trunks else 0


def environment_problems(config: Config, *, checks_ports: bool = True) -> list[str]:
    """What keeps this machine from serving ``config``, one line each; empty: it can start.

    Quick enough for every start: libraries are looked for, not loaded. Ports are opened and closed again.

    :param checks_ports: False: by a server that has them open.
    """
    findings = environment_findings(config, is_thorough=False, checks_ports=checks_ports)
    return [*_flow_problems(config), *(_line(config, one) for one in findings if one.is_fatal)]


def environment_findings(
    config: Config, *, is_thorough: bool, checks_ports: bool = True
) -> Iterator[Finding]:
    """Yield what is wrong or worth knowing.

    :param is_thorough: import every native library, each in a child process, and compare memory.
    """
    yield from _campaigns(config)
    if checks_ports:
        yield from (Finding(key, text) for key, text in port_problems(config))
    yield from _secrets(config)
    yield from (Finding("knowledge", text) for text in knowledge_problems(config))
    yield from tls_findings(config)
    yield from tool_findings(config, is_thorough=is_thorough)
    if is_thorough:
        yield from endpoint_findings(config)
    try:
        store = ModelStore(config.models_dir)
    except ModelError as error:
        yield Finding("models_dir", str(error))
        return
    findings = list(model_findings(config, store))
    yield from findings
    if any(finding.is_fatal for finding in findings):
        return  # which libraries and how much memory depends on the models
    libraries = libraries_of(config, store)
    missing = list(missing_libraries(libraries))
    yield from _library_findings(config, missing)
    if is_thorough:
        gone = {library.name for library in missing}
        yield from _library_findings(config, imported_libraries(n for n in libraries if n not in gone))
        model_bytes = sum(bytes_below(store.path(name)) for name in models_in_force(config, store))
        yield from (Finding("memory", text) for text in memory_problems(model_bytes))
        yield from (Finding("cores", text, is_fatal=False) for text in core_notes())


def directory_problems(folder: Path) -> Iterator[str]:
    """Yield a problem where files cannot be written into ``folder``, made if need be."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        yield f"{nearest} is a file; name a folder"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield f"{folder} cannot be written by this user; change its owner or name another folder"


def bytes_below(folder: Path) -> int:
    """Size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _campaigns(config: Config) -> Iterator[Finding]:
    """What keeps campaigns from being run; their lists are read when a run begins."""
    if not config.campaigns.enabled:
        return
    try:
        campaigns = load_all(config)
    except ConfigError as error:
        yield from (Finding("campaigns.enabled", problem) for problem in error.problems)
        return
    if not campaigns:
        text = f"there are no campaigns in {config.campaigns.dir}; docs/campaigns.md has an example"
        yield Finding("campaigns.dir", text, is_fatal=False)


def _flow_problems(config: Config) -> list[str]:
    """Of the personas' flows, each with file and line."""
    try:
        load_flows(config)
        if any(persona.greeting_wav for persona in config.personas.values()):
            from sipagent.call.recorded import recorded_greetings  # the sound's libraries are large

            recorded_greetings(config)
    except ConfigError as error:
        return error.problems
    return []


def _secrets(config: Config) -> Iterator[Finding]:
    yield from (Finding(key, text, is_fatal) for key, text, is_fatal in missing_secrets(config))


def _library_findings(config: Config, libraries: list[Library]) -> Iterator[Finding]:
    for library in libraries:
        if library.problem:
            yield Finding(library.name, library.problem)
        wanted = config.limits.max_calls
        if library.max_calls is not None and not isinstance(wanted, str) and library.max_calls < wanted:
            text = f"{wanted} calls, but this build of pjsua2 holds {library.max_calls}; lower it"
            yield Finding("limits.max_calls", text)


def _line(config: Config, finding: Finding) -> str:
    """``sip.yaml:5: key: text`` for keys of the file, ``name: text`` for the rest."""
    is_key = finding.key.partition(".")[0].partition("[")[0] in Config.__slots__
    return f"{config.source.at(finding.key) if is_key else finding.key}: {finding.text}"


def _summary(config: Config) -> str:
    listen = [f"{kind} {where}" for kind, where in config.listen.binds.items()]
    counts = [
        f"{len(section)} {word if len(section) > 1 else word[:-1]}"
        for section, word in (
            (config.trunks, "trunks"),
            (config.numbers, "numbers"),
            (config.personas, "personas"),
        )
    ]
    return ", ".join([*listen, *counts])


def _tell(kind: str, lines: list[str], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            print(json.dumps({kind: line}, ensure_ascii=False))
        else:
            print(f"note: {line}" if kind == "note" else line, file=sys.stderr)
