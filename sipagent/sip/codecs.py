"""Which codecs the library has. It holds one list for all calls, which counts when a description is made.

That is the list of all trunks together, but while a call comes in, for the library decides whether it has a
codec that its trunk wants. What each description then says, ``sdp_choice.py`` chooses.
"""

from collections.abc import Iterable

import pjsua2 as pj

from sipagent.config.schema import Config, TrunkConfig

_IDS = {"G722": "G722/16000", "PCMU": "PCMU/8000", "PCMA": "PCMA/8000"}
_HIGHEST_PRIORITY = 250


def use_all_codecs(library: pj.Endpoint, config: Config) -> None:
    """Enable what some trunk wants, in the order of the first trunk that names it."""
    _use(library, dict.fromkeys(codec for trunk in config.trunks for codec in trunk.codecs))


def use_codecs_of(library: pj.Endpoint, trunk: TrunkConfig) -> None:
    """Enable what this trunk wants, in its order, and nothing else of ours."""
    _use(library, trunk.codecs)


def disable_codecs(library: pj.Endpoint) -> None:
    """Begin with none: the library enables all that it has. After ``libStart``."""
    for codec in library.codecEnum2():
        library.codecSetPriority(codec.codecId, 0)


def _use(library: pj.Endpoint, codecs: Iterable[str]) -> None:
    priorities = dict.fromkeys(_IDS, 0)
    priorities |= {codec: _HIGHEST_PRIORITY - rank for rank, codec in enumerate(codecs)}
    for codec, priority in priorities.items():
        library.codecSetPriority(_IDS[codec], priority)
