"""``python -m labkit.preflight``."""

import sys

from labkit.preflight import main

if __name__ == "__main__":
    sys.exit(main())
