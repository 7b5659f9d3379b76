"""The lock on what leaves this machine: the list, Python's half, the system's half."""
