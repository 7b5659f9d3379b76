"""Section ``console``: health and metrics over HTTP."""

from dataclasses import dataclass

from sipagent.config.fields import HostPort

LOOPBACK = HostPort("127.0.0.1", 8080)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleConfig:
    """Section ``console``: where the server tells how it is. There is no password: keep it on loopback or
    behind a firewall.
    """

    bind: HostPort = LOOPBACK
    """Address and port of ``/healthz``, ``/readyz`` and ``/metrics``. Port 0: any free one."""
