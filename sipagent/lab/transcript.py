"""A call in words: for people (``transcript.txt``) and for programs (``transcript.json``)."""

import dataclasses
import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from sipagent.lab.conversation import Conversation, Party, Utterance
from sipagent.lab.live import summary_line
from sipagent.lab.scenario import LineConfig

_WIDTH = 100


def write_transcript(conversation: Conversation, title: str, folder: Path) -> None:
    """Write both files."""
    lines = [title, "=" * len(title), summary_line(conversation), ""]
    for utterance in conversation.utterances:
        lines += _told(utterance)
    (folder / "transcript.txt").write_text("\n".join(lines) + "\n")
    plain = dataclasses.asdict(conversation)
    for entry, utterance in zip(plain["utterances"], conversation.utterances, strict=True):
        entry["party"] = utterance.party.value
    text = json.dumps({"title": title, **plain}, indent=1, ensure_ascii=False)
    (folder / "transcript.json").write_text(text + "\n")


def unmet_expectations(conversation: Conversation, script: Sequence[LineConfig]) -> list[str]:
    """Words that a line should have brought up and did not: ``line 2: not heard: friday``."""
    problems = []
    callers = [u for u in conversation.utterances if u.party is Party.CALLER]
    for index, (utterance, line) in enumerate(zip(callers, script, strict=False)):
        until_ms = callers[index + 1].start_ms if index + 1 < len(callers) else float("inf")
        said = " ".join(
            u.text
            for u in conversation.utterances
            if u.party is Party.AGENT and utterance.start_ms < u.start_ms < until_ms
        )
        for verb, words, text in (
            ("heard", line.expect.heard, utterance.heard or ""),
            ("said", line.expect.said, said),
        ):
            missing = [word for word in words if not _has(text, word)]
            if missing:
                problems.append(f"line {index + 1} ({utterance.text[:40]}): not {verb}: {', '.join(missing)}")
    return problems


def _has(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None


def _told(utterance: Utterance) -> list[str]:
    at = f"{utterance.start_ms / 1000:7.1f} s"
    who = f"{utterance.party.value.upper():<7}"
    lines = textwrap.wrap(utterance.text or "(no text in the agent's log)", _WIDTH)
    told = [f"{at}  {who} {lines[0]}", *(" " * 19 + line for line in lines[1:])]
    notes = []
    if utterance.v2v_ms is not None:
        stages = " · ".join(f"{s.name} {s.duration_ms:.0f}" for s in utterance.stages if s.duration_ms >= 1)
        notes.append(f"{utterance.v2v_ms:.0f} ms voice to voice" + (f" ({stages})" if stages else ""))
    if utterance.heard is not None and utterance.heard.lower() != utterance.text.lower():
        notes.append(f"heard: {utterance.heard}")
    if utterance.was_interrupted:
        notes.append("interrupted")
    if utterance.yielded_ms is not None:
        notes.append(f"the agent was silent {utterance.yielded_ms:.0f} ms after this began")
    if utterance.cut_in_ms is not None:
        notes.append(f"the agent cut in {-utterance.cut_in_ms:.0f} ms before the end")
    return told + [" " * 19 + f"[{note}]" for note in notes]
