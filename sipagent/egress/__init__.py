"""The lock on what leaves this machine: the list, the half that Python holds, the half that the system holds."""
