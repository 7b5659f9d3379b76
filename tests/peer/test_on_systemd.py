"""The installed service on a machine that systemd has booted: installed, started, killed, frozen, reloaded,
misconfigured, verified, removed. The tests belong together, in this order.

``SIPAGENT_TEST_SYSTEMD=1``: those too that wait for several starts of the server.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peer.running_agent import ROOT
from tests.peer.supervised import wait_until
from tests.peer.systemd_machine import Machine, booted

pytestmark = pytest.mark.peer

SETUP = """#!/bin/sh
# In place of scripts/setup: an environment of what the machine has, without the network.
set -e
cd "$(dirname "$0")/.."
if [ -x .venv/bin/sipagent ]; then exit 0; fi
/opt/python/bin/python3.11 -m venv --without-pip .venv
printf '%s\\n' "$PWD" /opt/packages > .venv/lib/python3.11/site-packages/here.pth
cp /srv/sipagent/media/*.so sipagent/media/
cat > .venv/bin/sipagent <<END
#!$PWD/.venv/bin/python
import sys
from sipagent.cli.main import main
sys.exit(main())
END
chmod +x .venv/bin/sipagent
"""
DROP_IN = """[Service]
LoadCredential=office:/etc/sipagent/credentials/office
WatchdogSec=3
StandardError=append:/var/log/sipagent.log
"""
OFFICE = """
  - name: office
    domain: 192.0.2.1
    register: {registrar: "sip:192.0.2.1", username: us, password_credential: office}
"""
SECRET = "planted-in-systemd-4T"
CALL = """
import sys
from sipagent.lab.softphone import Softphone
with Softphone() as phone:
    phone.call("sip:receptionist@127.0.0.1")
    assert phone.run(until=lambda: phone.is_up and bool(phone.spans()) or phone.is_over, timeout_ms=20_000)
    print("heard" if phone.spans() else phone.result)
"""
WRITTEN = (
    "/etc",
    "/run/sipagent",
    "/var/cache",
    "/var/log",
    "/var/lib/sipagent/ledger",
    "/var/lib/sipagent/crashes",
)
"""Where the service, or systemd for it, may write."""
MODELS = ("silero-vad", "smart-turn-v3.2-cpu", "whisper-tiny.en", "smollm2-135m-instruct")


long = pytest.mark.skipif(
    not os.environ.get("SIPAGENT_TEST_SYSTEMD"), reason="takes longer: SIPAGENT_TEST_SYSTEMD=1 runs it"
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    with booted(folder) as made:
        (folder / "setup").write_text(SETUP)
        made.ok("install", "-m", "755", "/mnt/setup", "/srv/scripts/setup")
        said = made.ok("/srv/scripts/install", "--no-models")
        assert "make the user sipagent" in said
        for model in MODELS:
            shutil.copytree((ROOT / "models" / model).resolve(), folder / "models" / model)
        made.ok("cp", "-r", "/mnt/models", "/var/lib/sipagent/")
        configure(made, folder)
        made.ok("systemctl", "start", "sipagent", timeout_s=120)
        yield made


def configure(machine: Machine, folder: Path) -> None:
    """What an operator does after the installation."""
    text = machine.ok("cat", "/etc/sipagent/sip.yaml")
    before, _, behind = text.partition("\nnumbers:")
    (folder / "sip.yaml").write_text(f"{before.rstrip()}\n{OFFICE}\nnumbers:{behind}")
    (folder / "office").write_text(SECRET)
    (folder / "drop-in").write_text(DROP_IN)
    machine.ok("cp", "/mnt/sip.yaml", "/etc/sipagent/sip.yaml")
    machine.ok("install", "-m", "600", "/mnt/office", "/etc/sipagent/credentials/office")
    machine.ok("install", "-D", "/mnt/drop-in", "/etc/systemd/system/sipagent.service.d/50-test.conf")
    machine.ok("systemctl", "daemon-reload")


def log(machine: Machine) -> str:
    return machine.ok("cat", "/var/log/sipagent.log")


def is_answered(machine: Machine) -> bool:
    return "heard" in machine.beside(sys.executable, "-c", CALL).stdout


def begun_anew(machine: Machine, pid: str) -> bool:
    return machine.property("sipagent", "MainPID") not in ("0", pid) and "taking calls" in machine.property(
        "sipagent", "StatusText"
    )


@contextmanager
def bad_file(machine: Machine) -> Iterator[None]:
    machine.ok("sh", "-c", "echo 'bells: 1' >> /etc/sipagent/sip.yaml")
    yield
    machine.ok("sed", "-i", "/^bells/d", "/etc/sipagent/sip.yaml")


def test_it_is_started_locked_in_and_answers(machine: Machine) -> None:
    assert machine.property("sipagent", "ActiveState") == "active"
    assert machine.property("sipagent", "StatusText").startswith("taking calls; 1 of 1 workers")
    assert is_answered(machine), log(machine)
    pid = machine.property("sipagent", "MainPID")
    status = machine.ok("cat", f"/proc/{pid}/status")
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    assert machine.ok("id", "-u", "sipagent").strip() == status.split("Uid:\t")[1].split()[0]
    assert "sipagent_egress" in machine.ok("nft", "list", "tables")
    command = (".venv/bin/sipagent", "egress", "test", "-c", "/etc/sipagent/sip.yaml", "--user", "sipagent")
    held = machine.run("/opt/sipagent/" + command[0], *command[1:], timeout_s=120)
    assert "the lock holds" in held.stdout or "has no route" in held.stdout, held.stdout + held.stderr
    told = machine.ok("/opt/sipagent/.venv/bin/sipagent", "status", "-c", "/etc/sipagent/sip.yaml")
    assert "taking calls" in told


@long
def test_a_killed_server_is_there_again_and_its_workers_do_not_linger(machine: Machine) -> None:
    pid = machine.property("sipagent", "MainPID")
    killed_s = time.monotonic()
    machine.ok("kill", "-9", pid)
    wait_until(lambda: begun_anew(machine, pid), lambda: log(machine)[-2000:])
    print(f"the whole server was killed: taking calls after {time.monotonic() - killed_s:.1f} s")
    assert is_answered(machine)
    assert machine.property("sipagent", "NRestarts") == "1"


@long
def test_a_frozen_server_is_ended_by_systemds_watchdog(machine: Machine) -> None:
    pid = machine.property("sipagent", "MainPID")
    machine.ok("kill", "-STOP", pid)
    wait_until(lambda: begun_anew(machine, pid), lambda: log(machine)[-2000:])
    assert machine.property("sipagent", "NRestarts") == "2"
    assert is_answered(machine)


def test_reload_with_a_bad_file_leaves_the_service_active(machine: Machine) -> None:
    pid = machine.property("sipagent", "MainPID")
    with bad_file(machine):
        machine.ok("systemctl", "reload", "sipagent")
        wait_until(lambda: "bells: unknown key" in log(machine))
    assert machine.property("sipagent", "ActiveState") == "active"
    assert machine.property("sipagent", "MainPID") == pid


@long
def test_a_wrong_configuration_is_final_and_the_reason_is_the_last_line(machine: Machine) -> None:
    with bad_file(machine):
        machine.run("systemctl", "restart", "sipagent", timeout_s=120)
        wait_until(lambda: machine.property("sipagent", "ActiveState") == "failed")
        assert machine.property("sipagent", "ExecMainStatus") == "78"
        assert "bells: unknown key" in log(machine).splitlines()[-1]
    machine.ok("systemctl", "start", "sipagent", timeout_s=120)
    assert is_answered(machine)


def test_nightly_retention_and_verification_under_their_limits(machine: Machine) -> None:
    assert machine.property("sipagent-ledger.timer", "ActiveState") == "active"
    assert machine.property("sipagent-egress.timer", "ActiveState") == "active"
    machine.ok("systemctl", "start", "sipagent-ledger.service", timeout_s=120)
    assert machine.property("sipagent-ledger.service", "Result") == "success"


def test_no_password_is_in_anything_that_the_service_wrote(machine: Machine) -> None:
    found = machine.run("grep", "-rl", SECRET, *WRITTEN)
    assert found.stdout.split() == ["/etc/sipagent/credentials/office"]


def test_stop_is_a_drain_and_the_removal_leaves_what_is_the_operators(machine: Machine) -> None:
    machine.ok("systemctl", "stop", "sipagent", timeout_s=120)
    assert machine.property("sipagent", "Result") == "success"
    assert '"reason": "SIGTERM"' in log(machine)
    assert "install: 0 changes" in machine.ok("/srv/scripts/install", "--no-models")
    machine.ok("/srv/scripts/install", "--uninstall")
    assert machine.run("test", "-e", "/opt/sipagent").returncode == 1
    assert "sipagent" not in machine.ok("systemctl", "list-unit-files", "--no-pager")
    assert "sipagent_egress" not in machine.ok("nft", "list", "tables")
    machine.ok("test", "-d", "/var/lib/sipagent/ledger/chains")
    assert "receptionist" in machine.ok("cat", "/etc/sipagent/sip.yaml")
