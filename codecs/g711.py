"""G.711 µ-law and A-law by tables. Every code and sample equals the reference of ITU-T G.191."""

import numpy as np
import numpy.typing as npt

from sipagent.errors import AudioFormatError
from sipagent.units import Pcm16

Codes = npt.NDArray[np.uint8]
"""G.711 codes, shape ``(n,)``, uint8: one a sample."""

MULAW_SILENCE = 0xFF
ALAW_SILENCE = 0xD5

_MULAW_BIAS = 33  # G.711 table 2: moves the segment borders to powers of two
_ALAW_TOGGLE = 0x55  # G.711 s2: even bits are inverted on the line


def _all_pcm() -> npt.NDArray[np.int32]:
    """Every int16, in the order of its unsigned bit pattern (so that it can index a table)."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _bit_length(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int32)


def _mulaw_encode_table() -> Codes:
    pcm = _all_pcm()
    magnitude = (np.where(pcm < 0, ~pcm, pcm) >> 2) + _MULAW_BIAS
    magnitude = np.minimum(magnitude, 0x1FFF)
    exponent = _bit_length(magnitude) - 6
    mantissa = (magnitude >> (exponent + 1)) & 0x0F
    sign = np.where(pcm < 0, 0x80, 0)
    codes: Codes = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes


def _mulaw_decode_table() -> Pcm16:
    bits = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = (bits >> 4) & 7, bits & 0x0F
    magnitude = (((2 * mantissa + _MULAW_BIAS) << exponent) - _MULAW_BIAS) << 2
    pcm: Pcm16 = np.where(bits & 0x80, -magnitude, magnitude).astype(np.int16)
    return pcm


def _alaw_encode_table() -> Codes:
    pcm = _all_pcm()
    magnitude = np.where(pcm < 0, ~pcm, pcm) >> 4
    exponent = np.maximum(_bit_length(magnitude) - 4, 0)
    mantissa = (magnitude >> np.maximum(exponent - 1, 0)) & 0x0F
    sign = np.where(pcm < 0, 0, 0x80)
    codes: Codes = ((sign | (exponent << 4) | mantissa) ^ _ALAW_TOGGLE).astype(np.uint8)
    return codes


def _alaw_decode_table() -> Pcm16:
    bits = np.arange(256, dtype=np.int32) ^ _ALAW_TOGGLE
    exponent, mantissa = (bits >> 4) & 7, bits & 0x0F
    leading = np.where(exponent > 0, 16, 0)
    magnitude = (2 * (mantissa + leading) + 1) << (np.maximum(exponent, 1) + 2)
    pcm: Pcm16 = np.where(bits & 0x80, magnitude, -magnitude).astype(np.int16)
    return pcm


_MULAW_ENCODE = _mulaw_encode_table()
_MULAW_DECODE = _mulaw_decode_table()
_ALAW_ENCODE = _alaw_encode_table()
_ALAW_DECODE = _alaw_decode_table()


def encode_mulaw(pcm: Pcm16) -> Codes:
    """µ-law codes (PCMU, payload type 0) of ``pcm``.

    :param pcm: shape ``(n,)``, int16.
    :raises AudioFormatError: another dtype.
    """
    return _MULAW_ENCODE[_unsigned(pcm)]


def decode_mulaw(codes: Codes | bytes) -> Pcm16:
    """PCM of µ-law codes: uint8, shape ``(n,)``, or bytes."""
    return _MULAW_DECODE[_as_codes(codes)]


def encode_alaw(pcm: Pcm16) -> Codes:
    """A-law codes (PCMA, payload type 8) of ``pcm``.

    :param pcm: shape ``(n,)``, int16.
    :raises AudioFormatError: another dtype.
    """
    return _ALAW_ENCODE[_unsigned(pcm)]


def decode_alaw(codes: Codes | bytes) -> Pcm16:
    """PCM of A-law codes: uint8, shape ``(n,)``, or bytes."""
    return _ALAW_DECODE[_as_codes(codes)]


def _unsigned(pcm: Pcm16) -> npt.NDArray[np.uint16]:
    if pcm.dtype != np.int16:
        raise AudioFormatError(f"g711: PCM must be int16, got {pcm.dtype}")
    return pcm.view(np.uint16)


def _as_codes(codes: Codes | bytes) -> Codes:
    if isinstance(codes, bytes):
        return np.frombuffer(codes, dtype=np.uint8)
    if codes.dtype != np.uint8:
        raise AudioFormatError(f"g711: codes must be uint8, got {codes.dtype}")
    return codes
