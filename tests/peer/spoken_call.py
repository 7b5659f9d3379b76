"""What a caller with a voice does in the tests of the ledger."""

from sipagent.lab.softphone import Softphone
from sipagent.media.wav import read_wav
from sipagent.units import monotonic_ms
from tests.peer.running_agent import CLIPS, RunningAgent

LONG_MS = 60_000


def greeted(phone: Softphone, agent: RunningAgent) -> None:
    """Call and hear the greeting to its end."""

    def is_over() -> bool:
        spans = phone.line.spans
        last_ms = spans.finished[-1].end_ms if spans.finished else monotonic_ms()
        return spans.speaking_since_ms is None and monotonic_ms() - last_ms > 800

    phone.call(agent.uri())
    assert phone.run(until=lambda: phone.is_up, timeout_ms=LONG_MS), phone.result
    assert phone.run(until=is_over, timeout_ms=LONG_MS)


def answered(phone: Softphone, clip: str = "hours-hibari-1.0.wav") -> None:
    """Ask, and hear that the answer begins."""
    spans = len(phone.spans())
    phone.say(read_wav(CLIPS / clip))
    assert phone.run(until=lambda: len(phone.spans()) > spans, timeout_ms=LONG_MS)


def hung_up(phone: Softphone) -> None:
    """End the call."""
    phone.hang_up()
    assert phone.run(until=lambda: phone.is_over, timeout_ms=5000)


def talk(agent: RunningAgent) -> str:
    """Call, be greeted, ask, be answered, hang up; the call's id."""
    start = len(agent.drain())
    with Softphone() as phone:
        greeted(phone, agent)
        answered(phone)
        hung_up(phone)
    return str(agent.wait_for("call.ended", after=start).facts["call_id"])
