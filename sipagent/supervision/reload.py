"""A configuration on its way into the workers: every one that runs takes it, or none keeps it.

::

    offer ──▶ worker 1: took ──┐
         └──▶ worker 2: took ──┴─ all ──▶ in force, also for processes that begin later
                     refused, or ended meanwhile ──▶ those that took it get the old one back
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sipagent.config.schema import Config
from sipagent.supervision.changes import Changes
from sipagent.supervision.control import Reply
from sipagent.supervision.slot import Process, Slot

LONGEST_MS = 45_000
"""A worker that is still loading takes it when it has loaded; nobody waits for that longer than this."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has become of it."""

    problems: tuple[str, ...] = ()
    """Why it is refused; empty: it is in force."""
    late: tuple[str, ...] = ()
    """Workers that have not answered."""


class Reload:
    """One reload under way. Supervisor's thread only."""

    def __init__(
        self, changes: Changes, generation: int, reply: Reply, slots: Sequence[Slot], now_ms: int
    ) -> None:
        """Offer it to every worker that takes calls.

        :param generation: one that no worker has been offered before.
        """
        self.changes, self.generation, self.reply = changes, generation, reply
        self._until_ms = now_ms + LONGEST_MS
        self._asked: list[tuple[Slot, Process]] = []
        for slot in slots:
            process = slot.offer(changes.config, generation)
            if process is not None:
                self._asked.append((slot, process))

    def __repr__(self) -> str:
        return f"Reload(generation={self.generation}, {len(self._asked)} asked)"

    def verdict(self, now_ms: int) -> Verdict | None:
        """What has become of it; None: that is not known yet."""
        problems: list[str] = []
        late: list[str] = []
        for slot, process in self._asked:
            number, reasons = process.refused
            if number == self.generation:
                problems += [one for one in reasons if one not in problems]
            elif slot.process is not process:
                problems.append(f"{slot.name} ended while it took the new configuration")
            elif process.generation != self.generation:
                late.append(slot.name)
        if problems:
            return Verdict(tuple(problems))
        if late and now_ms < self._until_ms:
            return None
        return Verdict(late=tuple(late))

    def take_back(self, config: Config, generation: int) -> None:
        """Give those that have taken it, or still may, the old one again."""
        for slot, process in self._asked:
            if slot.process is process and process.refused[0] != self.generation:
                slot.offer(config, generation)
