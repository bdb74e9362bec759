"""Each disagreement of a running system with a disk: what is told, of which page, with which numbers."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from inspector import packings
from inspector.errors import UsageError
from inspector.format import Wishes
from inspector.formats.longhorn import FORMAT, memory
from inspector.formats.longhorn.memory import read
from inspector.formats.spdk_blobstore import FORMAT as STORE
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders import longhorn_samples as made
from tests.builders.longhorn_samples import LVS, R1, R2
from tests.builders.spdk import PAGE, uuid

ONE, TWO = f"{R1}-snap-one", f"{R1}-snap-rebuild-27ffb272"
PAGES = {ONE: 1, TWO: 3, R1: 5}  # first pages: the store's own is page 0, an extent page follows each
DATA = made.healthy()
Told = tuple[str, str | None, str, dict[str, Any], str | None]  # code, volume whose page it is, words, evidence


def found(*documents: Any, logs: tuple[bytes, ...] = (), data: bytes = DATA) -> list[Told]:
    given = [(f"d{n}", json.dumps(one).encode()) for n, one in enumerate(documents)]
    given += [(f"log{n}", text) for n, text in enumerate(logs)]
    report = inspect(MemorySource(data), (STORE, FORMAT), Wishes(against=tuple(given)))
    places = {(4 + page) * PAGE: name for name, page in PAGES.items()}
    told: list[Told] = []
    for one in report.tally.findings():
        if one.rule.code.startswith("LHN"):
            known = one.span.length > 0
            assert one.span.length in (0, PAGE)
            where = places[one.span.start] if known else None
            told.append((one.rule.code, where, one.message, dict(one.evidence), one.salvage))
    return told


def listed(edit: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    entries = copy.deepcopy(made.bdevs())
    edit(entries)
    return entries


def lvol(entry: dict[str, Any], **changes: Any) -> dict[str, Any]:
    entry["driver_specific"]["lvol"].update(changes)
    return entry


LISTS: list[tuple[Callable[[list[dict[str, Any]]], object], list[Told]]] = [
    (lambda e: None, []),
    (lambda e: e.pop(0), [("LHN011", ONE, f"d0: {ONE} is not in the list", {}, None)]),
    (lambda e: e.pop(2), [("LHN010", R1, f"d0: {R1} is on disk and healthy, and the running engine does not have it",
                           {}, "kept")]),
    (lambda e: (e.pop(1), e.pop(1)), []),  # an answer about one volume
    (lambda e: lvol(e[2], base_snapshot=ONE), [("LHN013", R1, f"{R1}: parent {TWO} on disk, {ONE} in d0",
                                                {"disk": TWO, "memory": ONE}, None)]),
    (lambda e: lvol(e[0], base_snapshot="x"), [("LHN013", ONE, f"{ONE}: parent None on disk, x in d0",
                                                {"disk": None, "memory": "x"}, None)]),
    (lambda e: lvol(e[0], clones=[]), [("LHN014", ONE, f"{ONE}: children {[TWO]} on disk, [] in d0",
                                        {"disk": [TWO], "memory": []}, None)]),
    (lambda e: lvol(e[2], clones=["b", "a"]), [("LHN014", R1, f"{R1}: children [] on disk, ['a', 'b'] in d0",
                                                {"disk": [], "memory": ["a", "b"]}, None)]),
    (lambda e: e[2].update(num_blocks=7), [("LHN015", R1, f"{R1}: 24576 bytes on disk, 28672 in d0",
                                            {"disk": 24576, "memory": 28672}, None)]),
    (lambda e: e[2].update(num_blocks=None), []),
    (lambda e: e[2].update(uuid=uuid(5)[:-1].decode().upper()), []),
    (lambda e: e[2].update(uuid="u"), [("LHN019", R1, f"{R1}: uuid {uuid(5)[:-1].decode()} on disk, u in d0",
                                        {"disk": uuid(5)[:-1].decode(), "memory": "u"}, None)]),
    (lambda e: e.append({**e[0], "aliases": [f"disk-t/{R1}-snap-never"]}),
     [("LHN012", None, f"d0: {R1}-snap-never is not on disk", {}, "lost")]),
    (lambda e: e.append({**e[0], "aliases": ["disk-t/any"]}), [("LHN016", None, "d0: any is not on disk", {}, "lost")]),
    (lambda e: [lvol(one, lvol_store_uuid=LVS.upper()) for one in e], []),
    (lambda e: [lvol(one, lvol_store_uuid="other") for one in e],
     [("LHN018", None, f"d0: {ONE} is of lvolstore other, this disk is {LVS}", {}, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "told"), LISTS)
def test_one_change_of_a_list_is_told_in_full(edit: Callable[[list[dict[str, Any]]], object], told: list[Told]) -> None:
    assert found(listed(edit)) == told


def test_volumes_on_disk_that_a_list_lacks_are_told_by_what_they_are() -> None:
    data, image = made.odd(), made.odd_image()
    two = [made.bdev(image, blob, name, None, []) for blob, name in zip(sorted(image.vols)[1:3], ("a", "b"),
                                                                        strict=True)]  # fmt: skip
    report = inspect(MemorySource(data), (STORE, FORMAT), Wishes(against=(("d0", json.dumps(two).encode()),)))
    told = {f.message: f.rule.code for f in report.tally.findings() if f.message.startswith("d0: ")}
    assert told == {
        "d0: a is not on disk": "LHN016", "d0: b is not on disk": "LHN016",
        f"d0: {R1} is on disk and healthy, and the running engine does not have it": "LHN010",
        f"d0: {R1}-snap-one is not in the list": "LHN011", f"d0: {R2}-snap-one is not in the list": "LHN011",
        f"d0: {R2}-rebuilding is not in the list": "LHN017", "d0: somebody-elses is not in the list": "LHN017",
    }  # fmt: skip


def test_findings_about_a_disk_alone() -> None:
    image = made.odd_image()
    report = inspect(MemorySource(made.odd()), (STORE, FORMAT), Wishes())
    names = {vol.id: name for vol, name in zip(sorted(image.vols.values(), key=lambda v: v.id), ("", R1, "one", "two",
             "rebuilding", "else"), strict=True)}  # fmt: skip
    pages = {image.page_at(blob & 0xFFFF): name for blob, name in names.items()}
    told = sorted((f.rule.code, pages[f.span.start], f.message) for f in report.tally.findings()
                  if f.rule.code.startswith("LHN"))  # fmt: skip
    assert told == [
        ("LHN001", "two", f"{R2}: 1 snapshot, no head"),
        ("LHN002", R1, f"{R1}: its head is a snapshot (1 volume stands on it)"),
        ("LHN003", "one", f"{R1}-snap-one is not read-only"),
        ("LHN004", "rebuilding", f"{R2}-rebuilding (rebuilding)"),
        ("LHN005", "else", "somebody-elses is not named by Longhorn"),
    ]


def replica(**changes: Any) -> dict[str, Any]:
    """Longhorn's object for the replica on the healthy sample."""
    snapshots = {
        "one": {"name": "one", "parent": "", "children": {"rebuild-27ffb272": True}, "snapshot_checksum": "42"},
        "rebuild-27ffb272": {"name": "rebuild-27ffb272", "parent": "one", "children": {"volume-head": True}},
    }
    head = {"name": "volume-head", "parent": "rebuild-27ffb272", "children": {}}
    return {"name": R1, "lvs_uuid": LVS, "spec_size": 24576, "head": head, "snapshots": snapshots, "state": "running",
            "error_msg": "e" * 500, **changes}  # fmt: skip


def snapshots(name: str, **changes: Any) -> dict[str, Any]:
    made_of: dict[str, Any] = copy.deepcopy(replica()["snapshots"])
    made_of.setdefault(name, {}).update(changes)
    return {"snapshots": made_of}


SIZES = f"{R1} has 24576 bytes on disk, the volume is specified with"
HEAD: dict[str, Any] = replica()["head"]
REPLICAS: list[tuple[dict[str, Any], list[Told]]] = [
    ({}, []),
    ({"spec_size": 24575}, [("LHN002", R1, f"{SIZES} 24575", {"disk": 24576, "specified": 24575}, "kept")]),
    ({"spec_size": "24577"}, [("LHN015", R1, f"{SIZES} 24577", {"disk": 24576, "specified": 24577}, None)]),
    ({"spec_size": None}, []),
    ({"lvs_uuid": "other"}, [("LHN018", None, f"d0: {R1} is of lvolstore other, this disk is {LVS}", {}, None)]),
    ({"lvs_uuid": LVS.upper()}, []),
    ({"lvs_uuid": None}, []),
    ({"name": R2}, [("LHN016", None, f"d0: replica {R2} is not on this disk", {}, None)]),
    ({"head": None}, [("LHN010", R1, f"d0: replica {R1} has no head there; on disk it is healthy",
                       {"state": "running", "error": "e" * 400}, "kept")]),
    ({"head": {**HEAD, "parent": "one"}}, [("LHN013", R1, f"{R1}: parent rebuild-27ffb272 on disk, one in d0",
                                           {"disk": "rebuild-27ffb272", "memory": "one"}, None)]),
    ({"head": {**HEAD, "parent": ""}}, [("LHN013", R1, f"{R1}: parent rebuild-27ffb272 on disk, None in d0",
                                        {"disk": "rebuild-27ffb272", "memory": ""}, None)]),
    ({"head": {**HEAD, "parent": TWO}}, []),
    ({"head": {**HEAD, "parent": 7, "children": "x"}}, []),
    ({"head": {**HEAD, "children": ["x"]}}, [("LHN014", R1, f"{R1}: children [] on disk, ['x'] in d0",
                                             {"disk": [], "memory": ["x"]}, None)]),
    (snapshots("one", parent="x"), [("LHN013", ONE, f"{ONE}: parent None on disk, x in d0",
                                     {"disk": None, "memory": "x"}, None)]),
    (snapshots("one", children={}), [("LHN014", ONE, f"{ONE}: children ['rebuild-27ffb272'] on disk, [] in d0",
                                      {"disk": ["rebuild-27ffb272"], "memory": []}, None)]),
    (snapshots("rebuild-27ffb272", children={R1: True}), []),
    (snapshots("one", snapshot_checksum=43), [("LHN020", ONE, f"{ONE}: checksum 42 on disk, 43 in d0",
                                               {"stored": 42, "computed": 43}, None)]),
    (snapshots("one", snapshot_checksum=""), []),
    (snapshots("rebuild-27ffb272", snapshot_checksum=43), []),
    (snapshots("never", parent=""), [("LHN012", None, f"d0: snapshot never of {R1} is not on disk",
                                      {"snapshot": "never"}, "lost")]),
    ({"snapshots": {"one": replica()["snapshots"]["one"]}},
     [("LHN011", TWO, f"d0: {TWO} is not in the map", {}, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), REPLICAS)
def test_one_change_of_a_replica_object_is_told_in_full(changes: dict[str, Any], told: list[Told]) -> None:
    assert found(replica(**changes)) == told


def test_a_replica_whose_head_is_not_on_disk_is_told() -> None:
    data, other = made.odd(), {**replica(), "name": R2, "snapshots": {"one": {}}, "lvs_uuid": None}
    report = inspect(MemorySource(data), (STORE, FORMAT), Wishes(against=(("d0", json.dumps(other).encode()),)))
    told = [(f.rule.code, f.message, f.salvage) for f in report.tally.findings() if "d0" in f.message]
    assert told == [("LHN016", f"d0: the head of {R2} is not on disk", "lost")]


EXISTS = "lvs_verify_lvol_name: *ERROR*: lvol with name {} already exists"


@pytest.mark.parametrize(("name", "told"), [(R1, True), (ONE, False), (R2, False), (f"disk-t/{R1}", True)])
def test_a_head_that_exists_and_is_to_be_created_is_the_loop(name: str, told: bool) -> None:
    line = EXISTS.format(name)
    loop = ("LHN010", R1, f"{R1} is on disk and healthy, and the engine tries to create it again and again",
            {"log": [f"log0: {line}"]}, "kept")  # fmt: skip
    assert found(logs=(line.encode(),)) == [loop] * told
    headless = ("LHN010", R1, f"d1: replica {R1} has no head there; on disk it is healthy",
                {"state": "running", "error": "e" * 400}, "kept")  # fmt: skip
    listing = listed(lambda e: e.pop(2))
    assert found(listing, replica(head=None), logs=(line.encode(),)) == [loop if told else headless]
    second = f"msg=x code: -17 {R1}"
    both = found(logs=(f"{line}\n{second}\nmsg=y code: -17 {R2}".encode(),))
    assert both == [(*loop[:3], {"log": [f"log0: {line}", f"log0: {second}"]}, "kept")] * told


def test_a_bundle_that_unpacks_to_more_than_a_hundred_times_its_size_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = io.BytesIO()
    text = json.dumps(made.bdevs()) + " " * 5000
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("a.json", text)
        bundle.writestr("b.json", text)
        bundle.writestr("c.png", text)
    data = packed.getvalue()
    monkeypatch.setattr(packings, "RATIO", 2)
    monkeypatch.setattr(packings, "SPARE", 2 * len(text) - 2 * len(data))
    assert len(read((("bundle", data),)).lvols) == 3
    monkeypatch.setattr(packings, "SPARE", 2 * len(text) - 2 * len(data) - 1)
    with pytest.raises(UsageError, match="unpacks to more"):
        read((("bundle", data),))
    monkeypatch.setattr(memory, "MAX_MEMBER", len(text) - 1)  # a member counts, and is read, up to there
    monkeypatch.setattr(packings, "SPARE", 2 * (len(text) - 1) - 2 * len(data))
    assert len(read((("bundle", data),)).lvols) == 3
    monkeypatch.setattr(memory, "MAX_MEMBERS", 0)
    assert read((("bundle", data),)).lvols == {}
