"""Pages by their state, what a source is taken for, what is told of names, and where the work is limited."""

from __future__ import annotations

import struct
from array import array
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from inspector.formats.spdk_blobstore import FORMAT, blobs, region
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.loader import LONGHORN, load
from inspector.formats.spdk_blobstore.region import Region
from inspector.source import MemorySource
from inspector.span import Span
from tests.builders.spdk import NONE, PAGE, Image, desc, md_page, uuid, xattr
from tests.formats.spdk_blobstore.support import codes, look, scramble


@pytest.mark.parametrize("seed", range(6))
def test_pages_are_put_in_runs_and_found_again(seed: int) -> None:
    rng = Random(seed)
    states = [rng.choice((pg.ZERO, pg.ZERO, pg.BAD, pg.ROOT, pg.EXTENT)) for _ in range(40)]
    made, at = Region(), 0
    while at < len(states):
        some = states[at : at + rng.randrange(1, 9)]
        if rng.randrange(2):
            made.extend(at, array("B", some))
        else:
            for number, state in enumerate(some):
                made.put(at + number, state)
        at += len(some)
        assert made.scanned == at
        assert [made.state_of(page) for page in range(at)] == states[:at]
        assert made.state_of(at) == pg.ZERO
    for wanted in ((pg.ZERO,), (pg.BAD, pg.ROOT)):
        told = [(page, state) for low, high, state in made.runs(*wanted) for page in range(low, high)]
        assert told == [(page, state) for page, state in enumerate(states) if state in wanted]
    ends = [high for _, high, _ in made.runs(*range(8))]
    assert [low for low, _, _ in made.runs(*range(8))] == [0, *ends[:-1]]
    assert all(made.start[made.run_of(page)] <= page for page in range(40))


def test_sealed_pages_are_rows_in_the_order_of_their_places() -> None:
    made = Region()
    for page, kind in ((9, pg.ROOT), (2, pg.CONT), (5, pg.EXTENT), (7, pg.ROOT)):
        made.insert(sum(known < page for known in made.index), page, kind, (page << 32, page + 1, page + 2))
    assert [made.row(page) for page in (2, 5, 7, 9, 0, 6, 10)] == [0, 1, 2, 3, None, None, None]
    assert ([*made.rows(pg.ROOT)], [*made.rows(pg.CONT)], [*made.rows(pg.STRAY)]) == ([2, 3], [0], [])
    made.remove(2)
    assert list(zip(made.index, made.kind, made.id, made.sequence, made.next, strict=True)) == [
        (page, kind, page << 32, page + 1, page + 2) for page, kind in ((2, pg.CONT), (5, pg.EXTENT), (9, pg.ROOT))
    ]


def image(volumes: int = 2) -> Image:
    made = Image(clusters=24, cluster_size=16384, md_len=12)
    for number in range(volumes):
        made.lvol(f"vol-{number}", 3, [0])
    return made


def claimed(data: bytes | bytearray) -> int:
    return FORMAT.claim(MemorySource(bytes(data)), None).strength


def test_how_sure_it_is_that_bytes_are_a_blobstore() -> None:
    data = image().build()
    assert claimed(data) == 100
    hurt = bytearray(data)
    scramble(hurt, 100)
    assert claimed(hurt) == 70
    assert claimed(hurt[: PAGE + 5]) == 70
    gone = bytearray(data)
    gone[:PAGE] = bytes(PAGE)
    assert claimed(gone) == 60
    assert claimed(bytes(PAGE)) == claimed(b"") == claimed(Random(1).randbytes(9000)) == 0
    alone = image(0).build()
    alone[:PAGE] = bytes(PAGE)
    assert claimed(alone) == 60  # one first page in its place
    shifted = bytes(512) + bytes(alone)
    assert claimed(shifted) == 0  # one that stands anywhere proves nothing
    assert claimed(bytes(512) + bytes(gone)) == 60


def test_what_a_source_is_that_is_no_blobstore() -> None:
    boot = bytearray(9000)
    boot[446:462], boot[510:512] = struct.pack("<4xB3xII", 0x83, 8, 7), b"\x55\xaa"
    said = {
        b"\0" * 9000: "no SPDKBLOB signature and no blobstore metadata page in the first 16 MiB",
        bytes(boot): "a partition table, and none of its partitions starts with a blobstore",
        b"\x1f\x8b".ljust(9000, b"\0"): "gzip archive (unpack it first)",
        b"\x1f\x8b" + bytes(boot[2:]): "gzip archive (unpack it first)",
        b"LUKS\xba\xbe".ljust(9000, b"\0"): "LUKS encrypted volume",
        bytes(1080) + b"\x53\xef" + bytes(900): "ext2/3/4 file system",
        bytes(1079) + b"\x53\xef" + bytes(900): "no SPDKBLOB signature and no blobstore metadata page in the first "
        "16 MiB",
        bytes(4086) + b"SWAPSPACE2": "swap space",
        bytes(65600) + b"_BHRfS_M": "Btrfs file system",
    }
    for data, because in said.items():
        told = FORMAT.claim(MemorySource(data), None)
        assert (told.strength, told.because) == (0, because)


NAMES = [  # the name, its uuid, what is told, and whether Longhorn's program loads the store
    (b"one\0", uuid(7), [], True),
    (b"", uuid(7), ["SPB050"], False),
    (b"\0\0", uuid(7), ["SPB050"], True),
    (b"vol-0\0", uuid(7), ["SPB052", "SPB052"], True),
    (b"one", uuid(7), [], False),
    (b"n" * 63 + b"\0", uuid(7), [], True),
    (b"n" * 64 + b"\0", uuid(7), ["SPB051"], True),
    (b"n" * 255 + b"\0", uuid(7), ["SPB051"], True),
    (b"n" * 256 + b"\0", uuid(7), ["SPB051"], False),
    (b"one\0", b"", ["SPB053"], True),
    (b"one\0", b"not a uuid\0", ["SPB053"], True),
]


@pytest.mark.parametrize(("name", "own", "wrong", "loads"), NAMES)
def test_what_is_told_of_names(name: bytes, own: bytes, wrong: list[str], loads: bool) -> None:
    made = image(1)
    blob = made.lvol("other", 3, [1])
    parts = desc(3, struct.pack("<QQQ", 5, 0, 2)) + desc(5, struct.pack("<QII", 3, 0, 1))
    parts += (xattr(b"name", name) if name else b"") + (xattr(b"uuid", own) if own else b"")
    del made.pages[made.vols[blob].extents.pop(0)]
    made.used.remove(made.vols[blob].map.pop(1))
    root = blob & 0xFFFF
    made.put_page(root, md_page(blob, 0, NONE, parts))
    data = made.build()
    extent = made.page_at(root + 1)
    data[extent : extent + PAGE] = bytes(PAGE)
    report = look(data)
    assert codes(report, notes=True) == wrong
    assert load(report.state, LONGHORN).comes_up == loads


def test_a_name_that_a_lost_page_holds_is_not_called_missing() -> None:
    made = image(1)
    root, rest = made.take_page(), made.take_page()
    blob = 1 << 32 | root
    parts = desc(3, struct.pack("<QQQ", 5, 0, 2)) + desc(5, struct.pack("<QII", 3, 0, 1)) + xattr(b"uuid", uuid(7))
    made.put_page(root, md_page(blob, 0, rest, parts))
    made.put_page(rest, md_page(blob, 1, NONE, xattr(b"name", b"late\0")))
    made.extra_roots.add(root)
    data = made.build()
    assert codes(look(data)) == []
    scramble(data, made.page_at(rest) + 100)
    assert codes(look(data)) == ["SPB020", "SPB023"]


@pytest.mark.parametrize(("step", "left"), [(3, "map"), (4, "extent"), (5, "nothing"), (5, "another's extent")])
def test_how_far_the_deletion_of_a_snapshot_came_after_its_child_let_go(step: int, left: str) -> None:
    """Its six writes: mark, child's map merged, child's parent, own map cleared, extent page zeroed, root zeroed."""
    made = Image()
    base = made.lvol("base", 4, [0, 1], snapshot=True)
    mark = {b"SNAPRM": struct.pack("<Q", 1 << 32 | 8)}
    snap = made.lvol("snap", 4, [1] if left == "map" else [], parent=base, snapshot=True, internal=mark)
    while 8 not in made.pages:
        made.take_page()
    del made.pages[8]
    for page in [page for page, data in made.pages.items() if not data]:
        made.put_page(page, bytes(PAGE))
    child = made.lvol("child", 4, [3], parent=base)
    assert child == 1 << 32 | 8
    if "extent" in left:
        page = made.take_page()
        writer = child if left.startswith("another") else snap
        made.put_page(page, md_page(writer, 0, NONE, desc(6, struct.pack("<I4I", 0, 0, 25, 0, 0))))
    (half,) = look(made.build(clean=False)).state.half
    assert (half.operation, half.step, half.verdict, half.other) == ("delete", step, "discard", child)


@pytest.mark.parametrize("gone", ["never there", "refused", "broken"])
def test_a_half_done_snapshot_whose_other_volume_cannot_be_opened_is_stuck(gone: str) -> None:
    made = Image()
    other = 1 << 32 | (20 if gone == "never there" else 2)
    snap = made.lvol("snap", 4, [], snapshot=True, internal={b"SNAPTMP": struct.pack("<Q", other)})
    flags = 1 << 40 if gone == "refused" else 0
    child = made.lvol("child", 4, [], flags=flags, tail=xattr(b"note", b"n" * 3950))
    assert (child == other) == (gone != "never there")
    data = made.build(clean=False)
    if gone == "broken":
        scramble(data, made.page_at(made.vols[child].pages[1]) + 100)
    (half,) = look(data).state.half
    assert (half.blob, half.verdict, half.step, half.kills) == (snap, "stuck", 0, False)


def test_what_is_more_than_is_examined_is_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = image(4)
    data = made.build()
    assert "SPB070" not in codes(look(data))
    monkeypatch.setattr(blobs, "MAX_KEPT", 2 * PAGE)
    report = look(data)
    (found,) = [one for one in report.tally.findings() if one.rule.code == "SPB070"]
    start = made.page_at(0)
    assert (found.evidence["count"], found.span.start, found.span.end) == (2, start, start + 12 * PAGE)
    monkeypatch.undo()
    monkeypatch.setattr(region, "MAX_PAGES", 6)  # of nine: five roots, four extent pages
    report = look(data)
    (found,) = [one for one in report.tally.findings() if one.rule.code == "SPB070"]
    assert found.evidence["count"] == 3
    states = [report.state.region.state_of(page) for page in range(12)]
    assert states == [pg.ROOT, *[pg.ROOT, pg.EXTENT] * 4, *[pg.ZERO] * 3]


def test_parts_of_a_disk_that_are_no_holes_end_with_what_is_asked_for() -> None:
    source: Any = SimpleNamespace(
        data_ranges=lambda start: (Span(*one) for one in ((100, 200), (300, 400), (500, 600)) if one[1] > start),
        size=1000,
    )
    disk = Disk(source, 50, 950)
    assert list(disk.data_ranges(0, 900)) == [(50, 150), (250, 350), (450, 550)]
    assert list(disk.data_ranges(0, 450)) == [(50, 150), (250, 350)]
    assert list(disk.data_ranges(0, 451)) == [(50, 150), (250, 350), (450, 451)]
    assert list(disk.data_ranges(60, 250)) == [(60, 150)]


def test_pages_that_begin_with_an_id_are_found_at_multiples_of_their_size() -> None:
    named = b"\7\0\0\0\1\0\0\0".ljust(PAGE, b"\5")
    data = bytes(PAGE) + named + named[:3000] + bytes(PAGE - 3000) + bytes(100) + named + bytes(PAGE - 100) + named
    disk = Disk(MemorySource(data))
    assert [at for at, _ in disk.named(len(data))] == [PAGE, 2 * PAGE, 5 * PAGE]
    assert [piece for _, piece in disk.named(2 * PAGE)] == [named]
    assert [at for at, _ in disk.named(2 * PAGE - 1)] == []
    assert [at for at, _ in Disk(MemorySource(data[:-1])).named(1 << 30)] == [PAGE, 2 * PAGE]
