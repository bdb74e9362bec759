"""inspector with the tiny format only, for tests that need a process: `python -m tests.cli.tiny_main ARGUMENTS`."""

import sys

import inspector.formats
from inspector.__main__ import main
from tests.cli import tiny_format


def run() -> int:
    inspector.formats.all_formats = lambda: (tiny_format.FORMAT,)
    return main()


if __name__ == "__main__":
    sys.exit(run())
