"""What is known of the peers that people connect: values for the keys of a trunk that the file leaves out.

Sources: the carriers' public pages on addresses, codecs, secure media and calls per second, read in 2025.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Any, Literal

from sipagent.config.fields import Problem

PresetName = Literal["generic", "asterisk", "twilio", "vonage"]

_TWILIO_SIGNALLING = (
    "54.172.60.0/30",  # Virginia
    "54.244.51.0/30",  # Oregon
    "54.171.127.192/30",  # Ireland
    "35.156.191.128/30",  # Frankfurt
    "54.65.63.192/30",  # Tokyo
    "54.169.127.128/30",  # Singapore
    "54.252.254.64/30",  # Sydney
    "177.71.206.192/30",  # São Paulo
)
"""All regions: Twilio sends a call from another one when the nearest fails."""
_VONAGE_SIGNALLING = tuple(f"216.147.{net}.{host}/32" for net in range(6) for host in (1, 2))


_TWILIO_HOST = re.compile(r"[a-z0-9-]+\.pstn\.([a-z0-9-]+\.)?twilio\.com", re.IGNORECASE)
"""Name of the trunk, perhaps with an edge. Any other host in a request is dropped as malicious."""


def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(text) for text in texts)


def _generic(_: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _asterisk(_: Mapping[str, Any]) -> dict[str, Any]:
    return {"p_asserted_identity": True, "options_s": 60}


def _twilio(written: Mapping[str, Any]) -> dict[str, Any]:
    is_secure = written.get("transport") == "tls"  # Secure Trunking is all or nothing
    return {
        "allow_from": _networks(_TWILIO_SIGNALLING),
        "transport": "udp",
        "srtp": "mandatory" if is_secure else "off",
        "codecs": ("PCMU", "PCMA"),
        "cps": 1,
        "keep_alive_s": 60,  # an idle TLS connection is closed after about 120 s
    }


def _vonage(written: Mapping[str, Any]) -> dict[str, Any]:
    is_secure = written.get("transport") == "tls"
    return {
        "allow_from": _networks(_VONAGE_SIGNALLING),
        "transport": "udp",
        "srtp": "mandatory" if is_secure else "off",
        "codecs": ("G722", "PCMU", "PCMA"),
        "leading_plus": False,
        "cps": 3,
        "options_s": 120,
    }


PRESETS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = MappingProxyType(
    {"generic": _generic, "asterisk": _asterisk, "twilio": _twilio, "vonage": _vonage}
)


def preset_values(written: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the preset for every key that it knows, whether the file has it or not.

    :param written: the keys that the file has, read.
    """
    return PRESETS[written.get("preset", "generic")](written)


def broken_preset_rules(
    preset: str, *, host: str, transport: str, srtp: str, codecs: Sequence[str]
) -> Iterator[Problem]:
    """Yield (field, problem) where a carrier is known to refuse what the trunk has."""
    if preset != "twilio":
        return
    if not _TWILIO_HOST.fullmatch(host):
        yield "domain", f"expected your Termination SIP URI, as in maple.pstn.twilio.com, got {host!r}"
    if codecs and not {"PCMU", "PCMA"} & set(codecs):
        yield "codecs", f"Twilio has PCMU and PCMA alone, got {', '.join(codecs)}"
    if (transport == "tls") != (srtp == "mandatory"):
        yield (
            "srtp",
            "Twilio's Secure Trunking is all or nothing: transport tls with srtp mandatory, "
            f"or udp or tcp with srtp off; got {transport} with {srtp}",
        )
