"""A dialler whose calls end as a script says, when it is told to."""

from collections.abc import Callable

from sipagent.campaigns.dialler import CallOrder, Finished, Tell
from sipagent.campaigns.outcomes import Ending, Outcome


class FakeDialler:
    """``ending_of(order, before)`` says how a call ends; ``before`` counts earlier calls of that number."""

    def __init__(
        self, ending_of: Callable[[CallOrder, int], Ending] | None = None, *, lines: int = 4
    ) -> None:
        self.ending_of = ending_of or (lambda order, before: Ending(Outcome.ANSWERED, 200, "human", 30_000))
        self.lines = lines
        self.orders: list[CallOrder] = []
        self._live: list[tuple[CallOrder, int, Tell]] = []

    def free_lines(self) -> int:
        return self.lines - len(self._live)

    def place(self, order: CallOrder, tell: Tell) -> None:
        before = sum(one.number == order.number for one in self.orders)
        self.orders.append(order)
        self._live.append((order, before, tell))

    def finish(self, count: int | None = None) -> int:
        """End the oldest calls, or all."""
        ending, self._live = self._live[:count], self._live[len(self._live[:count]) :]
        for order, before, tell in ending:
            result = self.ending_of(order, before)
            tell(Finished(order.attempt_id, result))
        return len(ending)

    def hang_up_all(self) -> None:
        self.finish()
