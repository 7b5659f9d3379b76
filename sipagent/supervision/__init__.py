"""Supervision: a small parent process that keeps its workers answering.

::

    sipagent serve ── Supervisor ──(policy: what to do)──▶ start, watch, end, begin again
        │  channel: heartbeats, log ▲ ▼ drain, reload
        ├── fork server ──forks──▶ worker 1 (SIP, engines, calls), worker 2, …
        └── control socket ◀── sipagent status, reload, drain

The fork server has every library imported and nothing else: a worker forked from it answers calls a third of
a second later. The parent imports no native library of an engine.
"""
