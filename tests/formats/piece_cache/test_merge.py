"""Several piece caches become one."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import Exit, RefusedError
from inspector.format import Wishes
from inspector.formats.piece_cache import merging
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


def test_copies_of_which_no_piece_is_good_are_not_merged_to_zeroes(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no piece is good in any copy"):
        merged(tmp_path, broken(element(1)), broken(element(2)) + bytes(ELEMENT))
    assert not (tmp_path / "out.bin").exists()
    assert merged(tmp_path, bytes(ELEMENT), bytes(ELEMENT)).code == Exit.CLEAN  # nothing was in them


def test_pieces_without_a_place_are_counted_once_each_and_first_come_is_first_placed(tmp_path: Path) -> None:
    full = element(1) + bytes(ELEMENT)
    done = merged(tmp_path, full, element(3) + bytes(ELEMENT), element(4) + bytes(ELEMENT), element(3) + bytes(ELEMENT))
    assert pieces(tmp_path) == [1, 3]  # 3 is in two copies and takes one place
    assert done.plan.counts == {"pieces": 2, "pieces_without_a_place": 1}
    assert "1 pieces have no place in a cache of 2; the farmer fetches what it misses" in done.notes


def test_a_bad_piece_that_another_copy_has_elsewhere_is_no_loss(tmp_path: Path) -> None:
    done = merged(tmp_path, broken(element(5)) + element(1), element(1) + element(5))
    assert (done.code, sorted(p or 0 for p in pieces(tmp_path))) == (Exit.CLEAN, [1, 5])


def test_the_first_place_is_a_place_too(tmp_path: Path) -> None:
    done = merged(tmp_path, bytes(ELEMENT) + element(1), bytes(ELEMENT) + element(3))
    assert (done.code, pieces(tmp_path)) == (Exit.CLEAN, [3, 1])
    assert done.plan.counts == {"pieces": 2, "pieces_without_a_place": 0}


def test_of_many_bad_pieces_the_first_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "LACKING", 2)
    done = merged(tmp_path, *[b"".join(broken(element(n)) for n in (5, 6, 7)) + element(1)] * 2)
    assert [loss.why for loss in done.plan.losses] == [f"piece {n} by its own word is good in no copy" for n in (5, 6)]
