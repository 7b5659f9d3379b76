"""Writes the test vectors anew: ``python tests/golden/ledger/generate.py`` from the project's folder."""

import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from sipagent.ledger import LedgerReader, verify  # noqa: E402
from sipagent.ledger.journal import heads_path  # noqa: E402
from sipagent.ledger.recover import read_heads  # noqa: E402
from tests.fakes.ledger import write_sample  # noqa: E402
from tests.fakes.ledger_edits import EDITS, cut_tail_and_heads  # noqa: E402


def write_good(folder: Path) -> None:
    """The sample, without what is secret in a real ledger but the keys of the calls."""
    write_sample(folder)
    reader = LedgerReader.open(folder)
    opened = [
        {"seq": one.entry.seq, "personal": personal}
        for one in reader.entries()
        if (personal := reader.personal(one)) is not None
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in opened)
    (HERE / "unsealed.jsonl").write_text(text, encoding="utf-8")
    (HERE / "trusted.pem").write_bytes((folder / "identity" / "instance.pub").read_bytes())
    newest = read_heads(heads_path(folder / "chains" / "main", 4))[-1][1]
    (HERE / "head.txt").write_text(f"{newest}\n", encoding="utf-8")
    shutil.rmtree(folder / "identity")
    (folder / "chains" / "main" / "lock").unlink()


def main() -> None:
    """Write ``good`` and one folder for each edit."""
    good = HERE / "good"
    for name in ("good", "tampered"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    write_good(good)
    expected = {}
    for edit in EDITS:
        folder = HERE / "tampered" / edit.name
        shutil.copytree(good, folder, ignore=shutil.ignore_patterns("keys"))
        edit.apply(folder)
        expected[edit.name] = [finding.as_json() for finding in verify(folder).findings]
    folder = HERE / "tampered" / "cut-tail-and-heads"
    shutil.copytree(good, folder, ignore=shutil.ignore_patterns("keys"))
    cut_tail_and_heads(folder)
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (HERE / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
