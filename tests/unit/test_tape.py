"""A call's recording from the first word to the ledger, without a telephone."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import structlog

from sipagent.call.tape import CallTape, TapePlan, plan_for
from sipagent.config.recording import ConsentMode, RecordingConfig
from sipagent.config.schema import PersonaConfig
from sipagent.ledger import Kind
from sipagent.ledger.recording_seal import unsealed
from sipagent.media.wav import read_wav_channels
from sipagent.units import ms_to_samples

pytestmark = pytest.mark.unit

LOG: structlog.stdlib.BoundLogger = structlog.get_logger()
SECRET = bytes(32)
HELLO = "Maple Street Dental, how can I help?"


class Folder:
    """A vault."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.secret = SECRET

    def recording_path(self, suffix: str = ".wav") -> Path:
        (self.path / "2026-01-02").mkdir(exist_ok=True)
        return self.path / "2026-01-02" / f"call{suffix}"


class Taping:
    """A tape and what it notes."""

    def __init__(self, folder: Path, mode: ConsentMode, *, encrypt: bool = False) -> None:
        self.notes: list[tuple[Kind, dict[str, object]]] = []
        self.sealed: list[object] = []
        config = RecordingConfig(enabled=True, encrypt=encrypt)
        plan = TapePlan(config, mode, HELLO, answer_ms=6000)
        self.tape = CallTape(plan, Folder(folder), self.note, LOG)
        self.tape.up(0)

    def note(self, kind: Kind, body: object = None, *, sealed: object = None) -> None:
        self.notes.append((kind, dict(body or {})))  # type: ignore[call-overload]
        self.sealed.append(sealed)

    @property
    def kinds(self) -> list[str]:
        return [kind.value for kind, _ in self.notes]

    def hear(self, seconds: int) -> None:
        for _ in range(seconds):
            loud = np.full(ms_to_samples(1000), 1000, dtype=np.int16)
            self.tape.take(loud, loud)


def test_persona_decides() -> None:
    def persona(recording: str) -> PersonaConfig:
        return PersonaConfig(greeting=HELLO, prompt_file=Path("x"), recording=recording)  # type: ignore[arg-type]

    on = RecordingConfig(enabled=True, consent="keyed")
    for word, mode in (("default", "keyed"), ("announced", "announced"), ("none", "none")):
        plan = plan_for(on, persona(word))
        assert plan is not None
        assert plan.mode == mode
    assert plan_for(on, persona("never")) is None
    assert plan_for(RecordingConfig(), persona("announced")) is None


def test_announced_call_is_recorded_once_it_has_been_announced(tmp_path: Path) -> None:
    call = Taping(tmp_path, "announced")
    assert (call.tape.opening, call.tape.is_announcing) == ("This call is recorded.", True)
    call.hear(2)
    assert call.tape.agent_ended("This call is recorded.", 2000)
    assert (call.tape.opening, call.tape.is_announcing) == (HELLO, False)
    assert call.tape.reply_to("what are your hours") is None
    call.hear(3)
    call.tape.close()
    assert call.kinds == ["consent.announced", "recording.started", "recording.closed"]
    facts = call.notes[-1][1]
    path = tmp_path / str(facts["file"])
    assert (facts["duration_ms"], facts["sha256"]) == (3000, sha256(path.read_bytes()).hexdigest())


def test_words_answer_but_only_the_end_of_the_turn_decides(tmp_path: Path) -> None:
    call = Taping(tmp_path, "spoken")
    assert not call.tape.agent_ended(call.tape.opening, 4000)
    assert call.tape.reply_to("yes") == f"Thank you. {HELLO}"
    assert "recording.started" not in call.kinds, "the caller may go on: yes, but not today"
    assert call.tape.reply_to("no") == f"All right, this call is not recorded. {HELLO}"
    assert call.tape.reply_to("hm") == call.tape.opening
    call.tape.said("no", 6000)
    call.hear(2)
    call.tape.close()
    assert call.kinds == ["consent.announced", "consent.refused"]
    assert call.sealed[-1] == {"text": "no"}
    assert not list(tmp_path.iterdir())


def test_silence_and_keys_open_the_call_anew(tmp_path: Path) -> None:
    call = Taping(tmp_path, "keyed", encrypt=True)
    question = call.tape.opening
    call.tape.agent_ended(question, 4000)
    assert not call.tape.clock(9999, is_quiet=True)
    assert call.tape.clock(10_000, is_quiet=True)
    assert call.tape.opening == question
    assert call.tape.pressed("1", 11_000)
    assert call.tape.opening == f"Thank you. {HELLO}"
    call.hear(2)
    call.tape.close()
    path = tmp_path / str(call.notes[-1][1]["file"])
    assert path.name == "call.wav.sealed"
    clear = tmp_path / "clear.wav"
    clear.write_bytes(b"".join(unsealed(path, SECRET)))
    assert len(read_wav_channels(clear)[0][0]) == ms_to_samples(2000)


def granted(folder: Path, mode: ConsentMode = "spoken") -> Taping:
    """Asked, said yes, was thanked."""
    call = Taping(folder, mode)
    call.tape.agent_ended(call.tape.opening, 4000)
    if mode == "spoken":
        call.tape.said("yes", 5000)
        call.tape.agent_ended(call.tape.opening, 6000)
    return call


def test_a_yes_that_is_taken_back_in_the_same_breath_leaves_no_sound(tmp_path: Path) -> None:
    call = Taping(tmp_path, "spoken")
    call.tape.agent_ended(call.tape.opening, 4000)
    call.tape.said("yes", 5000)
    call.hear(25)
    assert call.tape.reply_to("yes no wait") == f"All right, this call is not recorded. {HELLO}"
    call.tape.said("yes no wait", 6000)
    call.hear(3)
    call.tape.close()
    assert call.kinds[2:] == ["recording.started", "consent.withdrawn", "recording.dropped"]
    assert call.notes[-2][1] == {"how": "spoken", "keeps": False}
    assert call.sealed[-2] == {"text": "yes no wait"}
    assert call.notes[-1][1]["reason"] == "consent was withdrawn"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_was_allowed_stays_and_ends_before_the_words_that_stopped_it(tmp_path: Path) -> None:
    call = granted(tmp_path)
    call.hear(5)
    call.tape.agent_ended("How can I help?", 11_000)
    call.hear(3)
    assert call.tape.reply_to("please stop recording") == "All right, this call is no longer recorded."
    assert call.tape.reply_to("what are your hours") is None
    call.tape.said("please stop recording", 14_000)
    call.hear(4)
    call.tape.close()
    assert call.kinds[-2:] == ["consent.withdrawn", "recording.closed"]
    facts = call.notes[-1][1]
    assert facts["duration_ms"] == 4000, "the agent's five seconds but the margin, nothing of the caller's"
    assert len(read_wav_channels(tmp_path / str(facts["file"]))[0][0]) == ms_to_samples(4000)


def test_who_has_stopped_the_recording_may_have_it_deleted_later(tmp_path: Path) -> None:
    call = granted(tmp_path)
    call.hear(5)
    call.tape.said("please stop recording", 11_000)
    call.tape.said("and delete the recording", 15_000)
    call.tape.close()
    assert call.kinds[-3:] == ["consent.withdrawn", "consent.withdrawn", "recording.dropped"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("mode", ["announced", "none"])
def test_where_nobody_was_asked_an_objection_erases_everything(tmp_path: Path, mode: ConsentMode) -> None:
    call = Taping(tmp_path, mode)
    if mode == "announced":
        call.tape.agent_ended(call.tape.opening, 2000)
    call.hear(25)
    call.tape.said("I do not want to be recorded", 9000)
    call.hear(2)
    call.tape.close()
    assert call.kinds[-2:] == ["consent.withdrawn", "recording.dropped"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_objection_to_the_announcement_is_heard_while_it_is_said(tmp_path: Path) -> None:
    call = Taping(tmp_path, "announced")
    call.tape.heard("don't record this", 1000)
    assert call.tape.agent_ended(call.tape.opening, 2000)
    assert call.tape.opening == f"All right, this call is not recorded. {HELLO}"
    call.hear(3)
    call.tape.close()
    assert call.kinds == ["consent.announced", "consent.refused"]


def test_card_number_is_silence_on_the_disk_too(tmp_path: Path) -> None:
    call = Taping(tmp_path, "none")
    call.hear(2)
    call.tape.agent_ended("How can I help?", 2000)
    call.hear(4)
    call.tape.heard("charge it to 4111 1111 1111 1111", 6000)
    call.hear(1)
    call.tape.said("charge it to 4111 1111 1111 1111", 7000)
    call.tape.agent_says("Thank you.", 7000)
    call.tape.agent_ended("Thank you.", 7000)
    call.hear(1)
    call.tape.close()
    paused, resumed = Kind.RECORDING_PAUSED, Kind.RECORDING_RESUMED
    assert [kind for kind, _ in call.notes if kind in (paused, resumed)] == [paused, resumed]
    (caller, _), _ = read_wav_channels(tmp_path / str(call.notes[-1][1]["file"]))
    second = ms_to_samples(1000)
    assert [bool(caller[at * second : (at + 1) * second].any()) for at in range(8)] == [
        True, False, False, False, False, False, False, True,
    ]  # fmt: skip


def test_without_a_ledger_nothing_is_asked_or_recorded() -> None:
    notes: list[Kind] = []
    plan = TapePlan(RecordingConfig(enabled=True), "spoken", HELLO, answer_ms=6000)
    tape = CallTape(plan, None, lambda kind, *_, **__: notes.append(kind), LOG)
    assert (tape.opening, tape.is_asking, notes) == ("", False, [])
    tape.close()
