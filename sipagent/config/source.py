"""Where each key of ``sip.yaml`` stands, so that a later problem can still name the line."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Lines of the keys of one file. Empty for a configuration that was built in code."""

    path: str = "sip.yaml"
    lines: Mapping[str, int] = field(default_factory=dict, repr=False)
    """Key such as ``trunks[0].register.username`` → line, counted from 1."""

    def has(self, key: str) -> bool:
        """True where the file itself has the key."""
        return key in self.lines

    def line_of(self, key: str) -> int:
        """Line of the key, else of the nearest section around it, else 0."""
        while key:
            if key in self.lines:
                return self.lines[key]
            cut = max(key.rfind("."), key.rfind("["))
            key = key[:cut] if cut > 0 else ""
        return 0

    def at(self, key: str) -> str:
        """``sip.yaml:5: speech.turn.pause_ms``, the beginning of every message about a key."""
        line = self.line_of(key)
        return f"{self.path}:{line}: {key}" if line else f"{self.path}: {key}"
