"""Where the control socket and the crash reports are, for the server and for those who ask it."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sipagent.config.supervision import SupervisionConfig
from sipagent.errors import SipAgentError

_SYSTEM_RUNTIME = Path("/run/sipagent")


class ControlError(SipAgentError):
    """The server cannot be spoken to; the line says why."""


def state_dir(config: SupervisionConfig, sip_yaml: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of what outlives the server; not made yet."""
    if isinstance(config.state_dir, Path):
        return config.state_dir
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given) if given else sip_yaml.absolute().parent / "state"


def control_path(config: SupervisionConfig, sip_yaml: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where a server with this file makes its control socket."""
    if isinstance(config.control, Path):
        return config.control
    return _runtime_dirs(environ)[0] / _socket_name(sip_yaml)


def find_control(config: SupervisionConfig, sip_yaml: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The control socket of a server that was started with this file, by whomever.

    :raises ControlError: there is none.
    """
    if isinstance(config.control, Path):
        candidates = [config.control]
    else:
        candidates = [folder / _socket_name(sip_yaml) for folder in _runtime_dirs(environ)]
    for path in candidates:
        if path.is_socket():
            return path
    raise ControlError(f"no server runs with {sip_yaml}: there is no socket {candidates[0]}")


def _runtime_dirs(environ: Mapping[str, str]) -> list[Path]:
    """The likeliest first. The system's own is looked into by everybody."""
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    user = environ.get("XDG_RUNTIME_DIR", "")
    folders = [Path(given)] if given else []
    folders += [_SYSTEM_RUNTIME] if os.geteuid() == 0 else []
    folders += [Path(user) / "sipagent"] if user else []
    folders.append(Path(tempfile.gettempdir()) / f"sipagent-{os.geteuid()}")
    return list(dict.fromkeys([*folders, _SYSTEM_RUNTIME]))


def _socket_name(sip_yaml: Path) -> str:
    """Two servers on one machine have two files."""
    digest = hashlib.sha256(os.fsencode(sip_yaml.resolve())).hexdigest()
    return f"{sip_yaml.stem[:32]}-{digest[:8]}.sock"
