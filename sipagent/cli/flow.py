"""``sipagent flow``: check a flow file, draw it, talk to it in text."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from uuid import uuid4

from sipagent.brain.types import Reader
from sipagent.call.tool_port import CallContext, ToolAnswer, ToolCall
from sipagent.call.work import Lane
from sipagent.config.load import load_config
from sipagent.config.schema import Config, PersonaConfig
from sipagent.errors import ConfigError, SipAgentError
from sipagent.flows.drawing import draw
from sipagent.flows.graph import mermaid
from sipagent.flows.load import load_flow
from sipagent.flows.local_time import TIME_ZONE, is_zone, zone_of
from sipagent.flows.primer import primer_of
from sipagent.flows.schema import Flow
from sipagent.flows.simulate import RunTool, Simulation
from sipagent.flows.talk import ToolReturned
from sipagent.logs import get_log
from sipagent.tools.check import problems_of
from sipagent.tools.toolbox import Toolbox

_CONTEXT_TOKENS = 2048
_USUAL_CONFIG = Path("sip.yaml")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its actions."""
    parser = subparsers.add_parser("flow", help="check, draw and try guided conversations")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="every problem of the files, with line")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.add_argument(
        "-c", "--config", type=Path, metavar="SIP.YAML", help="also: fit for the tools of its personas there"
    )
    check.set_defaults(run=run_check)
    graph = actions.add_parser("graph", help="the flow as Mermaid text, or as a picture")
    graph.add_argument("file", type=Path, metavar="FILE")
    graph.add_argument("-o", "--out", type=Path, metavar="PICTURE", help="svg, png or pdf, by its ending")
    graph.set_defaults(run=run_graph)
    chat = actions.add_parser("chat", help="be the caller, in text: #1 is a key, an empty line silence")
    chat.add_argument("file", type=Path, metavar="FILE")
    chat.add_argument("--script", type=Path, metavar="LINES", help="the caller's lines, one a line")
    chat.add_argument("--now", type=datetime.fromisoformat, metavar="TIME", help="as 2026-03-02T09:00")
    chat.add_argument("--no-model", action="store_true", help="understand by rules alone")
    chat.add_argument(
        "--result", action="append", default=[], metavar="TOOL=STATUS", help="what a tool returns; repeatable"
    )
    chat.add_argument("--tools", action="store_true", help="really run the tools of its persona")
    chat.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="SIP.YAML",
        help="models, tools, variables of its persona (sip.yaml)",
    )
    chat.set_defaults(run=run_chat)


def run_check(args: argparse.Namespace) -> int:
    """Check files. :raises ConfigError: with every problem of all of them."""
    problems: list[str] = []
    config = load_config(args.config) if args.config is not None else None
    for path in args.files:
        try:
            flow = load_flow(path)
            found = _tool_problems(path, flow, config) if config is not None else []
            problems += found
            if found:
                continue
            print(f"{path}: {flow.name}: {len(flow.states)} states, {len(flow.intents)} intents, no problems")
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return 0


def run_graph(args: argparse.Namespace) -> int:
    """Print Mermaid text, or write the picture."""
    flow = load_flow(args.file)
    if args.out is None:
        print(mermaid(flow), end="")
    elif args.out.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise ConfigError([f"{args.out}: expected a name that ends in .svg, .png or .pdf"])
    else:
        try:
            draw(flow, args.out)
        except OSError as exc:
            raise SipAgentError(f"{args.out}: cannot be written: {exc.strerror or exc}") from None
    return 0


def run_chat(args: argparse.Namespace) -> int:
    """Talk until the agent hangs up or the lines end.

    :raises ConfigError: a file is not usable. :raises SipAgentError: the script cannot be read, or the model
        is not installed.
    """
    flow = load_flow(args.file)
    lines = _lines_of(args.script) if args.script else None
    wants_config = args.config is not None or args.tools or not args.no_model
    config = load_config(args.config or _USUAL_CONFIG) if wants_config else None
    variables = _variables(args.file, config)
    now = args.now or datetime.now(zone_of(flow, variables))
    with _reader(flow, None if args.no_model else config) as reader, ExitStack() as stack:
        run_tool = stack.enter_context(_tools(args.file, flow, config)) if args.tools and config else None
        call = Simulation(flow, now, reader, _results(flow, args.result), run_tool, variables=variables)
        print(*call.open(), sep="\n")
        for line in lines if lines is not None else _typed():
            if lines is not None:
                print(f"Caller: {line}")
            told = call.hear(line)
            print(*told, *(call.pause() if line.strip() else ()), sep="\n", flush=True)
            if call.talk.is_over or (call.talk.is_waiting and flow.states[call.talk.state].transfer):
                break
    return 0


def _variables(path: Path, config: Config | None) -> Mapping[str, str]:
    """Those of the persona that follows the flow."""
    found = _followers(path, config) if config is not None else []
    return found[0].variables if found else {}


def _lines_of(path: Path) -> list[str]:
    """:raises SipAgentError: it is no text that can be read."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as exc:
        raise SipAgentError(f"{path}: cannot be read: {exc.strerror or exc}") from None
    except UnicodeDecodeError:
        raise SipAgentError(f"{path}: not UTF-8; expected the caller's words, one line each") from None


def _typed() -> Iterator[str]:
    while True:
        try:
            yield input("Caller: ") if sys.stdin.isatty() else input()
        except EOFError:
            return
        except UnicodeDecodeError:
            raise SipAgentError("standard input: not UTF-8; expected the caller's words") from None


def _results(flow: Flow, texts: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        tool, _, status = text.partition("=")
        if tool not in flow.tools or status not in (*flow.tools[tool].results, "failed"):
            raise ConfigError(
                [f"--result {text}: expected TOOL=STATUS of: {', '.join(flow.tools) or 'none'}"]
            )
        found.setdefault(tool, []).append(status)
    return found


@contextmanager
def _reader(flow: Flow, config: Config | None) -> Iterator[Reader | None]:
    """The configured language model's reader; None without a configuration."""
    if config is None:
        yield None
        return
    from sipagent.brain.llm import load_llm
    from sipagent.engines import cores_of
    from sipagent.modelstore.store import ModelStore

    llm = load_llm(
        config.llm.model,
        ModelStore(config.models_dir),
        max_calls=1,
        context_tokens=max(_CONTEXT_TOKENS, config.llm.context_tokens),
        threads=cores_of(config),
    )
    try:
        primer = primer_of(flow)
        llm.warm_reader(primer)
        yield llm.open_reader(primer)
    finally:
        llm.close()


def _tool_problems(path: Path, flow: Flow, config: Config) -> list[str]:
    personas = _personas_of(path, config)
    problems = [line for persona in personas for line in problems_of(flow, persona, config)]
    for persona in personas:
        zone = persona.variables.get(TIME_ZONE, flow.time_zone)
        if not is_zone(zone):
            at = config.source.at(f"personas.{persona.name}.variables.{TIME_ZONE}")
            problems.append(f"{at}: no time zone {zone!r}; expected one such as America/New_York")
    return problems


def _personas_of(path: Path, config: Config) -> list[PersonaConfig]:
    """Those that follow this flow.

    :raises ConfigError: nobody does.
    """
    if not (found := _followers(path, config)):
        raise ConfigError([f"{config.source.at('personas')}: nobody follows {path}"])
    return found


def _followers(path: Path, config: Config) -> list[PersonaConfig]:
    wanted = path.resolve()
    return [one for one in config.personas.values() if one.flow is not None and one.flow.resolve() == wanted]


@contextmanager
def _tools(path: Path, flow: Flow, config: Config) -> Iterator[RunTool]:
    """The tools of the flow's persona, for real, with a caller who has no number.

    :raises ConfigError: nobody follows the flow, or it names tools that its persona may not use.
    """
    persona = _personas_of(path, config)[0]
    if problems := problems_of(flow, persona, config):
        raise ConfigError(problems)
    lane = Lane("tool", 1, get_log())
    runner = Toolbox(config, lane, get_log(), threads=1).of(persona)
    context = CallContext(f"chat-{uuid4().hex[:8]}", "", "chat", persona.name)
    runs = count(1)

    def run_tool(name: str, arguments: Mapping[str, str]) -> ToolReturned:
        answers: SimpleQueue[ToolAnswer] = SimpleQueue()
        runner.submit(ToolCall(name, arguments, f"t{next(runs)}", context), answers.put)
        answer = answers.get()
        return ToolReturned(0, answer.status, answer.variables, answer.apology)

    lane.start()
    try:
        yield run_tool
    finally:
        lane.close()
