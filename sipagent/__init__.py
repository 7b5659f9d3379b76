"""sipagent answers and places phone calls over any SIP trunk, with local models only."""

import os

# Read once, when numpy and the engines load. OpenMP's default is to spin at every barrier for milliseconds,
# and OpenBLAS spins behind every product: as soon as another thread wants a core, a step takes seconds. Not
# to spin at all costs half the speed of a quiet machine; some microseconds of it cost nothing.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "300")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# ONNX Runtime's published builds report their use to Microsoft, in native code, unless this is set before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
