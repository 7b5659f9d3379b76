"""Agents that several tests share."""

from collections.abc import Iterator

import pytest

from sipagent.lab.agent_process import free_udp_port
from tests.peer.running_agent import RunningAgent, running_agent

BRIDGING_HOST, TONES_HOST, INFO_HOST = "127.0.0.2", "127.0.0.3", "127.0.0.4"
"""Addresses of trunks with habits of their own."""
CONNECTING, NOT_CONNECTED = "One moment.", "Nobody is there."
HOLD_LIMIT_S = 7


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    """For all the tests that need no settings of their own."""
    with running_agent(tmp_path_factory.mktemp("agent")) as started:
        yield started


def trunk(name: str, host: str, **habits: object) -> dict[str, object]:
    return {"name": name, "domain": host, "allow_from": [f"{host.partition(':')[0]}/32"], **habits}


@pytest.fixture(scope="session")
def desk_port() -> int:
    """Where ``trunks_agent`` hands calls to."""
    return free_udp_port()


@pytest.fixture(scope="session")
def sick_port() -> int:
    """Of a carrier that has no room for calls of ``trunks_agent``."""
    return free_udp_port()


@pytest.fixture(scope="session")
def trunks_agent(
    tmp_path_factory: pytest.TempPathFactory, desk_port: int, sick_port: int
) -> Iterator[RunningAgent]:
    """With a trunk for each way of sending keys, one that takes no REFER, keys that hand calls over, and the
    carriers for that."""
    way = {"options_s": 0, "reply_ms": 2000, "caller_id": "+15550100999"}
    trunks = [
        trunk("bridging", BRIDGING_HOST, refer=False),
        trunk("tones", TONES_HOST, dtmf="inband"),
        trunk("info", INFO_HOST, dtmf="info"),
        trunk("usual", "127.0.0.1"),
        trunk("first", f"127.0.0.1:{sick_port}", prefixes=["+1555*"], **way),
        trunk("second", f"127.0.0.1:{desk_port}", prefixes=["+15*"], p_asserted_identity=True, **way),
    ]
    persona = "personas.receptionist"
    changes: dict[str, object] = {
        "trunks": trunks,
        "limits.hold_s": HOLD_LIMIT_S,
        "limits.outbound.allow": ["desk", "+1555*"],
        f"{persona}.no_input.after_ms": 4000,
        f"{persona}.connecting": CONNECTING,
        f"{persona}.not_connected": NOT_CONNECTED,
        f"{persona}.transfer": {"desk": f"sip:desk@127.0.0.1:{desk_port}", "far": "+15550177"},
        f"{persona}.keys": {
            "0": {"transfer": "desk"},
            "9": {"transfer": "desk", "mode": "attended"},
            "8": {"transfer": "far"},
        },
    }
    with running_agent(tmp_path_factory.mktemp("trunks"), changes) as started:
        yield started
