"""A machine of the test's own, booted by systemd in namespaces, over our files: see ``systemd_boot``."""

import os
import shutil
import signal
import subprocess
import sysconfig
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peer.running_agent import ROOT

BOOT = ROOT / "tests" / "peer" / "systemd_boot"
SYSTEMD = Path("/lib/systemd/systemd")
_BOOT_S = 20.0


@dataclass(frozen=True)
class Machine:
    """It runs."""

    folder: Path
    """Its ``/mnt``."""
    pid: int
    """Of its first process."""

    def run(self, *command: str, timeout_s: float = 60) -> "subprocess.CompletedProcess[str]":
        """Inside, as root."""
        arguments = ["nsenter", "--target", str(self.pid), "--all", "--wd=/", *command]
        return subprocess.run(
            arguments, capture_output=True, text=True, timeout=timeout_s, check=False, env=_ENVIRONMENT
        )

    def ok(self, *command: str, timeout_s: float = 60) -> str:
        """The same; what it printed."""
        done = self.run(*command, timeout_s=timeout_s)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def beside(self, *command: str, timeout_s: float = 120) -> "subprocess.CompletedProcess[str]":
        """In its network, with the files of this machine."""
        arguments = ["nsenter", "--target", str(self.pid), "--net", *command]
        return subprocess.run(
            arguments, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT
        )

    def property(self, unit: str, name: str) -> str:
        """What systemd knows of a unit."""
        return self.ok("systemctl", "show", "--value", "--property", name, unit).strip()


_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "SYSTEMD_PAGER": ""}


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """Boot it, and end it whatever happens; skips where that is not possible."""
    group = _control_group()
    environment = {
        **os.environ,
        "CHECKOUT": str(ROOT),
        "PYTHON": sysconfig.get_config_var("prefix") and os.path.realpath(sysconfig.get_config_var("prefix")),
        "PACKAGES": sysconfig.get_path("purelib"),
    }
    spaces = ["--pid", "--fork", "--mount", "--uts", "--ipc", "--net"]
    with (folder / "boot.log").open("w") as log:
        parent = subprocess.Popen(
            ["unshare", *spaces, BOOT, folder, group], stdout=log, stderr=log, env=environment
        )
    first = 0
    try:
        first = _first_process(parent, folder)
        yield Machine(folder, first)
    finally:
        if first:
            with suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)  # and with it everything inside
        parent.kill()
        parent.wait()
        _remove(group)


def _control_group() -> Path:
    if os.geteuid() != 0:
        pytest.skip("a machine of its own needs root")
    if not SYSTEMD.exists() or shutil.which("nsenter") is None:
        pytest.skip("systemd or nsenter is missing (apt install systemd util-linux)")
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    found = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if found is None or "overlay" not in Path("/proc/filesystems").read_text():
        pytest.skip("this machine has no cgroup2, or no overlay file system")
    group = found / f"sipagent-test-{uuid.uuid4().hex[:6]}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"this machine makes no control groups: {error}")
    return group


def _first_process(parent: "subprocess.Popen[bytes]", folder: Path) -> int:
    """Wait until it has booted."""
    deadline_s = time.monotonic() + _BOOT_S
    while time.monotonic() < deadline_s and parent.poll() is None:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        if children:
            state = Machine(folder, int(children[0])).run("systemctl", "is-system-running")
            if state.stdout.strip() in ("running", "degraded"):
                return int(children[0])
        time.sleep(0.1)
    log = (folder / "boot.log").read_text()
    if "ermitted" in log:
        pytest.skip(f"this machine may not mount or boot another inside: {log}")
    raise AssertionError(f"it does not boot: {log}")


def _remove(group: Path) -> None:
    deadline_s = time.monotonic() + 5
    while group.exists() and time.monotonic() < deadline_s:
        for path in sorted(group.rglob("*"), key=lambda path: -len(path.parts)):
            if path.is_dir():
                with suppress(OSError):
                    path.rmdir()
        with suppress(OSError):
            group.rmdir()
        time.sleep(0.05)
