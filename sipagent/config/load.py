"""``sip.yaml`` → ``Config``, or every problem at once."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import sipagent
from sipagent.config.document import compose_file
from sipagent.config.rules import broken_rules
from sipagent.config.schema import Config
from sipagent.config.walk import Unusable, Walker
from sipagent.errors import ConfigError

CATALOG = "catalog.yaml"


def load_config(path: Path | str, *, environ: Mapping[str, str] | None = None) -> Config:
    """Read, check and complete a configuration. Opens no sockets and loads no models.

    Types come before ranges, ranges before rules that span sections; nothing is reported twice.

    :param environ: where secrets named by ``*_env`` are looked up; the process's own by default.
    :raises ConfigError: with one line for each problem, ``sip.yaml:5: key: what is wrong; what to do``.
    """
    path = Path(path)
    root = compose_file(path)
    base_dir = path.absolute().parent
    walker = Walker(path=str(path), base_dir=base_dir, environ=os.environ if environ is None else environ)
    try:
        config: Config = walker.section(Config, root, "")
    except Unusable:
        raise ConfigError(walker.report()) from None
    config = replace(config, source=walker.source)
    walker.note_checked(broken_rules(config, walker.is_readable))
    if walker.problems:
        raise ConfigError(walker.report())
    if not config.source.has("models_dir"):
        config = replace(config, models_dir=default_models_dir(base_dir))
    if not config.source.has("ledger.dir"):
        config = replace(config, ledger=replace(config.ledger, dir=base_dir / config.ledger.dir))
    if not config.source.has("limits.outbound.count_file"):
        outbound = config.limits.outbound
        outbound = replace(outbound, count_file=base_dir / outbound.count_file)
        config = replace(config, limits=replace(config.limits, outbound=outbound))
    config = replace(
        config,
        tools_dir=base_dir / config.tools_dir,
        messages=replace(config.messages, dir=base_dir / config.messages.dir),
    )
    campaigns = config.campaigns
    beside = {name: base_dir / getattr(campaigns, name) for name in ("dir", "state_file")}
    return replace(config, campaigns=replace(campaigns, **beside))


def default_models_dir(base_dir: Path) -> Path:
    """``models`` beside the file where it has a catalogue, else the program's own, else beside the file."""
    beside = base_dir / "models"
    own = Path(sipagent.__file__).resolve().parent.parent / "models"
    return next((folder for folder in (beside, own) if (folder / CATALOG).is_file()), beside)
