"""Verifies a whole ledger folder: every chain, then what holds between chains and recordings."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sipagent.errors import LedgerError
from sipagent.ledger.chain_check import ChainCheck, ChainResult
from sipagent.ledger.findings import Fault, Finding, Place, Verdict
from sipagent.ledger.identity import Head


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a verification."""

    chains: tuple[ChainResult, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    took_s: float
    recordings_checked: int
    has_trusted_key: bool

    @property
    def is_intact(self) -> bool:
        """What is there is what was written."""
        return not any(one.fault.verdict is Verdict.INTEGRITY for one in self.findings)

    @property
    def is_complete(self) -> bool:
        """Nothing that was written is missing, as far as can be told from here."""
        return not any(one.fault.verdict is Verdict.COMPLETENESS for one in self.findings)

    @property
    def is_good(self) -> bool:
        """Nothing was found."""
        return not self.findings

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "intact": self.is_intact,
            "complete": self.is_complete,
            "trusted_key": self.has_trusted_key,
            "took_s": round(self.took_s, 3),
            "bytes": sum(chain.bytes_ for chain in self.chains),
            "recordings_checked": self.recordings_checked,
            "chains": [
                {
                    "chain": chain.chain,
                    "chain_id": chain.chain_id,
                    "entries": chain.entries,
                    "calls": chain.calls,
                    "last_seq": chain.last_seq,
                    "last_sha256": chain.last_sha256,
                    "signed_seq": chain.signed_seq,
                    "key": chain.key,
                    "live": chain.is_live,
                    "closed": chain.is_closed,
                }
                for chain in self.chains
            ],
            "findings": [finding.as_json() for finding in self.findings],
            "notes": list(self.notes),
        }

    def summary(self) -> dict[str, object]:
        """Body of ``ledger.verified``."""
        return {
            "chains": {chain.chain: f"{chain.last_seq} {chain.last_sha256}" for chain in self.chains},
            "complete": self.is_complete,
            "findings": dict(Counter(finding.fault.value for finding in self.findings)),
            "intact": self.is_intact,
            "trusted_key": self.has_trusted_key,
        }


def chain_folders(folder: Path) -> list[Path]:
    """The chains of a ledger.

    :raises LedgerError: this is no ledger.
    """
    folders = sorted(path for path in (folder / "chains").glob("*") if path.is_dir())
    if not folders:
        raise LedgerError(f"{folder}: no ledger here: there is no folder chains/ with a chain in it")
    return folders


def verify(
    folder: Path,
    *,
    trusted_key: str | None = None,
    heads: Sequence[Head] = (),
    recordings: Path | None = None,
    skips_recordings: bool = False,
    on_bytes: Callable[[int], None] | None = None,
) -> Report:
    """Check everything. Nothing is written; memory does not grow with the bodies.

    :param trusted_key: public key (hex) that the auditor has from elsewhere; its predecessors and successors
        are as good where both keys signed the change.
    :param heads: signed heads that were kept elsewhere.
    :param recordings: folder of the recordings, ``folder/recordings`` unless given.
    :param on_bytes: told now and then how many bytes of the present chain were read.
    :raises LedgerError: no ledger, an unreadable file, or a head that is no genuine one.
    """
    began_s = time.monotonic()
    for head in heads:
        if not head.is_genuine:
            raise LedgerError(
                f"--head: the signature of the head for {head.chain} entry {head.seq} is not right"
            )
    chains = []
    try:
        for path in chain_folders(folder):
            chains.append(ChainCheck(path, heads, on_bytes or (lambda _: None)).run())
        findings = [finding for chain in chains for finding in chain.findings]
        findings += _check_copies(chains)
        findings += _check_trust(chains, trusted_key)
        findings += _check_heads(chains, heads)
        checked = 0
        if not skips_recordings:
            lost, checked = _check_recordings(chains, recordings or folder / "recordings")
            findings += lost
    except OSError as exc:
        raise LedgerError(f"{exc.filename or folder}: cannot be read: {exc.strerror}") from exc
    notes = [note for chain in chains for note in chain.notes]
    if trusted_key is None:
        notes.append("no trusted key given: whoever holds the disk could have signed a ledger of his own")
    if not heads:
        notes.append("no head from outside given: an end that was cut together with its heads is not seen")
    took_s = time.monotonic() - began_s
    return Report(tuple(chains), tuple(findings), tuple(notes), took_s, checked, trusted_key is not None)


def _check_copies(chains: Sequence[ChainResult]) -> list[Finding]:
    seen: dict[str, str] = {}
    findings = []
    for chain in chains:
        first = seen.setdefault(chain.chain_id, chain.chain)
        if chain.chain_id and first != chain.chain:
            text = f"this is a copy of the chain {first}: both are {chain.chain_id}"
            findings.append(Finding(Fault.DUPLICATED, chain.chain, Place(), None, text))
    return findings


def _check_trust(chains: Sequence[ChainResult], trusted_key: str | None) -> list[Finding]:
    """Without a trusted key the chains must at least be tied to each other: they share one identity."""
    signed = [chain for chain in chains if chain.signers]
    if trusted_key is None and not signed:
        return []
    key = trusted_key or signed[0].key
    trusted = {key}
    rotations = {pair for chain in chains for pair in chain.rotations}
    while more := {key for pair in rotations if trusted & set(pair) for key in pair} - trusted:
        trusted |= more
    whose = "the trusted key" if trusted_key else f"the key of the chain {signed[0].chain}"
    return [
        Finding(
            Fault.FOREIGN_SIGNATURE,
            chain.chain,
            Place(),
            None,
            f"nothing here is signed by {whose}, {key[:16]}…, but by {chain.key[:16]}…",
        )
        for chain in (chains if trusted_key else signed)
        if not trusted & chain.signers
    ]


def _check_heads(chains: Sequence[ChainResult], heads: Sequence[Head]) -> list[Finding]:
    known = {chain.chain_id for chain in chains}
    return [
        Finding(
            Fault.UNKNOWN_HEAD,
            head.chain,
            Place(),
            head.seq,
            f"the head names chain {head.chain_id}, which is not here",
        )
        for head in heads
        if head.chain_id not in known
    ]


def _check_recordings(chains: Sequence[ChainResult], folder: Path) -> tuple[list[Finding], int]:
    erased = set[str]().union(*(chain.erased for chain in chains))
    findings, checked = [], 0
    for one in (recording for chain in chains for recording in chain.recordings):
        path = folder / one.file
        if ".." in path.parts or not path.is_file():
            if one.call_id not in erased and one.file not in erased:
                text = f"recording {one.file} of call {one.call_id} is gone, and no erasure says so"
                findings.append(Finding(Fault.MISSING_RECORDING, one.chain, one.place, one.seq, text))
            continue
        checked += 1
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 != one.sha256:
            text = f"recording {one.file} of call {one.call_id} is not the one that was recorded"
            findings.append(Finding(Fault.REPLACED_RECORDING, one.chain, one.place, one.seq, text))
    return findings, checked
