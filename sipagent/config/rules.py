"""Rules that span sections of ``sip.yaml``."""

from collections.abc import Callable, Iterator

from sipagent.config.fields import Problem
from sipagent.config.keys import number_of
from sipagent.config.network import LEAST_RTP_PORTS
from sipagent.config.persona import NumberConfig
from sipagent.config.schema import Config, for_worker
from sipagent.config.tools import BUILT_IN, TRANSFER
from sipagent.config.variables import is_late, unfilled_of

MOST_TRUNKS = 7
"""The library holds eight accounts; one is that of calls which belong to no trunk."""
CHARS_PER_TOKEN = 3
"""Of English prose to a model's tokenizer, on the cautious side."""


def broken_rules(config: Config, is_readable: Callable[[str], bool]) -> Iterator[Problem]:
    """Yield (key, problem) for each value that does not go with another one.

    :param is_readable: tells whether a top-level section was read whole; rules about others are left out,
        for they would blame the wrong entry.
    """
    for sections, rule in RULES:
        if all(is_readable(section) for section in sections):
            yield from rule(config)


def problems_across(config: Config) -> list[str]:
    """The same of a whole configuration, one line each, with file and line."""
    return [f"{config.source.at(key)}: {text}" for key, text in broken_rules(config, lambda _: True)]


def _names(config: Config) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, trunk in enumerate(config.trunks):
        if trunk.name in first:
            earlier = f"trunks[{first[trunk.name]}]"
            yield (
                f"trunks[{index}].name",
                f"{trunk.name!r} is the name of {earlier} already; choose another",
            )
        first.setdefault(trunk.name, index)


def _campaigns(config: Config) -> Iterator[Problem]:
    lines, kept_free = config.limits.max_calls, config.campaigns.lines_kept_free
    if not config.campaigns.enabled:
        return
    if isinstance(lines, int) and lines <= kept_free:
        yield (
            "campaigns.lines_kept_free",
            f"{kept_free} of limits.max_calls ({lines}): no line is left to call",
        )
    if not config.limits.outbound.allow:
        yield "campaigns.enabled", 'limits.outbound.allow names no number that may be called, as in ["+1*"]'


def _accounts(config: Config) -> Iterator[Problem]:
    if len(config.trunks) > MOST_TRUNKS:
        yield (
            "trunks",
            f"{len(config.trunks)} of them, but the SIP library holds {MOST_TRUNKS}; leave some out",
        )


def _numbers(config: Config) -> Iterator[Problem]:
    above: list[NumberConfig] = []
    for index, number in enumerate(config.numbers):
        key = f"numbers[{index}]"
        if number.persona not in config.personas and not config.source.has(f"personas.{number.persona}"):
            known = ", ".join(config.personas) or "none"
            yield f"{key}.persona", f"no persona {number.persona!r}; there are: {known}"
        if cover := next((one for one in above if one.covers(number)), None):
            yield (
                f"{key}.match",
                f"is never reached: {cover.match!r} above matches first; move it up",
            )
        above.append(number)


def _transfers(config: Config) -> Iterator[Problem]:
    limits = config.limits.outbound
    for name, persona in config.personas.items():
        for desk, target in persona.transfer.items():
            number, key = number_of(target), f"personas.{name}.transfer.{desk}"
            if not limits.allows(number):
                yield key, f"{number or target!r} may not be called: add it to limits.outbound.allow"
            elif limits.spend_per_day is not None and limits.rate_for(number) is None:
                yield (
                    key,
                    f"{number!r} has no price, and spend_per_day is set: add it to limits.outbound.rates",
                )


def _texts(config: Config) -> Iterator[Problem]:
    """What a call that comes in cannot fill in. A number says first whose calls come in."""
    first: dict[str, int] = {}
    for index, number in enumerate(config.numbers):
        if number.persona in config.personas:
            first.setdefault(number.persona, index)
    for name, index in first.items():
        for variable, where in unfilled_of(config.personas[name]).items():
            brings = "may not bring" if is_late(variable) else "does not bring"
            remedy = "say under" if is_late(variable) else "give it a value under"
            instead = " what holds then" if is_late(variable) else ""
            yield (
                f"numbers[{index}].persona",
                f"{name}'s {where} wants {{{variable}}}, which a call that comes in {brings}; "
                f"{remedy} personas.{name}.variables{instead}",
            )


def _ports(config: Config) -> Iterator[Problem]:
    for name, where in config.listen.binds.items():
        for port in range(where.port, where.port + config.workers):
            if port in config.rtp.port_range:
                whose = f"the port of listen.{name}" if port == where.port else f"a worker's listen.{name}"
                yield "rtp.port_range", f"contains {port}, {whose}; move one of them"
                break


def _workers(config: Config) -> Iterator[Problem]:
    for name, where in config.listen.binds.items():
        if where.port + config.workers - 1 > 65535:
            yield f"listen.{name}", f"leaves no ports behind {where.port} for {config.workers} workers"
    share = len(for_worker(config, 0).rtp.port_range)
    if config.workers > 1 and share < LEAST_RTP_PORTS:
        wanted = LEAST_RTP_PORTS * config.workers
        yield "rtp.port_range", f"expected {wanted} ports for {config.workers} workers, got {share} for each"


def _transports(config: Config) -> Iterator[Problem]:
    if not config.listen.binds:
        return  # one problem, one line: the section says so itself
    for index, trunk in enumerate(config.trunks):
        if getattr(config.listen, trunk.transport) is None:
            yield (
                f"trunks[{index}].transport",
                f"needs listen.{trunk.transport}, which is off",
            )


def _prompts(config: Config) -> Iterator[Problem]:
    for name, persona in config.personas.items():
        tokens = len(persona.prompt) // CHARS_PER_TOKEN
        most = config.llm.context_tokens // 2
        if tokens > most:
            yield (
                f"personas.{name}.prompt_file",
                f"about {tokens} tokens leave no room for talk; shorten it or raise llm.context_tokens",
            )


def _tools(config: Config) -> Iterator[Problem]:
    for name, persona in config.personas.items():
        for tool in persona.tools:
            if tool in BUILT_IN:
                if tool == TRANSFER and not persona.transfer:
                    yield f"personas.{name}.tools", "transfer has nobody to hand a call to; fill transfer:"
            elif tool not in config.tools and not config.source.has(f"tools.{tool}"):
                known = ", ".join((*config.tools, *BUILT_IN))
                yield f"personas.{name}.tools", f"no tool {tool!r}; there are: {known}"


def _local_models(config: Config) -> Iterator[Problem]:
    for name, persona in config.personas.items():
        endpoint = config.llm.openai
        if persona.llm.engine == "llama.cpp" and endpoint is not None and not endpoint.local:
            yield (
                f"personas.{name}.llm.engine",
                "needs the local model, which llm.openai.local: false leaves out",
            )


def _recording(config: Config) -> Iterator[Problem]:
    if config.recording.enabled and not config.ledger.enabled:
        yield "recording.enabled", "needs ledger.enabled: recordings lie in the ledger's folder"


def _memory(config: Config) -> Iterator[Problem]:
    for name, persona in config.personas.items():
        if persona.memory == "on" and not config.ledger.enabled:
            yield (
                f"personas.{name}.memory",
                "needs ledger.enabled: notes on callers lie in the ledger's folder",
            )


def _callers(config: Config) -> Iterator[Problem]:
    known = [trunk.name for trunk in config.trunks]
    for index, caller in enumerate(config.security.callers):
        if caller.trunk not in known:
            yield (
                f"security.callers[{index}].trunk",
                f"no trunk {caller.trunk!r}; there are: {', '.join(known)}",
            )
    if config.security.callers and config.listen.udp is None:
        yield "security.callers", "needs listen.udp, which is off: strangers are not connected over TCP"


RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[Problem]]], ...] = (
    (("trunks",), _names),
    (("trunks",), _accounts),
    (("numbers", "personas"), _numbers),
    (("numbers", "personas"), _texts),
    (("personas", "limits"), _transfers),
    (("listen", "rtp", "workers"), _ports),
    (("listen", "rtp", "workers"), _workers),
    (("listen", "trunks"), _transports),
    (("personas", "llm"), _prompts),
    (("personas", "llm"), _local_models),
    (("personas", "tools"), _tools),
    (("recording", "ledger"), _recording),
    (("personas", "ledger"), _memory),
    (("trunks", "security", "listen"), _callers),
    (("campaigns", "limits"), _campaigns),
)
"""What each rule looks at → the rule."""
