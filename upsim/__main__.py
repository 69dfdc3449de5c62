"""``python -m upsim``: the command line."""

import sys

from upsim.cli import main

if __name__ == "__main__":
    sys.exit(main())
