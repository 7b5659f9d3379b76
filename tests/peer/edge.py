"""The Kamailio of ``deploy/kamailio`` on loopback, in front of some workers."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sipagent.lab.agent_process import free_udp_port
from sipagent.lab.child import Child, Events
from tests.peer.running_agent import ROOT
from tests.peer.sip_programs import LOOPBACK, program, wait_until_bound

TRUNK_NETWORK = "127.0.0.1 32"


@dataclass(frozen=True)
class Edge:
    """Where it listens."""

    child: Child
    port: int


@contextmanager
def edge(folder: Path, worker_ports: Sequence[int], *, new_calls_per_s: int = 40) -> Iterator[Edge]:
    """Start it with the files of ``deploy/kamailio``; only what local.cfg is for is changed."""
    path = program("kamailio", "kamailio")
    home = folder / "kamailio"
    shutil.copytree(ROOT / "deploy" / "kamailio", home)
    port = free_udp_port()
    (home / "local.cfg").write_text(
        f"listen=udp:{LOOPBACK}:{port}\nlisten=tcp:{LOOPBACK}:{port}\n"
        f'#!define CONTROL_SOCKET "unix:{home}/ctl"\n'
        f'#!define DISPATCHER_FILE "{home}/dispatcher.list"\n'
        f'#!define NEW_CALLS_PER_S "{new_calls_per_s}"\n'
    )
    workers = enumerate(worker_ports, 1)
    lines = [f"1 sip:{LOOPBACK}:{worker} 0 0 duid=w{number};maxload=4\n" for number, worker in workers]
    (home / "dispatcher.list").write_text("".join(lines))
    (home / "trunks.list").write_text(f"1 {TRUNK_NETWORK} 0 lab\n")
    command = [path, "-f", str(home / "kamailio.cfg"), "-DD", "-E", "-m", "32", "-M", "4"]
    with Child("edge", [*command, "-Y", str(home), "-w", str(home)], Events()) as child:
        wait_until_bound(port, child)
        yield Edge(child, port)
