"""Several piece caches become one."""

from __future__ import annotations

from pathlib import Path

from inspector import formats
from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats.piece_cache.elements import elements
from inspector.formats.piece_cache.layout import ELEMENT
from inspector.merge import Merged, merge
from inspector.source import MemorySource, open_source
from tests.builders.piece_cache import element


def merged(folder: Path, *copies: bytes) -> Merged:
    paths = [folder / f"piece_cache{k}.bin" for k in range(len(copies))]
    for path, data in zip(paths, copies, strict=True):
        path.write_bytes(data)
    sources = [open_source(str(path)) for path in paths]
    return merge(sources, formats.all_formats(), str(folder / "out.bin"), Wishes(), force=True)


def pieces(folder: Path) -> list[int | None]:
    source = MemorySource((folder / "out.bin").read_bytes())
    return [int.from_bytes(e[:8], "little") if v == "good" else None for _, e, v in elements(source)]


def broken(data: bytes) -> bytes:
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


def test_each_piece_is_taken_from_a_copy_in_which_it_is_good(tmp_path: Path) -> None:
    one, two = element(1), element(2)
    done = merged(tmp_path, broken(one) + two, one + broken(two))
    assert (done.code, pieces(tmp_path)) == (Exit.CLEAN, [1, 2])


def test_a_piece_whose_place_is_taken_goes_to_an_empty_one(tmp_path: Path) -> None:
    done = merged(tmp_path, element(1) + bytes(ELEMENT), element(3) + bytes(ELEMENT))
    assert (done.code, pieces(tmp_path)) == (Exit.CLEAN, [1, 3])


def test_a_piece_that_is_good_nowhere_is_lost(tmp_path: Path) -> None:
    bad = broken(element(5))
    done = merged(tmp_path, bad + element(1), bad + element(1))
    assert (done.code, pieces(tmp_path)) == (Exit.LOST, [None, 1])
