"""One agent for all the tests that need no settings of their own."""

from collections.abc import Iterator

import pytest

from tests.peer.running_agent import RunningAgent, running_agent


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as started:
        yield started
