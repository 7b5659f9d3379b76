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
from zoneinfo import ZoneInfo

from sipagent.brain.types import Reader
from sipagent.call.tool_port import CallContext, ToolAnswer, ToolCall
from sipagent.call.work import Lane
from sipagent.config.load import load_config
from sipagent.config.schema import Config, PersonaConfig
from sipagent.errors import ConfigError
from sipagent.flows.graph import draw, mermaid
from sipagent.flows.load import load_flow
from sipagent.flows.primer import primer_of
from sipagent.flows.schema import Flow
from sipagent.flows.simulate import RunTool, Simulation
from sipagent.flows.talk import ToolReturned
from sipagent.logs import get_log
from sipagent.tools.check import problems_of
from sipagent.tools.toolbox import Toolbox

_CONTEXT_TOKENS = 2048


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
    chat.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
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
        draw(flow, args.out)
    return 0


def run_chat(args: argparse.Namespace) -> int:
    """Talk until the agent hangs up or the lines end.

    :raises ConfigError: a file is not usable. :raises ModelError: the model is not installed.
    """
    flow = load_flow(args.file)
    now = args.now or datetime.now(ZoneInfo(flow.time_zone))
    lines = args.script.read_text(encoding="utf-8").splitlines() if args.script else None
    with _reader(flow, None if args.no_model else args.config) as reader, ExitStack() as stack:
        run_tool = (
            stack.enter_context(_tools(args.file, flow, load_config(args.config))) if args.tools else None
        )
        call = Simulation(flow, now, reader, _results(flow, args.result), run_tool)
        print(*call.open(), sep="\n")
        for line in lines if lines is not None else _typed():
            if lines is not None:
                print(f"Caller: {line}")
            print(*call.hear(line), sep="\n", flush=True)
            if call.talk.is_over or (call.talk.is_waiting and flow.states[call.talk.state].transfer):
                break
    return 0


def _typed() -> Iterator[str]:
    while True:
        try:
            yield input("Caller: ") if sys.stdin.isatty() else input()
        except EOFError:
            return


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
def _reader(flow: Flow, config_path: Path | None) -> Iterator[Reader | None]:
    """The configured language model's reader; None without a configuration."""
    if config_path is None:
        yield None
        return
    config = load_config(config_path)
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
    return [line for persona in _personas_of(path, config) for line in problems_of(flow, persona, config)]


def _personas_of(path: Path, config: Config) -> list[PersonaConfig]:
    """Those that follow this flow.

    :raises ConfigError: nobody does.
    """
    wanted = path.resolve()
    found = [one for one in config.personas.values() if one.flow is not None and one.flow.resolve() == wanted]
    if not found:
        raise ConfigError([f"{config.source.at('personas')}: nobody follows {path}"])
    return found


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
