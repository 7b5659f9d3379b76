"""Handing a call over, as scripts: (event, phase after, actions)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.call import transfer as tr
from sipagent.call.ports import TransferMode
from sipagent.call.transfer import Briefed, Do, Ended, Phase, Referred, Tick, Transfer, Wanted

pytestmark = pytest.mark.unit

Row = tuple[tr.Event, Phase, tuple[tr.Action, ...]]
ANNOUNCED, UP = tr.Announced(), tr.PeerUp()
ANSWERED, RINGING, BUSY = Referred(200, True), Referred(180, False), Referred(486, True)

BLIND: list[Row] = [
    (Wanted("blind"), Phase.ANNOUNCING, (Do.ANNOUNCE,)),
    (Wanted("bridge"), Phase.ANNOUNCING, ()),
    (ANNOUNCED, Phase.REFERRING, (Do.REFER,)),
    (RINGING, Phase.REFERRING, ()),
    (UP, Phase.REFERRING, ()),
    (ANSWERED, Phase.DONE, (Ended(True, 200), Do.HANG_UP, Do.DROP_PEER)),
    (BUSY, Phase.DONE, ()),
]
BLIND_BUSY: list[Row] = [*BLIND[:4], (BUSY, Phase.IDLE, (Ended(False, 486),)), BLIND[0]]
ATTENDED: list[Row] = [
    (Wanted("attended"), Phase.ANNOUNCING, (Do.ANNOUNCE,)),
    (ANNOUNCED, Phase.DIALLING, (Do.HOLD_CALLER, Do.DIAL)),
    (UP, Phase.BRIEFING, (Do.BRIEF,)),
    (Briefed(), Phase.REFERRING, (Do.REFER_TO_PEER,)),
    (tr.PeerDown(200), Phase.REFERRING, ()),
    (ANSWERED, Phase.DONE, (Ended(True, 200), Do.HANG_UP, Do.DROP_PEER)),
]
ATTENDED_BUSY: list[Row] = [
    *ATTENDED[:2],
    (tr.PeerDown(486), Phase.IDLE, (Do.DROP_PEER, Do.RESUME_CALLER, Ended(False, 486))),
    (Briefed(), Phase.IDLE, ()),
]
ATTENDED_REFUSED: list[Row] = [
    *ATTENDED[:4],
    (Referred(603, True), Phase.IDLE, (Do.DROP_PEER, Do.RESUME_CALLER, Ended(False, 603))),
]
BRIDGE: list[Row] = [
    (Wanted("bridge"), Phase.ANNOUNCING, (Do.ANNOUNCE,)),
    (ANNOUNCED, Phase.DIALLING, (Do.DIAL,)),
    (UP, Phase.BRIEFING, (Do.BRIEF,)),
    (Briefed(), Phase.BRIDGED, (Do.BRIDGE, Ended(True, 200))),
    (ANSWERED, Phase.BRIDGED, ()),
    (tr.PeerDown(200), Phase.DONE, (Do.HANG_UP, Do.DROP_PEER)),
]
BRIDGE_LEFT: list[Row] = [
    *BRIDGE[:3],
    (tr.PeerDown(200), Phase.IDLE, (Do.DROP_PEER, Ended(False, 200))),
]


@pytest.mark.parametrize(
    "rows", [BLIND, BLIND_BUSY, ATTENDED, ATTENDED_BUSY, ATTENDED_REFUSED, BRIDGE, BRIDGE_LEFT]
)
def test_script(rows: list[Row]) -> None:
    transfer = Transfer()
    for event, phase, actions in rows:
        transfer, did = tr.step(transfer, event, 1000)
        assert (transfer.phase, did) == (phase, actions), event


@pytest.mark.parametrize(
    ("rows", "limit_ms", "mode"),
    [(BLIND[:3], tr.REFER_LIMIT_MS, "blind"), (ATTENDED[:2], tr.DIAL_LIMIT_MS, "attended")],
)
def test_what_nobody_answers_fails(rows: list[Row], limit_ms: int, mode: TransferMode) -> None:
    transfer = Transfer()
    for event, _, _ in rows:
        transfer, _ = tr.step(transfer, event, 1000)
    transfer, did = tr.step(transfer, Tick(), 1000 + limit_ms - 1)
    assert (transfer.is_on, did) == (True, ())
    transfer, did = tr.step(transfer, Tick(), 1000 + limit_ms)
    assert (transfer.phase, did[-1]) == (Phase.IDLE, Ended(False, 408))


EVENTS = st.one_of(
    st.sampled_from(["blind", "attended", "bridge"]).map(Wanted),  # type: ignore[arg-type]
    st.sampled_from([ANNOUNCED, UP, Briefed(), Tick(), ANSWERED, RINGING, BUSY, tr.PeerDown(487)]),
)


@given(st.lists(EVENTS, max_size=30))
def test_whatever_happens_nobody_is_left_on_hold_or_beside(events: list[tr.Event]) -> None:
    transfer, is_held, is_beside = Transfer(), False, False
    for event in events:
        transfer, did = tr.step(transfer, event, 0)
        for action in did:
            is_held = (is_held or action is Do.HOLD_CALLER) and action is not Do.RESUME_CALLER
            is_beside = (is_beside or action is Do.DIAL) and action is not Do.DROP_PEER
        if transfer.phase in (Phase.IDLE, Phase.ANNOUNCING):
            assert not is_held
            assert not is_beside
        if transfer.phase is Phase.DONE:
            assert not is_beside
