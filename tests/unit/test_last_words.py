"""Whoever says something and hangs up in the same moment has said it: a session, a line, no models."""

import queue
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import numpy as np
import pytest
import structlog

from sipagent.call.audit import CallAudit
from sipagent.call.ports import Line, LineDown, LineUp, Offer
from sipagent.call.record import CallRecord
from sipagent.call.session import Session
from sipagent.call.tape import CallTape
from sipagent.campaigns.conduct import Script
from sipagent.campaigns.guide import CampaignGuide
from sipagent.media.ring import AudioRings
from sipagent.units import monotonic_ms
from tests.fakes.parts import FakeParts

pytestmark = pytest.mark.unit

LOG = structlog.get_logger()
SCRIPT = Script("This is an automated call.", "Please call us back.", "Maple Street Dental.", "9")
DEADLINE_S = 10.0


class Call:
    """A session with somebody who says ``text`` where there is any sound; ``told`` is what came of it."""

    def __init__(self, text: str) -> None:
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.audio = AudioRings()
        self.audio.open()
        self._parts = FakeParts(text)
        guide = CampaignGuide(
            SCRIPT, "Europe/London", lambda: datetime.now(UTC), self._left, lambda: self.told.put("wish")
        )
        parts = replace(self._parts.of(), guide=guide)
        offer = Offer("1", "lab", "+15553000000", "+15550100", "192.0.2.1:5060", direction="out")
        audit = CallAudit(None, LOG)
        record, tape = CallRecord(LOG, audit), CallTape(None, None, audit.note, LOG)
        self.session = Session("c1", offer, cast(Line, self), parts, record, tape, LOG, lambda _: None)
        self.session.start()

    def answer(self) -> None: ...

    def hang_up(self) -> None:
        self.told.put("hung up")

    def release(self) -> None:
        self.told.put("released")

    def _left(self, _: CampaignGuide) -> None:
        self.told.put("left")

    def speaks(self, duration_ms: int) -> None:
        noise = np.random.default_rng(1)
        for _ in range(duration_ms // 20):
            self.audio.from_line.write(noise.integers(-4000, 4000, 320).astype(np.int16))
            time.sleep(0.004)

    def ends(self) -> list[str]:
        self.session.post(LineDown("caller hung up", 200, monotonic_ms()))
        assert self.session.join(DEADLINE_S)
        self._parts.close()
        told = []
        while not self.told.empty():
            told.append(self.told.get())
        return told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Never call me again.", ["wish", "hung up", "released", "left"]),
        ("Yes, I'll be there.", ["released", "left"]),
        ("Don't call me before nine.", ["released", "left"]),
    ],
)
def test_the_last_words_before_they_hang_up_are_understood_before_the_call_is_over(
    text: str, told: list[str]
) -> None:
    call = Call(text)
    call.session.post(LineUp(monotonic_ms()))
    call.speaks(400)
    assert call.ends() == told


def test_nobody_waits_for_last_words_where_none_were_spoken() -> None:
    call = Call("Never call me again.")
    call.session.post(LineUp(monotonic_ms()))
    began_s = time.monotonic()
    assert call.ends() == ["released", "left"]
    assert time.monotonic() - began_s < 2.0
