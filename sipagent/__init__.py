"""sipagent answers and places phone calls over any SIP trunk, with local models only."""

__version__ = "0.1.0"
