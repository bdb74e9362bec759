"""Two databases compared key by key, whatever files their keys lie in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inspector import formats
from inspector.cli.inputs import opened
from inspector.comparing import Comparison, compare
from inspector.errors import UsageError
from inspector.format import Wishes
from inspector.source import open_source

rocksdict: Any = pytest.importorskip("rocksdict")


def written(path: Path, pairs: dict[bytes, bytes], deleted: tuple[bytes, ...] = (), flush: bool = True) -> Path:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    db = rocksdict.Rdict(str(path), options)
    for key, value in pairs.items():
        db[key] = value
    if flush:
        db.flush()
    for key in deleted:
        del db[key]
    db.close()
    return path


def compared(one: Path, two: Path) -> Comparison:
    states = []
    for path in (one, two):
        store = opened(open_source(str(path)), formats.all_formats(), Wishes(), None)
        served = store.serving("identities")
        assert served is not None
        assert served[0].identities is not None
        states.append(served[0].identities(served[1]))
    return compare(*states)


PAIRS = {b"k%04d" % i: b"value %d" % i for i in range(300)}


def test_keys_only_in_one_and_changed_values_are_told(tmp_path: Path) -> None:
    other = {**PAIRS, b"k0007": b"other", b"new": b"x"}
    found = compared(written(tmp_path / "a", PAIRS), written(tmp_path / "b", other, (b"k0100",), flush=False))
    told = [(d.what, d.name) for d in found.differences()]
    assert sorted(told) == [("changed", "'k0007'"), ("only_a", "'k0100'"), ("only_b", "'new'")]
    assert found.same == {"cf:default": 298}
    (change,) = [d for d in found.differences() if d.what == "changed"]
    assert change.changed["value"] == (b"value 7".hex(), b"other".hex())


def test_the_same_keys_in_other_files_are_no_difference(tmp_path: Path) -> None:
    backwards = dict(reversed(PAIRS.items()))
    assert compared(written(tmp_path / "a", PAIRS), written(tmp_path / "b", backwards, flush=False)).total == 0


def test_one_file_of_a_database_has_no_live_keys(tmp_path: Path) -> None:
    path = next(written(tmp_path / "a", PAIRS).glob("*.sst"))
    with pytest.raises(UsageError, match="no live keys"):
        compared(path, path)
