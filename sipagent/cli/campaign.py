"""``sipagent campaign``: scheduled outgoing calls, checked, run, watched and reported."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from sipagent.campaigns.report import headline, html_report
from sipagent.campaigns.schedule import Schedule
from sipagent.campaigns.store import CampaignStore
from sipagent.campaigns.store_views import StoreViews
from sipagent.campaigns.voicemail import with_voicemails
from sipagent.campaigns.zones import NotCallable, e164
from sipagent.cli import campaign_check, campaign_run
from sipagent.cli.ledger_change import admin_ledger
from sipagent.config.campaign import CampaignConfig
from sipagent.config.campaign_load import load_campaign, load_campaigns
from sipagent.config.load import load_config
from sipagent.config.schema import Config
from sipagent.errors import CampaignError
from sipagent.ledger import Kind

_CONTACT_STATES = ("waiting", "calling", "done", "expired", "unsettled")
EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
Found = tuple[Config, tuple[CampaignConfig, ...]]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser("campaign", help="scheduled outgoing calls")
    commands = parser.add_subparsers(dest="campaign_command", metavar="COMMAND", required=True)
    for name, text, function in _COMMANDS:
        one = commands.add_parser(name, help=text, description=text)
        one.add_argument("-c", "--config", type=Path, default=Path("sip.yaml"), metavar="FILE")
        if name == "optout":
            one.add_argument("number", nargs="?", metavar="NUMBER", help="as +15550100; none: list all")
        elif name == "optin":
            one.add_argument("number", metavar="NUMBER", help="as +15550100")
            one.add_argument("--reason", required=True, metavar="TEXT", help="why it was no such wish")
        elif name in _ONE:
            one.add_argument("name", metavar="NAME", help="the campaign")
        else:
            one.add_argument("names", nargs="*", metavar="NAME", help="campaigns (default: all)")
        if name in ("list", "status", "report", "optout", "dry-run"):
            one.add_argument("--json", action="store_true", help="one JSON object a line")
        if name != "run":
            one.add_argument(
                "--state", type=Path, metavar="FILE", help="instead of campaigns.state_file, as one of --lab"
            )
        if name == "report":
            one.add_argument("--html", type=Path, metavar="FILE", help="write one self-contained page")
        if name == "resume":
            one.add_argument(
                "--unsettled", action="store_true", help="also call those again whose call a crash cut off"
            )
        if name in ("run", "dry-run"):
            campaign_run.add_arguments(one, name)
        one.set_defaults(function=function)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    :returns: 0 done, 1 something was found wrong or not found.
    :raises ConfigError: a file is not usable; with every problem.
    :raises CampaignError: the state cannot be used, or no campaign has that name.
    """
    status: int = args.function(args)
    return status


def campaigns_for(args: argparse.Namespace) -> Found:
    """The configuration and the campaigns that were named, or all."""
    config = _config(args)
    folder = config.campaigns.dir
    known = {"personas": config.personas, "trunks": [trunk.name for trunk in config.trunks]}
    names: Sequence[str] = getattr(args, "names", None) or ([args.name] if "name" in args else [])
    files = [Path(name) for name in names if name.endswith(".yaml")]
    campaigns = tuple(load_campaign(path, **known) for path in files)
    if not files:
        campaigns = load_campaigns(folder, **known)
        if unknown := [name for name in names if name not in {one.name for one in campaigns}]:
            there = ", ".join(one.name for one in campaigns) or "none"
            raise CampaignError(f"{folder}: no campaign {unknown[0]!r}; there are: {there}")
        campaigns = tuple(one for one in campaigns if not names or one.name in names)
    return config, campaigns


def _ready_for(args: argparse.Namespace) -> Found:
    """The same, with what their calls need of the personas' flows."""
    config, campaigns = campaigns_for(args)
    return config, with_voicemails(campaigns, config)


def _config(args: argparse.Namespace) -> Config:
    config = load_config(args.config)
    state_file: Path = getattr(args, "state", None) or config.campaigns.state_file
    return replace(config, campaigns=replace(config.campaigns, state_file=state_file))


def _list(args: argparse.Namespace) -> int:
    config, campaigns = campaigns_for(args)
    now = datetime.now(UTC)
    with closing(StoreViews(config.campaigns.state_file)) as views:
        for one in campaigns:
            view = views.view(one.name)
            start = Schedule.of(one.schedule).next_start(now) if one.schedule else None
            facts = {
                "name": one.name, "state": view.state, "why": view.why, "contacts": view.total,
                "next_run": start.isoformat(timespec="minutes") if start else None,
            }  # fmt: skip
            if args.json:
                print(json.dumps(facts))
            else:
                when = facts["next_run"] or "when asked: sipagent campaign now"
                print(f"{one.name}: {view.state}, {view.total} contacts, next run {when}")
    return EXIT_DONE


def _status(args: argparse.Namespace) -> int:
    config, campaigns = campaigns_for(args)
    with closing(StoreViews(config.campaigns.state_file)) as views:
        if args.json:
            for one in campaigns:
                view = views.view(one.name)
                left = [attempt.as_row() for attempt in views.attempts(one.name, state="unsettled")]
                print(json.dumps({"name": one.name, "state": view.state, "why": view.why,
                                  "contacts": dict(view.contacts), "outcomes": dict(view.outcomes),
                                  "unsettled": left}, ensure_ascii=False))  # fmt: skip
            return EXIT_DONE
        Console().print(status_table(views, [one.name for one in campaigns]))
        for one in campaigns:
            for attempt in views.attempts(one.name, state="unsettled"):
                print(
                    f"unsettled: {one.name}: {attempt.key}, attempt {attempt.n} at {attempt.dialled_utc} "
                    f"by {attempt.server}: the server died; the person may have been reached"
                )
    return EXIT_DONE


def status_table(views: StoreViews, names: Sequence[str], title: str = "Campaigns") -> Group:
    """One row a campaign, and under it what became of its calls."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("campaign", "state", *_CONTACT_STATES):
        is_text = heading in ("campaign", "state")
        table.add_column(heading, justify="left" if is_text else "right", overflow="fold")
    lines = []
    for name in names:
        view = views.view(name)
        table.add_row(name, view.state, *(str(view.contacts.get(state, 0)) for state in _CONTACT_STATES))
        if view.why:
            lines.append(f"{name}: {view.why}")
        if view.outcomes:
            counts = sorted(view.outcomes.items(), key=lambda item: -item[1])
            lines.append(f"{name}: " + ", ".join(f"{outcome} {n}" for outcome, n in counts))
    return Group(table, *(Text(line, overflow="fold") for line in lines))


def _report(args: argparse.Namespace) -> int:
    config, campaigns = campaigns_for(args)
    if args.html and len(campaigns) != 1:
        print("sipagent campaign report: --html shows one campaign: name it", file=sys.stderr)
        return EXIT_USAGE
    with closing(StoreViews(config.campaigns.state_file)) as views:
        for one in campaigns:
            view, attempts = views.view(one.name), list(views.attempts(one.name))
            if args.html:
                args.html.touch(mode=0o600)
                args.html.write_text(html_report(view, attempts, list(views.contacts(one.name))))
                print(args.html)
            elif args.json:
                for attempt in attempts:
                    print(json.dumps(attempt.as_row(), ensure_ascii=False))
            else:
                print(f"{one.name}: {headline(view, attempts)}")
                for outcome, count in sorted(view.outcomes.items()):
                    print(f"  {outcome:15} {count:6}")
    return EXIT_DONE


def _wish(state: str, why: str) -> Callable[[argparse.Namespace], int]:
    """A command that a running server obeys within a second."""

    def wish(args: argparse.Namespace) -> int:
        config, (one,) = campaigns_for(args)
        with closing(CampaignStore(config.campaigns.state_file, "operator")) as store:
            store.set_state(one.name, state, why, is_wish=True)
            if getattr(args, "unsettled", False):
                now = datetime.now(UTC) + timedelta(seconds=1)
                resumed = store.resume_unsettled(one.name, now, one.retry.attempts)
                print(f"{resumed.count} contacts with an unsettled call are called again")
                if resumed.held:
                    print(f"{resumed.held} are not: the server of their call lives; try again in a minute")
        print(f"{one.name}: {state}")
        return EXIT_DONE

    return wish


def _now(args: argparse.Namespace) -> int:
    config, (one,) = campaigns_for(args)
    with closing(CampaignStore(config.campaigns.state_file, "operator")) as store:
        campaign_run.refuse_unless_running(store, one.name)
        store.want_run(one.name, datetime.now(UTC), is_wish=True)
    print(f"{one.name}: a run begins as soon as a server sees it")
    return EXIT_DONE


def _optout(args: argparse.Namespace) -> int:
    config = _config(args)
    with closing(CampaignStore(config.campaigns.state_file, "operator")) as store:
        if args.number is None:
            for number, at, how, campaign in store.opted_out():
                facts = {"number": number, "at": at, "how": how, "campaign": campaign}
                print(json.dumps(facts) if args.json else f"{number}  {at}  {how}  {campaign}")
            return EXIT_DONE
        number = _number(args)
        store.opt_out(number, "operator", "", datetime.now(UTC), is_wish=True)
    print(f"{number}: never called again, by any campaign")
    return EXIT_DONE


def _optin(args: argparse.Namespace) -> int:
    """In the ledger first: what is not recorded is not done."""
    config, number, reason = _config(args), _number(args), args.reason.strip()
    if not reason or not reason.isprintable():
        raise CampaignError("optin: --reason: say in a line why that person may be called again")
    with closing(CampaignStore(config.campaigns.state_file, "operator")) as store:
        if number not in {one for one, *_ in store.opted_out()}:
            raise CampaignError(f"optin: {number} has not opted out; sipagent campaign optout lists who has")
        if config.ledger.enabled:
            with admin_ledger(config.ledger.dir, None) as ledger:
                body = {"campaign": "", "decision": "opted_in", "rule": reason}
                ledger.append(Kind.CAMPAIGN_DECIDED, body, sealed={"contact": number}, durable=True)
        store.opt_in(number, reason, datetime.now(UTC))
    print(f"{number}: may be called again; a do-not-call list that has it still counts")
    return EXIT_DONE


def _number(args: argparse.Namespace) -> str:
    try:
        return e164(args.number)
    except NotCallable as exc:
        raise CampaignError(f"{args.campaign_command}: {exc}") from exc


_ONE = ("now", "pause", "resume", "stop")
_COMMANDS: tuple[tuple[str, str, Callable[[argparse.Namespace], int]], ...] = (
    ("check", "check campaigns and their lists before the first call",
     lambda args: campaign_check.check(args, *_ready_for(args))),
    ("list", "campaigns and when they run next", _list),
    ("run", "run campaigns until stopped", lambda args: campaign_run.run(args, *_ready_for(args))),
    ("now", "begin a run at once", _now),
    ("pause", "place no new calls until resumed", _wish("paused", "by the operator")),
    ("resume", "go on after a pause or a breaker", _wish("running", "")),
    ("stop", "give up everybody who still waits", _wish("stopped", "by the operator")),
    ("dry-run", "who would be called when; nothing is dialled or written",
     lambda args: campaign_check.dry_run(args, *_ready_for(args))),
    ("status", "counts, and every call that a crash cut off", _status),
    ("report", "what became of everybody", _report),
    ("optout", "never call a number again, or list such numbers", _optout),
    ("optin", "take back an opt-out that was none", _optin),
)  # fmt: skip
