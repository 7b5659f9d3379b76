"""scripts/install and the systemd units, installed below a folder of the test; systemd need not run."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sipagent.config.load import load_config

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted(
    path.name for path in (ROOT / "systemd").glob("sipagent*.*") if path.suffix in (".service", ".timer")
)
MOST_EXPOSED = {"sipagent.service": 2.0, "sipagent@x.service": 2.0, "sipagent-ledger.service": 2.0}
"""systemd's own score of what a unit could do if it were taken over: 0 nothing, 10 everything."""
MOST_EXPOSED |= {"sipagent-egress.service": 5.0, "sipagent-egress-refresh.service": 5.0}


def install(destination: Path, *words: str) -> str:
    done = subprocess.run(
        [ROOT / "scripts" / "install", *words],
        env={**os.environ, "DESTDIR": str(destination)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file with its mode, time and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine's root, with the program in it and systemd's own units."""
    root = tmp_path_factory.mktemp("root")
    install(root)
    stand_in = root / "opt/sipagent/.venv/bin/sipagent"
    stand_in.parent.mkdir(parents=True)
    shutil.copy("/bin/true", stand_in)
    (root / "bin").mkdir()
    shutil.copy("/bin/kill", root / "bin/kill")
    for folder in ("/usr/lib/systemd/system", "/lib/systemd/system"):
        if Path(folder).is_dir():
            shutil.copytree(folder, root / "usr/lib/systemd/system", symlinks=True)
            break
    return root


def test_a_dry_run_changes_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    said = install(tmp_path / "root", "--dry-run")
    assert "install: write /etc/systemd/system/sipagent.service\n" in said
    assert "install: write /opt/sipagent/sipagent/app.py\n" in said
    assert not (tmp_path / "root").exists()


def test_the_second_run_changes_nothing_and_configuration_stays(tmp_path: Path) -> None:
    install(tmp_path)
    config = tmp_path / "etc/sipagent/sip.yaml"
    config.write_text("# mine\n")
    before = state(tmp_path)
    said = install(tmp_path)
    assert "install: 0 changes" in said
    assert "keep /etc/sipagent/sip.yaml as it is" in said
    after = state(tmp_path)
    del before["opt/sipagent/.installed"], after["opt/sipagent/.installed"]
    assert after == before


def test_an_update_replaces_what_changed_and_drops_what_is_gone(tmp_path: Path) -> None:
    install(tmp_path)
    program = tmp_path / "opt/sipagent"
    (program / "sipagent/app.py").write_text("old")
    (program / "sipagent/gone.py").write_text("of an older version")
    (program / "sipagent/local.so").write_text("built there")
    manifest = program / ".installed"
    manifest.write_text("".join(sorted({*manifest.read_text().splitlines(True), "sipagent/gone.py\n"})))
    said = install(tmp_path)
    assert "install: 2 changes" in said
    assert (program / "sipagent/app.py").read_bytes() == (ROOT / "sipagent/app.py").read_bytes()
    assert not (program / "sipagent/gone.py").exists()
    assert (program / "sipagent/local.so").exists()


def test_uninstall_leaves_configuration_and_record(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / "var/lib/sipagent/ledger").mkdir()
    (tmp_path / "var/lib/sipagent/ledger/entry").write_text("a call")
    install(tmp_path, "--uninstall")
    left = set(state(tmp_path))
    assert left == {
        "etc/sipagent/sip.yaml",
        "etc/sipagent/prompts/receptionist.md",
        *(f"etc/sipagent/knowledge/{path.name}" for path in (ROOT / "knowledge").glob("*.md")),
        "var/lib/sipagent/ledger/entry",
        "var/lib/sipagent/models/catalog.yaml",
    }
    assert "install: 0 changes" in install(tmp_path, "--uninstall")


@pytest.mark.parametrize("words", [[], ["--uninstall"]])
def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, words: list[str]) -> None:
    precious = tmp_path / "usr/local/bin/precious"
    precious.parent.mkdir(parents=True)
    precious.write_text("x")
    command = [str(ROOT / "scripts" / "install"), "--prefix", "/usr/local", *words]
    done = subprocess.run(
        command, env={**os.environ, "DESTDIR": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "/usr/local holds something else" in done.stderr
    assert precious.exists()


def test_another_prefix_is_in_the_units(tmp_path: Path) -> None:
    install(tmp_path, "--prefix", "/srv/agent")
    for unit in (tmp_path / "etc/systemd/system").glob("*.service"):
        assert "/opt/sipagent" not in unit.read_text()
    assert (
        "ExecStart=/srv/agent/.venv/bin/sipagent serve"
        in (tmp_path / "etc/systemd/system/sipagent.service").read_text()
    )


def test_the_installed_configuration_has_the_places_of_a_server(installed: Path) -> None:
    config = load_config(installed / "etc/sipagent/sip.yaml")
    assert str(config.ledger.dir) == "/var/lib/sipagent/ledger"
    assert str(config.models_dir) == "/var/lib/sipagent/models"
    assert (installed / "opt/sipagent/sipagent/codecs/g711.py").is_file()
    assert not list((installed / "opt/sipagent").rglob("*.pyc"))


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is missing (apt install systemd)"
)
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong(installed: Path, unit: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={installed}", "--man=no", unit.replace("@.", "@x.")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "sipagent" in line]
    assert ours == []


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is missing (apt install systemd)"
)
def test_a_mistake_in_a_unit_would_be_found(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(installed, tmp_path / "root", symlinks=True)
    unit = tmp_path / "root/etc/systemd/system/sipagent.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=20", "WatchdogSecs=20"))
    command = ["systemd-analyze", "verify", f"--root={tmp_path / 'root'}", "--man=no", "sipagent.service"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "WatchdogSecs" in done.stderr


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is missing (apt install systemd)"
)
@pytest.mark.parametrize("unit", MOST_EXPOSED)
def test_what_a_unit_could_do_stays_below_the_bar(installed: Path, unit: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--root={installed}", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score is not None, done.stdout + done.stderr
    assert float(score[1]) <= MOST_EXPOSED[unit]


@pytest.mark.parametrize("name", ["sipagent.service", "sipagent@.service"])
def test_the_service_comes_back_whatever_happens_but_not_with_a_wrong_configuration(name: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "systemd" / name)
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    service = unit["Service"]
    assert (service["Type"], service["Restart"], service["RestartSec"]) == ("notify", "always", "0")
    assert service["RestartPreventExitStatus"] == "78"
    assert int(service["WatchdogSec"]) >= 10
    assert unit["Unit"]["Requires"] == "sipagent-egress.service", "no lock, no service"
