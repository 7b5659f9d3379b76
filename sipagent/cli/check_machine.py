"""Libraries, memory and cores of this machine, against what ``sip.yaml`` asks of them."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

REINSTALL = "install sipagent again with its dependencies (scripts/setup)"
IMPORT_TIMEOUT_S = 120
BASE_MIB = 500
"""Estimate for the process, its libraries, SIP and the audio of four calls."""
MODEL_FACTOR = 1.3
"""Estimated memory per byte of model files: weights, work buffers and the conversations' caches."""
LEAST_CORES = 2

PROBE = """\
import importlib, json, sys
for name in sys.argv[1:]:
    print(json.dumps({"name": name}), flush=True)
    result = {"name": name, "error": None}
    try:
        module = importlib.import_module(name)
        if name == "pjsua2":
            result["max_calls"] = module.EpConfig().uaConfig.maxCalls
    except Exception as exc:
        result["error"] = f"{type(exc).__name__}: {exc}".splitlines()[0]
    print(json.dumps(result), flush=True)
"""
"""Runs in a child: a native library that aborts must not take the check along."""


@dataclass(frozen=True, slots=True)
class Library:
    """What became of one native library."""

    name: str
    problem: str = ""
    max_calls: int | None = None
    """Calls that this build of the SIP library can hold; None for the others."""


def missing_libraries(names: Iterable[str]) -> Iterator[Library]:
    """Yield those that are not installed at all. Imports nothing but their parent packages."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            yield Library(name, f"is not installed; {REINSTALL}")


def imported_libraries(names: Iterable[str]) -> list[Library]:
    """Import each in a child process and tell how it went."""
    names = list(names)
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    try:
        child = subprocess.run(
            [sys.executable, "-c", PROBE, *names],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=IMPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [Library(names[0], f"import took more than {IMPORT_TIMEOUT_S} s; is the disk at fault?")]
    lines = [json.loads(line) for line in child.stdout.splitlines() if line.startswith('{"name"')]
    done = {line["name"]: line for line in lines if "error" in line}
    begun = [line["name"] for line in lines if "error" not in line]
    results = []
    for name in names:
        if name not in done:
            culprit = begun[-1] if begun else name
            results.append(Library(culprit, f"ended the process (status {child.returncode}); {REINSTALL}"))
            break
        error = done[name]["error"]
        problem = f"cannot be imported: {error}; {REINSTALL}" if error else ""
        results.append(Library(name, problem, done[name].get("max_calls")))
    return results


def memory_problems(model_bytes: int, available_mib: int | None = None) -> Iterator[str]:
    """Yield a problem where the models do not fit into what is free now."""
    available_mib = memory_available_mib() if available_mib is None else available_mib
    needed_mib = BASE_MIB + int(model_bytes * MODEL_FACTOR) // 2**20
    if available_mib < needed_mib:
        yield f"{available_mib} MiB free, about {needed_mib} needed; free some or take a smaller model"


def core_notes(cores: int | None = None) -> Iterator[str]:
    """Yield a note where the processor will make callers wait."""
    cores = len(os.sched_getaffinity(0)) if cores is None else cores
    if cores < LEAST_CORES:
        yield f"{cores} for this process; replies will be slow, give it {LEAST_CORES} or more"


def memory_available_mib(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """What can still be had, within the container's limit where there is one (cgroup v2)."""
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    available = int(fields["MemAvailable"].split()[0]) * 1024
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        if limit != "max":
            available = min(available, int(limit) - int((cgroup / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return max(0, available) // 2**20
