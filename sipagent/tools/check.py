"""Does a flow fit the tools and transfer targets of the installation, and may its persona use them? Pure."""

from collections.abc import Iterator, Mapping

from sipagent.call.tool_port import FAILED, OK
from sipagent.config.fields import Problem
from sipagent.config.json_schema import JsonSchema
from sipagent.config.schema import Config, PersonaConfig, ToolConfig
from sipagent.config.tools import BUILT_IN, HANG_UP, TRANSFER
from sipagent.errors import ConfigError
from sipagent.flows.load import load_flow
from sipagent.flows.schema import VARIABLE, Flow, FlowTool
from sipagent.tools.built_in import ARGUMENTS

_INSTEAD = {TRANSFER: "a state with transfer: hands a call over", HANG_UP: "a state with end: true hangs up"}


def load_flows(config: Config) -> dict[str, Flow]:
    """The personas' flows, by persona, fit for their tools.

    :raises ConfigError: with every problem of all of them, with file and line.
    """
    flows: dict[str, Flow] = {}
    problems: list[str] = []
    for name, persona in config.personas.items():
        if persona.flow is None:
            continue
        try:
            flows[name] = load_flow(persona.flow)
        except ConfigError as error:
            problems += [line for line in error.problems if line not in problems]
        else:
            problems += problems_of(flows[name], persona, config)
    if problems:
        raise ConfigError(problems)
    return flows


def problems_of(flow: Flow, persona: PersonaConfig, config: Config) -> list[str]:
    """One line for each tool and each transfer that the flow names and cannot have as it wants it."""
    found: list[Problem] = list(_lost_transfers(flow, persona, config))
    for name, use in flow.tools.items():
        if name in _INSTEAD:
            found.append((f"tools.{name}", _INSTEAD[name]))
        elif name not in persona.tools:
            allowed = ", ".join(persona.tools) or "none"
            where = config.source.at(f"personas.{persona.name}")
            found.append((f"tools.{name}", f"{where} may not use it; its tools: {allowed}"))
        else:
            found += _misuse(name, use, config.tools)
    return [f"{flow.source.at(key)}: {text}" for key, text in found]


def _lost_transfers(flow: Flow, persona: PersonaConfig, config: Config) -> Iterator[Problem]:
    """Transfers to nobody. A target with variables in it is known in the call; somebody must be there."""
    where = config.source.at(f"personas.{persona.name}")
    for name, state in flow.states.items():
        target = state.transfer
        if target and target not in persona.transfer and not (VARIABLE.search(target) and persona.transfer):
            known = ", ".join(persona.transfer) or "none"
            yield f"states.{name}.transfer", f"{where} has no {target!r} under transfer; there are: {known}"


def _misuse(name: str, use: FlowTool, tools: Mapping[str, ToolConfig]) -> Iterator[Problem]:
    key = f"tools.{name}"
    tool = tools.get(name)
    schema = tool.arguments if tool is not None else ARGUMENTS.get(name)
    if schema is None:
        known = ", ".join((*tools, *ARGUMENTS))
        yield key, f"no tool {name!r} under tools of sip.yaml; there are: {known}"
        return
    is_closed = schema.plain.get("additionalProperties") is False
    for argument in schema.required:
        if argument not in use.arguments:
            yield f"{key}.arguments", f"{name} must be given {argument!r}"
    for argument in use.arguments:
        if is_closed and argument not in schema.properties:
            known = ", ".join(schema.properties) or "none"
            yield f"{key}.arguments", f"{name} takes no {argument!r}; it takes: {known}"
    if use.safe and name in BUILT_IN:
        yield f"{key}.safe", f"{name} has an effect; it must wait until the caller has finished"
    if tool is not None:
        yield from _answers(key, use, tool.result)


def _answers(key: str, use: FlowTool, schema: JsonSchema) -> Iterator[Problem]:
    statuses = schema.properties.get("status", {}).get("enum", [] if schema.properties else use.results)
    for status in statuses or [OK]:
        if status not in (*use.results, FAILED):
            yield f"{key}.results", f"the tool may return {status!r}; add it, and say what follows"
    is_told = schema.properties and schema.plain.get("additionalProperties") is False
    for variable in use.returns:
        if is_told and variable not in schema.properties:
            known = ", ".join(name for name in schema.properties if name != "status") or "none"
            yield f"{key}.returns", f"the tool returns no {variable!r}; it returns: {known}"
