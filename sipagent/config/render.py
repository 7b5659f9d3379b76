"""What is in force, as YAML: defaults filled in, paths whole, secrets as ``***``."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import yaml

from sipagent.config.fields import DERIVED
from sipagent.config.json_schema import JsonSchema
from sipagent.config.schema import Config, TrunkConfig
from sipagent.config.secret import SECRET_KINDS

WIDTH_CHARS = 110


def render(config: Config) -> str:
    """YAML text that loads to the same configuration, except that secrets show as ``password: '***'``."""
    text = yaml.safe_dump(
        _plain(config), sort_keys=False, allow_unicode=True, default_flow_style=False, width=WIDTH_CHARS
    )
    return _marked(text, config)


def _marked(text: str, config: Config) -> str:
    """Say behind each value of a trunk that its preset has given where it comes from."""
    lines = text.splitlines()
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    sections = {key.value: value for key, value in root.value}
    for index, (trunk, section) in enumerate(zip(config.trunks, sections["trunks"].value, strict=True)):
        for key, _ in section.value:
            is_written = config.source.has(f"trunks[{index}].{key.value}")
            if key.value in TrunkConfig.preset_values({"preset": trunk.preset}) and not is_written:
                lines[key.start_mark.line] += f"  # preset {trunk.preset}"
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    """Only what YAML knows; optional parts that are off become ``false`` or are left out."""
    if is_dataclass(value) and not hasattr(value, "parse") and not isinstance(value, type):
        return _section(value)
    if isinstance(value, JsonSchema):
        return value.plain
    if isinstance(value, Mapping):
        return {name: _plain(child) for name, child in value.items()}
    if isinstance(value, tuple):
        return [_plain(child) for child in value]
    return value if isinstance(value, bool | int | float | str) else str(value)


def _section(section: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for spec in fields(section):
        value = getattr(section, spec.name)
        if spec.metadata.get(DERIVED) == "secret":
            stem = spec.metadata["stem"]
            if all(getattr(section, f"{stem}_{kind}", None) is None for kind in SECRET_KINDS):
                continue
            plain[spec.name] = "(not set)" if value is None else repr(value)
        elif DERIVED not in spec.metadata and value is not None:
            plain[spec.name] = _plain(value)
    return plain
