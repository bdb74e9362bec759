"""Replicas as they are built from the volumes on a disk, also where these contradict each other."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from inspector.format import Wishes
from inspector.formats.longhorn import FORMAT
from inspector.formats.longhorn.replicas import collect, short_of
from inspector.formats.spdk_blobstore import FORMAT as STORE
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders.longhorn_samples import R1, R2
from tests.builders.spdk import PAGE, Image

BACKING = "bi-ubuntu-disk-0a1b2c3d"


def image() -> Image:
    return Image(clusters=40, cluster_size=PAGE, md_len=24, name_size=256)


def look(made: Image, *, clean: bool = True, against: tuple[tuple[str, bytes], ...] = ()) -> Report:
    return inspect(MemorySource(bytes(made.build(clean=clean))), (STORE, FORMAT), Wishes(against=against))


def told(report: Report) -> list[tuple[str, str]]:
    """Longhorn's own findings and their messages."""
    return [(f.rule.code, f.message) for f in report.tally.findings() if f.rule.code.startswith("LHN")]


def chains(report: Report) -> dict[str, list[str | None]]:
    replicas, _ = collect(report.state.store)
    return {name: [one.name if one else None for one in replica.chain] for name, replica in replicas.items()}


def test_a_chain_goes_from_the_oldest_snapshot_to_the_head() -> None:
    made = image()
    one = made.lvol(f"{R1}-snap-one", 4, [0], snapshot=True)
    two = made.lvol(f"{R1}-snap-two", 4, [1], parent=one, snapshot=True)
    made.lvol(R1, 4, [2], parent=two)
    report = look(made)
    assert chains(report) == {R1: [None, f"{R1}-snap-one", f"{R1}-snap-two", R1]}
    assert told(report) == []
    replica = collect(report.state.store)[0][R1]
    assert [short_of(replica, one) for one in replica.chain] == [None, "one", "two", "volume-head"]


def test_what_is_of_another_replica_ends_the_chain_as_its_base() -> None:
    made = image()
    root = made.lvol(f"{R2}-snap-old", 4, [0], snapshot=True)
    base = made.lvol(f"{R2}-snap-base", 4, [0], parent=root, snapshot=True)
    one = made.lvol(f"{R1}-snap-one", 4, [1], parent=base, snapshot=True)
    made.lvol(R1, 4, [2], parent=one)
    assert chains(look(made))[R1] == [f"{R2}-snap-base", f"{R1}-snap-one", R1]


def test_snapshots_that_stand_on_each_other_end_the_chain_and_the_inspection() -> None:
    """Two snapshots name each other as their parent: damage, or a forged disk."""
    made = image()
    root = made.take_page()
    del made.pages[root]
    one, two = (1 << 32 | root + n for n in (0, 2))
    assert made.lvol(f"{R1}-snap-one", 4, [0], parent=two, snapshot=True) == one
    assert made.lvol(f"{R1}-snap-two", 4, [1], parent=one, snapshot=True) == two
    made.lvol(R1, 4, [2], parent=two)
    assert chains(look(made)) == {R1: [None, f"{R1}-snap-one", f"{R1}-snap-two", R1]}


def test_snapshots_without_a_head_and_a_head_that_is_a_snapshot_are_told() -> None:
    made = image()
    head = made.lvol(R1, 4, [0])
    made.lvol(f"{R1}-snap-one", 4, [1], parent=head)
    made.lvol(f"{R2}-snap-one", 4, [0], snapshot=True)
    made.lvol(f"{R2}-snap-two", 4, [0], snapshot=True)
    assert told(look(made)) == [
        ("LHN002", f"{R1}: its head is a snapshot (1 volume stands on it)"),
        ("LHN003", f"{R1}-snap-one is not read-only"),
        ("LHN001", f"{R2}: 2 snapshots, no head"),
    ]


@pytest.mark.parametrize("name", [b"SNAPTMP", b"SNAPRM"])
def test_a_snapshot_that_a_crash_cut_in_half_accuses_neither_the_head_nor_itself(name: bytes) -> None:
    """The loader finishes or undoes it by itself: nobody is to delete the head for it."""
    made = image()
    root = made.take_page()
    del made.pages[root]
    mark = {name: struct.pack("<Q", 1 << 32 | root + 2)}
    snap = made.lvol(f"{R1}-snap-one", 4, [2], internal=mark)
    head = made.lvol(R1, 4, [], parent=snap)
    report = look(made, clean=False)
    assert [(half.blob, half.other) for half in report.state.lower.half] == [(snap, head)]
    assert told(report) == []


def replica(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "lvs_name": "disk-t", "spec_size": "16384", "snapshots": {}, "head": None, **more}


def test_a_head_that_several_documents_lack_is_told_once() -> None:
    made = image()
    made.lvol(R1, 4, [2])
    said = json.dumps([replica(R1), replica(R1, state="error")]).encode()
    report = look(made, against=(("one", said), ("two", said)))
    assert [code for code, _ in told(report)] == ["LHN010"]


def test_a_store_is_longhorns_where_one_volume_is_named_as_longhorn_names_them() -> None:
    made = image()
    assert FORMAT.claim(MemorySource(b""), None).strength == 0
    for name, strength in (("somebody", 0), (f"{R1}x", 0), (R1, 90), ("other", 90)):
        made.lvol(name, 4, [])
        with MemorySource(bytes(made.build())) as source:
            claim = FORMAT.claim(source, STORE.open(source, None, Wishes()))
        assert claim.strength == strength
    assert claim.because == "1 of 5 volumes are named by Longhorn"


@pytest.mark.parametrize("count", [1, 30])
def test_every_volume_that_longhorn_does_not_name_is_counted(count: int) -> None:
    made = Image(clusters=80, cluster_size=PAGE, md_len=60, name_size=256)
    made.lvol(R1, 4, [])
    others = [made.lvol(f"mine-{number}", 4, []) for number in range(count)]
    report = look(made)
    assert sum(n for (code, _), n in report.tally.counts.items() if code == "LHN005") == count
    first, *_ = [f for f in report.tally.findings() if f.rule.code == "LHN005"]
    at = made.page_at(others[0] & 0xFFFF)
    assert (first.span.start, first.span.end, first.message) == (at, at + PAGE, "mine-0 is not named by Longhorn")


@pytest.mark.parametrize(("count", "more"), [(8, ""), (9, "1 more replica is in"), (10, "2 more replicas are in")])
def test_eight_replicas_are_told_and_how_many_more_there_are(count: int, more: str) -> None:
    made = image()
    names = [f"vol{number}-r-0123456{number % 10}" for number in range(count)]
    for name in names[:-1]:
        made.lvol(name, 4, [])
    made.lvol(f"{names[-1]}-snap-a", 4, [], snapshot=True)
    report = look(made)
    assert report.answer is not None
    words = report.answer.words
    assert [word for word in words if word.startswith("vol")] == [
        *(f"{name}: (no base) <- volume-head." for name in names[: min(8, count - 1)]),
        *[f"{names[-1]}: 1 snapshot without a head."] * (count == 8),
    ]
    assert [word for word in words if "more replica" in word] == ([f"{more} `inspector items`."] if more else [])
    summary = report.answer.summary["replicas"]
    assert [one["name"] for one in summary] == names
    assert summary[0] == {"name": names[0], "head": True, "chain": [None, "volume-head"], "snapshots": [],
                          "leftovers": []}  # fmt: skip
    assert summary[-1] == {"name": names[-1], "head": False, "chain": [], "snapshots": ["a"], "leftovers": []}
