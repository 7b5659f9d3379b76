"""Can the tools of ``sip.yaml`` be used on this machine?"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from sipagent.cli.check_models import Finding
from sipagent.config.schema import Config, ToolConfig
from sipagent.config.tools import TAKE_MESSAGE
from sipagent.errors import ToolError
from sipagent.tools.process import plain_environment, run_process
from sipagent.tools.toolbox import HOST
from sipagent.units import monotonic_ms

_IMPORT_MS = 20_000


def tool_findings(config: Config, *, is_thorough: bool) -> Iterator[Finding]:
    """Yield what keeps a tool from working; nothing is done by any of them.

    :param is_thorough: import the Python functions, each in a process of its own.
    """
    for name, tool in config.tools.items():
        yield from _program(f"tools.{name}.command", tool.command, config.tools_dir)
        if tool.python and is_thorough:
            yield from _function(f"tools.{name}.python", tool, config.tools_dir)
    yield from _program("messages.command", config.messages.command, config.tools_dir)
    if any(TAKE_MESSAGE in persona.tools for persona in config.personas.values()):
        folder = config.messages.dir
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            yield Finding("messages.dir", f"{folder} cannot be written by this user; name another folder")


def _program(key: str, command: tuple[str, ...], folder: Path) -> Iterator[Finding]:
    if not command:
        return
    path = plain_environment().get("PATH", os.defpath)
    name = str(folder / command[0]) if "/" in command[0] else command[0]
    if shutil.which(name, path=path) is None:
        yield Finding(key, f"no program {command[0]!r} that this user may run; give its whole path")


def _function(key: str, tool: ToolConfig, folder: Path) -> Iterator[Finding]:
    argv = (sys.executable, "-P", str(HOST), str(folder), tool.python, "--check")
    try:
        run_process(argv, b"", folder=folder, until_ms=monotonic_ms() + _IMPORT_MS)
    except ToolError as error:
        yield Finding(key, f"{tool.python} cannot be used: {error.detail or error}")
