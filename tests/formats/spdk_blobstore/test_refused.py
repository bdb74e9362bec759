"""What is asked of a blobstore and refused: which request, why, and what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from inspector.errors import InspectorError, RefusedError, UsageError
from inspector.format import Wishes
from inspector.formats.spdk_blobstore import FORMAT
from inspector.formats.spdk_blobstore.merging import merge, volume_of
from inspector.formats.spdk_blobstore.state import open_store, target
from inspector.source import MemorySource
from tests.builders.spdk import NONE, PAGE, Image, desc, md_page
from tests.formats.spdk_blobstore.support import look, scramble

SIZE = 8192
VOLUME = "pvc-0d1c4d2a-7a4b-4a43-9a1e-5b6f0f0c1a11"


def image(cluster_size: int = SIZE, **more: Any) -> Image:
    made = Image(clusters=24, cluster_size=cluster_size, md_len=12, **more)
    made.lvol("vol", 3, [0, 2])
    made.lvol("other", 3, [1])
    return made


def refused(ask: Callable[[], object]) -> tuple[type, str, str]:
    with pytest.raises(InspectorError) as told:
        ask()
    return type(told.value), str(told.value), told.value.hint or ""


def planned(data: bytes | bytearray, accept: Sequence[str] = (), **wishes: Any) -> Any:
    wanted = Wishes(accept=frozenset(accept), **wishes)
    report = look(data, accept=frozenset(accept), **wishes)
    assert FORMAT.plan is not None
    return FORMAT.plan(report.state, wanted)


def test_an_image_that_is_cut_is_extended_only_where_nothing_lay() -> None:
    """Eight clusters hold the metadata (16 pages), the three behind them belong to the volumes."""
    data = image().build()
    assert max(image().used) == 10
    assert planned(data[: 11 * SIZE]).size == len(data)
    for end, lost in ((11 * SIZE - 4096, 1), (10 * SIZE, 1), (9 * SIZE, 2), (8 * SIZE, 3)):
        assert refused(partial(planned, data[:end])) == (
            RefusedError, f"{24 * SIZE - end} bytes are missing at the end, and {lost} "
            "clusters of volumes with them",
            "extract what is there, or --accept unsealed to have zeroes in their place",
        )  # fmt: skip
        assert planned(data[:end], ["unsealed"]).size == len(data)
    assert refused(lambda: planned(data[: 15 * PAGE])) == (
        RefusedError, f"the image ends inside its metadata, {24 * SIZE - 15 * PAGE} bytes before the store does",
        "extract what is there; the volumes whose metadata is missing cannot be known",
    )  # fmt: skip


def test_an_image_that_ends_inside_a_sector_is_refused_until_that_is_accepted() -> None:
    data = bytes(image().build())
    for behind, plural in ((1, "1 byte"), (300, "300 bytes")):
        assert refused(partial(planned, data + bytes(behind))) == (
            RefusedError, f"the image ends inside a sector, {plural} behind its store: where they were put in, all "
            "behind them moved",
            "copy the disk again; --accept unsealed takes them for what stands behind it, as head -c "
            f"{len(data)} does",
        )  # fmt: skip


def test_a_store_without_its_name_or_a_volume_without_one_needs_new_ones() -> None:
    made = image()
    data = made.build()
    scramble(data, made.page_at(0) + 100)
    assert refused(lambda: planned(data)) == (
        RefusedError, "the lvolstore's name and uuid are lost, and without them nothing loads",
        "--accept name makes new ones; or extract the volumes into another store",
    )  # fmt: skip
    assert any(note.startswith("the lvolstore is named ") for note in planned(data, ["name"]).notes)
    twice = image()
    blob = twice.lvol("vol", 3, [])
    hint = "--accept name gives it a name made of its own and its id"
    assert refused(lambda: planned(twice.build())) == (RefusedError, "two volumes are named vol", hint)
    whole = [edit.why for edit in planned(twice.build(), ["name"]).edits]
    assert f"vol is named vol-{blob & 0xFFFF:x}" in " ".join(whole)
    nameless = image()
    blob = nameless.lvol("", 3, [])
    assert refused(lambda: planned(nameless.build())) == (RefusedError, f"volume 0x{blob:x} has no name", hint)
    whole = [edit.why for edit in planned(nameless.build(), ["name"]).edits]
    assert f"is named blob-{blob & 0xFFFF:x}" in " ".join(whole)


@pytest.mark.parametrize("count", [1, 2])
def test_clusters_of_two_volumes_are_not_given_to_one_of_them(count: int) -> None:
    made = image()
    places = list(made.vols[max(made.vols) - 2].map.values())
    made.lvol("third", 3, [], at=dict(enumerate(places[:count])))
    words = "1 cluster belongs" if count == 1 else "2 clusters belong"
    assert refused(lambda: planned(made.build())) == (
        RefusedError, f"{words} to two volumes, the first to vol and third",
        "extract both volumes, compare them with a replica or backup, then delete one",
    )  # fmt: skip


def test_what_a_blobstore_does_not_take() -> None:
    data = bytes(image().build())

    def opened(**wishes: Any) -> object:
        return open_store(MemorySource(data), None, Wishes(**wishes))

    assert refused(lambda: opened(cluster_size=4096)) == (
        UsageError, "the super block is sealed and says clusters of 8192 bytes", "leave out --cluster-size",
    )  # fmt: skip
    opened(cluster_size=8192)
    assert refused(lambda: opened(accept=frozenset({"zzz", "anchored", "odd"}))) == (
        UsageError, "--accept odd means nothing to a blobstore", "known: anchored, name, unique, unsealed",
    )  # fmt: skip
    assert refused(lambda: opened(release="v26.04")) == (
        UsageError, "--for v26.04: not a program that loads blobstores",
        "known: spdk, longhorn, longhorn-checksums",
    )  # fmt: skip
    programs = {"spdk": "spdk", "SPDK v24.01": "spdk", "longhorn-v1.9": "longhorn", "longhorn": "longhorn",
                "longhorn-checksums": "longhorn-checksums", "spdk@24": "spdk", "other": None}  # fmt: skip
    assert {text: target(text) for text in programs} == programs
    gone = bytearray(data)
    gone[: 16 * PAGE] = bytes(16 * PAGE)
    assert refused(lambda: FORMAT.plan(open_store(MemorySource(bytes(gone), "x"), None, Wishes()), Wishes())) == (  # type: ignore[misc]
        RefusedError, "x: no geometry could be found", "nothing can be rebuilt from here",
    )  # fmt: skip


def states(*images: Image) -> list[Any]:
    made = [open_store(MemorySource(bytes(one.build()), f"d{n}"), None, Wishes()) for n, one in enumerate(images)]
    return made


def test_what_is_no_copy_of_one_volume_is_not_merged() -> None:
    one, two = image(), image()

    def merged(item: str | None, *images: Image) -> object:
        return merge(states(*images), Wishes(), item)

    assert refused(lambda: merged(None, one, two)) == (
        UsageError, "of a blobstore one volume is merged at a time: --item VOLUME", "inspector items lists them",
    )  # fmt: skip
    assert refused(lambda: merged("none", one, two)) == (
        UsageError, "no copy has an item none", "inspector items lists what each has",
    )  # fmt: skip
    assert refused(lambda: merged("vol", one, image(16384)))[:2] == (
        RefusedError, "clusters of 8192 and 16384 bytes: these are not copies of one volume",
    )  # fmt: skip
    other = image()
    root = min(other.vols) & 0xFFFF
    body = desc(3, bytes(24)) + desc(2, b"\4\0\3\0uuidxy\0") + desc(2, b"\4\0\2\0namel\0")
    other.put_page(root, md_page(1 << 32 | root, 0, NONE, body))
    assert refused(lambda: merged("vol", one, other)) == (
        RefusedError, "d0 and d1 are different stores (00000000-0000-4000-8000-000000000000, xy), and vol is no "
        "Longhorn replica", "inspector extract writes each by itself",
    )  # fmt: skip
    lost = image()
    data = lost.build()
    scramble(data, 100)
    data[PAGE : 4 * PAGE] = bytes(3 * PAGE)
    unsure = open_store(MemorySource(bytes(data), "d1"), None, Wishes())
    if not unsure.trusted:
        assert refused(lambda: merge([*states(one), unsure], Wishes(), "vol"))[:2] == (
            RefusedError, "d1: where its clusters lie is not certain",
        )  # fmt: skip


def test_replicas_of_one_volume_are_found_by_the_volumes_name() -> None:
    first, second = image(lvs=b"a"), image(lvs=b"b")
    for made, name in ((first, "aaaaaaaa"), (second, "bbbbbbbb")):
        made.lvol(f"{VOLUME}-r-{name}", 3, [0])
    plan = merge(states(first, second), Wishes(), VOLUME)
    assert [words.split(":")[0] for words in plan.because] == [f"{VOLUME}-r-aaaaaaaa", f"{VOLUME}-r-bbbbbbbb"]
    assert volume_of(f"disk/{VOLUME}-r-aaaaaaaa-snap-one") == f"{VOLUME}-snap-one"
    first.lvol(f"{VOLUME}-r-cccccccc", 3, [0])
    kind, text, hint = refused(lambda: merge(states(first, second), Wishes(), VOLUME))
    assert (kind, hint) == (UsageError, "name one")
    assert text == f"{VOLUME} is {VOLUME}-r-aaaaaaaa and {VOLUME}-r-cccccccc on one disk"
    apart = merge(states(second, image()), Wishes(), f"{VOLUME}-r-bbbbbbbb")
    assert apart.because[1] == f"it has no {VOLUME}-r-bbbbbbbb"
