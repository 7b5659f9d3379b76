"""``sipagent models``: which models there are, getting them, checking them."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sipagent.errors import ModelError
from sipagent.modelstore.cache import user_cache
from sipagent.modelstore.catalog import CatalogEntry
from sipagent.modelstore.store import OWN_MODELS, ModelStore

if TYPE_CHECKING:
    from rich.progress import Progress

EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
FOLDER_VARIABLE = "SIPAGENT_MODEL_DIR"
_STILL_ALIVE_S = 15.0


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("models", help="list, fetch and verify models")
    parser.set_defaults(run=run)
    commands = parser.add_subparsers(dest="models_command", metavar="list | fetch | verify", required=True)
    listing = commands.add_parser("list", help="what the catalogue has, and what of it is installed")
    listing.add_argument("--json", action="store_true", help="one object a line")
    fetching = commands.add_parser("fetch", help="install models; what is there already is left alone")
    fetching.add_argument("names", nargs="*", metavar="NAME", help="models; without any, the default set")
    fetching.add_argument("--set", dest="sets", action="append", metavar="SET", help="a set of the catalogue")
    fetching.add_argument(
        "--from",
        dest="from_dir",
        type=Path,
        metavar="DIR",
        help=f"look in this folder first (also from {FOLDER_VARIABLE})",
    )
    fetching.add_argument("--retry", action="store_true", help="try again what could not be had before")
    verifying = commands.add_parser("verify", help="read every byte and compare the digests")
    verifying.add_argument("names", nargs="*", metavar="NAME", help="models; without any, all installed ones")
    for command in (listing, fetching, verifying):
        command.add_argument(
            "--models-dir", type=Path, default=OWN_MODELS, metavar="DIR", help="instead of the program's own"
        )


def run(args: argparse.Namespace) -> int:
    """Run the command.

    :returns: 0 done, 1 a model could not be had or is damaged, 2 an unknown name or folder.
    :raises ModelError: the catalogue cannot be read, or a model could not be had.
    """
    store = ModelStore(args.models_dir, cache=user_cache())
    match args.models_command:
        case "list":
            return _list(store, as_json=args.json)
        case "fetch":
            return _fetch(store, args)
        case _:
            return _verify(store, args.names)


def main() -> int:
    """The command by itself, without loading what the others need: ``scripts/setup`` is in a hurry."""
    parser = argparse.ArgumentParser(prog="sipagent")
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["models", *sys.argv[1:]])
    try:
        return run(args)
    except ModelError as exc:
        print(f"sipagent: {exc}", file=sys.stderr)
        return EXIT_FAILED


def _list(store: ModelStore, *, as_json: bool) -> int:
    rows = [(entry, store.is_installed(entry.name)) for entry in store.entries()]
    if as_json:
        for entry, is_installed in rows:
            print(json.dumps(_as_object(store, entry, is_installed=is_installed)))
        return EXIT_DONE
    width = max((len(entry.name) for entry, _ in rows), default=0)
    for entry, is_installed in rows:
        state = "installed" if is_installed else "-"
        size_mb = f"{entry.size_bytes / 1e6:.0f} MB" if entry.size_bytes else "library"
        print(
            f"{entry.name:{width}}  {entry.kind:3}  {state:9}  {size_mb:>7}  {entry.licence:12} {entry.about}"
        )
    return EXIT_DONE


def _as_object(store: ModelStore, entry: CatalogEntry, *, is_installed: bool) -> dict[str, object]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "engine": entry.engine,
        "licence": entry.licence,
        "about": entry.about,
        "download_bytes": entry.size_bytes,
        "sets": sorted(store.catalog.sets_with(entry.name)),
        "is_installed": is_installed,
        "path": str(store.path(entry.name)) if is_installed else None,
    }


def _fetch(store: ModelStore, args: argparse.Namespace) -> int:
    from_dir = args.from_dir or (
        Path(os.environ[FOLDER_VARIABLE]) if os.environ.get(FOLDER_VARIABLE) else None
    )
    if from_dir and not from_dir.is_dir():
        return _usage(
            f"{from_dir}: no such folder; --from and {FOLDER_VARIABLE} name a folder with model files"
        )
    sets = args.sets or ([] if args.names else ["default"])
    try:
        for name in args.names:
            store.catalog.entry(name)
        for set_name in sets:
            store.catalog.items_of(set_name)
    except ModelError as exc:
        return _usage(str(exc))
    progress = ConsoleProgress()
    wanted: list[Callable[[], None]] = [partial(store.fetch, args.names, from_dir, progress)]
    wanted += [partial(store.fetch_set, name, from_dir, progress, is_retry=args.retry) for name in sets]
    failures: list[str] = []
    for fetch in wanted:  # what can be had is had, whatever fails before it
        try:
            fetch()
        except ModelError as exc:
            failures.append(str(exc))
    if failures:
        raise ModelError("\n".join(failures))
    return EXIT_DONE


def _verify(store: ModelStore, names: list[str]) -> int:
    try:
        wanted = [store.catalog.entry(name) for name in names]
    except ModelError as exc:
        return _usage(str(exc))
    wanted = wanted or [
        entry for entry in store.entries() if entry.in_library or (store.root / entry.name).is_dir()
    ]
    damaged: list[str] = []
    for entry in wanted:
        problems = store.verify(entry.name)
        for problem in problems:
            print(f"{entry.name}: {problem}", file=sys.stderr)
        print(f"{entry.name}: {'damaged' if problems else 'ok'}")
        if problems:
            damaged.append(entry.name)
    if damaged:
        print(f"sipagent: mend with `sipagent models fetch {' '.join(damaged)}`", file=sys.stderr)
    return EXIT_FAILED if damaged else EXIT_DONE


def _usage(message: str) -> int:
    print(f"sipagent models: {message}", file=sys.stderr)
    return EXIT_USAGE


class ConsoleProgress:
    """A bar on a terminal; elsewhere a line now and then, so that a log shows that it goes on."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._label = ""
        self._total_bytes: int | None = None
        self._said_at_s = 0.0

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        print(line, file=sys.stderr, flush=True)

    def begin(self, label: str, total_bytes: int | None) -> None:
        """Show a bar; one that pulses where the total is not known."""
        self._label, self._total_bytes, self._said_at_s = label, total_bytes, time.monotonic()
        if sys.stderr.isatty():
            self._bar = _new_bar()
            self._bar.add_task(label, total=total_bytes)
            self._bar.start()

    def advance(self, done_bytes: int) -> None:
        """Move the bar."""
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=done_bytes)
        elif time.monotonic() - self._said_at_s > _STILL_ALIVE_S:
            self._said_at_s = time.monotonic()
            of_total = f" of {self._total_bytes / 1e6:.0f}" if self._total_bytes else ""
            self.say(f"{self._label}: {done_bytes / 1e6:.0f}{of_total} MB")

    def end(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
            self._bar = None


def _new_bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


if __name__ == "__main__":
    sys.exit(main())
