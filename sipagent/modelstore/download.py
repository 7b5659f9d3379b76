"""Files from a publisher's address: resumed where they broke off, given up fast where nobody answers."""

import http.client
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import BinaryIO

from sipagent import __version__
from sipagent.modelstore.catalog import ModelFile, UrlSource
from sipagent.modelstore.progress import FetchProgress
from sipagent.modelstore.supply import SourceError

_CONNECT_S = 5.0
_STALL_S = 30.0
_CHUNK_BYTES = 1 << 18
_MAX_ATTEMPTS = 8
"""Attempts at one file; every one but the first must have brought something."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class HostBook:
    """Which hosts answer. Each is tried once a run, so that five models do not wait for it five times."""

    def __init__(self, connect_s: float = _CONNECT_S) -> None:
        self._connect_s = connect_s
        self._reasons: dict[tuple[str, int], str | None] = {}

    def check(self, url: str) -> None:
        """:raises SourceError: the address's host, or the proxy before it, does not answer."""
        address = _first_hop(url)
        if address not in self._reasons:
            self._reasons[address] = self._try(address)
        reason = self._reasons[address]
        if reason:
            raise SourceError(reason)

    def _try(self, address: tuple[str, int]) -> str | None:
        """Connect in a thread of its own: looking a name up knows no time limit."""
        outcome: list[str | None] = []

        def connect() -> None:
            try:
                socket.create_connection(address, self._connect_s).close()
                outcome.append(None)
            except socket.gaierror:
                outcome.append(f"the name {address[0]} cannot be looked up")
            except TimeoutError:
                pass
            except OSError as exc:
                outcome.append(f"{address[0]}: {exc.strerror or exc}")

        thread = threading.Thread(target=connect, name="reach", daemon=True)
        thread.start()
        thread.join(self._connect_s)
        return outcome[0] if outcome else f"{address[0]} does not answer within {self._connect_s:g} s"


class UrlSupplier:
    """One model's files at its publisher."""

    def __init__(self, source: UrlSource, hosts: HostBook) -> None:
        self._source = source
        self._hosts = hosts

    @property
    def title(self) -> str:
        """The host."""
        return urllib.parse.urlsplit(self._source.url).netloc

    def supply(self, file: ModelFile, to: Path, progress: FetchProgress) -> None:
        """Download, going on from what ``to`` holds, also when the connection breaks on the way."""
        url = self._source.url_of(file)
        self._hosts.check(url)
        progress.begin(file.path, file.size_bytes)
        try:
            for _ in range(_MAX_ATTEMPTS):
                had_bytes = _size(to)
                reason = _attempt(url, file, to, progress)
                if reason is None:
                    return
                if _size(to) <= had_bytes:
                    break
            raise SourceError(reason)
        finally:
            progress.end()


def _attempt(url: str, file: ModelFile, to: Path, progress: FetchProgress) -> str | None:
    """One request for what is missing.

    :returns: None when the file has its full length, else why not; worth another try if it grew.
    :raises SourceError: trying again is of no use.
    """
    have_bytes = _size(to)
    request = urllib.request.Request(url, headers={"User-Agent": f"sipagent/{__version__}"})
    if have_bytes:
        request.add_header("Range", f"bytes={have_bytes}-")
    try:
        with urllib.request.urlopen(request, timeout=_STALL_S) as response:
            is_rest = response.status == http.HTTPStatus.PARTIAL_CONTENT
            with to.open("ab" if is_rest else "wb") as sink:
                _copy(response, sink, file, progress)
    except urllib.error.HTTPError as exc:
        if exc.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            to.unlink(missing_ok=True)
        raise SourceError(f"HTTP {exc.code} {exc.reason} for {url}") from exc
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as exc:
        return f"{getattr(exc, 'reason', None) or exc or type(exc).__name__}"
    except OSError as exc:
        raise SourceError(f"{exc.strerror}: {exc.filename or to}") from exc
    size_bytes = _size(to)
    if size_bytes < file.size_bytes:
        return f"broke off after {size_bytes} of {file.size_bytes} bytes"
    return None


def _copy(response: BinaryIO, sink: BinaryIO, file: ModelFile, progress: FetchProgress) -> None:
    """Copy up to the file's length and one chunk more: what is too long is refused, not stored."""
    done_bytes = sink.tell()
    while done_bytes <= file.size_bytes and (chunk := response.read(_CHUNK_BYTES)):
        sink.write(chunk)
        done_bytes += len(chunk)
        progress.advance(done_bytes)


def _first_hop(url: str) -> tuple[str, int]:
    """Host and port to which a request connects: the server's, or those of the proxy in force."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.netloc):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 80)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
