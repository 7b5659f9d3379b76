"""What the parent knows of its workers from their events: who is ready, who holds which calls."""

import os
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

_MOST_CALLS = 64
"""Of one worker; more than the library holds. Beyond, ends were lost on the way and the oldest go."""
_MOST_WORKERS = 256


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call in progress."""

    direction: str
    trunk: str
    is_up: bool = False


@dataclass(slots=True)
class WorkerState:
    """One process that serves calls."""

    name: str
    is_ready: bool = False
    is_stopping: bool = False
    is_ledger_writable: bool = True
    max_calls: int = 0
    calls: dict[str, OpenCall] = field(default_factory=dict)


class Workers:
    """The processes that have sent events and live. Any thread."""

    def __init__(self) -> None:
        self._by_pid: dict[int, WorkerState] = {}
        self._seen: Counter[str] = Counter()
        self._cut: list[OpenCall] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Workers({self._by_pid})"

    def is_restart(self, name: str, pid: int) -> bool:
        """Note the process behind a worker's name; True where the name had another one before."""
        with self._lock:
            if pid in self._by_pid:
                return False
            self._forget_dead()
            if len(self._by_pid) >= _MOST_WORKERS:
                return False
            self._by_pid[pid] = WorkerState(name)
            self._seen[name] += 1
            return self._seen[name] > 1

    def changed(self, pid: int, event: str, fields: Mapping[str, object]) -> None:
        """Follow what the worker says of itself."""
        with self._lock:
            state = self._by_pid.get(pid)
            if state is None:
                return
            match event:
                case "agent.ready":
                    state.is_ready = True
                    state.max_calls = _whole(fields.get("max_calls"))
                case "agent.stopping":
                    state.is_stopping = True
                case "agent.stopped":
                    self._forget(pid)
                case "ledger.unwritable":
                    state.is_ledger_writable = False
                case "ledger.writable" | "ledger.problem":
                    state.is_ledger_writable = True

    def began(self, pid: int, call_id: str, call: OpenCall) -> None:
        """A call is taken or placed."""
        with self._lock:
            state = self._by_pid.get(pid)
            if state is not None:
                state.calls[call_id] = call
                if len(state.calls) > _MOST_CALLS:
                    state.calls.pop(next(iter(state.calls)))

    def connected(self, pid: int, call_id: str) -> None:
        """A call is up."""
        with self._lock:
            state = self._by_pid.get(pid)
            if state is not None and call_id in state.calls:
                call = state.calls[call_id]
                state.calls[call_id] = OpenCall(call.direction, call.trunk, is_up=True)

    def ended(self, pid: int, call_id: str) -> OpenCall | None:
        """The call that was in progress, now forgotten."""
        with self._lock:
            state = self._by_pid.get(pid)
            return state.calls.pop(call_id, None) if state is not None else None

    def take_cut_calls(self) -> list[OpenCall]:
        """Calls whose worker died before they ended, each once."""
        with self._lock:
            self._forget_dead()
            cut, self._cut = self._cut, []
            return cut

    def calls_in_progress(self, direction: str) -> int:
        """Over all workers."""
        with self._lock:
            self._forget_dead()
            return sum(
                call.direction == direction
                for state in self._by_pid.values()
                for call in state.calls.values()
            )

    @property
    def ready(self) -> int:
        """Workers that take calls."""
        with self._lock:
            self._forget_dead()
            return sum(state.is_ready and not state.is_stopping for state in self._by_pid.values())

    def why_not_ready(self) -> str | None:
        """Why no call can be taken now; None: one can."""
        with self._lock:
            self._forget_dead()
            states = [state for state in self._by_pid.values() if state.is_ready]
            if not states:
                return "no worker is ready: the models are loading, or it has just died"
            states = [state for state in states if not state.is_stopping]
            if not states:
                return "the server is stopping"
            states = [state for state in states if state.is_ledger_writable]
            if not states:
                return "the audit ledger cannot be written; see the log"
            if all(len(state.calls) >= state.max_calls for state in states):
                return f"all {sum(state.max_calls for state in states)} places are taken"
            return None

    def _forget_dead(self) -> None:
        for pid in [pid for pid in self._by_pid if not os.path.exists(f"/proc/{pid}")]:
            self._forget(pid)

    def _forget(self, pid: int) -> None:
        self._cut += self._by_pid.pop(pid).calls.values()


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
