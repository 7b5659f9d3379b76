"""Calls to whoever takes a caller: over which trunks, and within the limits of outgoing calls."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import structlog

from sipagent.call.dialling import Outcome
from sipagent.call.outbound import CallResult, DialOrder, OutboundDesk, PlacingDesk
from sipagent.call.ports import Mailbox
from sipagent.call.spend import OutboundRefused
from sipagent.config.outbound import OutboundLimits, RateConfig
from sipagent.config.schema import Config, LimitsConfig
from sipagent.config.trunk import TrunkConfig
from sipagent.errors import CapacityError

pytestmark = pytest.mark.unit

LOG = structlog.get_logger()


@dataclass
class Dialler:
    """Takes every order, or has no room."""

    has_room: bool = True
    orders: list[DialOrder] = field(default_factory=list)
    did: list[str] = field(default_factory=list)

    def is_down(self, trunk: str) -> bool:
        return trunk == "sick"

    def open_line(self, order: DialOrder) -> "Dialler":
        if not self.has_room:
            raise CapacityError("no room")
        self.orders.append(order)
        return self

    def connect(self, mailbox: Mailbox, log: object) -> None:
        self.did.append("connect")

    def answer(self) -> None:
        self.did.append("answer")


def trunk(name: str, domain: str, *prefixes: str, **more: object) -> TrunkConfig:
    return TrunkConfig(name=name, domain=domain, prefixes=prefixes or ("*",), **more)  # type: ignore[arg-type]


TRUNKS = (
    trunk("sick", "192.0.2.1", "+1*"),
    trunk("well", "192.0.2.2:5070", "+1*"),
    trunk("pbx", "192.0.2.3", "1*", "desk"),
    trunk("safe", "192.0.2.4", "+44*", transport="tls"),
)


@dataclass
class Legs:
    """The desk under test, its dialler and its count."""

    desk: OutboundDesk
    dialler: Dialler
    count: Path

    def call(self, target: str, *, trunk: str = "pbx", is_bound: bool = False) -> DialOrder:
        self.desk.call_beside(target, cast(Mailbox, self), LOG, trunk=trunk, is_bound=is_bound, longest_s=600)
        return self.dialler.orders[-1]

    def counted(self) -> tuple[int, float]:
        found = json.loads(self.count.read_text())
        return found["calls"], found["spent"]


def legs(folder: Path, *, has_room: bool = True) -> Legs:
    count = folder / "count.json"
    outbound = OutboundLimits(
        allow=("+1*", "1*", "desk", "+44*", "77"),
        calls_per_day=3,
        spend_per_day=15.0,
        rates=(RateConfig(prefix="*", per_minute=1.0),),
        count_file=count,
    )
    config = Config(trunks=TRUNKS, limits=LimitsConfig(outbound=outbound))
    dialler = Dialler(has_room)
    desk = OutboundDesk(config, cast(PlacingDesk, None), dialler, LOG, random.Random(1))  # type: ignore[arg-type]
    return Legs(desk, dialler, count)


@pytest.mark.parametrize(
    ("target", "carriers", "address"),
    [
        ("+15550100", ["well", "sick"], ""),
        ("100", ["pbx"], ""),
        ("sip:desk@192.0.2.3", ["pbx"], ""),
        ("sip:desk@192.0.2.3:5060;transport=udp", ["pbx"], ""),
        ("sip:+15550100@192.0.2.2:5070", ["well"], ""),
        ("sip:+15550100@192.0.2.2", ["pbx"], "sip:+15550100@192.0.2.2"),
        ("sip:+4420@192.0.2.4:5061", ["safe"], ""),
        ("sip:desk@desk.example", ["pbx"], "sip:desk@desk.example"),
    ],
)
def test_a_number_goes_by_the_trunks_an_address_by_its_own(
    tmp_path: Path, target: str, carriers: list[str], address: str
) -> None:
    found = legs(tmp_path)
    order = found.call(target)
    assert ([one.name for one in order.routes], order.address) == (carriers, address)
    assert order.is_beside
    assert order.ring_ms == 30_000
    assert found.dialler.did == ["connect", "answer"]


@pytest.mark.parametrize(
    ("target", "trunk", "is_reached"),
    [
        ("+15550100", "well", True),
        ("+15550100", "pbx", False),
        ("sip:desk@192.0.2.3", "well", False),
        ("sip:desk@desk.example", "well", True),
        ("999", "pbx", False),
    ],
)
def test_whose_peer_can_be_asked_to_call(
    tmp_path: Path, target: str, trunk: str, *, is_reached: bool
) -> None:
    found = legs(tmp_path)
    assert found.desk.is_reached_over(trunk, target) is is_reached
    if is_reached:
        assert [one.name for one in found.call(target, trunk=trunk, is_bound=True).routes] == [trunk]


def test_a_second_leg_is_counted_priced_and_given_back(tmp_path: Path) -> None:
    found = legs(tmp_path)
    order = found.call("+15550100")
    assert found.counted() == (1, 10.0)
    with pytest.raises(OutboundRefused, match="spend_per_day"):
        found.call("+15550100")
    result = CallResult(Outcome.ANSWERED, "well", 200, "", 1000, 61_000, has_early_media=False, attempts=())
    order.on_result(result)
    assert found.counted() == (1, 2.0)
    for target in ("+33140", "sip:boss@192.0.2.3"):
        with pytest.raises(OutboundRefused, match="is not among them"):
            found.call(target)
        with pytest.raises(OutboundRefused, match="is not among them"):
            found.desk.allow(target)
    assert len(found.dialler.orders) == 1


def test_without_room_nothing_is_spent(tmp_path: Path) -> None:
    found = legs(tmp_path, has_room=False)
    with pytest.raises(CapacityError):
        found.call("+15550100")
    assert found.counted() == (1, 0.0)


def test_a_number_that_no_trunk_takes(tmp_path: Path) -> None:
    with pytest.raises(OutboundRefused, match="no trunk takes"):
        legs(tmp_path).call("77")
