"""``sipagent messages``: what callers have left, until somebody takes it."""

import argparse
import json
import sys
from pathlib import Path

from sipagent.config.load import load_config
from sipagent.errors import ToolError
from sipagent.tools.messages import Message, MessageBox


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("messages", help="what callers have left: list, deliver, delete")
    parser.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--deliver", action="store_true", help="hand all of them to messages.command now")
    action.add_argument("--delete", metavar="NAME", help="delete one, named as in the list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List what waits, or do something about it.

    :raises ConfigError: ``sip.yaml`` is not usable. :raises ToolError: a message was not taken, or is none.
    """
    config = load_config(args.config)
    box = MessageBox(config.messages, config.tools_dir)
    if args.deliver:
        if not box.delivers:
            raise ToolError("messages.command is not set: there is nobody to deliver to")
        print(f"{box.deliver_all()} delivered", file=sys.stderr)
        return 0
    waiting = box.waiting()
    if args.delete:
        _delete(box, waiting, args.delete)
        return 0
    for message in waiting:
        print(json.dumps({"name": message.path.stem, **message.facts}) if args.json else _line(message))
    print(f"{len(waiting)} waiting in {config.messages.dir}", file=sys.stderr)
    return 0


def _delete(box: MessageBox, waiting: list[Message], name: str) -> None:
    for message in waiting:
        if message.path.stem == name:
            box.delete(message)
            return
    raise ToolError(f"no message {name!r}; `sipagent messages` lists them")


def _line(message: Message) -> str:
    facts = dict(message.facts)
    said, at = facts.pop("message", ""), facts.pop("at_utc", "")
    about = ", ".join(f"{key} {value}" for key, value in facts.items() if value and key != "call_id")
    return f"{message.path.stem}\n  {at}, {about}\n  {said}"
