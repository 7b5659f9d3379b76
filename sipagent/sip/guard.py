"""Ties the gate to the library, the kernel and the log."""

import socket

import structlog

from sipagent.call.ports import CallDesk, Offer, Rejection
from sipagent.config.schema import Config, HostPort, TrunkConfig, trunk_for
from sipagent.errors import SipError
from sipagent.sip.gate import Gate, Packet
from sipagent.sip.gate_module import GateModule
from sipagent.sip.message import headers_of, identity_of, request_uri, user_of
from sipagent.sip.socket_filter import attach_to_own, program
from sipagent.sip.wire_message import SipMessage
from sipagent.units import monotonic_ms


class Guard:
    """Keeps strangers and crafted messages from the library. SIP thread only."""

    def __init__(self, config: Config, desk: CallDesk, log: structlog.stdlib.BoundLogger) -> None:
        self._config = config
        self._desk = desk
        self._log = log
        self._gate = Gate(config, self)
        self._module: GateModule | None = None

    def __repr__(self) -> str:
        return f"Guard({self._gate!r}, installed={self._module is not None})"

    def install(self) -> None:
        """Put the gate into the library. Between ``libInit`` and the first transport.

        With a build of pjsua2 that it does not know the agent works without: it says so.
        """
        module = GateModule(lambda packet: self._gate.judge(packet, monotonic_ms()), self._failed)
        try:
            module.install()
        except (SipError, AttributeError, OSError) as error:
            remedy = "put Kamailio in front, as in deploy/kamailio"
            self._log.warning("gate.missing", reason=str(error), remedy=remedy)
        else:
            self._module = module

    def close_sockets(self, listeners: dict[str, HostPort]) -> None:
        """Shut strangers out in the kernel: over TCP always, over UDP where they would be dropped anyway.

        :param listeners: by ``udp`` and ``tcp``, with their real ports.
        """
        networks = {network for trunk in self._config.trunks for network in trunk.allow_from}
        security = self._config.security
        for name, bind in listeners.items():
            if name == "udp" and (security.strangers == "refuse" or security.callers):
                continue
            kind = socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM
            try:
                steps = program(sorted(networks), lets_answers_in=name == "udp")
                if not attach_to_own(kind, bind.port, steps):
                    raise SipError(f"no socket on port {bind.port} took the filter")
            except (SipError, OSError) as error:
                self._log.warning("gate.socket_open", transport=name, reason=str(error))

    def tick(self, now_ms: int) -> None:
        """Release bans whose time is over."""
        self._gate.tick(now_ms)

    def trunk_of(self, source: str, call_id: str) -> TrunkConfig | None:
        """The trunk that an INVITE from ``address:port`` belongs to."""
        return self._gate.trunk_of(source.rsplit(":", 1)[0], call_id)

    # --- what the gate tells ---

    def banned(self, source: str, *, rule: str, failures: int, ban_s: int) -> None:
        """In the log with its address: the operator must see whom the program ignores."""
        self._log.warning("source.banned", source=source, rule=rule, failures=failures, ban_s=ban_s)
        self._desk.peer_banned(source, rule=rule, for_s=ban_s)

    def released(self, source: str) -> None:
        self._log.info("source.released", source=source)
        self._desk.peer_unbanned(source)

    def message_refused(self, packet: Packet, message: SipMessage | None, status: int, rule: str) -> None:
        is_new_call = packet.method == "INVITE" and (message is None or not message.tag("to"))
        if not is_new_call:
            self._log.info(
                "message.refused",
                method=packet.method or "response",
                status=status or None,
                rule=rule,
                pii_source=packet.source,
            )
            return
        self._log.info("call.refused", status=status or None, rule=rule, pii_source=packet.source)
        if status not in (0, 401):  # what was dropped was no call to anybody; 401 is a question
            self._desk.turned_away(self._offer_of(packet), Rejection(status, rule))

    def _offer_of(self, packet: Packet) -> Offer:
        text = packet.data.decode("utf-8", "replace")
        headers = headers_of(text)
        trunk = trunk_for(self._config, packet.host)
        return Offer(
            call_id=headers.get("call-id", ""),
            trunk=trunk.name if trunk else "",
            dialled=user_of(request_uri(text)),
            caller=identity_of(headers.get("from", "")),
            source=packet.source,
            headers=headers,
        )

    def _failed(self, where: str, error: Exception) -> None:
        self._log.error("gate.failed", where=where, reason=repr(error))
