"""``sipagent call``: a phone is rung over TLS with SRTP and greeted, and the exit status tells."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sipagent.ledger import Kind, LedgerReader
from sipagent.media.wav import read_wav_channels
from tests.peer.carrier import CARRIER_PASSWORD, Ports, carrier, certified_folder, free_ports, phone
from tests.peer.running_agent import ROOT, write_config

pytestmark = pytest.mark.peer

NUMBER = "+15550100123"
GREETING = "Hello {name}, this is Maple Street Dental. Your cleaning is on {day}."


def reminder_config(folder: Path, ports: Ports, **outbound: Any) -> Path:
    """A persona with variables, and the carrier of the tests."""
    auth = {"username": "maple", "password_env": "TEST_CARRIER_PASSWORD"}
    trunk: dict[str, Any] = {
        "name": "main",
        "domain": f"localhost:{ports.carrier_tls}",
        "allow_from": ["127.0.0.1/32"],
    }
    trunk |= {"transport": "tls", "srtp": "mandatory", "auth": auth, "caller_id": "+15550100999"}
    tls = {"certificate_file": str(folder / "agent.pem"), "key_file": str(folder / "agent.key")}
    tls |= {"bind": f"127.0.0.1:{ports.agent_tls}", "ca_file": str(folder / "ca.pem")}
    changes: dict[str, Any] = {
        "trunks": [trunk],
        "listen.tls": tls,
        "limits.outbound": {"allow": ["+1555*"], "ring_s": 5, **outbound},
        "personas.receptionist.greeting": GREETING,
        "personas.receptionist.variables": {"day": "Friday"},
        "numbers": [{"match": "*", "persona": "front"}],
        "personas.front": {
            "greeting": "Hello.",
            "prompt_file": str(ROOT / "prompts" / "receptionist.md"),
        },
    }
    return write_config(folder, changes)


class Command:
    """The command under way; its log goes to a file."""

    def __init__(self, config: Path, *words: str, number: str = NUMBER) -> None:
        self._log = config.parent / "call.log"
        command = [sys.executable, "-m", "sipagent", "call", number, "-c", str(config)]
        command += ["--persona", "receptionist", "--json", "--log-format", "json", "--log-level", "info"]
        self._process = subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, stderr=self._log.open("w"), text=True
        )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for(self, is_there: Callable[[str], bool], timeout_s: float = 90) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not is_there(self.log):
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline_s, self.log
            time.sleep(0.05)

    def end(self) -> tuple[int, dict[str, Any]]:
        """Exit status and what was printed."""
        printed, _ = self._process.communicate(timeout=60)
        return self._process.returncode, json.loads(printed)


def test_phone_is_called_greeted_and_hangs_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_CARRIER_PASSWORD", CARRIER_PASSWORD)
    folder, ports = certified_folder(tmp_path), free_ports()
    config = reminder_config(folder, ports)
    with (
        carrier(folder, ports, algorithm="SHA-256"),
        phone(folder / "phone", ports.phone, encryption="srtp-mand", is_silent=True) as called,
    ):
        command = Command(config, "--var", "name=Ann")
        command.wait_for(lambda log: '"event": "turn.spoken"' in log)
        recording = called.hang_up()
        status, told = command.end()
    assert (status, told["outcome"], told["trunk"]) == (0, "answered", "main"), command.log
    assert told["reason"] == "caller hung up"
    assert told["talk_ms"] > 2000
    for words in ("loading the models", "dialling via main", "ringing (main)", "talking (main)"):
        assert f"{NUMBER}: {words}" in command.log
    (pcm,), _ = read_wav_channels(recording)
    assert np.abs(pcm.astype(np.int32)).max() > 3000, "the phone has heard no greeting"

    entries = [one.entry for one in LedgerReader(folder / "ledger", None).entries()]
    (started,) = (entry.body for entry in entries if entry.kind == Kind.CALL_STARTED)
    assert (started["direction"], started["trunk"], started["persona"]) == ("out", "main", "receptionist")
    kinds = [entry.kind for entry in entries if entry.call_id == told["call_id"]]
    for kind in (Kind.CALL_STARTED, Kind.CALL_ANSWERED, Kind.CALL_ENDED):
        assert kinds.count(kind) == 1, kind
    milestones = [entry.body["name"] for entry in entries if entry.kind == Kind.CALL_MILESTONE]
    assert milestones == ["dialled", "ringing", "connected"]
    count = json.loads((folder / "outbound-count.json").read_text())
    assert count["calls"] == 1


def test_busy_phone_gives_its_own_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_CARRIER_PASSWORD", CARRIER_PASSWORD)
    folder, ports = certified_folder(tmp_path), free_ports()
    config = reminder_config(folder, ports)
    with carrier(folder, ports, algorithm="MD5"):
        command = Command(config, "--var", "name=Ann", "--no-ledger", number="+1555777486")
        status, told = command.end()
    assert (status, told["outcome"], told["sip_status"]) == (10, "busy", 486), command.log
    assert told["attempts"] == [{"trunk": "main", "sip_status": 486, "reason": "486 As Dialled"}]


@pytest.mark.parametrize(
    ("words", "outbound", "reason"),
    [
        ((), {}, "its greeting wants {name}; give it a value (--var name=…)"),
        (("--var", "name=Ann"), {"allow": ["+44*"]}, "limits.outbound.allow: +15550100123 is not among them"),
        (("--var", "name=Ann", "--trunk", "other"), {}, "no trunk 'other'; there are: main"),
    ],
)
def test_nothing_is_loaded_for_a_call_that_may_not_go(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    outbound: dict[str, Any],
    reason: str,
) -> None:
    monkeypatch.setenv("TEST_CARRIER_PASSWORD", CARRIER_PASSWORD)
    config = reminder_config(certified_folder(tmp_path), free_ports(), **outbound)
    command = Command(config, *words)
    status, told = command.end()
    assert (status, told["outcome"]) == (14, "refused")
    assert reason in told["reason"]
    assert reason in command.log
    assert "loading the models" not in command.log
    assert not (tmp_path / "ledger").exists()
