"""Settings of the PJSIP endpoint and its accounts, worked out from ``sip.yaml``."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pjsua2 as pj

from sipagent.config.schema import Config, HostPort, TrunkConfig
from sipagent.errors import SipError
from sipagent.sip.bridge_port import shorten_sip_timers, silence_library
from sipagent.sip.guard import Guard
from sipagent.units import FRAME_MS, SAMPLE_RATE_HZ

_JITTER_BUFFER_MS = (20, 20, 120, 240)  # init, least prefetch, most prefetch, size
_MEDIA_CLOCK_PRIORITY = 20
_NAMING_TRIES = 25
_NAMING_WAIT_S = 0.02
_TRANSACTION_TIMEOUT_MS = 8_000
_CODEC_IDS = {"G722": "G722/16000", "PCMU": "PCMU/8000", "PCMA": "PCMA/8000"}
_ANY_ADDRESS = "0.0.0.0"

OnRefused = Callable[[int, str, str], None]
"""Status, reason, source address."""


class _Library(pj.Endpoint):  # type: ignore[misc]  # pjsua2 has no type information
    """The endpoint, and what it tells about calls that it refuses by itself."""

    def __init__(self, on_refused: OnRefused) -> None:
        super().__init__()
        self._on_refused = on_refused

    def onRejectedIncomingCall(self, prm: Any) -> None:
        self._on_refused(prm.statusCode, prm.reason, prm.rdata.srcAddress)


def open_endpoint(config: Config, on_refused: OnRefused, guard: Guard) -> tuple[pj.Endpoint, int]:
    """Start the library and its listeners on the calling thread, which becomes the SIP thread.

    :param on_refused: told of every INVITE that the library refuses before the program sees it (no codec in
        common, no place left). Must not raise.
    :param guard: is put in before the first packet can come.
    :returns: the endpoint and the number of calls this build can hold.
    :raises SipError: a listener's address is in use or not ours.
    """
    silence_library()
    library = _Library(on_refused)
    library.libCreate()
    try:
        settings = _endpoint_config(config)
        library.libInit(settings)
        shorten_sip_timers(transaction_ms=_TRANSACTION_TIMEOUT_MS)
        guard.install()
        _listen(library, pj.PJSIP_TRANSPORT_UDP, "udp", config.listen.udp)
        _listen(library, pj.PJSIP_TRANSPORT_TCP, "tcp", config.listen.tcp)
        binds = {"udp": config.listen.udp, "tcp": config.listen.tcp}
        guard.close_sockets({name: bind for name, bind in binds.items() if bind is not None})
        library.libStart()
        library.audDevManager().setNullDev()
        _choose_codecs(library, config)
    except Exception:
        library.libDestroy()
        raise
    return library, settings.uaConfig.maxCalls


def _endpoint_config(config: Config) -> pj.EpConfig:
    settings = pj.EpConfig()  # uaConfig.maxCalls of a fresh one is the build's ceiling
    agent, media = settings.uaConfig, settings.medConfig
    agent.threadCnt = 0
    agent.mainThreadOnly = True
    agent.userAgent = ""
    agent.natTypeInSdp = 0  # a line that only this library writes
    settings.logConfig.level = settings.logConfig.consoleLevel = 0
    media.clockRate = media.sndClockRate = SAMPLE_RATE_HZ
    media.audioFramePtime = media.ptime = FRAME_MS
    media.noVad = True
    media.ecTailLen = 0
    media.threadCnt = 1
    media.sndAutoCloseTime = -1
    media.jbInit, media.jbMinPre, media.jbMaxPre, media.jbMax = _JITTER_BUFFER_MS
    return settings


def _listen(library: pj.Endpoint, kind: int, name: str, bind: HostPort | None) -> None:
    if bind is None:
        return
    settings = pj.TransportConfig()
    settings.port = bind.port
    if bind.host != _ANY_ADDRESS:
        settings.boundAddress = bind.host
    try:
        library.transportCreate(kind, settings)
    except pj.Error as error:
        raise SipError(
            f"listen.{name}: cannot listen on {bind.host}:{bind.port}: {error.reason}; "
            "stop the program that uses it or choose another port"
        ) from error


def _choose_codecs(library: pj.Endpoint, config: Config) -> None:
    """Enable the codecs that some trunk wants, in the order of the first trunk that names them."""
    for codec in library.codecEnum2():
        library.codecSetPriority(codec.codecId, 0)
    wanted = dict.fromkeys(codec for trunk in config.trunks for codec in trunk.codecs)
    for rank, codec in enumerate(wanted):
        library.codecSetPriority(_CODEC_IDS[codec], 250 - rank)


def account_config(config: Config, trunk: TrunkConfig | None) -> pj.AccountConfig:
    """The account of a trunk that registers, or (``None``) the one that takes direct calls."""
    settings = pj.AccountConfig()
    bind = config.listen.udp or config.listen.tcp
    assert bind is not None
    settings.idUri = f"sip:agent@{bind.host}:{bind.port}"
    transport = settings.mediaConfig.transportConfig
    transport.port = config.rtp.port_first
    transport.portRange = config.rtp.port_last - config.rtp.port_first
    if bind.host != _ANY_ADDRESS:
        transport.boundAddress = bind.host
    if config.rtp.public_address != "auto":
        transport.publicAddress = str(config.rtp.public_address)
    settings.mediaConfig.streamKaEnabled = True
    if trunk is not None and trunk.register:
        register = trunk.register
        settings.idUri = f"sip:{register.username}@{trunk.domain}"
        settings.regConfig.registrarUri = f"{register.registrar};transport={trunk.transport}"
        settings.regConfig.timeoutSec = register.expires_s
        settings.regConfig.retryIntervalSec = register.retry_s
        settings.regConfig.firstRetryIntervalSec = min(5, register.retry_s)
        if register.password is not None:
            secret = register.password.reveal()
            settings.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", register.username, 0, secret))
    return settings


def raise_media_priority() -> bool:
    """Put the media clock's threads at real-time priority; False where the system does not allow it."""
    for _ in range(_NAMING_TRIES):
        tasks = _media_tasks()
        if {"clock", "media"} <= set(tasks.values()):  # a thread is named a moment after it began
            break
        time.sleep(_NAMING_WAIT_S)
    try:
        for task in tasks:
            os.sched_setscheduler(task, os.SCHED_FIFO, os.sched_param(_MEDIA_CLOCK_PRIORITY))
    except OSError:
        return False
    return bool(tasks)


def _media_tasks() -> dict[int, str]:
    """The media clock's threads by id."""
    names = {}
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            name = Path(f"/proc/self/task/{task}/comm").read_text().strip()
            if name in ("clock", "media"):
                names[int(task)] = name
    return names
