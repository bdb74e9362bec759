"""Edits of a MANIFEST that belong together all happened, or none (version_edit_handler.cc, AtomicGroupReadBuffer)."""

from __future__ import annotations

from inspector.formats.rocksdb.edit import Edit, NewFile, encode
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.version import Version, replay


def added(number: int, remaining: int | None = None, **more: object) -> bytes:
    new = NewFile(0, number, 900, b"a" + bytes(8), b"b" + bytes(8), 1, 2)
    return encode(Edit(added=[new], remaining=remaining, **more))  # type: ignore[arg-type]


def read(*edits: bytes, cut: int = 0) -> tuple[Version, int]:
    out = bytearray()
    for edit in edits:
        out += frame(edit, len(out))
    size = len(out) - cut
    return replay(lambda at, n: bytes(out[at : min(at + n, size)]), size), size


def files(version: Version) -> list[int]:
    return sorted(number for family in version.families.values() for number in family.files)


def test_a_whole_group_happened() -> None:
    version, _ = read(added(5), added(6, 2), added(7, 1), added(8, 0), added(9))
    assert (files(version), version.faults) == ([5, 6, 7, 8, 9], [])
    version, _ = read(added(6, 0))
    assert (files(version), version.faults) == ([6], [])


def test_a_group_that_the_file_ends_in_did_not_happen() -> None:
    version, size = read(added(5), added(6, 2), added(7, 1))
    assert files(version) == [5]
    assert [(start, end) for start, end, _ in version.faults] == [(size, size)]
    assert version.faults[0][2] == "an atomic group of edits is not complete: 2 are here"


def test_of_a_group_that_others_follow_what_is_here_happened() -> None:
    version, _ = read(added(5), added(6, 2), added(7, 1), added(9))
    assert (files(version), version.faults) == ([5, 6, 7, 9], [])


def test_a_group_says_that_rocksdb_wrote_it() -> None:
    assert read(added(5))[0].leveldb
    assert not read(added(5), added(6, 0))[0].leveldb
