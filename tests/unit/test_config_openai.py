"""Section ``llm.openai``: what it takes, what it refuses."""

from pathlib import Path

import pytest

from sipagent.config.openai import OpenAiConfig
from sipagent.config.schema import LlmConfig

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "url",
    [
        "https://llm.example.com/v1",
        "https://llm.example.com:8443/v1/",
        "http://127.0.0.1:8000/v1",
        "http://10.0.0.5:8000/v1",
        "http://gpu-box:8000/v1",
        "http://gpu.home.arpa/v1",
    ],
)
def test_addresses_that_will_do(url: str) -> None:
    assert not list(OpenAiConfig(url=url, model="m").check())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("llm.example.com/v1", "expected https"),
        ("ftp://llm.example.com", "expected https"),
        ("http://llm.example.com/v1", "https only"),
        ("http://8.8.8.8/v1", "https only"),
        ("https://user:pa55@llm.example.com/v1", "api_key_env"),
        ("https://llm.example.com/v1?key=1", "api_key_env"),
        ("https://llm.example.com:99999/v1", "no address"),
    ],
)
def test_addresses_that_will_not(url: str, told: str) -> None:
    problems = dict(OpenAiConfig(url=url, model="m").check())
    assert told in problems["url"]
    assert "pa55" not in problems["url"]


def test_a_key_has_one_source() -> None:
    two = OpenAiConfig(url="https://a.example/v1", model="m", api_key_env="A", api_key_file=Path("b"))
    assert "give one of" in dict(two.check())["api_key_env"]


def test_the_section_goes_with_the_engine() -> None:
    endpoint = OpenAiConfig(url="https://a.example/v1", model="m")
    assert "needed" in dict(LlmConfig(engine="openai").check())["openai"]
    assert "only" in dict(LlmConfig(openai=endpoint).check())["openai"]
    assert not list(LlmConfig(engine="openai", openai=endpoint).check())
    assert "deadline_ms" in dict(LlmConfig(engine="openai", openai=endpoint, deadline_ms=3000).check())
