"""Places a campaign's calls with the agent itself: real trunks, the persona's conversation, its flow."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from sipagent.call import dialling
from sipagent.call.outbound import CallProgress, CallResult, OutboundCall, PlacedCall, checked
from sipagent.call.spend import OutboundRefused
from sipagent.campaigns.contacts import Contact
from sipagent.campaigns.dialler import CallOrder, Finished, NotPlaced, Tell, WantsNoCalls
from sipagent.campaigns.guide import CampaignGuide
from sipagent.campaigns.outcomes import Ending, Outcome, outcome_of_status
from sipagent.campaigns.pacing import free_lines
from sipagent.campaigns.running import order_of
from sipagent.config.campaign import CampaignConfig
from sipagent.config.schema import Config
from sipagent.config.variables import variables_of
from sipagent.errors import SipAgentError
from sipagent.flows.local_time import TIME_ZONE

_RESULT_S = 10.0
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
            try:
                result = placed.result(_RESULT_S).wait(_RESULT_S)
            except FutureTimeoutError:  # what the person said counts all the same
                result = None
            tell(Finished(order.attempt_id, ending_of(guide, result)))

        guide = CampaignGuide(
            order.script, order.zone, self._clock, on_left, lambda: tell(WantsNoCalls(order.attempt_id))
        )
        self._live[order.attempt_id] = placed
        try:
            placed.set_result(self._agent.place(outbound_call(self._config, order, guide)))
        except SipAgentError as error:
            del self._live[order.attempt_id]
            tell(NotPlaced(order.attempt_id, str(error), is_lasting=not error.retryable))
        except Exception:
            del self._live[order.attempt_id]
            raise

    def hang_up_all(self) -> None:
        """As ``Dialler.hang_up_all``."""
        for placed in list(self._live.values()):
            placed.result(_RESULT_S).end("campaigns stop")


def outbound_call(config: Config, order: CallOrder, guide: CampaignGuide | None = None) -> OutboundCall:
    """The order as the worker's desk has it.

    :raises OutboundRefused: there is no such persona.
    """
    persona = config.personas.get(order.persona)
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


def refusals(config: Config, campaign: CampaignConfig, contacts: Iterable[Contact]) -> list[str]:
    """Why calls to these contacts would not be placed, before any is: each reason once."""
    found: dict[str, list[str]] = {}
    for one in contacts:
        try:
            checked(config, outbound_call(config, order_of(campaign, one)))
        except SipAgentError as error:
            found.setdefault(str(error).replace(one.number, "the number"), []).append(one.at)
    return [
        f"{rows[0]}: {why}" + (f" ({len(rows) - 1} more rows)" if len(rows) > 1 else "")
        for why, rows in found.items()
    ]


def ending_of(guide: CampaignGuide, result: CallResult | None) -> Ending:
    """What became of an attempt. Its words and tones count more than the SIP status."""
    if result is None:
        ending = guide.ending(0, 0)
        return ending if ending.wants_no_more_calls else replace(ending, outcome=Outcome.FAILED)
    if result.outcome is dialling.Outcome.ANSWERED or guide.has_verdict:
        return guide.ending(result.status, result.talk_ms)
    outcome = _OF_DIALLING.get(result.outcome) or outcome_of_status(result.status)
    return Ending(outcome, result.status)
