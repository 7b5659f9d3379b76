"""Reports of crashes: small JSON files for whoever looks for the cause, the newest kept.

They hold the log's last events without what is personal, and every thread's stack, whose lines name files
and functions, never values.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MOST_STACK_BYTES = 64 << 10
MOST_REPORT_BYTES = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """How one worker ended without being asked to."""

    at_utc: str
    worker: str
    pid: int
    cause: str
    """Such as ``SIGSEGV``, ``exit status 1``, ``no heartbeat``."""
    status: int | None
    """Exit status, or minus the signal; None: unknown."""
    phase: str
    uptime_s: float
    rss_mib: int
    calls_lost: tuple[str, ...]
    """Ids, by which the log and the ledger know them."""
    version: str

    def summary(self) -> dict[str, Any]:
        """For the status."""
        return {"worker": self.worker, "cause": self.cause, "at_utc": self.at_utc, "calls": self.calls_lost}


class CrashReports:
    """A folder of them. One thread."""

    def __init__(self, folder: Path, most: int) -> None:
        """:param most: reports that are kept."""
        self.folder = folder
        self._most = most

    def __repr__(self) -> str:
        return f"CrashReports({self.folder}, most={self._most})"

    def keep(self, crash: Crash, events: Sequence[dict[str, Any]], stacks: str) -> Path | None:
        """Write a report; the oldest beyond the limit go. None: the disk does not take it."""
        report: dict[str, Any] = {**asdict(crash), "events": list(events), "stacks": stacks}
        text = json.dumps(report, indent=1, default=str, ensure_ascii=False)
        while len(text.encode()) > MOST_REPORT_BYTES and report["events"]:
            del report["events"][: max(1, len(report["events"]) // 2)]
            text = json.dumps(report, indent=1, default=str, ensure_ascii=False)
        stamp = crash.at_utc.replace("-", "").replace(":", "")
        path = self.folder / f"{stamp}-{crash.worker}-{crash.pid}.json"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, scratch = tempfile.mkstemp(dir=self.folder, suffix=".part")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            Path(scratch).replace(path)
        except OSError:
            return None
        self._forget_oldest()
        return path

    def newest(self) -> tuple[Path, dict[str, Any]] | None:
        """The last report, also of an earlier server."""
        for path in sorted(self.folder.glob("*.json"), reverse=True):
            with suppress(OSError, ValueError):
                return path, dict(json.loads(path.read_text(encoding="utf-8")))
        return None

    def _forget_oldest(self) -> None:
        reports = sorted(self.folder.glob("*.json"))
        scratch = self.folder.glob("*.part")  # of a server that was killed while it wrote
        for path in [*reports[: max(0, len(reports) - self._most)], *scratch]:
            path.unlink(missing_ok=True)
