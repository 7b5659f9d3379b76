"""Says in words why two sides found no common sound: what the peer offers and what this trunk wants."""

import re

from sipagent.config.schema import TrunkConfig

NO_COMMON_MEDIA = (488, 606, 415, 406)
"""RFC 3261 §21.4.26, §21.6.4: answers to an offer that nobody can use."""
_AUDIO = re.compile(r"^m=audio (\d+) (\S+) ?([\d ]*)", re.MULTILINE)
_RTPMAP = re.compile(r"^a=rtpmap:(\d+) ([\w.-]+)", re.MULTILINE)
_CRYPTO = re.compile(r"^a=crypto:\d+ (\S+)", re.MULTILINE)
_STATIC_NAMES = {"0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "15": "G728", "18": "G729"}
"""RFC 3551 §6."""
SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""RFC 4568 §6.2: what carriers have; offered in this order, without MKI."""


def explain_refused_offer(message: str, trunk: TrunkConfig) -> str:
    """Why the library has refused a call of this trunk.

    :param message: the INVITE, as it came.
    """
    sdp = message.partition("\r\n\r\n")[2].replace("\r\n", "\n")
    audio = _AUDIO.search(sdp)
    if audio is None:
        return "the peer offers no sound at all"
    if audio[1] == "0":
        return "the peer offers its sound as switched off"
    profile, payloads = audio[2], audio[3].split()
    suites = _CRYPTO.findall(sdp)
    told = f"the peer offers {profile} and this trunk has srtp: {trunk.srtp}"
    if "SAVP" in profile and trunk.srtp == "off":
        return f"{told}; set srtp: mandatory, or switch SRTP off there"
    if "SAVP" not in profile and not suites and trunk.srtp == "mandatory":
        return f"{told}; switch SRTP on there, or set srtp: off"
    if "UDP/TLS" in profile:
        return f"the peer offers {profile} (DTLS); only SDES is spoken here: switch it to SDES there"
    if suites and not set(suites) & set(SUITES):
        return f"the peer offers {', '.join(suites)}; here are {', '.join(SUITES)}"
    names = dict(_RTPMAP.findall(sdp))
    offered = [names.get(pt) or _STATIC_NAMES.get(pt, f"payload type {pt}") for pt in payloads]
    offered = [name for name in offered if name.lower() != "telephone-event"]
    wanted = ", ".join(trunk.codecs)
    if not {name.upper() for name in offered} & set(trunk.codecs):
        return f"the peer offers {', '.join(offered)} and this trunk has {wanted}; allow one of them there"
    return f"{told}; it has {', '.join(offered)}, here are {wanted}"


def explain_refusal(status: int, reason: str, trunk: TrunkConfig) -> str:
    """The peer's answer to a call of ours in words; more than its own where the sound is the matter."""
    told = f"{status} {reason}"
    if status in (401, 407):
        has = "does not accept our user name or password" if trunk.credentials else "wants a password (auth:)"
        return f"{told}: the peer {has}"
    if status not in NO_COMMON_MEDIA:
        return told
    other = "off" if trunk.srtp == "mandatory" else "mandatory"
    return (
        f"{told}: the peer cannot use our offer of {', '.join(trunk.codecs)} with srtp: {trunk.srtp}; "
        f"try srtp: {other}, or other codecs"
    )
