"""What an entry in the ledger costs the thread that appends it, without and with the wait for the disk."""

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from sipagent.bench.ledger_verify import BUDGET_S_A_GIB, measure_verify
from sipagent.lab.agent_process import AgentOptions
from sipagent.ledger import CallLedger, Kind, Ledger, LedgerLimits

NAME = "ledger"
HELP = "what an entry in the audit ledger costs a call"
BUDGET_US = 200
"""Most that an append without fsync may cost at the 99th percentile."""

_STAGES = ("speech_end", "pause", "stt_final", "llm_first_token", "first_clause", "commit", "first_rtp")


@dataclass(frozen=True, slots=True)
class LedgerCost:
    """Microseconds of the calling thread."""

    calls: int
    appends: int
    append_p50_us: float
    append_p99_us: float
    append_max_us: float
    durable_p50_us: float
    durable_p99_us: float


def measure(folder: Path, *, calls: int = 4, appends: int = 2000, pause_ms: float = 2.0) -> LedgerCost:
    """Append from one thread for each call, as turns would.

    :param folder: for a ledger that is made for it, on the disk that shall be measured.
    :param appends: of each call.
    :param pause_ms: between two of them.
    """
    ledger = Ledger.open(folder, "bench", limits=LedgerLimits(min_free_bytes=0))
    quick: list[float] = []
    durable: list[float] = []
    try:
        threads = [
            threading.Thread(
                target=_one_call, args=(ledger.call(f"bench-{n}"), appends, pause_ms / 1000, quick, durable)
            )
            for n in range(calls)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        ledger.close()
    return LedgerCost(
        calls,
        len(quick),
        statistics.median(quick),
        _percentile(quick, 99),
        max(quick),
        statistics.median(durable),
        _percentile(durable, 99),
    )


def _one_call(
    call: CallLedger, appends: int, pause_s: float, quick: list[float], durable: list[float]
) -> None:
    text = "I would like to move my appointment from Tuesday to Friday afternoon, please."
    for turn_id in range(appends):
        body: dict[str, object] = {
            "turn_id": turn_id,
            "began_ms": 1_234_567,
            "ended_ms": 1_236_789,
            "interrupted": False,
            "stamps_ms": dict.fromkeys(_STAGES, 1_234_567 + turn_id),
            "v2v_ms": 512,
        }
        began_ns = time.perf_counter_ns()
        call.append(Kind.TURN_AGENT, body, sealed={"text": text})
        quick.append((time.perf_counter_ns() - began_ns) / 1000)
        if turn_id % 50 == 0:
            began_ns = time.perf_counter_ns()
            call.append(Kind.CALL_MILESTONE, {"name": "bench"}, durable=True)
            durable.append((time.perf_counter_ns() - began_ns) / 1000)
        time.sleep(pause_s * random.uniform(0.5, 1.5))  # calls do not speak in step
    call.end({"cause": "bench"})


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this benchmark has."""
    parser.add_argument("--appends", type=int, default=2000, metavar="N", help="of each call (default: 2000)")
    parser.add_argument("--calls", type=int, default=4, metavar="N", help="at a time (default: 4)")
    parser.add_argument(
        "--verify-mib", type=int, default=0, metavar="M", help="also verify a ledger of M MiB, made for it"
    )
    parser.add_argument("--on", type=Path, metavar="DIR", help="on the disk of this folder (default: --out)")


def run(args: argparse.Namespace, agent: AgentOptions, impairments: object, console: Console) -> int:
    """Measure and print. Places no calls: ``agent`` and ``impairments`` are not used.

    :returns: 0, or 1 where the 99th percentile or the verification is over the budget.
    """
    del agent, impairments
    where: Path = args.on or args.out
    where.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=where) as folder:
        cost = measure(Path(folder), calls=args.calls, appends=args.appends)
    checked = None
    if args.verify_mib:
        with tempfile.TemporaryDirectory(dir=where) as folder:
            checked = measure_verify(Path(folder), args.verify_mib)
    if args.json:
        print(json.dumps(asdict(cost) | ({"verify": asdict(checked)} if checked else {})))
    else:
        print(f"append, no fsync  p50 {cost.append_p50_us:7.0f} µs  p99 {cost.append_p99_us:7.0f} µs")
        print(f"with fsync        p50 {cost.durable_p50_us:7.0f} µs  p99 {cost.durable_p99_us:7.0f} µs")
        if checked:
            size = f"{checked.mib:.0f} MiB, {checked.entries} entries"
            print(f"verify            {size} in {checked.took_s:.1f} s")
    is_within = cost.append_p99_us <= BUDGET_US
    if not is_within:
        console.print(f"append: p99 {cost.append_p99_us:.0f} µs is over the budget of {BUDGET_US} µs")
    if checked and not checked.is_within:
        console.print(f"verify: over the budget of {BUDGET_S_A_GIB:.0f} s for a GiB, or not good: {checked}")
        is_within = False
    return 0 if is_within else 1
