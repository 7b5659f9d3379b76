"""Runs one Python function in a process of its own: ``python_host.py FOLDER package.module:function``, or
only looks for it (``--check`` behind it).

Input is the JSON object ``{"arguments": …, "call": …}`` on standard input, output the JSON object that the
function returns. What the function prints goes to standard error. Needs nothing but the standard library.
"""

import ctypes
import importlib
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Find the function, call it, write what it returns."""
    folder, entry = sys.argv[1:3]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # the server is gone: so is the caller
    out = os.dup(1)
    os.dup2(2, 1)
    sys.path.append(folder)  # behind the libraries: a folder such as codecs/ hides none of them
    module, _, name = entry.partition(":")
    function = getattr(importlib.import_module(module), name)
    if sys.argv[3:] == ["--check"]:
        return 0
    given = json.load(sys.stdin)
    result = function(given["arguments"], given["call"])
    with os.fdopen(out, "w", encoding="utf-8") as file:
        json.dump(result, file, allow_nan=False)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as exc:  # one line for the log instead of a trace, which may quote the caller
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        sys.exit(1)
