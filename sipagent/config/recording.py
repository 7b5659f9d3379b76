"""Section ``recording``: whether calls are recorded, with whose consent, and how."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sipagent.config.fields import Problem, not_sayable, out_of_range

RecordingFormat = Literal["wav", "g711", "flac"]
ConsentMode = Literal["none", "announced", "spoken", "keyed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingConfig:
    """Section ``recording``."""

    enabled: bool = False
    """False: no call is recorded."""
    dir: Path | None = None
    """Folder of the recordings; without it ``recordings`` in the ledger's folder."""
    consent: ConsentMode = "announced"
    """What comes before the first recorded second: nothing, the announcement, a yes (spoken or keyed), or a
    key."""
    announce: str = "This call is recorded."
    """Said before the greeting where consent is ``announced``."""
    question: str = "May I record this call? Please say yes or no, or press 1 for yes or 2 for no."
    """Said before the greeting where consent is ``spoken`` or ``keyed``; without a clear yes it is said
    once more, then the call goes on unrecorded."""
    granted: str = "Thank you."
    """Answer to a yes; the greeting follows."""
    refused: str = "All right, this call is not recorded."
    """Answer to anything but a yes; the greeting follows."""
    withdrawn: str = "All right, this call is no longer recorded."
    """Answer to words of ``stop`` or ``delete``."""
    yes: tuple[str, ...] = (
        "yes", "yeah", "yep", "yup", "sure", "okay", "ok", "of course", "certainly", "absolutely", "go ahead",
        "no problem", "that's fine", "that is fine", "i don't mind", "i do not mind", "fine", "i agree",
        "you may", "you can", "not a problem", "why not",
    )  # fmt: skip
    """Words and phrases that mean yes."""
    no: tuple[str, ...] = (
        "no", "nope", "nah", "not", "don't", "do not", "never", "i'd rather not", "i refuse", "you may not",
        "you can't", "you cannot",
    )  # fmt: skip
    """Words and phrases that mean no."""
    stop: tuple[str, ...] = (
        "stop recording", "stop the recording", "stop this recording", "stop that recording", "stop taping",
        "don't record", "do not record", "not recording", "no recording", "without recording",
        "not to be recorded", "not be recorded", "don't want to be recorded", "do not want to be recorded",
        "not want this recorded", "don't want this recorded", "don't want it recorded", "not okay to record",
        "turn off the recording", "turn the recording off", "switch off the recording",
        "switch the recording off", "end the recording", "i take back my consent", "i withdraw my consent",
    )  # fmt: skip
    """Phrases that end a recording at any time; what came before stays where the caller had said yes."""
    delete: tuple[str, ...] = (
        "delete the recording", "delete this recording", "delete that recording", "delete my recording",
        "erase the recording", "erase this recording", "erase that recording", "delete everything",
    )  # fmt: skip
    """Phrases after which nothing stays of the recording."""
    format: RecordingFormat = "wav"
    """``wav``: 16 bit, 230 MB an hour; ``g711``: as on the line, 58 MB; ``flac``: lossless, about 80 MB."""
    encrypt: bool = True
    """True: AES-256-GCM under the call's own key, so that forgetting the call makes the sound unreadable."""
    keep_days: Literal["forever"] | int = "forever"
    """Days after which recordings are deleted, where ``ledger.keep_days`` does not do so before. 1..36500."""
    max_mib: int = 10_000
    """What the folder may hold. 10..10000000."""
    when_full: Literal["delete_oldest", "stop"] = "delete_oldest"
    """What happens there: the oldest recordings go, or calls are no longer recorded."""
    pause_for_cards: bool = True
    """True: silence while a card number is dictated."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from not_sayable(self, "announce", "question", "granted", "refused", "withdrawn")
        yield from out_of_range(self, max_mib=(10, 10_000_000), keep_days=(1, 36500))
        for name in ("yes", "no", "stop", "delete"):
            words: tuple[str, ...] = getattr(self, name)
            if not words or any(word != " ".join(word.lower().split()) or not word for word in words):
                yield name, "expected words in lower case, at least one"
        if both := sorted(set(self.yes) & set(self.no)):
            yield "no", f"{both[0]!r} is among the words for yes, too; leave it out of one"
