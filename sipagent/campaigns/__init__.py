"""Scheduled outbound campaigns: whom to call, when, how often, and what became of it.

::

    campaigns/*.yaml ─▶ contacts ─▶ store (SQLite) ─▶ runner ─▶ Dialler ─▶ outcome ─▶ store, results, ledger
                                        ▲               │ window, schedule, pacing (pure)
                        status, pause, report           └ answering, conduct (pure, on the call's thread)
"""
