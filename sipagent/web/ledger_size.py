"""How many entries the audit ledger has, read from the ends of its files of signed heads."""

from pathlib import Path

from sipagent.ledger.identity import parse_head
from sipagent.ledger.journal import heads_path
from sipagent.ledger.recover import segment_numbers

_TAIL_BYTES = 4096


def signed_entries(folder: Path) -> int:
    """Entries of all chains, each up to its newest signed head. Reads a few kilobytes of each chain."""
    chains = folder / "chains"
    return sum(_of_chain(chain) for chain in chains.iterdir()) if chains.is_dir() else 0


def _of_chain(folder: Path) -> int:
    for number in reversed(segment_numbers(folder)):
        try:
            with heads_path(folder, number).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
                lines = file.read().splitlines()
        except OSError:
            continue  # no head in this segment yet
        for line in reversed(lines):
            try:
                return parse_head(line.decode()).seq
            except ValueError:
                continue  # half a line: it is being written
    return 0
