"""Whether each trunk is alive, by OPTIONS (RFC 3261 §11), as other SIP servers qualify their peers.

The machine is pure; ``HealthWatch`` sends what it wants and logs what it says. A name is looked up on a
thread of its own first, because the library would look it up on the SIP thread, which must not wait.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from sipagent.call.trunks import Health, TrunkState
from sipagent.config.schema import TrunkConfig
from sipagent.sip.names import NameWatch

MISSES_UNTIL_DOWN = 2
"""One lost OPTIONS is no reason to send calls another way."""
QUICK_PAUSE_MS = 5000
"""Pause while the trunk is not up: the first good answer counts."""
_NOT_SERVING = (408, 480, 500, 502, 503, 504)
"""A proxy answers these for somebody behind it who does not; any other answer shows a living peer."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What is known of one trunk."""

    health: Health = Health.UNKNOWN
    since_ms: int = 0
    reason: str = "not asked yet"
    misses: int = 0
    next_ms: int = 0
    sent_ms: int | None = None
    """An OPTIONS is on its way since then."""
    round_trip_ms: int | None = None


def answered(probe: Probe, status: int, reason: str, now_ms: int, trunk: TrunkConfig) -> Probe:
    """A final answer has come; late ones count as well, they are proof of life."""
    if status in _NOT_SERVING:
        return missed(probe, f"answers {status} {reason}", now_ms, trunk)
    round_trip_ms = now_ms - probe.sent_ms if probe.sent_ms is not None else probe.round_trip_ms
    told = "answers" if status // 100 == 2 else f"answers ({status} {reason})"
    since_ms = probe.since_ms if probe.health is Health.UP else now_ms
    return Probe(Health.UP, since_ms, told, 0, now_ms + trunk.options_s * 1000, None, round_trip_ms)


def missed(probe: Probe, reason: str, now_ms: int, trunk: TrunkConfig) -> Probe:
    """No answer, or none that shows a living peer."""
    misses = probe.misses + 1
    is_down = probe.health is not Health.UP or misses >= MISSES_UNTIL_DOWN
    health = Health.DOWN if is_down else Health.UP
    since_ms = probe.since_ms if health is probe.health else now_ms
    pause_ms = min(QUICK_PAUSE_MS, trunk.options_s * 1000)
    return replace(
        probe,
        health=health,
        since_ms=since_ms,
        reason=reason,
        misses=misses,
        next_ms=now_ms + pause_ms,
        sent_ms=None,
    )


def is_due(probe: Probe, now_ms: int) -> bool:
    """Time for the next OPTIONS."""
    return probe.sent_ms is None and now_ms >= probe.next_ms


def is_overdue(probe: Probe, now_ms: int, trunk: TrunkConfig) -> bool:
    """The answer should have come; the library itself would wait longer."""
    return probe.sent_ms is not None and now_ms - probe.sent_ms >= trunk.reply_ms


class HealthWatch:
    """Asks every trunk in its turn. SIP thread, but for ``states`` and ``is_down``."""

    def __init__(
        self,
        trunks: tuple[TrunkConfig, ...],
        ask: Callable[[TrunkConfig], str],
        on_up: Callable[[str], None],
        names: NameWatch,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        """
        :param names: is started and closed with this.
        :param ask: send an OPTIONS; returns why it could not be sent, or nothing. May call ``take_answer``.
        :param on_up: told the name of a trunk that was down and lives again.
        """
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._ask = ask
        self._on_up = on_up
        self._log = log
        self._probes = dict.fromkeys(self._trunks, Probe())
        self._names = names

    def __repr__(self) -> str:
        return f"HealthWatch({', '.join(f'{name}={p.health}' for name, p in self._probes.items())})"

    def start(self, now_ms: int) -> None:
        """Begin to look names up."""
        for name, trunk in self._trunks.items():
            reason = "not asked yet" if trunk.options_s else "not asked: options_s is 0"
            self._probes[name] = Probe(since_ms=now_ms, reason=reason)
        self._names.start()

    def close(self) -> None:
        """End the look-ups. Idempotent."""
        self._names.close()

    def state_of(self, name: str, registration: str) -> TrunkState:
        """A copy of what is known of a trunk. Any thread."""
        probe = self._probes[name]
        return TrunkState(name, probe.health, probe.since_ms, probe.reason, probe.round_trip_ms, registration)

    def is_down(self, name: str) -> bool:
        """True where the last OPTIONS came to nothing. Any thread."""
        return self._probes[name].health is Health.DOWN

    def name_problem(self, name: str) -> str:
        """Why a trunk's host name is not found; empty: it is, or nobody has looked yet. Any thread."""
        return self._names.problem_of(self._trunks[name].host) or ""

    def tick(self, now_ms: int) -> None:
        """Ask whoever is due, give up on answers that do not come."""
        for name, trunk in self._trunks.items():
            if not trunk.options_s:
                continue
            probe = self._probes[name]
            if is_overdue(probe, now_ms, trunk):
                self._set(name, missed(probe, f"no answer within {trunk.reply_ms} ms", now_ms, trunk))
            elif is_due(probe, now_ms):
                self._send(trunk, probe, now_ms)

    def take_answer(self, name: str, status: int, reason: str, now_ms: int) -> None:
        """The peer has answered."""
        self._set(name, answered(self._probes[name], status, reason, now_ms, self._trunks[name]))

    def take_failure(self, name: str, reason: str, now_ms: int) -> None:
        """The library has given up."""
        probe = self._probes[name]
        if probe.sent_ms is not None:  # else we have, before it
            self._set(name, missed(probe, reason, now_ms, self._trunks[name]))

    def _send(self, trunk: TrunkConfig, probe: Probe, now_ms: int) -> None:
        problem = self._names.problem_of(trunk.host)
        if problem is None:
            return  # not looked up yet
        if not problem:
            self._probes[trunk.name] = replace(probe, sent_ms=now_ms)
            problem = self._ask(trunk)
        if problem:
            self._set(trunk.name, missed(probe, problem, now_ms, trunk))

    def _set(self, name: str, probe: Probe) -> None:
        before, self._probes[name] = self._probes[name], probe
        if before.health is probe.health:
            return
        tell = self._log.info if probe.health is Health.UP else self._log.warning
        tell(
            "trunk.state",
            trunk=name,
            state=probe.health.value,
            was=before.health.value,
            reason=probe.reason,
            round_trip_ms=probe.round_trip_ms,
        )
        if probe.health is Health.UP and before.health is Health.DOWN:
            self._on_up(name)
