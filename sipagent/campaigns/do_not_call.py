"""Numbers that are never called: the operator's files."""

from pathlib import Path

from sipagent.campaigns.zones import NotCallable, e164
from sipagent.errors import ConfigError

ON_LIST = "on a do-not-call list"
"""Why such a contact is not called."""


class NumberFiles:
    """The operator's lists, read again when a file changes. Not thread-safe."""

    def __init__(self, paths: tuple[Path, ...], region: str = "") -> None:
        self._paths, self._region = paths, region
        self._stamp: tuple[tuple[int, int], ...] = ()
        self._numbers: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"NumberFiles({len(self._numbers)} numbers in {len(self._paths)} files)"

    def numbers(self) -> frozenset[str]:
        """Every number, E.164.

        :raises ConfigError: a file cannot be read or understood: then nobody is called.
        """
        try:
            stamp = tuple((s.st_mtime_ns, s.st_size) for s in (path.stat() for path in self._paths))
        except OSError as exc:
            raise ConfigError([f"{exc.filename}: cannot be read: {exc.strerror}; nobody is called"]) from exc
        if stamp != self._stamp:
            self._numbers = read_numbers(self._paths, self._region)
            self._stamp = stamp
        return self._numbers


def read_numbers(paths: tuple[Path, ...], region: str = "") -> frozenset[str]:
    """Numbers of files, one a line; ``#`` begins a comment.

    :raises ConfigError: every line that is no number, and every file that cannot be read.
    """
    numbers: set[str] = set()
    problems: list[str] = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            problems.append(f"{path}: cannot be read: {exc}")
            continue
        for index, line in enumerate(lines, 1):
            if text := line.partition("#")[0].strip():
                try:
                    numbers.add(e164(text, region))
                except NotCallable as exc:
                    problems.append(f"{path}:{index}: {exc}")
    if problems:
        raise ConfigError(problems)
    return frozenset(numbers)
