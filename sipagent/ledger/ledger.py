"""The ledger as the program uses it: open a chain, append, close."""

import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sipagent.errors import LedgerBusy, LedgerError, LedgerUnavailable
from sipagent.ledger.anchor import Anchor
from sipagent.ledger.chain import Chain, ChainState, Pending, Receipt
from sipagent.ledger.clock import Clock, SystemClock, utc_text
from sipagent.ledger.entry import freeze
from sipagent.ledger.files import private_folder
from sipagent.ledger.identity import Head, Identity
from sipagent.ledger.journal import Journal
from sipagent.ledger.keystore import KeyStore, StoredKey, file_name_of
from sipagent.ledger.kinds import Kind
from sipagent.ledger.recover import Recovered, recover
from sipagent.ledger.seal import new_key
from sipagent.ledger.writer import LedgerLimits, LedgerState, LedgerStats, Writer

CHAIN_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
Body = Mapping[str, object]


class Ledger:
    """One chain, open for writing. Any thread may append. Made by ``Ledger.open``."""

    def __init__(self, folder: Path, chain: str, keys: KeyStore, recordings: Path, clock: Clock) -> None:
        self.folder = folder
        self.chain = chain
        self.keys = keys
        self.recordings = recordings
        self._clock = clock
        self._lock_fd = -1
        self._day_keys: dict[str, StoredKey] = {}
        self._day_lock = threading.Lock()
        self._calls: dict[str, CallLedger] = {}
        self._writer: Writer
        self._anchor: Anchor | None = None
        self._anchor_problem: str | None = None
        self._head: Head | None = None
        self.has_crashed = False
        """Whoever had this chain open before did not close it."""
        self.found_seq = 0
        """The last entry that was there when it was opened."""

    def __repr__(self) -> str:
        return f"Ledger({self.folder}, {self.chain}, {self._writer!r})"

    @classmethod
    def open(
        cls,
        folder: Path,
        instance: str,
        *,
        chain: str = "main",
        limits: LedgerLimits | None = None,
        recordings: Path | None = None,
        anchor_command: str | Sequence[str] | None = None,
        on_state: Callable[[LedgerState], None] | None = None,
        clock: Clock | None = None,
    ) -> "Ledger":
        """Open a chain; make folder, keys and chain where they do not exist.

        A torn tail is set aside; a chain that nobody closed gets ``server.crashed`` with the calls that were
        open. Returns when all of that is on the disk.

        :param folder: of the whole ledger (``ledger.dir``); the chain lives in ``chains/<chain>`` under it.
        :param chain: one for each process that writes, such as ``worker-1``.
        :param recordings: folder of the recordings; ``folder/recordings`` unless given.
        :param on_state: told on the writer's thread when new calls can no longer, or can again, be taken.
        :raises LedgerBusy: another process writes this chain.
        :raises LedgerDamaged: signed entries are gone or changed.
        :raises LedgerError: the folder cannot be used.
        """
        if not CHAIN_NAME.fullmatch(chain):
            raise ValueError(f"ledger: a chain is named like worker-1, got {chain!r}")
        limits, clock = limits or LedgerLimits(), clock or SystemClock()
        chain_folder = folder / "chains" / chain
        with _as_ledger_error(folder):
            private_folder(chain_folder)
            lock_fd = _lock(chain_folder)
        try:
            identity = Identity.open(folder / "identity")
            keys = KeyStore.open(folder / "keys", identity.folder)
            self = cls(folder, chain, keys, recordings or folder / "recordings", clock)
            self._lock_fd = lock_fd
            with _as_ledger_error(chain_folder):
                self._start(chain_folder, instance, identity, limits, on_state or _ignore)
        except BaseException:
            os.close(lock_fd)
            raise
        if anchor_command:
            self._anchor = Anchor(anchor_command, on_result=self._anchored)
            self._anchor.start()
            if self._head is not None:
                self._anchor.post(self._head)
        return self

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def state(self) -> LedgerState:
        """What is wrong, if anything is."""
        return self._writer.state

    @property
    def is_writable(self) -> bool:
        """May a new call be taken? Running calls go on in any case."""
        return self._writer.state.is_writable

    @property
    def head(self) -> Head | None:
        """The newest signed head that is on the disk."""
        return self._head

    def stats(self) -> LedgerStats:
        """Counters for metrics."""
        return self._writer.stats()

    def append(
        self,
        kind: Kind,
        body: Body | None = None,
        *,
        sealed: Body | None = None,
        call_id: str | None = None,
        durable: bool = False,
    ) -> Receipt:
        """Write down that something happened.

        Returns at once; the entry is on the disk within a second. With ``durable`` it is there on return.

        :param body: JSON; what peers sent may stand in it as it came.
        :param sealed: personal fields: readable only with the key of the call (which ``call`` has made), or
            the day's key for what belongs to no call.
        :raises LedgerUnavailable: ``durable`` only: the disk does not take it; it stays queued in memory.
        :raises LedgerError: the ledger is closed.
        """
        at_ms, at_utc_ms = self._clock.now_ms(), self._clock.utc_ms()
        key, is_new = self._key_for(call_id, at_utc_ms, is_needed=sealed is not None)
        receipt = Receipt()
        pending = Pending(
            kind,
            call_id,
            freeze(body or {}),
            at_ms,
            at_utc_ms,
            receipt,
            sealed=None if sealed is None else freeze(sealed),
            key=key,
            is_new_key=is_new,
            is_urgent=durable or kind is Kind.CALL_ENDED,
        )
        self._writer.submit(pending)
        if durable:
            self._writer.wait(receipt)
        return receipt

    def call(self, call_id: str, parties: Sequence[str] = ()) -> "CallLedger":
        """Begin a call's record: makes the key of its personal fields.

        :param call_id: of our own making and unique; a SIP Call-ID may name the caller's machine.
        :param parties: numbers or names by which ``sipagent ledger forget --caller`` shall find the call.
        """
        key = StoredKey(
            call_id,
            new_key(),
            utc_text(self._clock.utc_ms()),
            tuple(dict.fromkeys(self.keys.party(party) for party in parties if party)),
        )
        call = self._calls[call_id] = CallLedger(self, key)
        return call

    def recording_name(self, path: Path) -> str:
        """How ``recording.closed`` names a file: relative to the folder of the recordings."""
        return path.relative_to(self.recordings).as_posix()

    def checkpoint(self, reason: str = "asked", *, durable: bool = False) -> None:
        """Sign the chain as it stands behind what was appended so far.

        :param durable: return when that is on the disk. :raises LedgerUnavailable: it cannot be.
        """
        receipt = self._writer.checkpoint(reason)
        if durable:
            self._writer.wait(receipt)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Write everything, sign, sync, release the chain. Idempotent.

        :returns: False where the disk did not take everything; the next start will say ``server.crashed``.
        """
        is_done = self._writer.close(timeout_s)
        if self._anchor is not None:
            self._anchor.close()
        if self._lock_fd >= 0 and not self._writer.is_alive:  # a stuck writer keeps the chain
            os.close(self._lock_fd)
            self._lock_fd = -1
        return is_done

    def _start(
        self,
        chain_folder: Path,
        instance: str,
        identity: Identity,
        limits: LedgerLimits,
        on_state: Callable[[LedgerState], None],
    ) -> None:
        found = recover(chain_folder)
        state = found.state or ChainState(self.chain, instance, os.urandom(16).hex(), identity.key)
        state.instance = instance
        identity.succession_from(state.key)  # a foreign key must be known before anything is written
        chain = Chain(
            state,
            identity,
            self._clock,
            segment_max_bytes=limits.segment_max_bytes,
            checkpoint_entries=limits.checkpoint_entries,
        )
        journal = Journal(chain_folder, self.keys)
        if state.segment:
            journal.resume(state.segment)
        self._writer = Writer(chain, journal, limits, on_state=on_state, on_head=self._signed)
        last_seq, open_calls = state.seq, list(state.open_calls)
        self.has_crashed, self.found_seq = not found.is_clean, last_seq
        state.open_calls.clear()
        self._writer.start()
        try:
            self._tell_what_was_found(found, last_seq, open_calls)
            self.checkpoint("opened", durable=True)
        except LedgerUnavailable as exc:
            self._writer.close(0.1)
            raise LedgerError(str(exc)) from exc

    def _tell_what_was_found(self, found: Recovered, last_seq: int, open_calls: list[str]) -> None:
        for aside in found.set_aside:
            self.append(Kind.TAIL_SET_ASIDE, aside.body(), durable=True)
        by_ms = self._clock.utc_ms() - found.last_utc_ms
        if by_ms < -1000:
            self.append(Kind.CLOCK_STEPPED, {"by_ms": by_ms, "while_closed": True})
        if not found.is_clean:
            body = {"last_seq": last_seq, "open_calls": open_calls}
            self.append(Kind.SERVER_CRASHED, body, durable=True)

    def _key_for(
        self, call_id: str | None, at_utc_ms: int, *, is_needed: bool
    ) -> tuple[StoredKey | None, bool]:
        """The key of what is sealed, and whether it is not stored yet."""
        if call_id is not None:
            call = self._calls.get(call_id)
            if call is None and is_needed:
                raise ValueError(f"ledger: no key for call {call_id}: begin it with Ledger.call")
            return (None, False) if call is None else (call.key, call.take_unsaved())
        if not is_needed:
            return None, False
        name = f"day-{utc_text(at_utc_ms)[:10]}-{self.chain}"
        with self._day_lock:
            if name in self._day_keys:
                return self._day_keys[name], False
            stored = self.keys.find(name)
            key = stored[0] if stored else StoredKey(name, new_key(), utc_text(at_utc_ms))
            self._day_keys = {name: key}
            return key, not stored

    def _end_call(self, call_id: str) -> None:
        self._calls.pop(call_id, None)

    def _signed(self, head: Head) -> None:
        self._head = head
        if self._anchor is not None:
            self._anchor.post(head)

    def _anchored(self, problem: str | None) -> None:
        if problem is not None and self._anchor_problem is None:
            with contextlib.suppress(LedgerError):  # closing
                self.append(Kind.ANCHOR_FAILED, {"reason": problem})
        self._anchor_problem = problem


class CallLedger:
    """One call's entries. Made by ``Ledger.call``; any thread."""

    def __init__(self, ledger: Ledger, key: StoredKey) -> None:
        self._ledger = ledger
        self.key = key
        self._saving = threading.Lock()
        self._is_saved = False

    def __repr__(self) -> str:
        return f"CallLedger({self.call_id})"

    @property
    def call_id(self) -> str:
        """The call."""
        return self.key.name

    @property
    def secret(self) -> bytes:
        """The call's key. For sealing only: never log or store it."""
        return self.key.key

    def append(
        self, kind: Kind, body: Body | None = None, *, sealed: Body | None = None, durable: bool = False
    ) -> Receipt:
        """As ``Ledger.append``, for this call."""
        return self._ledger.append(kind, body, sealed=sealed, call_id=self.call_id, durable=durable)

    def recording_path(self, suffix: str = ".wav") -> Path:
        """Where this call's recording belongs, so that it is forgotten with the call. The folder is made.

        :raises LedgerError: the folder cannot be made; or the call was forgotten while it runs, and nobody
            would find its recording again.
        """
        if self._is_saved and not self._ledger.keys.find(self.call_id):
            raise LedgerError("the call has been forgotten: it is not recorded")
        day = self._ledger.recordings / self.key.at_utc[:10]
        with _as_ledger_error(day):
            private_folder(day)
        return day / f"{file_name_of(self.call_id)}{suffix}"

    def end(self, body: Body, *, sealed: Body | None = None) -> Receipt:
        """``call.ended``, durable and signed; forgets the key in memory.

        :raises LedgerUnavailable: the disk does not take it; it stays queued in memory.
        """
        try:
            return self.append(Kind.CALL_ENDED, body, sealed=sealed, durable=True)
        finally:
            self.close()

    def refuse(self, body: Body, *, sealed: Body | None = None) -> Receipt:
        """``call.refused``; forgets the key in memory. Returns at once."""
        try:
            return self.append(Kind.CALL_REFUSED, body, sealed=sealed)
        finally:
            self.close()

    def close(self) -> None:
        """Forget the key in memory. Idempotent."""
        self._ledger._end_call(self.call_id)

    def take_unsaved(self) -> bool:
        """True the first time: the key must be on the disk before the call's first entry."""
        with self._saving:
            is_first, self._is_saved = not self._is_saved, True
            return is_first


def _lock(chain_folder: Path) -> int:
    path = chain_folder / "lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _flock(fd)
    except OSError:
        owner = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise LedgerBusy(
            f"{chain_folder}: process {owner} writes this chain; stop it, or give this one a chain of its own"
        ) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _flock(fd: int) -> None:
    """Twice, because a verification looks at the lock for a moment."""
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    time.sleep(0.1)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def _as_ledger_error(folder: Path):  # type: ignore[no-untyped-def]
    """An operating system's refusal becomes one line."""
    try:
        yield
    except OSError as exc:
        where = exc.filename or folder
        raise LedgerError(f"ledger: {where}: {exc.strerror}; make it writable or change ledger.dir") from exc


def _ignore(_: LedgerState) -> None:
    """Nobody listens."""
