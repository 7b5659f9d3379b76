"""Sound of what is said again and again: greeting, goodbye, apology, frequent first clauses.

Memory holds whatever was spoken lately, within a bound. The disk holds only what ``preload`` was given:
replies may tell of a caller, stock phrases never do.
"""

import contextlib
import hashlib
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock

import numpy as np

from sipagent.errors import AudioFormatError
from sipagent.media.wav import read_wav, wav_header
from sipagent.speech.types import Cancelled, TtsEngine, never_cancelled
from sipagent.units import Pcm16

_SHAPING_VERSION = 1
"""Part of the file names: raise it when the same text should sound different."""


class PhraseCache:
    """A voice with a memory. Thread-safe; a phrase asked for twice at once may be made twice."""

    def __init__(
        self,
        tts: TtsEngine,
        *,
        prepare: Callable[[str], str] = str.strip,
        cache_dir: Path | None = None,
        max_bytes: int = 32 << 20,
    ) -> None:
        """
        :param prepare: makes text speakable; must leave its own output as it is. Texts that become the
            same are the same phrase.
        :param cache_dir: where preloaded phrases stay over restarts; None: nowhere.
        :param max_bytes: of PCM in memory (32 kB a second); the least recently used go first.
        """
        self._tts = tts
        self._prepare = prepare
        self._cache_dir = cache_dir
        self._max_bytes = max_bytes
        self._sounds: OrderedDict[str, Pcm16] = OrderedDict()
        self._held_bytes = 0
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"PhraseCache({self._tts.name}, {len(self._sounds)} phrases, {self._held_bytes} bytes)"

    @property
    def voice_name(self) -> str:
        """The voice's name."""
        return self._tts.name

    def lookup(self, text: str) -> Pcm16 | None:
        """The whole sound of ``text`` where it is in memory. Read-only, shared. Never blocks for long."""
        key = self._key(text)
        with self._lock:
            sound = self._sounds.get(key)
            if sound is not None:
                self._sounds.move_to_end(key)
            return sound

    def speak(self, text: str, cancelled: Cancelled) -> Iterator[Pcm16]:
        """``text`` from memory in one chunk, or from the voice as it comes, kept for the next time.

        :raises JobCancelled: as the voice does; what was not finished is not kept.
        :raises EngineError: the voice cannot say this.
        """
        known = self.lookup(text)
        if known is not None:
            if known.size:
                yield known
            return
        chunks: list[Pcm16] = []
        for chunk in self._tts.synthesize(self._prepare(text), cancelled):
            chunks.append(chunk)
            yield chunk
        self._keep(self._key(text), _joined(chunks))

    def recall(self, texts: Iterable[str]) -> list[str]:
        """Take into memory what the disk has of ``texts``, without the voice.

        :returns: those that it does not have.
        """
        missing = []
        for text in texts:
            if self.lookup(text) is None:
                sound = self._stored(text)
                if sound is None:
                    missing.append(text)
                else:
                    self._keep(self._key(text), sound)
        return missing

    def keep(self, text: str, sound: Pcm16) -> None:
        """Have ``text`` sound like this from now on, in place of the voice. 16 kHz; copied."""
        self._keep(self._key(text), sound.copy())

    def preload(self, texts: Iterable[str]) -> None:
        """Have all ``texts`` in memory, from the disk where it has them.

        :raises EngineError: the voice cannot say one of them.
        """
        for text in texts:
            if self.lookup(text) is None:
                self._keep(self._key(text), self._from_disk(text))

    def _stored(self, text: str) -> Pcm16 | None:
        path = self._path(text)
        if path is not None and path.exists():
            with contextlib.suppress(AudioFormatError):  # cut short or foreign: make it again
                return read_wav(path)
        return None

    def _from_disk(self, text: str) -> Pcm16:
        path = self._path(text)
        stored = self._stored(text)
        if stored is not None:
            return stored
        sound = _joined(list(self._tts.synthesize(self._prepare(text), never_cancelled)))
        if path is not None:
            _write_atomically(path, sound)
        return sound

    def _path(self, text: str) -> Path | None:
        if self._cache_dir is None:
            return None
        identity = f"{_SHAPING_VERSION}\n{self._tts.name}\n{self._key(text)}"
        return self._cache_dir / f"{hashlib.sha256(identity.encode('utf-8', 'replace')).hexdigest()[:32]}.wav"

    def _key(self, text: str) -> str:
        return " ".join(self._prepare(text).casefold().split())

    def _keep(self, key: str, sound: Pcm16) -> None:
        if sound.nbytes > self._max_bytes:
            return
        sound.flags.writeable = False
        with self._lock:
            replaced = self._sounds.pop(key, None)
            self._held_bytes += sound.nbytes - (0 if replaced is None else replaced.nbytes)
            self._sounds[key] = sound
            while self._held_bytes > self._max_bytes:
                _, dropped = self._sounds.popitem(last=False)
                self._held_bytes -= dropped.nbytes


def _joined(chunks: list[Pcm16]) -> Pcm16:
    return np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.int16)


def _write_atomically(path: Path, sound: Pcm16) -> None:
    """A cache that cannot be written is no error: the phrase is made again at the next start."""
    body = sound.astype("<i2").tobytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(wav_header(len(body), 1) + body)
        Path(scratch).replace(path)
    except OSError:
        Path(scratch).unlink(missing_ok=True)
