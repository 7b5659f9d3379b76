"""One call's conversation without line, engines, threads: jobs are done at once, speech lasts a second."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import structlog

from sipagent.brain.types import Message, Role, SamplingLimits
from sipagent.call import turn_events as ev
from sipagent.call.audit import CallAudit
from sipagent.call.controls import Controls
from sipagent.call.dialogue import Dialogue
from sipagent.call.ear import Ear
from sipagent.call.flow_talk import FlowParts, FlowTalk
from sipagent.call.guide import BeginAtOnce
from sipagent.call.keys import KeyRules
from sipagent.call.mouth import Mouth
from sipagent.call.parts import SessionParts
from sipagent.call.ports import Line, Offer, SendDigits, TransferCall
from sipagent.call.record import CallRecord
from sipagent.call.rest import Rest
from sipagent.call.tape import CallTape
from sipagent.call.tool_calls import ToolCalls
from sipagent.call.tool_port import CallContext
from sipagent.call.turn_rules import TurnRules
from sipagent.call.utterance import SpeakingEngines
from sipagent.config.schema import PersonaConfig
from sipagent.flows.schema import Flow
from sipagent.media.ring import AudioRings
from sipagent.units import Pcm16, monotonic_ms

SECOND = np.full(16_000, 1000, dtype=np.int16)


class Phrases:
    """A voice that has every text by heart."""

    def lookup(self, text: str) -> Pcm16:
        return SECOND

    def speak(self, text: str, cancelled: Callable[[], bool]) -> Iterator[Pcm16]:
        yield SECOND


class Lane:
    """Does its jobs at once."""

    def submit(self, job: Callable[[], None], *, cancelled: Callable[[], bool], **_: object) -> None:
        if not cancelled():
            job()


class Model:
    """Says the same whatever it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read_ahead(self, history: Sequence[Message], text: str) -> None:
        pass

    def reply(self, history: Sequence[Message], *_: object, **__: object) -> Iterator[str]:
        assert history[-1].role is Role.CALLER
        self.asked.append(history[-1].text)
        yield "Worded by the model. "


class Record(CallRecord):
    """Keeps the caller's turns."""

    def __init__(self, log: structlog.stdlib.BoundLogger, audit: CallAudit) -> None:
        super().__init__(log, audit)
        self.heard_texts: list[str] = []

    def heard(self, text: str, *_: object) -> None:
        self.heard_texts.append(text)


class DialogueCall:
    """A conversation that has been greeted."""

    def __init__(self, flow: Flow | None = None, **persona: Any) -> None:
        self.posted: list[object] = []
        self.model = Model()
        self.rings = AudioRings()
        log = structlog.get_logger()
        lane = cast(Any, Lane())
        configured = PersonaConfig(name="desk", greeting="Hello.", prompt_file=Path("p.md"), **persona)
        parts = SessionParts(
            persona=configured,
            rules=TurnRules(),
            hearing=cast(Any, None),
            speaking=SpeakingEngines(cast(Any, Phrases()), lane, lane),
            stream=cast(Any, None),
            conversation=cast(Any, self.model),
            limits=SamplingLimits(),
            keys=KeyRules(frozenset(configured.keys)),
            flow=FlowParts(flow, None, lane) if flow is not None else None,
        )
        audit = CallAudit(None, log)
        record = Record(log, audit)
        self.heard = record.heard_texts
        ear, mouth = cast(Ear, self), Mouth(self.rings)
        tape = CallTape(None, None, audit.note, log)
        tools = ToolCalls(None, CallContext("c1"), record, self.posted.append)
        self.dialogue = Dialogue(
            ear, mouth, parts, record, tape, BeginAtOnce(), tools, self.posted.append, self.hang_up, log
        )
        line, rest = cast(Line, self), Rest(ear, mouth)
        offer = Offer("c", "t", "1", "2", "s", takes_refer=True)
        self.controls = Controls(self.dialogue, offer, line, parts, record, rest, self.posted.append)
        self.has_hung_up = False
        self.transfers: list[str] = []
        self.dialogue.open(monotonic_ms())
        self.work()
        self.play()

    @property
    def flow(self) -> FlowTalk:
        assert self.dialogue._flow is not None
        return self.dialogue._flow

    # --- the ear ---

    guides_attempt = -1

    def listen(self) -> list[ev.Event]:
        return []

    def forget(self, keep_ms: int = 0) -> None:
        pass

    def pass_over(self, beside: object = None) -> None:
        pass

    def score_end(self, *_: object) -> None:
        pass

    # --- the line ---

    def refer(self, target: str) -> None:
        self.transfers.append(target)

    def hang_up(self) -> None:
        self.has_hung_up = True

    # --- what happens ---

    def say(self, text: str) -> None:
        """The caller says it once the agent has spoken, and the answer begins."""
        self.play()
        self.dialogue.keyed(text)
        self.work()
        self.play(200)

    def press(self, keys: str) -> None:
        """The caller presses keys, and what follows begins."""
        for key in keys:
            is_in_number = self.controls.is_dictating
            if self.dialogue.pressed(key, monotonic_ms(), is_in_number=is_in_number):
                self.controls.forget_number()
            else:
                self.controls.pressed(key, monotonic_ms())
        self.work()

    def wait(self, ms: int) -> None:
        """As if so much time had passed for the keys."""
        self.controls.pump(monotonic_ms() + ms)
        self.work()

    def work(self) -> None:
        """Hand over what the lanes have prepared, and let time go on, until nothing follows."""
        is_done = False
        while not is_done:
            while self.posted:
                event = self.posted.pop(0)
                is_for_controls = isinstance(event, TransferCall | SendDigits)
                (self.controls if is_for_controls else self.dialogue).take(event)  # type: ignore[arg-type]
            self.dialogue.pump()
            is_done = not self.posted

    def play(self, ms: int = 60_000) -> None:
        """So much sound goes out, or all there is."""
        for _ in range(ms // 20):
            self.dialogue.pump()
            if not self.dialogue.is_saying:
                return
            self.rings.to_line.read_frame(320)
