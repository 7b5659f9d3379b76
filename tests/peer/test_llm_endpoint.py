"""A language model over HTTP: streaming, letting go, keys, certificates; the local model steps in."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sipagent.brain.endpoint import EndpointModel
from sipagent.brain.failover import FailoverModel
from sipagent.brain.http_events import Endpoint
from sipagent.brain.types import Message, Primer, Role, SamplingLimits
from sipagent.config.fields import Secret
from sipagent.errors import EngineError, JobCancelled
from sipagent.speech.types import never_cancelled
from tests.fakes.llm import FakeLlm
from tests.fakes.llm_endpoint import LlmEndpoint, words
from tests.peer.certificates import Authority

pytestmark = pytest.mark.peer

PROMPT = "You answer the phone."
HISTORY = [Message(Role.AGENT, "Hello, how can I help?"), Message(Role.CALLER, "Are you open?")]
LIMITS = SamplingLimits(max_tokens=60, deadline_ms=10_000)


def remote(url: str, **keys: Any) -> EndpointModel:
    keys = {"connect_ms": 2000, "first_token_ms": 5000, **keys}
    return EndpointModel(Endpoint(url=url, model="m", **keys), max_calls=2, context_tokens=2048)


def told(model: EndpointModel | FailoverModel, history: list[Message] = HISTORY) -> str:
    conversation = model.open_conversation(PROMPT)
    try:
        return "".join(conversation.reply(history, LIMITS, never_cancelled))
    finally:
        conversation.close()


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come"
        time.sleep(0.01)


def test_the_window_is_sent_in_turn_and_the_user_speaks_first() -> None:
    with LlmEndpoint(words("We are open until five.")) as server:
        model = remote(server.url)
        assert told(model) == "We are open until five."
        model.close()
    body = server.requests[0]
    assert [one["role"] for one in body["messages"]] == ["system", "user", "assistant", "user"]
    assert (body["model"], body["stream"], body["max_tokens"]) == ("m", True, 60)


def test_replies_share_a_connection_and_a_dead_one_is_replaced() -> None:
    with LlmEndpoint(words("Yes.")) as server:
        model = remote(server.url)
        for _ in range(3):
            assert told(model) == "Yes."
            wait_for(lambda: model.is_idle)
        assert server.connections == 1
        idle = model.connections._idle[0]
        assert idle.sock is not None
        idle.sock.shutdown(2)  # as an endpoint that does not wait for ever
        assert told(model) == "Yes."
        assert server.connections == 2
        model.close()


def test_letting_go_closes_the_connection_within_a_word() -> None:
    with LlmEndpoint(words("word " * 500, pause_s=0.02)) as server:
        model = remote(server.url)
        conversation = model.open_conversation(PROMPT)
        seen: list[str] = []
        stream = conversation.reply(HISTORY, LIMITS, lambda: len(seen) >= 3)
        with pytest.raises(JobCancelled):
            seen.extend(stream)
        assert len(seen) == 3
        assert server.broken.acquire(timeout=5), "the endpoint was left to go on"
        assert server.pieces_sent < 100
        wait_for(lambda: model.is_idle)
        model.close()


def test_a_first_word_that_does_not_come_is_an_error_before_the_whole_deadline() -> None:
    with LlmEndpoint(words("Too late.", first_s=3)) as server:
        model = remote(server.url, first_token_ms=200)
        began_s = time.monotonic()
        with pytest.raises(EngineError, match="200 ms"):
            told(model)
        assert time.monotonic() - began_s < 2.5
        model.close()


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 301])
def test_a_refusal_is_one_line_without_the_key(status: int) -> None:
    with LlmEndpoint(words("-"), api_key="k3y-that-is-right") as server:
        server.status = status
        server.error_text = "bad key sk-wrong-0815, try again"
        key = "sk-wrong-0815" if status == 401 else "k3y-that-is-right"
        model = remote(server.url, api_key=Secret(key))
        with pytest.raises(EngineError, match=f": {status}: ") as caught:
            told(model)
        model.close()
    assert key not in str(caught.value)
    assert "sk-wrong-0815" not in repr(model.endpoint)
    assert "\n" not in str(caught.value)


def test_a_stream_that_breaks_off_or_talks_nonsense_is_an_error() -> None:
    def breaking(_: dict[str, Any]) -> Iterator[str]:
        yield "We are"
        raise OSError("gone")

    with LlmEndpoint(breaking) as server:
        model = remote(server.url)
        conversation = model.open_conversation(PROMPT)
        stream = conversation.reply(HISTORY, LIMITS, never_cancelled)
        assert next(stream).startswith("We")
        with pytest.raises(EngineError):
            list(stream)
        model.close()


def test_only_a_certificate_of_the_right_authority_is_believed(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "a", "A"), Authority(tmp_path / "b", "B")
    authority.issue("endpoint", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "a" / "endpoint.crt", tmp_path / "a" / "endpoint.key")
    with LlmEndpoint(words("Yes."), tls=context) as server:
        model = remote(server.url, ca_file=authority.file)
        assert told(model) == "Yes."
        model.close()
        for ca_file in (stranger.file, None):
            model = remote(server.url, ca_file=ca_file)
            with pytest.raises(EngineError, match="not trusted"):
                told(model)
            model.close()


def test_the_local_model_steps_in_within_the_turn_and_the_endpoint_comes_back() -> None:
    local = FakeLlm(lambda messages: "Local words.")
    with LlmEndpoint(words("Remote words.")) as server:
        model = FailoverModel(remote(server.url, first_token_ms=500), local, probe_s=0.05)
        assert told(model) == "Remote words."
        server.status = 503
        assert told(model) == "Local words."
        asked = len(server.requests)
        assert not model.health.is_up
        assert told(model) == "Local words."
        server.status = 200
        wait_for(lambda: model.health.is_up)
        assert len(server.requests) > asked
        assert told(model) == "Remote words."
        server.answer = words("Late words.", first_s=2)
        assert told(model) == "Local words."
        model.close()


def test_nobody_listening_costs_no_turn() -> None:
    with LlmEndpoint(words("-")) as server:
        url = server.url
    model = FailoverModel(remote(url), FakeLlm(lambda messages: "Local words."), probe_s=60)
    assert told(model) == "Local words."
    model.close()


def test_what_fails_after_its_first_word_is_not_begun_again() -> None:
    def breaking(_: dict[str, Any]) -> Iterator[str]:
        yield "We are open"
        yield " until"
        raise OSError("gone")

    with LlmEndpoint(breaking) as server:
        model = FailoverModel(remote(server.url), FakeLlm(lambda messages: "Local words."), probe_s=60)
        conversation = model.open_conversation(PROMPT)
        pieces: list[str] = []
        with pytest.raises(EngineError):
            pieces.extend(conversation.reply(HISTORY, LIMITS, never_cancelled))
        assert "Local" not in "".join(pieces)
        assert not model.health.is_up
        conversation.close()
        model.close()


def test_the_local_model_tells_whether_the_callers_sentence_is_over() -> None:
    scores: list[float] = []
    with LlmEndpoint(words("Yes.")) as server:
        model = FailoverModel(remote(server.url), FakeLlm(), probe_s=60)
        conversation = model.open_conversation(PROMPT)
        half = [Message(Role.CALLER, "My number is")]
        list(conversation.reply(half, LIMITS, never_cancelled, on_end_scored=scores.append))
        conversation.close()
        model.close()
    assert scores == [0.0]


def test_labels_are_read_by_structured_output_and_checked() -> None:
    with LlmEndpoint(words('{"label":"price"}')) as server:
        model = remote(server.url)
        reader = model.open_reader(Primer("Notes."))
        text = "Caller: what is it?\nWants:"
        assert reader.read(text, "-", never_cancelled, choices=["price", "hours"]) == "price"
        schema = server.requests[0]["response_format"]["json_schema"]["schema"]
        assert schema["properties"]["label"]["enum"] == ["price", "hours"]
        assert reader.read(text, 'root ::= "x"', never_cancelled) == ""
        with pytest.raises(EngineError, match="schema"):
            reader.read(text, "-", never_cancelled, choices=["hours"])
        server.answer = words("Well, I think it is the price.")
        with pytest.raises(EngineError, match="JSON"):
            reader.read(text, "-", never_cancelled, choices=["price"])
        model.close()
