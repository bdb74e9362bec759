"""One format under atheris: `python -m tests.fuzz.guided FORMAT CORPUS [libFuzzer's options]`.

The first byte of an input says for which member of which sample the others stand in.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["inspector"]):
    from inspector.formats import all_formats
    from tests.fuzz.target import able

    FORMATS = tuple(all_formats())  # imported here, or none of them is watched


def main() -> None:
    name = sys.argv.pop(1)
    every = able(name)

    def one(data: bytes) -> None:
        if data:  # instrumented code is several times slower, and libFuzzer watches the clock itself
            every[data[0] % len(every)](data[1:], patience=20.0)

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
