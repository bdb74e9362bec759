"""Pages that stand elsewhere, what lies between places, and what a disguise leaves as it was: each by a second way."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from inspector.format import Wishes
from inspector.formats.spdk_blobstore import FORMAT, moved, tail, units
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.clustermap import HOLE, UNKNOWN, Run, _joins
from inspector.formats.spdk_blobstore.content import reader
from inspector.source import MemorySource
from tests.builders.spdk import NONE, PAGE, Image, desc, md_page
from tests.formats.spdk_blobstore.support import flip, look, place, repaired


def image() -> Image:
    """A volume with a map and a chain of three pages, and one without clusters."""
    made = Image(clusters=40, cluster_size=PAGE, md_len=20)
    made.lvol("long", 3, [0, 2], xattrs={b"note": b"n" * 3900, b"more": b"m" * 3900, b"rest": b"r" * 3900})
    made.lvol("bare", 0, [])
    return made


def over(data: bytearray, at: int, new: bytes) -> bytearray:
    out = bytearray(data)
    out[at : at + len(new)] = new
    return out


def test_sealed_pages_in_a_wrong_place_are_listed_with_the_page_that_they_name() -> None:
    """A first page names its own; of a page of a map or of a chain only the volume is known."""
    made = image()
    data = made.build()
    long, bare = (blob & 0xFFFF for blob in list(made.vols)[1:])
    (extent,) = made.vols[1 << 32 | long].extents.values()
    cluster = made.take_cluster() * made.cluster_size
    first, last = made.page_at(0), made.page_at(made.md_len - 1)
    wanted: dict[int, int | None] = {}
    for at, page, names in ((cluster, bare, bare), (cluster + PAGE, extent, None), (2 * PAGE, long, long)):
        start = made.page_at(page)
        data[at : at + PAGE] = data[start : start + PAGE]
        wanted[at] = names
    data[last : last + PAGE] = data[made.page_at(bare) : made.page_at(bare) + PAGE]
    wanted[last] = bare
    unsealed = over(data, cluster + 2 * PAGE, bytes(data[first : first + PAGE - 1]) + b"?")
    assert dict(units._searched(look(unsealed).state)) == wanted


def test_a_first_page_that_left_its_place_to_rubbish_goes_back_though_no_fault_less_is_counted() -> None:
    made = image()
    healthy = made.build()
    at = made.page_at(list(made.vols)[2] & 0xFFFF)
    free = made.page_at(made.md_len - 1)
    data = over(over(healthy, free, bytes(healthy[at : at + PAGE])), at, Random(3).randbytes(PAGE))
    assert [(one.home, one.page, one.back) for one in look(data).state.homes.values()] == [
        ((at - made.page_at(0)) // PAGE, made.md_len - 1, None)
    ]
    assert repaired(data) == healthy


@pytest.mark.parametrize(("page", "inside"), [(19, True), (20, False), (5000, False)])
def test_a_chain_that_goes_on_outside_of_the_metadata_is_shown_at_its_last_page(page: int, inside: bool) -> None:
    made = image()
    blob = list(made.vols)[1]
    pages = made.vols[blob].pages
    assert len(pages) == 3
    body = made.pages[pages[1]]
    made.put_page(pages[1], md_page(blob, 1, page, body[16:4088]))
    report = look(made.build())
    start = made.page_at(page if inside else pages[1])
    assert place(report, "SPB023") == (start, start + PAGE)


def test_a_disguised_page_is_wrong_by_the_same_bit() -> None:
    """Whether it is one of the descriptors, of the pages' numbers or of the checksum: what is read stays the same."""
    made = image()
    healthy, at = made.build(), made.page_at(list(made.vols)[1] & 0xFFFF)
    assert FORMAT.mask is not None
    for bit in (8 * 30, 8 * 4087 + 7, 8 * 4088, 8 * 4092 - 1, 8 * 4092, 8 * 4092 + 9, 8 * 4096 - 1):
        data = bytearray(healthy)
        flip(data, at + bit // 8, 1 << bit % 8)
        report = look(data, accept=frozenset({"unique"}))
        assert list(report.state.mended.values()) == [bit]
        masked = bytearray(data)
        for start, new in FORMAT.mask(report.state, lambda noun, text: f"{noun}-{len(text)}", lambda start, end: False):
            masked[start : start + len(new)] = new
        assert masked != data
        assert b"long" not in masked
        assert look(masked, accept=frozenset({"unique"})).state.mended == report.state.mended


def test_a_disguise_needs_no_scan_before() -> None:
    data = bytes(image().build())
    assert FORMAT.mask is not None
    masked = bytearray(data)
    for start, new in FORMAT.mask(
        FORMAT.open(MemorySource(data), None, Wishes()), lambda noun, text: f"{noun} {text}", lambda start, end: False
    ):
        masked[start : start + len(new)] = new
    assert b"long" in data
    assert b"long" not in masked
    assert b"bare" not in masked


def test_what_a_volume_begins_with_is_read_up_to_128_kib_through_holes() -> None:
    made = Image(clusters=300, cluster_size=PAGE, md_len=12)
    written = list(range(0, 160, 2))
    blob = made.lvol("holes", 160, written)
    report = look(made.build())
    store = report.state.store
    read, whole = reader(store, store.blobs[blob]), made.logical(blob)
    for at in range(0, 170 * PAGE, PAGE):
        assert read(at + 7, 100) == (whole[at + 7 : at + 107] if at < 1 << 17 else bytes(100)), at


RUNS = [Run(0, 3, cluster, why, owner) for cluster in (HOLE, UNKNOWN, 2, 5) for why in ("", "a") for owner in (1, 2)]


@pytest.mark.parametrize("left", RUNS)
def test_runs_are_one_where_each_cluster_follows_the_one_before(left: Run) -> None:
    for right in RUNS:
        follow = left.cluster > 0 and right.cluster == left.cluster + 3 and left.owner == right.owner
        alike = left.cluster <= 0 and left.cluster == right.cluster and left.why == right.why
        assert _joins(left, right) is (follow or alike), right


def test_bytes_that_cannot_stand_in_masks_and_free_pages_are_found_one_by_one() -> None:
    rng = Random(8)
    made = Image(clusters=2000, cluster_size=PAGE, md_len=60)
    for clean in (True, False):
        data = made.build(clean=clean)
        g = sb.parse(bytes(data[:PAGE]))
        due: dict[int, int | None] = {}  # what must be there; None: a bit that may be either
        for start, end, must in moved._due(g):
            due |= dict.fromkeys(range(start, end), None) | {start + k: byte for k, byte in enumerate(must)}
        for _ in range(60):
            start = rng.randrange(4 * PAGE)
            some = bytearray(data[start : start + rng.randrange(1, 6000)])
            for _ in range(rng.randrange(9)):
                some[rng.randrange(len(some))] = rng.choice((0, 1, 255))
            wanted = [start + k for k, byte in enumerate(some) if due.get(start + k, 0) not in (None, byte)]
            assert moved._strange(bytes(some), g, start) == wanted


def translated(data: bytes, surplus: int | None = None) -> str | None:
    source = MemorySource(data, "image")
    geometry = None if surplus is None else SimpleNamespace(size=len(data) - surplus)
    state: Any = SimpleNamespace(source=source, geometry=geometry, trusted=True)
    refused = tail.translated(state)
    return None if refused is None else refused.hint


def test_what_a_transfer_did_is_taken_back_where_nothing_is_lost_by_it() -> None:
    lines = Random(1).randbytes(999).replace(b"\n", b"") + b"\r\n" * 20
    high = bytes(range(128, 256)).decode("latin1").encode() * 2 + b"x"
    lost = "�".encode() * 200 + b"x"
    undo = {data: (translated(data), translated(data, 20), translated(data, 19)) for data in (lines, high, lost)}
    newlines, recoded = r"perl -pe 's/\r\n/\n/' image > image.undone", "iconv -f UTF-8 -t LATIN1 image > image.undone"
    assert [[bool(hint) for hint in hints] for hints in undo.values()] == [
        [True, True, False], [True, True, True], [False, False, False],
    ]  # fmt: skip
    assert (undo[lines][0] or "").startswith(newlines)
    assert (undo[high][2] or "").startswith(recoded)
    assert translated(lines.ljust(1536, b"x")) is None  # whole sectors


def test_a_descriptor_alone_is_no_page() -> None:
    assert len(md_page(7, 0, NONE, desc(3, bytes(24)))) == PAGE
    assert units.unit(look(image().build()).state, "", PAGE, lambda at, count: b"") is None
