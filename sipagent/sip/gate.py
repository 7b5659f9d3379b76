"""The gate: judges every SIP message before the library acts on it. Pure: the time is passed in.

    packet → banned? → too fast? → whose address? → shape → new calls too fast? → the library
                 dropped │  dropped │  403, 401 or dropped │  400… │  503 │

Whoever is let in here is a trunk's peer, or has proved a password for this call.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sipagent.config.schema import Config, SecurityConfig, TrunkConfig, trunk_for
from sipagent.errors import PacketError
from sipagent.sip.gate_bans import BanObserver, Bans, Rates
from sipagent.sip.gate_digest import Account, Challenger, Outcome
from sipagent.sip.gate_grammar import INSIDE_DIALOGS, fault_of
from sipagent.sip.wire_message import SipMessage, parse_message

NEW_CALLS_PER_S = 20
"""More than that is too much for the library; ``limits.calls_per_second`` is at most this."""
STRANGER_RULE = "no trunk allows this address"
_ALGORITHMS = {"md5": ("MD5",), "sha-256": ("SHA-256",), "both": ("SHA-256", "MD5")}
_ADMISSION_MS = 5 * 3600 * 1000
"""Longer than any call."""
_MOST_ADMISSIONS = 2000
_REPORTS_PER_S = 20
_TICK_MS = 1000
_ALLOW = (("Allow", ", ".join(INSIDE_DIALOGS)),)
_TOLD_WITH = {405: _ALLOW, 501: _ALLOW, 415: (("Accept", "application/sdp"),)}
"""Status → what RFC 3261 wants beside it (s21.4.6, s21.4.13)."""


class Action(Enum):
    """What happens to a message."""

    PASS = "pass"
    DROP = "drop"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's decision; ``status`` and ``headers`` of an answer."""

    action: Action
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()


PASS, DROP = Verdict(Action.PASS), Verdict(Action.DROP)


@dataclass(frozen=True, slots=True)
class Packet:
    """A message as it came: the library has found its end, no more."""

    data: bytes
    host: str
    port: int
    is_request: bool

    @property
    def source(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def method(self) -> str:
        """Of a request, "" of a response."""
        return self.data[:20].split(b" ", 1)[0].decode("latin-1") if self.is_request else ""


class GateObserver(BanObserver, Protocol):
    """Who is told what the gate does. SIP thread."""

    def message_refused(self, packet: Packet, message: SipMessage | None, status: int, rule: str) -> None:
        """A message was not let in; ``status`` 0: without an answer. At most a few in a second are told."""


class Gate:
    """Who may speak to the library. SIP thread only."""

    def __init__(self, config: Config, observer: GateObserver) -> None:
        self._config = config
        self._security: SecurityConfig = config.security
        self._observer = observer
        self._bans = Bans(self._security.ban, observer)
        self._by_source = Rates(self._security.requests_per_s)
        self._in_total = Rates(self._security.total_requests_per_s)
        self._new_calls = Rates(NEW_CALLS_PER_S)
        self._reports = Rates(_REPORTS_PER_S)
        self._challenger = Challenger(
            _accounts(self._security), config.instance, _ALGORITHMS[self._security.digest]
        )
        self._admitted: OrderedDict[tuple[str, str], tuple[str, int]] = OrderedDict()
        self._next_tick_ms = 0
        self.counts: Counter[str] = Counter()
        """Messages by what was done with them: ``pass``, or the rule that refused."""

    def __repr__(self) -> str:
        return f"Gate({self._bans!r}, admitted={len(self._admitted)}, refused={self.refused})"

    @property
    def refused(self) -> int:
        """Messages that were not let in."""
        return sum(self.counts.values()) - self.counts["pass"]

    def trunk_of(self, address: str, call_id: str) -> TrunkConfig | None:
        """The trunk that a call belongs to: by its address, or by the password that let it in."""
        if trunk := trunk_for(self._config, address):
            return trunk
        name, _ = self._admitted.get((address, call_id), ("", 0))
        return next((trunk for trunk in self._config.trunks if trunk.name == name), None)

    def judge(self, packet: Packet, now_ms: int) -> Verdict:
        """Decide about one message. Never raises on what a peer has sent."""
        self.tick(now_ms)
        if packet.host in self._bans:
            self.counts["banned"] += 1
            return DROP
        is_trunk = trunk_for(self._config, packet.host) is not None
        kind = "trunks" if is_trunk else "strangers"  # a flood of strangers must not silence the trunks
        if not self._by_source.take(packet.host, now_ms) or not self._in_total.take(kind, now_ms):
            return self._refuse(packet, None, 0, "requests_per_s", now_ms, is_strike=not is_trunk)
        try:
            message = parse_message(packet.data)
            fault = fault_of(message, len(packet.data))
            rule, status = (fault.rule, fault.status) if fault else ("", 0)
        except PacketError as error:
            message, rule, status = None, str(error), 0
        if not packet.is_request:
            return self._refuse(packet, message, 0, rule, now_ms) if rule else self._pass()
        if not is_trunk:
            return self._judge_stranger(packet, None if rule else message, now_ms)
        if rule:
            return self._refuse(packet, message, status, rule, now_ms, headers=_TOLD_WITH.get(status, ()))
        return self._judge_rate(packet, message, now_ms)

    def tick(self, now_ms: int) -> None:
        """Release bans whose time is over; called about once a second, also where nothing comes."""
        if now_ms < self._next_tick_ms:
            return
        self._next_tick_ms = now_ms + _TICK_MS
        self._bans.tick(now_ms)
        while self._admitted and now_ms >= next(iter(self._admitted.values()))[1]:
            self._admitted.popitem(last=False)

    def _judge_stranger(self, packet: Packet, message: SipMessage | None, now_ms: int) -> Verdict:
        """:param message: None where its shape is wrong: such a stranger gets no answer."""
        if message is None:
            return self._refuse(packet, None, 0, "malformed, from a stranger", now_ms, is_strike=True)
        if (packet.host, message.get("call-id")) in self._admitted:
            return self._judge_rate(packet, message, now_ms)
        if self._challenger and message.method == "INVITE":
            return self._ask_password(packet, message, now_ms)
        status = 403 if self._security.strangers == "refuse" else 0
        is_strike = message.method != "ACK"  # each refusal is acknowledged
        return self._refuse(packet, message, status, STRANGER_RULE, now_ms, is_strike=is_strike)

    def _ask_password(self, packet: Packet, message: SipMessage, now_ms: int) -> Verdict:
        outcome, trunk = self._challenger.judge(message, packet.host, now_ms)
        if outcome is Outcome.RIGHT:
            self._bans.pardon(packet.host)
            self._admitted[packet.host, message.get("call-id")] = (trunk, now_ms + _ADMISSION_MS)
            if len(self._admitted) > _MOST_ADMISSIONS:
                self._admitted.popitem(last=False)
            return self._judge_rate(packet, message, now_ms)
        challenge = tuple(self._challenger.challenge(packet.host, now_ms, is_stale=outcome is Outcome.STALE))
        rule = f"security.callers: {outcome.value}"
        return self._refuse(packet, message, 401, rule, now_ms, is_strike=True, headers=challenge)

    def _judge_rate(self, packet: Packet, message: SipMessage | None, now_ms: int) -> Verdict:
        is_new = message is not None and message.method == "INVITE" and not message.tag("to")
        if is_new and not self._new_calls.take("", now_ms):
            retry = (("Retry-After", str(self._config.limits.retry_after_s)),)
            return self._refuse(packet, message, 503, "new calls per second", now_ms, headers=retry)
        return self._pass()

    def _pass(self) -> Verdict:
        self.counts["pass"] += 1
        return PASS

    def _refuse(
        self, packet: Packet, message: SipMessage | None, status: int, rule: str, now_ms: int,
        *, is_strike: bool = False, headers: tuple[tuple[str, str], ...] = (),
    ) -> Verdict:  # fmt: skip
        if packet.method in ("ACK", ""):
            status = 0
        self.counts[rule if status else f"{rule} (dropped)"] += 1
        if packet.method != "ACK" and self._reports.take("", now_ms):
            self._observer.message_refused(packet, message, status, rule)
        if is_strike:
            self._bans.strike(packet.host, rule, now_ms)
        return Verdict(Action.ANSWER, status, headers) if status else DROP


def _accounts(security: SecurityConfig) -> Mapping[str, Account]:
    """Those whose password is there."""
    return {
        caller.username: Account(caller.password.reveal(), caller.trunk)
        for caller in security.callers
        if caller.password is not None and caller.password.reveal()
    }
