"""A page of metadata that changed places with content or with zeroes: the sealed page elsewhere tells."""

from __future__ import annotations

import pytest

from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders import spdk

PAGE = spdk.PAGE


def store() -> tuple[spdk.Image, bytes]:
    image = spdk.Image(60, 4 * PAGE, md_len=60)
    parent = image.lvol("snap", 8, [0, 2, 3], snapshot=True)
    image.lvol("volume", 8, [1, 4], parent=parent)
    image.lvol("long", 6, [0, 1, 2, 3, 4], xattrs={b"pad": b"p" * 3000, b"more": b"q" * 3000})
    return image, bytes(image.build(True))


def exchanged(data: bytes, one: int, two: int) -> bytes:
    out = bytearray(data)
    out[one : one + PAGE], out[two : two + PAGE] = data[two : two + PAGE], data[one : one + PAGE]
    return bytes(out)


def scan(data: bytes) -> Report:
    return inspect(MemorySource(data), all_formats())


@pytest.mark.parametrize(
    ("kind", "with_"),
    [(kind, place) for kind in ("root", "extent", "continuation") for place in ("zeroes", "content")]
    + [("root", "a free page")],
)
def test_a_page_of_metadata_in_another_place_changed_places(kind: str, with_: str) -> None:
    image, data = store()
    kinds = {p: "extent" if d[16] == 6 else "continuation" if d[8] else "root" for p, d in image.pages.items()}
    home = image.page_at(max(p for p, what in kinds.items() if what == kind and p))
    start = image.first_data * image.cluster_size
    inside = range(start, len(data), PAGE)
    there = {
        "zeroes": next(at for at in inside if not any(data[at : at + PAGE])),
        "content": next(at for at in inside if any(data[at : at + PAGE])),
        "a free page": image.page_at(max(image.pages) + 9),
    }[with_]
    report = scan(exchanged(data, home, there))
    assert report.diagnosis is not None
    assert {e.cause.name for e in report.diagnosis.events} == {"swapped"}


def test_a_page_that_is_zeroed_and_stands_nowhere_else_did_not() -> None:
    image, data = store()
    at = image.page_at(max(image.pages))
    report = scan(data[:at] + bytes(PAGE) + data[at + PAGE :])
    assert report.diagnosis is not None
    assert report.diagnosis.events[0].cause.name == "zeroed-range"


def test_a_damaged_page_with_an_older_copy_elsewhere_did_not() -> None:
    image, data = store()
    root = next(vol.id & 0xFFFFFFFF for vol in image.vols.values() if vol.clusters == 6)
    at, there = image.page_at(root), len(data) - PAGE
    data = data[:there] + data[at : at + PAGE]
    noise = bytes(byte ^ 0x5A for byte in data[at + 600 : at + 700])
    report = scan(data[: at + 600] + noise + data[at + 700 :])
    assert report.diagnosis is not None
    assert "swapped" not in {e.cause.name for e in report.diagnosis.events}
