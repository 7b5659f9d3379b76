"""Settings of the library's accounts, worked out from ``sip.yaml``."""

import pjsua2 as pj

from sipagent.config.keys import SIP_ADDRESS
from sipagent.config.schema import Config, TrunkConfig
from sipagent.sip.mismatch import SUITES
from sipagent.sip.transport import ANY_ADDRESS, bind_host_of

_NO_NAME = "agent"
_SRTP = {
    "off": pj.PJMEDIA_SRTP_DISABLED,
    "optional": pj.PJMEDIA_SRTP_OPTIONAL,
    "mandatory": pj.PJMEDIA_SRTP_MANDATORY,
}
_SESSION_TIMER_S = (90, 1800)
"""RFC 4028: the least, and what we ask for."""


def account_config(config: Config, trunk: TrunkConfig | None, public_address: str) -> pj.AccountConfig:
    """The account of a trunk, or (``None``) the one that takes calls of strangers, to refuse them."""
    settings = pj.AccountConfig()
    _sound(settings.mediaConfig, config, public_address)
    settings.callConfig.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL  # RFC 4028, where the peer wants it
    settings.callConfig.timerMinSESec, settings.callConfig.timerSessExpiresSec = _SESSION_TIMER_S
    settings.callConfig.holdType = pj.PJSUA_CALL_HOLD_TYPE_RFC3264
    if trunk is None:
        bind = next(iter(config.listen.binds.values()))
        settings.idUri = f"sip:{_NO_NAME}@{bind.host}:{bind.port}"
        return settings
    settings.idUri = f"sip:{own_name(trunk)}@{trunk.domain}"
    settings.natConfig.udpKaIntervalSec = trunk.keep_alive_s
    _encryption(settings.mediaConfig, trunk)
    if trunk.register is not None:
        registration = settings.regConfig
        registration.registrarUri = f"{trunk.register.registrar};transport={trunk.transport}"
        registration.timeoutSec = trunk.register.expires_s
        registration.retryIntervalSec = 0  # ours grows and is jittered: account.py
    credentials = trunk.credentials
    if credentials is not None:
        secret = credentials.password.reveal()
        settings.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", credentials.username, 0, secret))
    return settings


def own_name(trunk: TrunkConfig) -> str:
    """User part of our address at a trunk."""
    if trunk.register is not None:
        return trunk.register.username
    return trunk.caller_id or _NO_NAME


def peer_uri(trunk: TrunkConfig, user: str = "") -> str:
    """The peer's own address, or that of somebody behind it."""
    address = f"{user}@{trunk.domain}" if user else trunk.domain
    return f"sip:{address}" + (f";transport={trunk.transport}" if trunk.transport != "udp" else "")


def target_uri(trunk: TrunkConfig, target: str) -> str:
    """Where a call to ``target``, a number or a SIP address, is to go."""
    if SIP_ADDRESS.fullmatch(target):
        return target
    return peer_uri(trunk, target if trunk.leading_plus else target.removeprefix("+"))


def _sound(media: pj.AccountMediaConfig, config: Config, public_address: str) -> None:
    transport, bind_host = media.transportConfig, bind_host_of(config)
    transport.port = config.rtp.port_first
    transport.portRange = config.rtp.port_last - config.rtp.port_first
    if bind_host != ANY_ADDRESS:
        transport.boundAddress = bind_host
    if public_address:
        transport.publicAddress = public_address
    media.streamKaEnabled = True


def _encryption(media: pj.AccountMediaConfig, trunk: TrunkConfig) -> None:
    media.srtpUse = _SRTP[trunk.srtp]
    media.srtpSecureSignaling = 0  # what the signalling runs over is the trunk's own key
    if trunk.srtp == "off":
        return
    for suite in SUITES:
        crypto = pj.SrtpCrypto()
        crypto.name = suite
        media.srtpOpt.cryptos.append(crypto)
    media.srtpOpt.keyings.append(pj.PJMEDIA_SRTP_KEYING_SDES)
