"""A call as it happens, on the terminal: who says what, and how long each reply took."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sipagent.call.stages import stages_of
from sipagent.lab.agent_process import AGENT
from sipagent.lab.child import ChildEvent
from sipagent.lab.conversation import Conversation

QUICK_MS, SLOW_MS = 800.0, 1500.0
"""Voice-to-voice times that people take for prompt, and for slow."""
_SAME_REPLY_MS = 500.0
_STYLES = {"caller": "bold cyan", "agent": "bold magenta"}


def v2v_style(v2v_ms: float) -> str:
    """Green, yellow or red."""
    return "green" if v2v_ms <= QUICK_MS else "yellow" if v2v_ms <= SLOW_MS else "red"


class LiveView:
    """Prints one line for each thing said. Feed it every event, in the order they come."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._answered_ms = 0.0
        self._begun: dict[str, Any] = {}
        """The agent's latest ``turn.answered``."""
        self._is_greeted = False
        self._has_no_caller = False

    def begin(self, at_ms: float) -> None:
        """A new call of somebody whose line we do not see: only the agent tells about it."""
        self._answered_ms, self._is_greeted = at_ms, False
        self._has_no_caller = True

    def show(self, event: ChildEvent) -> None:
        """Print what the event means to a reader, if anything."""
        if event.source == AGENT:
            self._show_agent(event.event, event.facts)
        else:
            self._show_caller(event.event, event.facts)

    def _show_caller(self, event: str, facts: dict[str, Any]) -> None:
        match event:
            case "call.answered":
                self._answered_ms = facts["at_ms"]
                self._print(facts["at_ms"], "", Text(f"answered {facts['setup_ms']} ms after INVITE", "dim"))
            case "agent.started" if not self._is_greeted:
                self._is_greeted = True
                greeting_ms = facts["at_ms"] - self._answered_ms
                note = Text(f"first sound {greeting_ms:.0f} ms after the answer", "dim")
                self._print(facts["at_ms"], "", note)
            case "line.started":
                self._print(facts["at_ms"], "caller", Text(facts["text"]))
            case "line.answered":
                self._show_answer(facts)
            case "call.ended":
                note = Text(f"call ended by {facts['by']}: {facts['status']} {facts['reason']}", "dim")
                self._print(facts["at_ms"] or self._answered_ms, "", note)
            case "caller.failed":
                self._console.print(Text(facts["reason"], "bold red"))

    def _show_agent(self, event: str, facts: dict[str, Any]) -> None:
        match event:
            case "turn.heard":
                self._print(facts["at_ms"], "", Text(f"heard: {facts.get('pii_text', '')}", "dim italic"))
            case "turn.answered" if self._has_no_caller:
                if facts["turn_id"] and facts.get("v2v_ms") is not None:
                    note = Text(f"⏱ {facts['v2v_ms']:.0f} ms voice to voice, by the agent's own clock", "dim")
                    self._print(facts["at_ms"], "", note)
            case "turn.answered":
                self._begun = facts
            case "turn.spoken":
                text = Text(facts.get("pii_text") or "(nothing)")
                if facts.get("interrupted"):
                    text.append("  ✂ interrupted", "yellow")
                self._print(facts["at_ms"], "agent", text)

    def _show_answer(self, facts: dict[str, Any]) -> None:
        """The wire's voice-to-voice time, with the agent's own account of it where it fits."""
        v2v_ms, onset_ms = facts["v2v_ms"], facts["at_ms"]
        note = Text(f"⏱ {v2v_ms:.0f} ms voice to voice", f"bold {v2v_style(v2v_ms)}")
        stamps = self._begun.get("stamps") or {}
        begun_ms = stamps.get("first_rtp")
        if begun_ms is not None and abs(onset_ms - begun_ms) < _SAME_REPLY_MS:
            stages = stages_of(onset_ms - v2v_ms, stamps, onset_ms)
            shares = " · ".join(f"{s.name} {s.duration_ms:.0f}" for s in stages if s.duration_ms >= 1)
            note.append(f"  {shares}", "not bold dim default")
        self._print(onset_ms, "", note)

    def _print(self, at_ms: float, party: str, text: Text) -> None:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=7, justify="right", style="dim")
        row.add_column(width=6, style=_STYLES.get(party, ""))
        row.add_column(overflow="fold")
        row.add_row(f"{max(at_ms - self._answered_ms, 0) / 1000:.1f} s", party.upper(), text)
        self._console.print(row)


def show_expectations(console: Console, problems: Sequence[str]) -> None:
    """Words of the scenario that did not turn up."""
    for problem in problems:
        console.print(Text(f"! {problem}", "yellow"))


def summary_line(conversation: Conversation) -> str:
    """``V2V p50 612 ms, p95 840 ms (5 replies) · setup 4 ms · greeting 210 ms · …``."""
    parts = []
    if conversation.v2v_ms:
        p50, p95 = np.percentile(conversation.v2v_ms, (50, 95))
        parts.append(f"V2V p50 {p50:.0f} ms, p95 {p95:.0f} ms ({len(conversation.v2v_ms)} replies)")
    else:
        parts.append("no reply was heard")
    if conversation.setup_ms is not None:
        parts.append(f"setup {conversation.setup_ms:.0f} ms")
    if conversation.greeting_ms is not None:
        parts.append(f"greeting {conversation.greeting_ms:.0f} ms")
    rtp = conversation.measured.get("rtp")
    if rtp:
        parts.append(f"RTP p99 {rtp['p99_ms']:.1f} ms, {rtp['lost']} of {rtp['packets']} lost")
    return " · ".join(parts)
