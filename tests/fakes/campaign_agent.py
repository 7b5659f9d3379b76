"""A server that runs campaigns over real SIP, with real sessions, without models: ``campaign_agent.py FILE``.

It prints its log as JSON on standard error, and is there to be killed.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from sipagent import logs
from sipagent.call.desk import Desk
from sipagent.call.outbound import CallProgress, OutboundCall, OutboundDesk, PlacedCall
from sipagent.campaigns.service import CampaignService
from sipagent.config.load import load_config
from sipagent.config.schema import Config
from sipagent.sip.user_agent import SipUserAgent
from tests.fakes.parts import FakeParts


class CampaignAgent:
    """As ``sipagent.app.Worker``, but for the engines."""

    def __init__(self, config: Config) -> None:
        log, parts = logs.get_log(), FakeParts()
        self._desk = Desk(config, lambda persona, offer: parts.of(persona), log, None)
        self._agent = SipUserAgent(config, self._desk, log)
        self._outbound = OutboundDesk(config, self._desk, self._agent.dialler, log)
        self._config, self._campaigns = config, CampaignService(config, self, log, None)

    @property
    def lines(self) -> tuple[int, int]:
        return self._agent.max_calls, self._desk.calls

    def place(
        self, call: OutboundCall, on_progress: Callable[[CallProgress], None] = lambda _: None
    ) -> PlacedCall:
        return self._outbound.place(call, on_progress)

    def start(self) -> None:
        self._agent.start()
        self._desk.open()
        logs.get_log().info("agent.ready", udp=str(self._config.listen.udp))
        self._campaigns.use(self._config)


if __name__ == "__main__":
    logs.configure(format_="json", shows_pii=True)
    CampaignAgent(load_config(Path(sys.argv[1]))).start()
    threading.Event().wait()
