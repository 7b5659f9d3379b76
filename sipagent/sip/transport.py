"""The SIP listeners, and how their connections are kept open and judged."""

import ssl
from collections.abc import Callable
from typing import Any

import pjsua2 as pj

from sipagent.config.schema import Config, HostPort, TlsConfig
from sipagent.errors import SipError
from sipagent.sip import stun
from sipagent.sip.c_api import set_keep_alive

ANY_ADDRESS = "0.0.0.0"
_KINDS = {
    "udp": pj.PJSIP_TRANSPORT_UDP,
    "tcp": pj.PJSIP_TRANSPORT_TCP,
    "tls": pj.PJSIP_TRANSPORT_TLS,
}
_TLS_1_2 = 1 << 4
"""``PJ_SSL_SOCK_PROTO_TLS1_2``: nothing older; the library at hand has nothing newer."""

# pj_ssl_cert_verify_flag_t (pj/ssl_sock.h) → what to do about it
_UNTRUSTED = 1 << 0 | 1 << 1 | 1 << 5
_REMEDIES = {
    _UNTRUSTED: "its authority is not trusted here; put that into listen.tls.ca_file",
    1 << 2: "ask the peer to renew it, and look at this machine's clock",
    1 << 30: "it is for another host: write the name in it as the trunk's domain",
}


def public_address_of(config: Config) -> str:
    """Address that peers are told; empty: that of the interface towards them. May wait for a STUN server.

    :raises SipError: the STUN server does not tell.
    """
    wanted = config.rtp.public_address
    if not wanted.stun_host:
        return wanted.address
    return stun.public_address(wanted.stun_host, wanted.stun_port, bind_host_of(config))


def bind_host_of(config: Config) -> str:
    """The address of our own that the first listener is bound to."""
    return next(iter(config.listen.binds.values())).host


def open_listeners(library: pj.Endpoint, config: Config, public_address: str) -> dict[str, HostPort]:
    """Open every socket of section ``listen``.

    :returns: ``udp``, ``tcp``, ``tls`` → where it listens, with the real port.
    :raises SipError: an address is in use or not ours, or a certificate cannot be used.
    """
    set_keep_alive(tcp_s=_keep_alive_s(config, "tcp"), tls_s=_keep_alive_s(config, "tls"))
    found = {}
    for name, bind in config.listen.binds.items():
        settings = _settings(bind, public_address)
        if name == "tls" and config.listen.tls is not None:
            _secure(settings.tlsConfig, config.listen.tls)
        port = _listen(library, _KINDS[name], name, settings)
        found[name] = HostPort(bind.host, port)
    return found


def _settings(bind: HostPort, public_address: str) -> pj.TransportConfig:
    settings = pj.TransportConfig()
    settings.port = bind.port
    if bind.host != ANY_ADDRESS:
        settings.boundAddress = bind.host
    if public_address:
        settings.publicAddress = public_address
    return settings


def _secure(settings: pj.TlsConfig, tls: TlsConfig) -> None:
    """One set of rules for both directions: the library takes what we connect out with from the listener."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:  # the library would open the listener all the same, and fail at the first call
        context.load_cert_chain(tls.certificate_file, tls.key_file)
    except (OSError, ssl.SSLError) as exc:
        files = f"{tls.certificate_file} and {tls.key_file}"
        raise SipError(f"listen.tls: certificate and key cannot be used: {files}: {exc}") from exc
    settings.certFile, settings.privKeyFile = str(tls.certificate_file), str(tls.key_file)
    settings.CaListFile = str(tls.ca_file or ssl.get_default_verify_paths().cafile or "")
    settings.verifyServer = tls.verify_peers  # the library's default is not to look
    settings.verifyClient = settings.requireClientCert = tls.require_client_certificate
    settings.proto = _TLS_1_2


def _listen(library: pj.Endpoint, kind: int, name: str, settings: pj.TransportConfig) -> int:
    """Open one; its port."""
    try:
        number = library.transportCreate(kind, settings)
        return int(str(library.transportGetInfo(number).localAddress).rpartition(":")[2])
    except pj.Error as error:
        raise SipError(
            f"listen.{name}: cannot listen on {settings.boundAddress or ANY_ADDRESS}:{settings.port}: "
            f"{error.reason}; stop the program that uses it or choose another port"
        ) from error


def _keep_alive_s(config: Config, transport: str) -> int | None:
    """The shortest pause that a trunk wants: the library knows one for each kind of connection."""
    wanted = [trunk.keep_alive_s for trunk in config.trunks if trunk.transport == transport]
    return min(filter(None, wanted), default=0) if wanted else None


class TlsWatch:
    """Knows every TLS connection, and why the last one failed. SIP thread."""

    def __init__(self, on_failure: Callable[[str, str], None]) -> None:
        """:param on_failure: told the peer's address and port, and the reason in words."""
        self._on_failure = on_failure
        self._connections: dict[str, int] = {}
        """Address and port of the peer → the library's pointer."""
        self.last_problem = ""

    def __repr__(self) -> str:
        return f"TlsWatch({self.last_problem!r})"

    def connection(self, peer: str) -> int | None:
        """The library's pointer to the connection with a peer's address and port; None: there is none."""
        return self._connections.get(peer)

    def changed(self, prm: Any) -> None:
        """The library's ``onTransportState``."""
        if not str(prm.type).startswith("TLS"):
            return
        pointer = int(prm.hnd)
        if prm.state == pj.PJSIP_TP_STATE_CONNECTED:
            self._connections[str(prm.tlsInfo.remoteAddr)] = pointer
            return
        self._connections = {peer: known for peer, known in self._connections.items() if known != pointer}
        if prm.state != pj.PJSIP_TP_STATE_DISCONNECTED or prm.tlsInfo.isEmpty():
            return
        if not prm.tlsInfo.verifyStatus:
            return
        self.last_problem = verification_words(int(prm.tlsInfo.verifyStatus), list(prm.tlsInfo.verifyMsgs))
        self._on_failure(str(prm.tlsInfo.remoteAddr), self.last_problem)


def verification_words(status: int, messages: list[str]) -> str:
    """Why a certificate was refused, and what to do about it."""
    told = "; ".join(messages) or "the certificate was refused"
    remedies = [words for bit, words in _REMEDIES.items() if status & bit]
    return f"{told}: {'; '.join(remedies)}" if remedies else told
