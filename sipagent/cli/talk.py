"""``sipagent talk``: the same agent at the microphone and speaker of this machine, without SIP."""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from sipagent import logs
from sipagent.call.ports import LineBeside, LineDown, LineUp, Mailbox, Offer, ReferAnswered, Rejection
from sipagent.config.load import load_config
from sipagent.errors import SipAgentError
from sipagent.media.sound_card import SoundCard
from sipagent.units import monotonic_ms

_NOT_IMPLEMENTED = 501


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("talk", help="talk to the agent by microphone and speaker, without SIP")
    parser.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    parser.add_argument("--number", default="", help="dialled number, which selects the persona")
    parser.set_defaults(run=run)


class SoundCardLine:
    """The Line of a conversation at the sound card: it is up as soon as it is answered, and has no keys and
    nobody to hand the caller to."""

    def __init__(self, card: SoundCard) -> None:
        self.audio = card.rings
        self._mailbox: Mailbox | None = None
        self._is_answered = False

    def connect(self, mailbox: Mailbox) -> None:
        """From now on the line's events have somewhere to go."""
        self._mailbox = mailbox
        if self._is_answered:
            self._up()

    def answer(self) -> None:
        self._is_answered = True
        if self._mailbox is not None:
            self._up()

    def refuse(self, rejection: Rejection) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        self._post(LineDown("agent hung up", 0, monotonic_ms()))

    def release(self) -> None:
        """Nothing is pooled here."""

    def send_digits(self, digits: str) -> None:
        """Nobody counts them."""

    def hold(self) -> None:
        """The caller sits here."""

    def resume(self) -> None:
        """The caller sits here."""

    def refer(self, target: str) -> None:
        self._post(ReferAnswered(_NOT_IMPLEMENTED, is_final=True, at_ms=monotonic_ms()))

    def refer_to(self, other: LineBeside) -> None:
        """There is nobody else."""

    def bridge(self, other: LineBeside) -> None:
        """There is nobody else."""

    def _post(self, event: object) -> None:
        if self._mailbox is not None:
            self._mailbox.post(event)

    def _up(self) -> None:
        assert self._mailbox is not None
        self._mailbox.post(LineUp(monotonic_ms()))


def run(args: argparse.Namespace) -> int:
    """Talk until the agent hangs up or Ctrl-C.

    :raises SipAgentError: no sound device, no persona for the number, or a model is missing.
    """
    config = load_config(args.config)
    logs.configure(format_="console", level="info", shows_pii=True)
    log = logs.get_log()
    card = SoundCard()
    card.open()  # before the models: where there is no microphone nobody should wait
    from sipagent.app import Switchboard  # the engines' libraries take a second to import

    line = SoundCardLine(card)
    switchboard = Switchboard(config, log)
    try:
        switchboard.start()
        session = switchboard.desk.offer(Offer("", "sound card", args.number, "you", "here"), line)
        if isinstance(session, Rejection):
            raise SipAgentError(f"talk: {session.rule}")
        line.connect(session)
        with contextlib.suppress(KeyboardInterrupt):
            switchboard.desk.wait_until_idle()
        switchboard.hang_up_all()
    finally:
        card.close()
        switchboard.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # native threads of the engines may linger
