"""Places a campaign's calls with the agent itself: real trunks, the persona's conversation, its flow."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Protocol

from sipagent.call import dialling
from sipagent.call.outbound import CallProgress, CallResult, OutboundCall, PlacedCall
from sipagent.call.spend import OutboundRefused
from sipagent.campaigns.dialler import CallOrder, Finished, Moved, NotPlaced, Progress, Tell
from sipagent.campaigns.guide import CampaignGuide
from sipagent.campaigns.outcomes import Ending, Outcome, outcome_of_status
from sipagent.campaigns.pacing import free_lines
from sipagent.config.schema import Config
from sipagent.config.variables import variables_of
from sipagent.errors import SipAgentError
from sipagent.flows.local_time import TIME_ZONE

_RESULT_S = 10.0
_PROGRESS = {
    "ringing": Progress.RINGING,
    "early_media": Progress.EARLY_MEDIA,
    "answered": Progress.ANSWERED,
}
_OF_DIALLING = {
    dialling.Outcome.NO_ANSWER: Outcome.NO_ANSWER,
    dialling.Outcome.FAILED: Outcome.FAILED,
    dialling.Outcome.CANCELLED: Outcome.FAILED,
}
"""Where the SIP status alone would tell less."""


class Agent(Protocol):
    """What is needed of the worker."""

    @property
    def lines(self) -> tuple[int, int]:
        """How many calls it takes, and how many there are."""

    def place(
        self, call: OutboundCall, on_progress: Callable[[CallProgress], None] = lambda _: None
    ) -> PlacedCall:
        """As ``OutboundDesk.place``."""


def utc_now() -> datetime:
    """Wall time."""
    return datetime.now(UTC)


class AgentDialler:
    """The ``Dialler`` of a server. ``place`` on the campaigns' thread."""

    def __init__(self, config: Config, agent: Agent, clock: Callable[[], datetime] = utc_now) -> None:
        """:param clock: wall time, by which people want to be called back."""
        self._config, self._agent, self._clock = config, agent, clock
        self._live: dict[int, Future[PlacedCall]] = {}

    def __repr__(self) -> str:
        return f"AgentDialler({len(self._live)} calls)"

    def use(self, config: Config) -> None:
        """Place new calls by another configuration."""
        self._config = config

    def free_lines(self) -> int:
        """As ``Dialler.free_lines``."""
        lines, busy = self._agent.lines
        kept_free = self._config.campaigns.lines_kept_free
        return free_lines(lines=lines, busy=max(busy, len(self._live)), kept_free=kept_free)

    def place(self, order: CallOrder, tell: Tell) -> None:
        """As ``Dialler.place``."""
        placed: Future[PlacedCall] = Future()

        def on_left(guide: CampaignGuide) -> None:
            self._live.pop(order.attempt_id, None)
            result = placed.result(_RESULT_S).wait(_RESULT_S)
            tell(Finished(order.attempt_id, ending_of(guide, result)))

        def on_progress(event: CallProgress) -> None:
            if (progress := _PROGRESS.get(event.what)) is not None:
                tell(Moved(order.attempt_id, progress))

        guide = CampaignGuide(order.script, order.zone, self._clock, on_left)
        self._live[order.attempt_id] = placed
        try:
            placed.set_result(self._agent.place(self._outbound(order, guide), on_progress))
        except SipAgentError as error:
            del self._live[order.attempt_id]
            tell(NotPlaced(order.attempt_id, str(error), is_lasting=not error.retryable))

    def hang_up_all(self) -> None:
        """As ``Dialler.hang_up_all``."""
        for placed in list(self._live.values()):
            placed.result(_RESULT_S).end("campaigns stop")

    def _outbound(self, order: CallOrder, guide: CampaignGuide) -> OutboundCall:
        persona = self._config.personas.get(order.persona)
        if persona is None:
            raise OutboundRefused(f"no persona {order.persona!r}")
        wanted = variables_of(persona)
        return OutboundCall(
            to=order.number,
            persona=order.persona,
            variables={name: text for name, text in order.variables.items() if name in wanted},
            trunk=order.trunk,
            caller_id=order.caller_id,
            campaign=order.campaign,
            attempt=order.n,
            ring_s=order.ring_s,
            max_call_s=order.max_call_s,
            flow_variables={**order.variables, TIME_ZONE: order.zone},
            guide=guide,
        )


def ending_of(guide: CampaignGuide, result: CallResult | None) -> Ending:
    """What became of an attempt. Its words and tones count more than the SIP status."""
    if result is None:
        return Ending(Outcome.FAILED)
    if result.outcome is dialling.Outcome.ANSWERED or guide.has_verdict:
        return guide.ending(result.status, result.talk_ms)
    outcome = _OF_DIALLING.get(result.outcome) or outcome_of_status(result.status)
    return Ending(outcome, result.status)
