"""Section ``supervision``: what the parent process does with its workers; and their share of the ports."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sipagent.config.fields import HostPort, PortRange, Problem, out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionConfig:
    """Section ``supervision``: when a worker is ended and begun again, and how the server is told what."""

    drain_s: int = 30
    """After SIGTERM calls in progress may go on for this long, then they hear goodbye. 0..3600 s."""
    hang_ms: int = 800
    """A worker whose process, SIP thread or media clock shows no life for this long is ended and begun
    again. 300..60000 ms."""
    memory_mib: Literal["auto"] | int = "auto"
    """Resident memory (model files included) beyond which a worker is ended and begun again; ``auto``:
    twice what it had when it was ready, and at least 1024 more. 256..1048576 MiB."""
    crash_reports: int = 50
    """Reports of crashes that are kept; the oldest go. 1..1000."""
    state_dir: Literal["auto"] | Path = "auto"
    """Folder of what outlives the server, such as ``crashes``, relative to sip.yaml; ``auto``: systemd's
    state directory, else ``state`` beside sip.yaml."""
    control: Literal["auto"] | Path = "auto"
    """Socket of ``sipagent status``, ``reload`` and ``drain``, relative to sip.yaml; ``auto``: in the runtime
    directory of systemd or of the user."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(
            self,
            drain_s=(0, 3600),
            hang_ms=(300, 60_000),
            memory_mib=(256, 1 << 20),
            crash_reports=(1, 1000),
        )


def shifted(where: HostPort | None, index: int) -> HostPort | None:
    """The SIP socket of worker ``index`` (0 is the first): the port after its neighbour's; 0 stays any."""
    if where is None or where.port == 0:
        return where
    return HostPort(where.host, where.port + index)


def share(ports: PortRange, index: int, workers: int) -> PortRange:
    """Worker ``index``'s equal part of the RTP ports; each begins with an even port where the range does."""
    size = len(ports) // workers // 2 * 2
    first = ports.first + index * size
    return PortRange(first, ports.last if index == workers - 1 else first + size - 1)
