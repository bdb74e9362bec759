"""`python -m inspector` and the console script."""

import sys

from inspector import __version__


def main() -> int:
    sys.stdout.write(f"inspector {__version__}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
