"""The PJSIP endpoint: started with our settings, and heard for what belongs to no call."""

import contextlib
import os
import time
from pathlib import Path
from typing import Any, Protocol

import pjsua2 as pj

from sipagent.config.schema import Config
from sipagent.sip.bridge_port import shorten_sip_timers, silence_library
from sipagent.sip.codecs import disable_codecs, use_all_codecs
from sipagent.sip.guard import Guard
from sipagent.sip.transport import TlsWatch, open_listeners
from sipagent.units import FRAME_MS, SAMPLE_RATE_HZ

_JITTER_BUFFER_MS = (20, 20, 120, 240)  # init, least prefetch, most prefetch, size
_MEDIA_CLOCK_PRIORITY = 20
_NAMING_TRIES = 25
_NAMING_WAIT_S = 0.02
_TRANSACTION_TIMEOUT_MS = 8_000


class EndpointOwner(Protocol):
    """What the endpoint needs of the user agent. All on the SIP thread; nothing may raise."""

    def library_refused(self, status: int, reason: str, source: str, message: str) -> None:
        """The library has refused an INVITE before the program saw it (no codec in common, no place)."""

    def account_for(self, source: str, message: str) -> int | None:
        """Id of the account that shall take an INVITE; None: let the library choose."""

    def count_callback_error(self, where: str, error: Exception) -> None:
        """A callback failed."""

    def tls_failed(self, peer: str, reason: str) -> None:
        """A connection came to nothing: the certificate of ``peer`` is not good."""


class Library(pj.Endpoint):  # type: ignore[misc]  # pjsua2 has no type information
    """The endpoint, and what it tells that belongs to no call."""

    def __init__(self, owner: EndpointOwner) -> None:
        super().__init__()
        self._owner = owner
        self.tls = TlsWatch(owner.tls_failed)

    def onRejectedIncomingCall(self, prm: Any) -> None:
        try:
            message = prm.rdata.wholeMsg
            self._owner.library_refused(prm.statusCode, prm.reason, prm.rdata.srcAddress, message)
        except Exception as error:  # the library would print and forget it
            self._owner.count_callback_error("onRejectedIncomingCall", error)

    def onSelectAccount(self, prm: Any) -> None:
        try:
            account = self._owner.account_for(prm.rdata.srcAddress, prm.rdata.wholeMsg)
            if account is not None:
                prm.accountIndex = account
        except Exception as error:
            self._owner.count_callback_error("onSelectAccount", error)

    def onTransportState(self, prm: Any) -> None:
        try:
            self.tls.changed(prm)
        except Exception as error:
            self._owner.count_callback_error("onTransportState", error)


def open_endpoint(
    config: Config, owner: EndpointOwner, guard: Guard, public_address: str
) -> tuple[Library, int]:
    """Start the library and its listeners on the calling thread, which becomes the SIP thread.

    :param guard: is put in before the first packet can come.
    :param public_address: what peers are told; empty: the interface towards them.
    :returns: the endpoint and the number of calls this build can hold.
    :raises SipError: a listener's address is in use or not ours, or a certificate cannot be used.
    """
    silence_library()
    library = Library(owner)
    library.libCreate()
    try:
        settings = _endpoint_config(config)
        library.libInit(settings)
        shorten_sip_timers(transaction_ms=_TRANSACTION_TIMEOUT_MS)
        guard.install()
        guard.close_sockets(open_listeners(library, config, public_address))
        library.libStart()
        library.audDevManager().setNullDev()
        disable_codecs(library)
        use_all_codecs(library, config)
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
