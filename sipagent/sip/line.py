"""The Line that a conversation holds: commands go to the SIP thread, audio through the port's rings."""

from collections.abc import Callable

import pjsua2 as pj

from sipagent.call.ports import LineBeside, Rejection
from sipagent.media.ring import AudioRings
from sipagent.sip import transfer
from sipagent.sip.bridge_port import BridgePort
from sipagent.sip.leg import Leg, SipThread

_OK = 200


class SipLine:
    """The Line of a SIP call: commands go to the SIP thread, audio through the port's rings."""

    def __init__(self, leg: Leg | None, port: BridgePort, thread: SipThread) -> None:
        self.audio: AudioRings = port.rings
        self._port = port
        self._leg = leg
        self._thread = thread

    def detach(self) -> None:
        """The leg is gone: later commands have nothing to do. SIP thread."""
        self._leg = None

    def answer(self) -> None:
        self._thread.post(self._answer)

    def refuse(self, rejection: Rejection) -> None:
        self._thread.post(lambda: self._refuse(rejection))

    def hang_up(self) -> None:
        self._thread.post(self._hang_up)

    def release(self) -> None:
        """The conversation will not touch the audio again."""
        self._thread.post(lambda: self._thread.port_released(self._port))

    def send_digits(self, digits: str) -> None:
        self._on_leg("send_digits", lambda leg: leg.send_digits(digits))

    def hold(self) -> None:
        self._on_leg("hold", lambda leg: leg.hold(is_held=True))

    def resume(self) -> None:
        self._on_leg("resume", lambda leg: leg.hold(is_held=False))

    def refer(self, target: str) -> None:
        self._on_leg("refer", lambda leg: transfer.refer(leg, target))

    def refer_to(self, other: LineBeside) -> None:
        self._on_leg("refer_to", lambda leg: transfer.refer_to(leg, _leg_of(other)))

    def bridge(self, other: LineBeside) -> None:
        self._on_leg("bridge", lambda leg: transfer.bridge(leg, _leg_of(other)))

    def _on_leg(self, what: str, act: Callable[[Leg], object]) -> None:
        """Do something with the leg on the SIP thread, if it still stands."""

        def command() -> None:
            if self._leg is None:
                return
            try:
                act(self._leg)
            except pj.Error as error:  # the call has just ended, or another request is under way
                self._thread.count_callback_error(what, error)

        self._thread.post(command)

    def _answer(self) -> None:
        if self._leg is None:
            return
        operation = pj.CallOpParam(True)
        operation.statusCode = _OK
        try:
            self._leg.answer(operation)
        except pj.Error as error:  # cancelled meanwhile, or no common codec: the library has answered
            self._thread.count_callback_error("answer", error)

    def _refuse(self, rejection: Rejection) -> None:
        if self._leg is None:
            return
        try:
            self._thread.refuse(self._leg, rejection)
        except pj.Error as error:  # cancelled meanwhile
            self._thread.count_callback_error("refuse", error)

    def _hang_up(self) -> None:
        if self._leg is None:
            return
        operation = pj.CallOpParam(True)
        self._leg.has_hung_up = True
        try:
            self._leg.hangup(operation)
        except pj.Error as error:
            self._thread.count_callback_error("hang_up", error)


def _leg_of(line: LineBeside) -> Leg | None:
    """What stands of another call's leg. SIP thread."""
    assert isinstance(line, SipLine)
    return line._leg
