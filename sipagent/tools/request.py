"""A tool over HTTP: one request, bounded in time and size. No redirect is followed, no proxy is asked."""

import contextlib
import http.client
import json
import math
import socket
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from sipagent.call.tool_port import Json
from sipagent.config.tools import HttpConfig
from sipagent.errors import ToolError
from sipagent.tools.process import MOST_OUTPUT_BYTES
from sipagent.units import monotonic_ms


def request(config: HttpConfig, given: Mapping[str, object], *, until_ms: int) -> bytes:
    """Ask, and return the answer's body.

    :param given: ``arguments`` and ``call``; the arguments alone go into the query of a GET.
    :param until_ms: on the monotonic clock; the connection is cut then.
    :raises ToolError: no connection, no answer in time, a status other than 2xx, or too long an answer.
    """
    parts = urlsplit(config.url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(config.host, parts.port, timeout=_left_s(until_ms))
    watch = _Watch()
    try:
        target, body = _target_and_body(config, given)
        connection.connect()
        watch.start(connection.sock, _left_s(until_ms))
        connection.request(config.method, target, body, _headers(config, body))
        found = _body_of(connection.getresponse())
        problem = ""
    except ToolError as error:
        problem = str(error)
    except TimeoutError:
        problem = "took too long"
    except (OSError, http.client.HTTPException) as exc:
        problem = f"{config.host}: {_words(exc)}"
    finally:
        watch.stop()
        connection.close()
    if watch.has_cut or problem:
        raise ToolError("took too long" if watch.has_cut else problem)
    return found


class _Watch:
    """Cuts a connection when its time is up, however slowly the peer goes on sending."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None
        self._sock: socket.socket | None = None
        self.has_cut = False

    def start(self, sock: socket.socket, after_s: float) -> None:
        self._sock = sock
        self._timer = threading.Timer(after_s, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self) -> None:
        assert self._sock is not None
        self.has_cut = True
        with contextlib.suppress(OSError):  # it has ended by itself at this moment
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # TLS's own would not wake the reader


def _left_s(until_ms: int) -> float:
    return max(until_ms - monotonic_ms(), 1) / 1000


def _target_and_body(config: HttpConfig, given: Mapping[str, object]) -> tuple[str, bytes | None]:
    parts = urlsplit(config.url)
    target = parts.path or "/"
    arguments = given["arguments"]
    assert isinstance(arguments, dict)
    query = parts.query
    body: bytes | None = json.dumps(given).encode()
    if config.method == "GET":
        query, body = "&".join(filter(None, (query, urlencode(arguments)))), None
    return (f"{target}?{query}" if query else target), body


def _headers(config: HttpConfig, body: bytes | None) -> dict[str, str]:
    headers = {"Accept": "application/json", "User-Agent": "sipagent", **config.headers}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if config.token is not None:
        token = config.token.reveal()
        is_bearer = config.token_header.lower() == "authorization"
        headers[config.token_header] = f"Bearer {token}" if is_bearer else token
    return headers


def _body_of(response: http.client.HTTPResponse) -> bytes:
    if 300 <= response.status < 400:
        raise ToolError(f"HTTP {response.status}: redirects are not followed; give the right url")
    if response.status // 100 != 2:
        raise ToolError(f"HTTP {response.status}")
    body = response.read(MOST_OUTPUT_BYTES + 1)
    if len(body) > MOST_OUTPUT_BYTES:
        raise ToolError(f"answered more than {MOST_OUTPUT_BYTES} bytes")
    if response.length:
        raise ToolError("the answer was cut short")
    return body


def _words(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {exc.verify_message}"
    if isinstance(exc, http.client.HTTPException):
        return f"no proper HTTP answer: {type(exc).__name__}"
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__


def parse_object(data: bytes) -> Json:
    """A JSON object that the ledger can hold: no NaN, no half characters, no numbers beyond 2^53.

    :raises ToolError: it is none.
    """
    try:
        found = json.loads(data, parse_constant=_refused, parse_int=_whole, parse_float=_finite)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ToolError(f"returned no JSON ({len(data)} bytes)") from None
    if not isinstance(found, dict):
        raise ToolError(f"returned {type(found).__name__} instead of a JSON object")
    return found


def _refused(word: str) -> object:
    raise ValueError(word)


def _whole(text: str) -> int:
    if len(text) > 16 or abs(int(text)) > 2**53:
        raise ValueError(text)
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
