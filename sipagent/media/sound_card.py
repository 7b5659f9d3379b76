"""Microphone and speaker as a call's line: the same rings that a SIP call has, without SIP."""

from typing import Any

import numpy as np

from sipagent.errors import SipAgentError
from sipagent.media.ring import AudioRings
from sipagent.units import FRAME_SAMPLES, SAMPLE_RATE_HZ


class SoundCardError(SipAgentError):
    """No microphone, no speaker, or no PortAudio."""


class SoundCard:
    """The default input and output device at 16 kHz, moving 20 ms at a time."""

    def __init__(self) -> None:
        self.rings = AudioRings()
        self._stream: Any = None

    def __repr__(self) -> str:
        return f"SoundCard(open={self._stream is not None})"

    def open(self) -> None:
        """Start both ways.

        :raises SoundCardError: there is no usable device; the message says which part is missing.
        """
        try:
            import sounddevice  # loads PortAudio, which servers need not have
        except OSError as error:
            raise SoundCardError(f"talk: {error}; install it with `apt-get install libportaudio2`") from error
        self.rings.open()
        try:
            self._stream = sounddevice.Stream(
                samplerate=SAMPLE_RATE_HZ,
                blocksize=FRAME_SAMPLES,
                channels=1,
                dtype="int16",
                callback=self._move,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SoundCardError(f"talk: no usable microphone and speaker: {error}") from error

    def close(self) -> None:
        """Stop. Idempotent."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        self.rings.close()

    def _move(self, heard: Any, said: Any, samples: int, _time: Any, _status: Any) -> None:
        """PortAudio's thread: copy, nothing else."""
        self.rings.from_line.append(np.ascontiguousarray(heard[:, 0]))
        pcm = self.rings.to_line.read_frame(samples)
        said[:, 0] = pcm
        self.rings.played.append(pcm)
