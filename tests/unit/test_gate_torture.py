"""What the gate does with the messages of RFC 4475 is what their README says."""

import re

import pytest

from sipagent.sip.gate import Action, Gate
from tests.peer.running_agent import ROOT
from tests.unit.test_gate import Notes, config, packet

pytestmark = pytest.mark.golden

FOLDER = ROOT / "tests" / "golden" / "sip"
ROWS = re.findall(
    r"^\| `(\w+)` \| [\d.]+ \| .* \| (\w+) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
)


def test_all_of_them_are_there() -> None:
    assert len(ROWS) == 49
    assert {name for name, _ in ROWS} == {path.stem for path in FOLDER.glob("*.dat")}


@pytest.mark.parametrize(("name", "expected"), ROWS)
def test_gate_on_rfc4475(name: str, expected: str) -> None:
    data = (FOLDER / f"{name}.dat").read_bytes()
    verdict = Gate(config(), Notes()).judge(packet(data, is_request=not data.startswith(b"SIP/2.0 ")), 0)
    done = {Action.PASS: "passes", Action.DROP: "dropped"}.get(verdict.action, str(verdict.status))
    assert done == expected
