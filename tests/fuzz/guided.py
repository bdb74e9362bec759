"""One format under atheris: `python -m tests.fuzz.guided FORMAT CORPUS [libFuzzer's options]`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["inspector"]):
    from inspector.formats import all_formats
    from tests.fuzz.target import Target

    FORMATS = tuple(all_formats())  # imported here, or none of them is watched


def main() -> None:
    name = sys.argv.pop(1)
    form = next(form for form in FORMATS if form.name == name)
    target = Target(form, {"": b""}, "")
    # instrumented code is several times slower, and libFuzzer watches the clock itself
    atheris.Setup(sys.argv, lambda data: target(data, patience=20.0))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
