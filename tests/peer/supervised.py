"""A supervised agent in the tests: asked, broken, called."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sipagent.lab.sip_leg import LegState
from sipagent.lab.softphone import Softphone

FAULTY = (str(Path(__file__).resolve().parents[1] / "fakes" / "faulty_agent.py"),)
PROBE_MS = 100
ANSWER_MS = 500
"""A worker that has said 100 Trying and died answers no more."""
LONGEST_MS = 30_000
"""Far beyond the two seconds that are promised: the machine of the tests may be busy."""
PATIENT = {"personas.receptionist.no_input": {"after_ms": 60_000, "prompts": ["Hello?"] * 5}}
"""Silent callers are borne for five minutes."""


def sipagent(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sipagent", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def status(folder: Path) -> dict[str, Any]:
    """What the server says of itself."""
    told = sipagent("status", "--socket", folder / "control.sock", "--json")
    return dict(json.loads(told.stdout)) if told.stdout else {"workers": [], "problem": told.stderr}


def wait_until(
    condition: Callable[[], bool], seen: Callable[[], object] = str, pause_s: float = 0.05
) -> None:
    deadline_s = time.monotonic() + LONGEST_MS / 1000
    while not condition():
        assert time.monotonic() < deadline_s, f"did not come about: {seen()}"
        time.sleep(pause_s)


def call_up(port: int, *, since_ms: float) -> tuple[Softphone, float]:
    """Place calls, one after the other, until one is answered; the time until then."""
    while (phone := one_try(port)) is None:
        assert time.monotonic() * 1000 - since_ms < LONGEST_MS, "nobody answers"
        time.sleep(0.02)
    return phone, time.monotonic() * 1000 - since_ms


def one_try(port: int) -> Softphone | None:
    """A call that is up; None: nobody listened, or it was refused."""
    phone = Softphone()
    phone.call(f"sip:receptionist@127.0.0.1:{port}")
    phone.run(until=lambda: phone.leg.state is not LegState.CALLING, timeout_ms=PROBE_MS)
    if phone.leg.state is not LegState.CALLING:
        phone.run(until=lambda: phone.is_up or phone.is_over, timeout_ms=ANSWER_MS)
    if phone.is_up:
        return phone
    phone.close()
    return None


def is_greeted(phone: Softphone, timeout_ms: int = 10_000) -> bool:
    """Something is heard."""
    return phone.run(until=lambda: bool(phone.spans()), timeout_ms=timeout_ms)


@contextmanager
def bystander(port: int) -> Iterator[Callable[[], Softphone]]:
    """A call that goes on meanwhile, at another worker; ``stop`` gives the phone back."""
    phone, _ = call_up(port, since_ms=time.monotonic() * 1000)
    is_over = threading.Event()
    line = threading.Thread(target=lambda: phone.run(is_over.is_set, timeout_ms=900_000))
    line.start()

    def stop() -> Softphone:
        is_over.set()
        line.join()
        return phone

    try:
        yield stop
    finally:
        stop().close()


def worker(folder: Path, index: int = 0) -> dict[str, Any]:
    return dict(status(folder)["workers"][index])


def ask_for(folder: Path, pid: int, fault: str) -> None:
    """Have the faulty agent break itself; returns when it is about to."""
    file = folder / "fault"
    file.write_text(fault)
    os.kill(pid, signal.SIGUSR1)
    wait_until(lambda: not file.exists(), pause_s=0.001)


def served(port: int, *, since_ms: float) -> float:
    """Place calls until one is answered and greeted: a sick worker may do the first without the other.

    :returns: the time until the answer.
    """
    while True:
        phone, answered_ms = call_up(port, since_ms=since_ms)
        is_served = is_greeted(phone, ANSWER_MS)
        phone.close()
        if is_served:
            return answered_ms
