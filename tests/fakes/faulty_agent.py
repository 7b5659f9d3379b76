"""``sipagent serve`` whose workers break on demand: at SIGUSR1 as the file ``SIPAGENT_FAULT`` says. Their
language model takes as many seconds longer to load as the file ``SIPAGENT_MODEL_DELAY`` says, if it is there.

Run as ``python tests/fakes/faulty_agent.py -c sip.yaml …``, with the options of ``serve``. The program itself
has no such door: the supervisor is simply told to run ``run`` of this module in its workers.
"""

import argparse
import ctypes
import gc
import mmap
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipagent.brain.types import LanguageModel

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "tests.fakes.faulty_agent:run"
STUCK_CALL_MS = 6000
"""So that the tests need not wait for the fifteen seconds of the program."""


def run(name: str, fds: list[int]) -> int:
    """A worker's process, with the faults in reach."""
    import pjsua2 as pj

    from sipagent import engines
    from sipagent.call.session import Session
    from sipagent.sip.user_agent import SipUserAgent
    from sipagent.worker_process import run as run_worker

    agents: list[SipUserAgent] = []
    stuck: list[Session] = []
    start, pump = SipUserAgent.start, Session._pump

    def start_and_remember(agent: SipUserAgent) -> None:
        agents.append(agent)
        start(agent)

    def pump_or_hang(session: Session, up_ms: int) -> None:
        while session in stuck:
            time.sleep(1)
        pump(session, up_ms)

    load_model = engines._load_llm

    def load_late(*args: Any) -> "LanguageModel":
        delay = Path(os.environ.get("SIPAGENT_MODEL_DELAY", "/nonexistent"))
        time.sleep(float(delay.read_text()) if delay.exists() else 0)
        return load_model(*args)

    engines._load_llm = load_late  # type: ignore[assignment]  # it slows the tests' model down
    SipUserAgent.start = start_and_remember  # type: ignore[assignment,method-assign]  # this is what makes it faulty
    Session._pump = pump_or_hang  # type: ignore[assignment,method-assign]  # the same

    def on_signal(*_: object) -> None:
        file = Path(os.environ["SIPAGENT_FAULT"])
        fault = file.read_text()
        file.unlink()  # whoever asked for it waits for this
        match fault:
            case "segfault":
                agents[0].post(crash_in_library)
                time.sleep(60)
            case "abort":
                os.abort()
            case "exit":
                os._exit(3)
            case "memory":
                fill_memory()
            case "interpreter":
                ctypes.PyDLL(None).sleep(60)
            case "sip thread":
                agents[0].post(lambda: time.sleep(60))
            case "media clock":
                agents[0].post(lambda: pj.Endpoint.instance().audDevManager().setNoDev())
            case "call thread":
                sessions = [one for one in gc.get_objects() if isinstance(one, Session)]
                stuck.append(next(one for one in sessions if one._thread.is_alive()))
            case "configuration":
                os._exit(os.EX_CONFIG)

    signal.signal(signal.SIGUSR1, on_signal)
    return run_worker(name, fds)


def crash_in_library() -> None:
    """SIGSEGV on the SIP thread, in PJMEDIA's own code."""
    from sipagent.sip.c_api import c_api

    c_api().pjmedia_port_get_frame(ctypes.c_void_p(8), ctypes.c_void_p(8))


def fill_memory() -> None:
    """More and more, as fast as one thread can; the interpreter is free meanwhile."""
    held = []
    while True:
        held.append(mmap.mmap(-1, 64 << 20))
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(held[-1])), 1, 64 << 20)


def main() -> int:
    """Be the parent."""
    from sipagent.cli import serve
    from sipagent.errors import ConfigError
    from sipagent.supervision import policy

    policy.STUCK_CALL_MS = STUCK_CALL_MS
    os.environ["PYTHONPATH"] = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"  # for the fork server
    parser = argparse.ArgumentParser()
    serve.register(parser.add_subparsers())
    args = parser.parse_args(["serve", *sys.argv[1:]])
    try:
        return serve.supervise(args, serve.configured(args), entry=ENTRY)
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return os.EX_CONFIG


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
