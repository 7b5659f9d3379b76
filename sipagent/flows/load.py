"""Flow file → ``Flow``, or every problem at once, with file and line."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sipagent.config.document import compose_file
from sipagent.config.walk import Unusable, Walker
from sipagent.errors import ConfigError
from sipagent.flows.check import problems_of
from sipagent.flows.schema import Flow

_NO_ENVIRONMENT: Mapping[str, str] = {}


def load_flow(path: Path) -> Flow:
    """Read and check a flow.

    :raises ConfigError: with one line for each problem, ``flows/x.yaml:5: states.main.go: what is wrong``.
    """
    root = compose_file(path)
    walker = Walker(path=str(path), base_dir=path.absolute().parent, environ=_NO_ENVIRONMENT)
    try:
        flow: Flow = walker.section(Flow, root, "")
    except Unusable:
        raise ConfigError(walker.report()) from None
    if not walker.problems:
        walker.note_checked(problems_of(flow))
    if walker.problems:
        raise ConfigError(walker.report())
    return replace(flow, source=walker.source)
