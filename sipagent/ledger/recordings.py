"""Where the recordings lie: in the ledger's folder, or elsewhere, behind a link that verifiers follow."""

from pathlib import Path

from sipagent.errors import LedgerError
from sipagent.ledger.files import private_folder, sync_folder


def place_recordings(folder: Path, elsewhere: Path | None) -> None:
    """Let ``folder/recordings`` be a link to ``elsewhere``; None leaves it as it is.

    :param folder: of the whole ledger.
    :raises LedgerError: there are recordings where they were so far; the line says what to do.
    """
    if elsewhere is None:
        return
    link = folder / "recordings"
    try:
        target = private_folder(elsewhere).resolve()
        if link.resolve() == target:
            return
        if link.exists() and any(link.iterdir()):
            raise LedgerError(
                f"{link.resolve()}: there are recordings here, and recording.dir is {elsewhere}: move them "
                f"there, then remove {link}"
            )
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            link.rmdir()
        private_folder(folder)
        link.symlink_to(target)
        sync_folder(folder)
    except OSError as exc:
        raise LedgerError(
            f"{exc.filename or elsewhere}: recording.dir cannot be used: {exc.strerror}"
        ) from exc
