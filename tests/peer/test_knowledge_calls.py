"""Questions by voice: what is written down is said word for word, the rest declined; callers are known."""

from pathlib import Path

import pytest

from sipagent.lab.scenario import LineConfig, VoiceConfig
from sipagent.lab.softphone import Softphone
from sipagent.lab.voices import line_files
from sipagent.ledger import CallerMemory
from sipagent.ledger.keystore import KeyStore
from sipagent.media.wav import read_wav
from tests.peer.running_agent import ROOT, RunningAgent, running_agent
from tests.peer.spoken_call import greeted
from tests.peer.test_ledger_calls import in_ledger

pytestmark = pytest.mark.peer

LONG_MS = 60_000
LINES = {
    "Do you take Delta Dental?": ("say", "We're in network with Delta Dental"),
    "Do you sell electric toothbrushes?": ("decline", "I don't know that"),
}


def ask(phone: Softphone, agent: RunningAgent, wav: Path) -> tuple[str, str]:
    """(how it was decided, what was said)."""
    before = len(agent.drain())
    phone.say(read_wav(wav))

    def is_said() -> bool:
        return any(event.event == "turn.spoken" for event in agent.drain()[before:])

    assert phone.run(until=is_said, timeout_ms=LONG_MS)
    answered = agent.wait_for("turn.answered", after=before).facts
    return str(answered["by"]), str(agent.wait_for("turn.spoken", after=before).facts["pii_text"])


def test_questions_by_voice_and_a_caller_who_is_remembered(tmp_path: Path) -> None:
    wavs = line_files([LineConfig(say=line) for line in LINES], VoiceConfig(engine="hibari"))
    changes = {
        "personas.receptionist.knowledge": str(ROOT / "knowledge"),
        "personas.receptionist.memory": "on",
        "personas.receptionist.greeting": "Maple Street Dental.",
    }
    with running_agent(tmp_path, changes) as agent, Softphone() as phone:
        greeted(phone, agent)
        for wav, (by, words) in zip(wavs, LINES.values(), strict=True):
            decided, said = ask(phone, agent, wav)
            assert (decided, words in said) == (by, True), said
        phone.hang_up()
        assert phone.run(until=lambda: phone.is_over, timeout_ms=LONG_MS)
        agent.wait_for("call.ended")
        caller = str(agent.wait_for("call.started").facts["pii_from"])
    folder = tmp_path / "ledger"
    memory = CallerMemory.of(folder, KeyStore.open(folder / "keys", folder / "identity"))
    assert set(memory.recall(caller)) == {"last_call"}
    done = in_ledger(tmp_path, "forget", "--caller", caller)
    assert "notes on 1 callers" in done.stderr
    assert memory.recall(caller) == {}
    assert not memory.knows(caller)
