"""``python -m sipagent``."""

import sys

from sipagent.cli.main import main

sys.exit(main())
