"""The server's own web page for machines: ``/healthz``, ``/readyz``, ``/metrics``.

For the parent process alone, which speaks no SIP and loads no model: whoever asks costs a call nothing.
There is a limit to how many ask at a time and to how long one may take.
"""

import contextlib
import errno
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from sipagent import __version__
from sipagent.config.fields import HostPort
from sipagent.config.schema import Config
from sipagent.errors import ConfigError, SipAgentError
from sipagent.web.events import EventPipe
from sipagent.web.metrics import ServerMetrics

MOST_CONNECTIONS = 16
LONGEST_REQUEST_S = 5.0
_JSON, _TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"
StatusSource = Callable[[], Mapping[str, object]]
"""The supervisor's ``status``. Of it ``ready`` (bool) and ``reason`` (str) are looked at, where present."""


class ConsoleError(SipAgentError):
    """The console's socket cannot be opened."""


class HealthServer:
    """Feeds the metrics and serves them. ``start``, then ``close``; both in the process that made it."""

    def __init__(
        self,
        bind: HostPort,
        *,
        events: EventPipe,
        metrics: ServerMetrics,
        status: StatusSource = dict,
    ) -> None:
        """:param status: asked at every ``/readyz``; must not wait for anything."""
        self._bind = bind
        self._events = events
        self._metrics = metrics
        self._status = status
        self._began_s = time.monotonic()
        self._http: _Server | None = None
        self._threads: list[threading.Thread] = []

    def __repr__(self) -> str:
        return f"HealthServer({self.address if self._http else self._bind})"

    @property
    def address(self) -> HostPort:
        """Where it listens."""
        assert self._http is not None
        host, port = self._http.socket.getsockname()
        return HostPort(host, port)

    def start(self) -> None:
        """:raises ConsoleError: the socket cannot be opened; the line says why."""
        try:
            self._http = _Server((self._bind.host, self._bind.port), self.page)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "is in use; stop who has it or choose another port" if taken else f": {error.strerror}"
            raise ConsoleError(f"{self._bind} {reason}") from None
        self._threads = [
            threading.Thread(target=self._http.serve_forever, name="console", daemon=True),
            threading.Thread(target=self._count, name="metrics", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop listening and counting. Idempotent."""
        if self._http is None:
            return
        self._http.shutdown()
        self._http.server_close()
        self._http = None
        self._events.stop()
        for thread in self._threads:
            thread.join(LONGEST_REQUEST_S)

    def page(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body of a request."""
        match path.partition("?")[0]:
            case "/healthz":
                uptime_s = round(time.monotonic() - self._began_s)
                return _json(200, {"status": "ok", "version": __version__, "uptime_s": uptime_s})
            case "/readyz":
                why_not = self.why_not_ready()
                return _json(503 if why_not else 200, {"ready": not why_not, "reason": why_not or ""})
            case "/metrics":
                return 200, _TEXT, self._metrics.text()
        return _json(404, {"error": "there are /healthz, /readyz and /metrics"})

    def why_not_ready(self) -> str | None:
        """Why no call can be taken now; None: one can."""
        status = self._status()
        if status.get("ready") is False:
            return str(status.get("reason") or "the supervisor is not ready")
        return self._metrics.workers.why_not_ready()

    def _count(self) -> None:
        while message := self._events.receive():
            self._metrics.observe(message)


def open_console(
    config: Config, events: EventPipe, log: structlog.stdlib.BoundLogger, *, status: StatusSource = dict
) -> HealthServer | None:
    """The console of a configuration, started; None where it is off.

    :raises ConfigError: its socket cannot be opened.
    """
    if config.console is None:
        events.close()
        return None
    ledger_dir = config.ledger.dir if config.ledger.enabled else None
    metrics = ServerMetrics(instance=config.instance, ledger_dir=ledger_dir)
    server = HealthServer(config.console.bind, events=events, metrics=metrics, status=status)
    try:
        server.start()
    except ConsoleError as error:
        raise ConfigError([f"{config.source.at('console.bind')}: {error}"]) from error
    log.info("console.opened", address=str(server.address))
    return server


def _json(status: int, body: Mapping[str, Any]) -> tuple[int, str, bytes]:
    return status, _JSON, json.dumps(body).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    """A bounded number of connections, each for a bounded time."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, address: tuple[str, int], page: Callable[[str], tuple[int, str, bytes]]) -> None:
        self.page = page
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks DNS for this machine's name

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            is_full = len(self._open) >= MOST_CONNECTIONS
            if not is_full:
                self._open[request] = time.monotonic()
        if is_full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().close_request(request)

    def service_actions(self) -> None:
        """Twice a second: end the connections of those who are too slow."""
        oldest_s = time.monotonic() - LONGEST_REQUEST_S
        with self._lock:
            for request, began_s in self._open.items():
                if began_s < oldest_s:
                    with contextlib.suppress(OSError):  # its thread may be closing it
                        request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's concern."""


class _Handler(BaseHTTPRequestHandler):
    """One request a connection."""

    timeout = LONGEST_REQUEST_S
    server: _Server
    server_version, sys_version = "sipagent", ""

    def do_GET(self) -> None:
        try:
            status, kind, body = self.server.page(self.path)
        except Exception as error:  # a fault of ours must be seen where health is looked at
            status, kind, body = _json(500, {"error": type(error).__name__})
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes do not belong into the log."""
