"""What the programs do with a damaged store, as measured with them: per damage, after a clean stop and without one."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from inspector.formats.spdk_blobstore.loader import LONGHORN, LONGHORN_7, UPSTREAM, Load, load
from tests.builders.spdk import PAGE, Image, desc, seal
from tests.formats.spdk_blobstore.support import look, scramble

Damage = Callable[[Image, bytearray], None]
SNAP, HEAD, OTHER = "snap", "head", "other"


def image(tail: bytes = b"", name_size: int = 64) -> Image:
    made = Image(clusters=40, cluster_size=8192, md_len=16, name_size=name_size)
    snap = made.lvol(SNAP, 4, [0, 1], snapshot=True)
    made.lvol(HEAD, 4, [2], parent=snap)
    made.lvol(OTHER, 4, [3], tail=tail)
    return made


PAGES = {SNAP: 1, HEAD: 3, OTHER: 5}  # first pages; the extent page of each follows


def page(number: int) -> Damage:
    return lambda made, data: scramble(data, made.page_at(number) + 100)


def put(at: int, value: bytes) -> Damage:
    """Bytes of the super block, sealed again."""

    def change(_: Image, data: bytearray) -> None:
        body = bytes(data[:at]) + value + bytes(data[at + len(value) : 4092])
        data[:PAGE] = seal(body)

    return change


def unmark(mask: int, bit: int) -> Damage:
    def change(_: Image, data: bytearray) -> None:
        data[(1 + mask) * PAGE + 5 + bit // 8] &= ~(1 << bit % 8)

    return change


def mark(mask: int, bit: int) -> Damage:
    def change(_: Image, data: bytearray) -> None:
        data[(1 + mask) * PAGE + 5 + bit // 8] |= 1 << bit % 8

    return change


def zeroes(number: int) -> Damage:
    def change(made: Image, data: bytearray) -> None:
        data[made.page_at(number) : made.page_at(number + 1)] = bytes(PAGE)

    return change


def loaded(damage: Damage | None, clean: bool, program: str = LONGHORN, made: Image | None = None) -> Load:
    made = made or image()
    data = made.build(clean=clean)
    if damage is not None:
        damage(made, data)
    return load(look(data, no_correct=True).state, program)


TABLE: list[tuple[str, Damage | None, tuple[int, str, list[str]], tuple[int, str, list[str]]]] = [
    # damage; then the code, its message and the volumes that are missing: stopped cleanly, and not
    ("none", None, (0, "", []), (0, "", [])),
    ("super block's checksum", lambda _, data: scramble(data, 200), (-84, "", []), (-84, "", [])),
    ("signature", put(0, b"SPDKBLOC"), (-84, "", []), (-84, "", [])),
    ("version 0", put(8, b"\0"), (-84, "", []), (-84, "", [])),
    ("version 4", put(8, b"\4"), (-84, "", []), (-84, "", [])),
    ("version 1, which has no root mask", put(8, b"\1"), (0, "", []), (0, "", [])),
    ("a size beyond the device", put(80, struct.pack("<Q", 40 * 8192 + 1)), (-84, "", []), (-84, "", [])),
    ("another type of store", put(56, b"OTHER"), (-6, "", []), (-6, "", [])),
    ("the page of the lvolstore", page(0), (-19, "Metadata page 0 crc mismatch for blobid 0x100000000", []),
     (-19, "", [])),
    ("first page of the head", page(PAGES[HEAD]), (0, "", [HEAD]), (0, "", [HEAD])),
    ("first page of the snapshot", page(PAGES[SNAP]), (0, "", [HEAD, SNAP]), (0, "", [HEAD, SNAP])),
    ("zeroes on the first page of the head", zeroes(PAGES[HEAD]), (0, "", [HEAD]), (0, "", [])),
    ("a mark where no volume ever was", mark(2, 9), (0, "", []), (0, "", [])),
    ("extent page of the head", page(PAGES[HEAD] + 1), (0, "", [HEAD]), (-84, "", [])),
    ("extent page of the snapshot", page(PAGES[SNAP] + 1), (0, "", [HEAD, SNAP]), (-84, "", [])),
    ("root of the head not marked", unmark(2, PAGES[HEAD]), (0, "", [HEAD]), (0, "", [])),
    ("root of the snapshot not marked", unmark(2, PAGES[SNAP]), (0, "", [HEAD, SNAP]), (0, "", [])),
    ("a cluster of the other not marked", unmark(1, 13), (0, "", [OTHER]), (0, "", [])),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "stopped", "cut"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_refused_and_what_is_missing(
    damage: Damage | None, stopped: tuple[int, str, list[str]], cut: tuple[int, str, list[str]]
) -> None:
    made = image()
    assert max(made.used) == 13
    for clean, (code, message, missing) in ((True, stopped), (False, cut)):
        if not clean and damage is not None and "mark" in damage.__qualname__:
            continue  # masks are made anew
        found = loaded(damage, clean, made=made)
        assert (found.code, found.message, found.crash) == (code, message, "")
        named = {f"0x{1 << 32 | number:x}": name for name, number in PAGES.items()}
        told = sorted(named.get(text.split(":")[0], text.split(":")[0]) for text in found.missing.values())
        lost = {one for one in told if one in PAGES}
        assert lost == set(missing)
        assert found.comes_up == (code == 0)


def test_why_each_volume_is_missing() -> None:
    def why(damage: Damage, clean: bool = True) -> set[str]:
        return set(loaded(damage, clean).missing.values())

    root = f"0x{1 << 32 | 3:x}"
    assert why(page(3)) == {f"{root}: Metadata page 3 crc mismatch for blobid {root}"}
    assert why(page(3), False) == {f"{root}: dropped silently, its clusters become free"}
    assert why(unmark(2, 3)) == {"head: its root is not marked"}
    assert why(unmark(2, 1)) == {"snap: its root is not marked", "head: Snapshot fail"}
    assert why(unmark(1, 13)) == {"other: a cluster is not marked: -22"}
    (told,) = why(page(4))
    assert told.startswith("head: extent page 4")


@pytest.mark.parametrize(("kind", "codes"), [
    (200, {LONGHORN: (0, -84), LONGHORN_7: (0, -84), UPSTREAM: (0, -84)}),
    (7, {LONGHORN: (0, -84), LONGHORN_7: (0, 0), UPSTREAM: (0, -84)}),
    (0, {LONGHORN: (0, 0), LONGHORN_7: (0, 0), UPSTREAM: (0, 0)}),
])  # fmt: skip
def test_a_descriptor_that_a_program_does_not_know_is_passed_over_until_it_recovers(
    kind: int, codes: dict[str, tuple[int, int]]
) -> None:
    tail = desc(kind, struct.pack("<QI", 0, 4) if kind else b"\0" * 3)
    for program, (clean, cut) in codes.items():
        assert loaded(None, True, program, image(tail)).code == clean
        assert loaded(None, False, program, image(tail)).code == cut


@pytest.mark.parametrize(("size", "upstream", "longhorn"), [(64, 0, 0), (65, -22, 0), (256, -22, 0), (257, -22, -22)])
def test_names_are_as_long_as_a_program_lets_them(size: int, upstream: int, longhorn: int) -> None:
    for program, code in ((UPSTREAM, upstream), (LONGHORN, longhorn), (LONGHORN_7, longhorn)):
        found = loaded(None, True, program, image(name_size=size))
        assert (found.code, found.message) == (code, "Cannot assign lvol name" if code else "")
        words = found.outcome("v1")
        assert (words.program, words.release) == (program, "v1")
        assert words.outcome == (f"refuses the store with {code}" if code else "loads")


def test_the_words_for_what_comes_up() -> None:
    def said(damage: Damage | None, clean: bool) -> tuple[str, str]:
        found = loaded(damage, clean).outcome()
        return found.outcome, found.message

    assert said(None, True) == ("loads", "")
    assert said(None, False) == ("recovers and loads", "")
    assert said(unmark(2, 1), True) == (
        "loads without 2 of its volumes", "snap: its root is not marked; head: Snapshot fail",
    )  # fmt: skip
    assert said(page(0), True) == ("refuses the store with -19", "Metadata page 0 crc mismatch for blobid 0x100000000")
