"""Starts ledger writers and kills them: ``ledger_zygote.py DIR ROUNDS SEED`` prints what they acknowledged.

Each is killed while its four calls write; after every fifth round another one is killed while it opens. One
process pays for the imports; each writer is forked from it, so that 200 of them fit into seconds. Every line
of output is ``round seq sha256`` of an entry of which ``append(durable=True)`` has returned.
"""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from sipagent.ledger import Kind, Ledger, LedgerLimits

LIMITS = LedgerLimits(segment_max_bytes=200_000, sync_interval_ms=20, min_free_bytes=0)


def write_calls(folder: Path, acknowledged: int, round_number: int) -> None:
    """Four calls at a time, until the end comes."""
    ledger = Ledger.open(folder, "crash-test", limits=LIMITS)

    def one_call_after_another(worker: int) -> None:
        for number in range(1_000_000):
            call = ledger.call(f"r{round_number}-w{worker}-{number}", ["+15550100123"])
            receipts = [
                call.append(Kind.CALL_STARTED, {"trunk": "lab"}, sealed={"caller": "x"}, durable=True)
            ]
            for turn_id in range(3):
                call.append(Kind.TURN_CALLER, {"turn_id": turn_id}, sealed={"text": "hello " * 20})
            receipts.append(call.end({"cause": "done"}))
            text = "".join(f"{round_number} {receipt.seq} {receipt.sha256}\n" for receipt in receipts)
            os.write(acknowledged, text.encode())

    for worker in range(4):
        threading.Thread(target=one_call_after_another, args=(worker,), daemon=True).start()
    time.sleep(30)


def run_round(folder: Path, round_number: int, lives_s: float, *, is_opening: bool = False) -> bytes:
    """Fork a writer, let it live for a while after its first acknowledgement, kill it.

    :param is_opening: for a while after its birth.
    :returns: what it acknowledged.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            write_calls(folder, writing, round_number)
        finally:
            os._exit(1)
    os.close(writing)
    acknowledged = b"" if is_opening else os.read(reading, 65536)
    killer = threading.Timer(lives_s, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with open(reading, "rb") as pipe:
        acknowledged += pipe.read()
    killer.join()
    with contextlib.suppress(ChildProcessError):
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            print(f"writer {round_number} ended by itself", file=sys.stderr)
            sys.exit(1)
    return acknowledged


def main() -> None:
    """Round after round on the same ledger."""
    folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(seed)
    for round_number in range(rounds):
        sys.stdout.buffer.write(run_round(folder, round_number, moments.uniform(0, 0.15)))
        if round_number % 5 == 4:
            opened = run_round(folder, rounds + round_number, moments.uniform(0, 0.05), is_opening=True)
            sys.stdout.buffer.write(opened)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
