"""An OpenAI-compatible server on loopback, over any language model of ours or with scripted answers."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sipagent.brain.types import LanguageModel, Message, Role, SamplingLimits
from sipagent.errors import JobCancelled

Answer = Callable[[dict[str, Any]], Iterator[str]]
"""A request → the pieces of the answer."""


class LlmEndpoint:
    """``with LlmEndpoint(answer) as endpoint: … endpoint.url``.

    :param answer: makes the pieces; what it raises ends the connection in the middle of the stream.
    :param api_key: that requests must bring; None: any.
    :param tls: certificate chain and key; None: plain HTTP.

    ``requests`` lists the bodies, ``broken`` counts answers that the client did not wait for.
    """

    def __init__(
        self, answer: Answer, *, api_key: str | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer
        self.api_key = api_key
        self.status = 200
        self.error_text = "nothing works today"
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        self.pieces_sent = 0
        self.broken = threading.Semaphore(0)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def setup(self) -> None:
                endpoint.connections += 1
                super().setup()

            def log_message(self, *_: Any) -> None: ...

            def do_POST(self) -> None:
                endpoint._post(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        origin = "http://127.0.0.1"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            origin = "https://localhost"
        self.url = f"{origin}:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "LlmEndpoint":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.requests.append(body)
        key = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        status = 401 if self.api_key is not None and key != self.api_key else self.status
        if handler.path != "/v1/chat/completions":
            status = 404
        if status != 200:
            self._refuse(handler, status)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            for piece in self.answer(body):
                delta = {"choices": [{"index": 0, "delta": {"content": piece}}]}
                self._chunk(handler, f"data: {json.dumps(delta)}\n\n")
                self.pieces_sent += 1
            self._chunk(handler, "data: [DONE]\n\n")
            handler.wfile.write(b"0\r\n\r\n")
        except (OSError, JobCancelled):
            self.broken.release()
            handler.close_connection = True

    def _chunk(self, handler: BaseHTTPRequestHandler, text: str) -> None:
        data = text.encode()
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _refuse(self, handler: BaseHTTPRequestHandler, status: int) -> None:
        data = json.dumps({"error": {"message": self.error_text}}).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


def words(text: str, *, pause_s: float = 0.0, first_s: float = 0.0) -> Answer:
    """Says ``text`` word by word."""

    def answer(_: dict[str, Any]) -> Iterator[str]:
        time.sleep(first_s)
        for n, word in enumerate(text.split()):
            yield word if n == 0 else f" {word}"
            time.sleep(pause_s)

    return answer


def spoken_by(model: LanguageModel, *, pause_s: float = 0.0) -> Answer:
    """Lets a model of ours answer, each request in a conversation of its own."""

    def answer(body: dict[str, Any]) -> Iterator[str]:
        prompt, *history = body["messages"]
        conversation = model.open_conversation(prompt["content"])
        try:
            limits = SamplingLimits(max_tokens=body["max_tokens"], temperature=body["temperature"])
            for piece in conversation.reply(_messages(history), limits, lambda: False):
                yield piece
                time.sleep(pause_s)
        finally:
            conversation.close()

    return answer


def _messages(history: Sequence[dict[str, str]]) -> list[Message]:
    return [Message(Role(one["role"]), one["content"]) for one in history]
