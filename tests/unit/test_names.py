"""Names of peers: what stays known while the name server is away."""

import socket
import time
from typing import Any

import pytest

from sipagent.sip.names import Known, NameWatch, _look_up

pytestmark = pytest.mark.unit

HOUR_S = 3600.0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Name → address, as the system finds them."""
    found: dict[str, str] = {}

    def look_up(host: str, *_: Any) -> list[Any]:
        if host not in found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found[host], 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return found


def test_an_address_outlives_its_name_server_for_an_hour(server: dict[str, str]) -> None:
    server["pbx"] = "192.0.2.1"
    known = _look_up("pbx", Known(), 100.0)
    assert (known.address, known.problem) == ("192.0.2.1", "")
    del server["pbx"]
    assert _look_up("pbx", known, 100.0 + HOUR_S - 1) is known
    lost = _look_up("pbx", known, 100.0 + HOUR_S)
    assert (lost.address, lost.problem) == ("", "the name pbx is not found: Name or service not known")
    server["pbx"] = "192.0.2.2"
    assert _look_up("pbx", lost, 9000.0).address == "192.0.2.2", "it has moved"


def test_a_name_that_nobody_has_asked_for_is_looked_up_soon(server: dict[str, str]) -> None:
    server["contact"] = "192.0.2.3"
    names = NameWatch(["pbx"])
    assert names.problem_of("pbx") is None
    assert names.ask("contact") == Known()
    names.start()
    deadline_s = time.monotonic() + 10
    while names.ask("contact").problem is None and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert names.ask("contact").address == "192.0.2.3"
    assert "not found" in (names.problem_of("pbx") or "")
    names.close()
    names._thread.join(5)


def test_names_that_a_peer_makes_up_do_not_fill_the_memory() -> None:
    names = NameWatch([])
    told = [names.ask(f"host-{number}") for number in range(100)]
    assert told[-1].problem == "too many names"
    assert len(names._known) == 64
