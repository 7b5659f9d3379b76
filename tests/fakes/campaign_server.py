"""A campaign server to be killed: ``campaign_server.py CAMPAIGN STATE LOG SKEW_S SEED``.

Each call appends one line to LOG in the moment in which an INVITE would leave, and ends by itself soon after.
"""

import os
import random
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sipagent.campaigns.dialler import CallOrder, Finished, Tell
from sipagent.campaigns.outcomes import Ending, Outcome
from sipagent.campaigns.runner import CampaignRunner
from sipagent.campaigns.store import CampaignStore
from sipagent.config.campaign_load import load_campaign

NEVER_ANSWERS = "789"
"""Last digits of people who never do."""


class LoggingDialler:
    """Writes down whom it calls, before anything else."""

    def __init__(self, log: Path, rng: random.Random) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._rng = rng
        self._live = 0

    def free_lines(self) -> int:
        return 4 - self._live

    def place(self, order: CallOrder, tell: Tell) -> None:
        os.write(self._log, f"{order.attempt_id} {order.number}\n".encode())
        self._live += 1

        def finish() -> None:
            self._live -= 1
            outcome = self._rng.choice((Outcome.ANSWERED, Outcome.BUSY, Outcome.NO_ANSWER))
            if order.number[-1] in NEVER_ANSWERS:
                outcome = Outcome.NO_ANSWER
            tell(Finished(order.attempt_id, Ending(outcome, 200)))

        timer = threading.Timer(self._rng.uniform(0.0, 0.03), finish)
        timer.daemon = True
        timer.start()

    def hang_up_all(self) -> None:
        pass


def main() -> None:
    campaign, state, log, skew_s, seed = sys.argv[1:]
    store = CampaignStore(Path(state), f"server-{seed}")
    runner = CampaignRunner(
        (load_campaign(Path(campaign)),), store, LoggingDialler(Path(log), random.Random(seed))
    )
    skew = timedelta(seconds=float(skew_s))
    print("ready", flush=True)
    runner.run(threading.Event(), lambda: datetime.now(UTC) + skew)


if __name__ == "__main__":
    main()
