"""G.711 against the reference, and its own round trips."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sipagent.codecs.g711 import (
    ALAW_SILENCE,
    MULAW_SILENCE,
    Codes,
    decode_alaw,
    decode_mulaw,
    encode_alaw,
    encode_mulaw,
)
from sipagent.errors import AudioFormatError
from sipagent.units import Pcm16

pytestmark = pytest.mark.golden

GOLDEN = Path(__file__).parent.parent / "golden" / "codecs"
EVERY_PCM = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
EVERY_CODE = np.arange(256, dtype=np.int32).astype(np.uint8)


@pytest.mark.parametrize(("law", "encode"), [("ulaw", encode_mulaw), ("alaw", encode_alaw)])
def test_g191_every_sample_encodes_as_the_reference(law: str, encode: Callable[[Pcm16], Codes]) -> None:
    assert encode(EVERY_PCM).tobytes() == (GOLDEN / f"{law}_encode.u8").read_bytes()


@pytest.mark.parametrize(("law", "decode"), [("ulaw", decode_mulaw), ("alaw", decode_alaw)])
def test_g191_every_code_decodes_as_the_reference(law: str, decode: Callable[[Codes], Pcm16]) -> None:
    assert decode(EVERY_CODE).astype("<i2").tobytes() == (GOLDEN / f"{law}_decode.s16le").read_bytes()


def test_codes_survive_a_round_trip() -> None:
    assert np.array_equal(encode_alaw(decode_alaw(EVERY_CODE)), EVERY_CODE)
    again = encode_mulaw(decode_mulaw(EVERY_CODE))
    negative_zero = 0x7F  # µ-law has two zeros; both decode to 0, which encodes to the positive one
    assert np.flatnonzero(again != EVERY_CODE).tolist() == [negative_zero]


def test_silence_is_silent() -> None:
    assert decode_mulaw(bytes([MULAW_SILENCE]))[0] == 0
    assert abs(int(decode_alaw(bytes([ALAW_SILENCE]))[0])) == 8  # A-law has no zero


def test_other_types_are_refused() -> None:
    with pytest.raises(AudioFormatError, match=r"g711: PCM must be int16, got float32"):
        encode_mulaw(np.zeros(4, dtype=np.float32))
    with pytest.raises(AudioFormatError, match=r"g711: codes must be uint8, got int16"):
        decode_alaw(np.zeros(4, dtype=np.int16))
