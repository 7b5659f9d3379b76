"""``sipagent serve`` whose workers break on demand: at SIGUSR1 as the file ``SIPAGENT_FAULT`` says.

Run as ``python tests/fakes/faulty_agent.py -c sip.yaml …``, with the options of ``serve``. The program itself
has no such door: the supervisor is simply told to run ``run`` of this module in its workers.
"""

import argparse
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "tests.fakes.faulty_agent:run"


def run(name: str, fds: list[int]) -> int:
    """A worker's process, with the faults in reach."""
    from sipagent.sip.user_agent import SipUserAgent
    from sipagent.worker_process import run as run_worker

    agents: list[SipUserAgent] = []
    start = SipUserAgent.start

    def start_and_remember(agent: SipUserAgent) -> None:
        agents.append(agent)
        start(agent)

    SipUserAgent.start = start_and_remember  # type: ignore[assignment,method-assign]  # this is what makes it faulty

    def on_signal(*_: object) -> None:
        match Path(os.environ["SIPAGENT_FAULT"]).read_text():
            case "segfault":
                ctypes.string_at(0)
            case "abort":
                os.abort()
            case "memory":
                fill_memory()
            case "interpreter":
                ctypes.PyDLL(None).sleep(60)
            case "sip thread":
                agents[0].post(lambda: time.sleep(60))
            case "configuration":
                os._exit(os.EX_CONFIG)

    signal.signal(signal.SIGUSR1, on_signal)
    return run_worker(name, fds)


def fill_memory() -> None:
    """More and more, as fast as one thread can."""
    held = []
    while True:
        held.append(b"x" * (16 << 20))


def main() -> int:
    """Be the parent."""
    from sipagent.cli import serve

    os.environ["PYTHONPATH"] = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"  # for the fork server
    parser = argparse.ArgumentParser()
    serve.register(parser.add_subparsers())
    args = parser.parse_args(["serve", *sys.argv[1:]])
    return serve.supervise(args, serve.configured(args), entry=ENTRY)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
