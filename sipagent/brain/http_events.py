"""POST requests whose answers are streams of server-sent events, and can be let go of at any moment.

::

    reply's thread: EventStream.start … next_event … stop
    its own thread: connect ─▶ TLS ─▶ request ─▶ read lines ─▶ events ─▶ keep the connection, or close it

The thread is what makes letting go possible: it alone waits for the network, and ``stop`` shuts its socket.
Neither redirects nor proxies are followed: words of callers go to the endpoint that is configured.
"""

import json
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sipagent.config.fields import Secret
from sipagent.errors import EngineError

_LONGEST_LINE_BYTES = 1 << 20
_LONGEST_ERROR_BYTES = 4000
_SHOWN_ERROR_CHARS = 160
_KEPT_CONNECTIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible endpoint."""

    url: str
    """Beginning of its addresses, as ``https://llm.example.com/v1``."""
    model: str
    """The model's name there."""
    api_key: Secret | None = None
    """Sent as a bearer token; None: no key."""
    ca_file: Path | None = None
    """Certificates that it is verified by; None: the system's."""
    connect_ms: int = 1000
    """Time for the connection, TLS included."""
    first_token_ms: int = 2500
    """Time for the first word of a reply."""
    length_key: str = "max_tokens"
    """How it calls the longest reply."""


class Connections:
    """Connections to one endpoint; those that are done are kept for the next reply. Any thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        """:raises EngineError: the certificates cannot be used."""
        parts = urlsplit(endpoint.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._timeout_s = endpoint.connect_ms / 1000
        self._path = parts.path.rstrip("/")
        self._tls = _tls_context(endpoint.ca_file) if parts.scheme == "https" else None
        self._lock = threading.Lock()
        self._idle: list[HTTPConnection] = []
        self._is_closed = False

    def path(self, name: str) -> str:
        """The address of a resource below the endpoint's."""
        return f"{self._path}/{name}"

    def take(self) -> tuple[HTTPConnection, bool]:
        """(a connection, whether it has been used before and may be stale)."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        return self.fresh(), False

    def fresh(self) -> HTTPConnection:
        """A connection that has not been made yet."""
        if self._tls is not None:
            return _TlsConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)
        return _PlainConnection(self._host, self._port, timeout=self._timeout_s)

    def give_back(self, connection: HTTPConnection) -> None:
        """Its answer was read to the end."""
        with self._lock:
            if not self._is_closed and len(self._idle) < _KEPT_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close those that are kept. Idempotent."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class EventStream:
    """One request and its answer. ``start`` once; ``stop`` from any thread.

    :param read_s: longest silence of the endpoint.
    """

    def __init__(
        self, endpoint: Endpoint, connections: Connections, body: dict[str, Any], *, read_s: float
    ) -> None:
        self._endpoint = endpoint
        self._connections = connections
        self._body = json.dumps(body, ensure_ascii=False).encode()
        self._read_s = read_s
        self._events: queue.SimpleQueue[dict[str, Any] | EngineError | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._connection: HTTPConnection | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="llm-http", daemon=True)

    def start(self) -> None:
        """Send the request."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """The endpoint may still be sending."""
        return self._thread.is_alive()

    def next_event(self, timeout_s: float) -> dict[str, Any] | None:
        """The next event; None: the answer is complete.

        :raises queue.Empty: nothing within ``timeout_s``.
        :raises EngineError: the endpoint or the way to it failed.
        """
        item = self._events.get(timeout=timeout_s)
        if isinstance(item, EngineError):
            raise item
        return item

    def stop(self) -> None:
        """Let go: the connection is shut, the endpoint need not go on. Idempotent; does not wait."""
        with self._lock:
            self._is_stopped = True
            sock = None if self._connection is None else self._connection.sock
        if sock is not None:
            with suppress(OSError):  # the endpoint was quicker
                sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        end: EngineError | None = None
        try:
            self._exchange()
        except (OSError, HTTPException, ValueError) as error:
            end = EngineError(f"llm.openai: {self._endpoint.url}: {_told(error)}")
        except EngineError as error:
            end = error
        self._events.put(end)

    def _exchange(self) -> None:
        connection, response = self._answered()
        try:
            if response.status != 200:
                raise EngineError(self._refusal(response))
            for data in _sse_data(response):
                self._events.put(None if data is None else _event(data))
            if not response.will_close and response.isclosed() and not self._is_stopped:
                self._forget()
                self._connections.give_back(connection)
                return
        finally:
            if self._forget():
                response.close()
                connection.close()

    def _answered(self) -> tuple[HTTPConnection, HTTPResponse]:
        """The answer's beginning. A kept connection that the endpoint has closed is replaced once."""
        connection, may_be_stale = self._connections.take()
        try:
            return connection, self._send(connection)
        except (ConnectionError, HTTPException):
            connection.close()
            if not may_be_stale or self._is_stopped:
                raise
        connection = self._connections.fresh()
        try:
            return connection, self._send(connection)
        except (OSError, HTTPException):
            connection.close()
            raise

    def _send(self, connection: HTTPConnection) -> HTTPResponse:
        if connection.sock is None:
            connection.connect()
        connection.sock.settimeout(self._read_s)
        with self._lock:
            if self._is_stopped:
                raise ConnectionError("stopped")
            self._connection = connection
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        if self._endpoint.api_key is not None:
            headers["Authorization"] = f"Bearer {self._endpoint.api_key.reveal()}"
        connection.request("POST", self._connections.path("chat/completions"), self._body, headers)
        return connection.getresponse()

    def _forget(self) -> bool:
        """The connection is not to be shut any more. False: that was known."""
        with self._lock:
            was_known, self._connection = self._connection is not None, None
        return was_known

    def _refusal(self, response: HTTPResponse) -> str:
        """What a status other than 200 means. The key never stands in it, whatever the endpoint repeats."""
        where = f"llm.openai: {self._endpoint.url}"
        match response.status:
            case 401 | 403:
                return f"{where}: {response.status}: the key is refused; see llm.openai.api_key_env"
            case status if 300 <= status < 400:
                return f"{where}: {status}: it points elsewhere; name the final address in llm.openai.url"
            case 404:
                hint = f"no chat/completions there, or no model {self._endpoint.model!r}"
                return f"{where}: 404: {hint}; see llm.openai.url and model"
            case status:
                text = _message_of(response.read(_LONGEST_ERROR_BYTES))
                key = self._endpoint.api_key
                text = text.replace(key.reveal(), "***") if key is not None else text
                return f"{where}: {status}: {text}"


class _PlainConnection(HTTPConnection):
    """Over IPv4 alone, as everything in this program."""

    def connect(self) -> None:
        self.sock = _connected(self.host, self.port, self.timeout)


class _TlsConnection(HTTPSConnection):
    """The same with TLS, the endpoint's name verified."""

    def __init__(self, host: str, port: int | None, *, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._tls = context

    def connect(self) -> None:
        plain = _connected(self.host, self.port, self.timeout)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        except Exception:
            plain.close()
            raise


def _connected(host: str, port: int, timeout_s: float | None) -> socket.socket:
    """:raises OSError: nobody takes the connection; the last reason."""
    last: OSError = ConnectionError("the name has no IPv4 address")
    for *_, address in socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(timeout_s)
        try:
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    raise last


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise EngineError(f"llm.openai.ca_file: {ca_file} cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _sse_data(response: HTTPResponse) -> Iterator[str | None]:
    """The data of each event (WHATWG HTML §9.2.6), None where they are complete; goes on to the end of the
    answer. A plain JSON answer, as servers give that do not stream, is one event.

    :raises EngineError: a line beyond all measure, or the answer breaks off.
    """
    is_stream = "event-stream" in (response.headers.get("Content-Type") or "")
    if not is_stream:
        yield response.read(_LONGEST_LINE_BYTES).decode(errors="replace")
        response.read()
        return
    is_done = False
    while line := response.readline(_LONGEST_LINE_BYTES):
        if len(line) >= _LONGEST_LINE_BYTES:
            raise EngineError("llm.openai: the endpoint sends lines without end")
        field, _, data = line.decode(errors="replace").rstrip("\r\n").partition(":")
        if field != "data" or is_done:
            continue
        is_done = data.strip() == "[DONE]"
        yield None if is_done else data.strip()
    if not is_done:
        raise EngineError("llm.openai: the endpoint broke off in the middle of an answer")


def _event(data: str) -> dict[str, Any]:
    """:raises EngineError: no JSON object, or the endpoint tells of an error in the stream."""
    try:
        event = json.loads(data)
    except ValueError:
        raise EngineError(f"llm.openai: the endpoint sent no JSON: {data[:_SHOWN_ERROR_CHARS]!r}") from None
    if not isinstance(event, dict):
        raise EngineError(f"llm.openai: expected an object, got {data[:_SHOWN_ERROR_CHARS]!r}")
    if event.get("error"):
        raise EngineError(f"llm.openai: the endpoint failed: {_message_of(data.encode())}")
    return event


def _message_of(body: bytes) -> str:
    """The message of an error's JSON, or the beginning of what else came."""
    text = body.decode(errors="replace")
    try:
        told = json.loads(text)["error"]
        text = str(told["message"] if isinstance(told, dict) else told)
    except (ValueError, KeyError, TypeError):
        pass
    return " ".join(text.split())[:_SHOWN_ERROR_CHARS] or "no reason given"


def _told(error: Exception) -> str:
    """In words that name the remedy where there is one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); see llm.openai.ca_file"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
