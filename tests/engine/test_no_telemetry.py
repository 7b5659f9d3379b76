"""The libraries that speech runs on report nothing home: the published builds of one of them would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]
LOAD = """
import sys
if sys.argv[2:]:
    import sipagent
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
"""


def left_behind(home: Path, *words: str) -> list[str]:
    """Files that loading a model leaves: the identity and the mailbox of who reports."""
    model = ROOT / "models" / "silero-vad" / "silero_vad.onnx"
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    for name in ("CI", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    subprocess.run([sys.executable, "-c", LOAD, str(model), *words], env=environment, check=True, timeout=60)
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def test_onnx_runtime_reports_nothing(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "with").mkdir()
    print(f"without us this build leaves {left_behind(tmp_path / 'without')}")
    assert left_behind(tmp_path / "with", "sipagent") == []
