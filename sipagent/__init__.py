"""sipagent answers and places phone calls over any SIP trunk, with local models only."""

import os

# Read once, when numpy and the engines load. Threads that spin (OpenMP at barriers, OpenBLAS behind each
# product) take the cores from the engine whose answer a caller waits for.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
