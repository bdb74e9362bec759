"""The files in samples/ are exactly what the builders make, and the ledger names each of them."""

from __future__ import annotations

from pathlib import Path

from samples import build

HERE = Path(build.__file__).parent


def test_the_files_on_disk_are_what_the_builders_make() -> None:
    made = {path: data for sample in build.ALL for path, data in build.files(sample)}
    found = {
        str(p.relative_to(HERE))
        for p in HERE.rglob("*")
        if p.is_file() and not {"__pycache__", "crashers"} & {*p.parts}
    }  # those came of fuzzing
    assert found == set(made) | {"README.md", "__init__.py", "build.py"}
    for path, data in made.items():
        assert (HERE / path).read_bytes() == data, f"{path}: run python -m samples.build"


def test_the_ledger_is_current() -> None:
    assert (HERE / "README.md").read_text(encoding="utf-8") == build.ledger(build.ALL)


def test_no_name_is_used_twice() -> None:
    names = [(sample.format, sample.name) for sample in build.ALL]
    assert len(set(names)) == len(names)
