"""Version edits as db/version_edit.cc writes them, byte by byte, and the version that they add up to."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.edit import BlobFile, Edit, NewFile, decode, encode
from inspector.formats.rocksdb.version import Version

SMALL, LARGE = b"aa" + bytes(8), b"zz" + b"\1" * 8


def v(*numbers: int) -> bytes:
    """Numbers as LEB128."""
    out = bytearray()
    for number in numbers:
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return bytes(out)


def s(text: bytes) -> bytes:
    return v(len(text)) + text


FILE = NewFile(2, 300, 70_000, SMALL, LARGE, 5, 900)
KEYS = s(SMALL) + s(LARGE)
MIN_LOG = (3, (77).to_bytes(8, "little"))
TAGS = [
    (v(1) + s(b"leveldb.BytewiseComparator"), {"comparator": "leveldb.BytewiseComparator"}),
    (v(2, 300), {"log_number": 300}), (v(3, 301), {"next_file": 301}), (v(4, 1 << 40), {"last_sequence": 1 << 40}),
    (v(9, 7), {"prev_log": 7}), (v(10, 299), {"min_log_to_keep": 299}), (v(203, 4), {"max_family": 4}),
    (v(5, 3) + s(SMALL), {}), (v(6, 2, 300), {"deleted": [(2, 300)]}),
    (v(7, 2, 300, 70_000) + KEYS, {"added": [NewFile(2, 300, 70_000, SMALL, LARGE)]}),
    (v(100, 2, 300, 70_000) + KEYS + v(5, 900), {"added": [FILE]}),
    (v(102, 2, 300, 3, 70_000) + KEYS + v(5, 900),
     {"added": [NewFile(2, 300, 70_000, SMALL, LARGE, 5, 900, path_id=3)]}),
    (v(103, 2, 300, 70_000) + KEYS + v(5, 900, 1), {"added": [FILE]}),
    (v(103, 2, 300, 70_000) + KEYS + v(5, 900, 65, 1, 6) + v(3) + s((77).to_bytes(8, "little")) + v(1),
     {"added": [NewFile(2, 300, 70_000, SMALL, LARGE, 5, 900, ((65, b"\6"), MIN_LOG), False, 6)],
      "min_log_to_keep": 77}),
    (v(103, 2, 300, 70_000) + KEYS + v(5, 900, 3) + s(b"short") + v(1),
     {"added": [NewFile(2, 300, 70_000, SMALL, LARGE, 5, 900, ((3, b"short"),))]}),
    (v(200, 4), {"family": 4}), (v(201) + s(b"cf"), {"add_family": "cf"}), (v(202), {"drop_family": True}),
    (v(300, 2), {"remaining": 2}),
    (v(400, 8, 6, 900) + s(b"SHA1") + s(b"sum") + v(0), {"blobs": [BlobFile(8, 6, 900, b"SHA1", b"sum")]}),
    (v(400, 8, 6, 900) + s(b"") + s(b"") + v(9) + s(b"new") + v(0), {"blobs": [BlobFile(8, 6, 900)]}),
    (v(401, 8, 2, 300, 0), {"garbage": [BlobFile(8, 2, 300)]}),
    (v(8193) + s(b"id"), {"db_id": "id"}),
    (v(8196, 14, 2, 4096, 1), {"wals": [(14, 4096)]}), (v(8196, 14, 1), {"wals": [(14, None)]}),
    (v(8197, 14), {}), (v(8199) + s(v(14, 2, 4096, 1)), {"wals": [(14, 4096)]}),
    (v(8200) + s(v(14)), {"others": [(8200, v(14))]}), (v(8203) + s(b""), {"others": [(8203, b"")]}),
    (v(8300) + s(b"later"), {"others": [(8300, b"later")]}),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "said"), TAGS, ids=[str(n) for n in range(len(TAGS))])
def test_a_field_is_read_and_what_follows_it_too(raw: bytes, said: dict[str, Any]) -> None:
    assert decode(raw) == Edit(**said)
    assert decode(raw + v(2, 9)) == Edit(**{**said, "log_number": 9})
    for cut in range(1, len(raw)):
        with pytest.raises(MalformedError):
            decode(raw[:cut])


@pytest.mark.parametrize(
    "raw",
    [
        v(8), v(11, 1), v(104), v(399, 0), v(8191), v(7, 2, 300, 70_000) + s(b"7 bytes") + s(LARGE),
        v(7, 2, 300, 70_000) + s(SMALL) + s(b"7 bytes"), v(7, 65, 300, 70_000) + KEYS,
        v(103, 2, 300, 70_000) + KEYS + v(5, 900, 66, 0, 1),
    ],
)  # fmt: skip
def test_what_must_be_understood_and_is_not_is_no_edit(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(raw)


TYPES = (0, 1, 2, 7, 0x0F, 0x11, 0x14, 0x16, 0x18, 0x1A)  # those of all 256 with which RocksDB 9.8.4 opens


@pytest.mark.parametrize("tag", [7, 100, 102, 103])
@pytest.mark.parametrize("first", [True, False])
def test_rocksdb_takes_in_no_table_whose_first_or_last_key_is_of_an_unknown_type(tag: int, first: bool) -> None:
    def spelled(kind: int) -> bytes:
        hurt = b"mm" + bytes([kind]) + bytes(7)
        keys = s(hurt) + s(LARGE) if first else s(SMALL) + s(hurt)
        return (
            v(tag, 2, 300, *([3] if tag == 102 else []), 70_000)
            + keys
            + v(*([] if tag == 7 else [5, 900]), *([1] if tag == 103 else []))
        )

    for kind in range(256):
        if kind in TYPES or tag == 7:  # LevelDB, which writes no other tag, takes in any
            assert decode(spelled(kind)).added
        if kind in TYPES:
            assert decode(spelled(kind), typed=True).added
        else:
            with pytest.raises(MalformedError, match=f"of type {kind},"):
                decode(spelled(kind), typed=True)


def test_a_level_of_64_is_one_and_a_field_of_a_file_that_may_be_passed_over_is_kept() -> None:
    assert decode(v(7, 64, 300, 70_000) + KEYS).added[0].level == 64
    assert decode(v(103, 2, 300, 70_000) + KEYS + v(5, 900, 63, 0, 1)).added[0].custom == ((63, b""),)


def test_what_is_written_is_read_again() -> None:
    told = Edit(
        comparator="c", log_number=3, next_file=9, last_sequence=77, prev_log=0, min_log_to_keep=2, max_family=1,
        family=1, add_family="cf", remaining=0, db_id="id", deleted=[(0, 5)],
        added=[NewFile(1, 6, 100, SMALL, LARGE, 4, 9, ((15, b"\1"),))], blobs=[BlobFile(8, 2, 30, b"m", b"s")],
        garbage=[BlobFile(8, 1, 10)], others=[(8200, b"\x0e")],
    )  # fmt: skip
    assert decode(encode(told)) == told
    assert decode(encode(Edit(drop_family=True, family=3))) == Edit(drop_family=True, family=3)
    assert encode(Edit()) == b""


# -- what they add up to ---------------------------------------------------------------------------


def after(*edits: Edit, leveldb: bool = False) -> Version:
    made = Version(leveldb=leveldb)
    for number, edit in enumerate(edits):
        made.take(edit, 100 * number, 100 * number + 50)
    return made


def file(number: int, level: int = 1, sequence: int = 0) -> NewFile:
    return NewFile(level, number, 10, SMALL, LARGE, 0, sequence)


def test_numbers_rise_and_a_previous_log_is_as_the_last_edit_says() -> None:
    first = Edit(next_file=9, last_sequence=70, min_log_to_keep=5, max_family=2, prev_log=8, log_number=6)
    second = Edit(next_file=10, last_sequence=71, min_log_to_keep=6, max_family=3, prev_log=0, log_number=7)
    found = after(first, second)
    assert (found.next_file, found.last_sequence, found.min_log_to_keep, found.max_family) == (10, 71, 6, 3)
    assert (found.prev_log, found.families[0].log_number, found.edits, found.damaged) == (0, 7, 2, False)


@pytest.mark.parametrize("name", ["next_file", "last_sequence"])
def test_a_number_that_goes_back_is_told_and_does_not_go_back(name: str) -> None:
    less: dict[str, Any] = {name: 69, "comparator": "c"}
    same: dict[str, Any] = {name: 70}
    found = after(Edit(**same), Edit(**same), Edit(**less))
    assert getattr(found, name) == 70
    why = f"{name.replace('_', ' ')} goes back from 70 to 69"
    assert found.faults == [(200, 250, why)]
    assert [(one.start, one.end, one.why, one.refused) for one in found.stale] == [(200, 250, why, False)]
    assert (found.stale_count, found.families[0].comparator) == (1, "c")


def test_tables_come_and_go() -> None:
    found = after(Edit(added=[file(5, 0, 90), file(6)]), Edit(deleted=[(0, 5)], added=[file(7, 1, 40)]),
                  Edit(deleted=[(1, 6)], added=[file(6, 2)]))  # fmt: skip
    assert {n: f.level for n, f in found.families[0].files.items()} == {6: 2, 7: 1}
    assert (found.removed, found.flushed, found.damaged) == ({5}, 90, False)
    assert sorted(one.number for _, one in found.live_tables()) == [6, 7]


@pytest.mark.parametrize("leveldb", [False, True])
@pytest.mark.parametrize(
    ("edit", "why", "always"),
    [
        (Edit(deleted=[(1, 9)]), "it deletes table 000009 from level 1, where none is", False),
        (Edit(deleted=[(2, 5)]), "it deletes table 000005 from level 2, where none is", False),
        (Edit(added=[file(5)]), "it adds table 000005, which is there", False),
        (Edit(added=[file(4)]), "it adds table 000004, which an edit before deleted", True),
    ],
)
def test_an_edit_that_was_carried_out_before_is_left_out(edit: Edit, why: str, always: bool, leveldb: bool) -> None:
    found = after(Edit(added=[file(4), file(5)]), Edit(deleted=[(1, 4)]), edit, leveldb=leveldb)
    assert list(found.families[0].files) == [5]
    assert [(one.why, one.refused) for one in found.stale] == [(why, always or not leveldb)]
    found.again()
    assert list(found.families[0].files) == [5]


def test_two_edits_that_changed_places_are_both_carried_out_in_the_end() -> None:
    found = after(Edit(deleted=[(1, 5)], added=[file(6)]), Edit(added=[file(5)]))
    assert list(found.families[0].files) == [5]
    found.again()
    assert list(found.families[0].files) == [6]


def test_behind_a_lost_edit_what_misfits_is_carried_out() -> None:
    made = Version()
    made.fault(0, 10, "lost")
    made.take(Edit(deleted=[(1, 5)], added=[file(6)]), 10, 20)
    assert (list(made.families[0].files), made.stale) == ([6], [])


def test_families_come_go_and_are_assumed_where_only_their_tables_are_told() -> None:
    found = after(Edit(family=1, add_family="cf", comparator="c"), Edit(family=2, added=[file(5)]),
                  Edit(family=1, drop_family=True), Edit(family=9, drop_family=True))  # fmt: skip
    assert {n: (f.name, f.assumed) for n, f in found.families.items()} == {2: ("cf-2", True)}
    assert found.dropped == {1: "cf", 9: ""}
    named = after(Edit(family=2, added=[file(5)]), Edit(family=2, add_family="two")).families[2]
    assert (named.name, named.assumed, list(named.files)) == ("two", False, [5])
    assert not after(Edit(comparator="c")).families[0].assumed


@pytest.mark.parametrize(("count", "left"), [(5, [8]), (6, [])])
def test_a_blob_file_that_is_all_garbage_is_obsolete(count: int, left: list[int]) -> None:
    found = after(Edit(blobs=[BlobFile(8, 6, 900)]), Edit(garbage=[BlobFile(8, 2, 300)]),
                  Edit(garbage=[BlobFile(8, count - 2, 100)]))  # fmt: skip
    assert list(found.families[0].blobs) == left
    assert found.families[0].garbage == {8: (count, 400)}
    assert found.removed == (set() if left else {8})


def test_sizes_of_wals_and_fields_of_the_future_are_kept_and_deletions_of_wals_are_not() -> None:
    found = after(Edit(wals=[(14, 40), (15, None)], others=[(8200, b"\x0d"), (8300, b"x")]), Edit(wals=[(14, 90)]))
    assert (found.wal_sizes, found.families[0].others) == ({14: 90}, [(8300, b"x")])
    many = after(*(Edit(others=[(8300 + n, b"")]) for n in range(70)))
    assert [tag for tag, _ in many.families[0].others] == [8300 + n for n in range(64)]
