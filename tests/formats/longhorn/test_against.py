"""A running system's memory against the disk: agreement is silent, each disagreement has its own finding."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from inspector.errors import UsageError
from inspector.format import Wishes
from inspector.formats.longhorn import FORMAT
from inspector.formats.longhorn.memory import read
from inspector.formats.spdk_blobstore import FORMAT as STORE
from inspector.inspect import Report, inspect
from inspector.source import MemorySource, Source, open_source
from tests.builders import longhorn_samples as made
from tests.builders.longhorn_samples import LVS, R1
from tests.formats.spdk_blobstore.real import names, unpack
from tests.formats.spdk_blobstore.support import DATA, codes

SNAPS = f"{R1}-snap-one", f"{R1}-snap-rebuild-27ffb272"


def against(data: bytes | Source, *documents: bytes) -> Report:
    source = data if isinstance(data, Source) else MemorySource(data)
    given = tuple((f"doc-{number}", document) for number, document in enumerate(documents))
    report = inspect(source, (STORE, FORMAT), Wishes(against=given))
    assert "INS001" not in codes(report), report.tally.findings()
    return report


def dump(document: Any) -> bytes:
    return json.dumps(document).encode()


def replica(**changes: Any) -> dict[str, Any]:
    """Longhorn's object for the replica on the healthy sample."""
    snapshots = {
        "one": {"name": "one", "parent": "", "children": {"rebuild-27ffb272": True}, "snapshot_checksum": "42"},
        "rebuild-27ffb272": {"name": "rebuild-27ffb272", "parent": "one", "children": {"volume-head": True}},
    }
    head = {"name": "volume-head", "parent": "rebuild-27ffb272", "children": {}}
    return {
        "name": R1, "lvs_name": "disk-t", "lvs_uuid": LVS, "spec_size": 6 * 4096, "head": head, "snapshots": snapshots,
        "state": "running", "error_msg": "", **changes,
    }  # fmt: skip


def test_the_chain_is_built_as_longhorn_builds_it() -> None:
    report = against(made.healthy())
    (found,) = report.answer.summary["replicas"]
    assert [layer.name for layer in report.layers] == ["longhorn", "spdk-blobstore"]
    assert found["chain"] == [None, "one", "rebuild-27ffb272", "volume-head"]


def test_memory_that_agrees_is_silent() -> None:
    for document in (
        made.agreeing(),
        dump(replica()),
        dump([replica()]),
        dump({"result": made.bdevs(), "jsonrpc": "2"}),
    ):
        assert codes(against(made.healthy(), document)) == []


def test_a_head_that_the_engine_does_not_have_is_the_crash_loop_and_the_disk_is_called_healthy() -> None:
    only_the_engine = b"\n".join(line for line in made.loop_log().splitlines() if b"level=" in line)
    for documents in ((made.loop_log(),), (only_the_engine,), (dump(made.bdevs()[:2]),), (dump(replica(head=None)),)):
        report = against(made.healthy(), *documents)
        assert codes(report) == ["LHN010"]
        assert "do not repair it" in report.answer.words[0]
        assert not any("repair" in command for command in report.answer.next)
    log = next(f for f in against(made.healthy(), made.loop_log()).tally.findings() if f.rule.code == "LHN010")
    assert len(log.evidence["log"]) == 2  # type: ignore[arg-type]


def test_the_crash_loop_is_told_once_from_a_log_and_a_list() -> None:
    documents = (made.loop_log(), dump(made.bdevs()[:2]), dump(replica(head=None)))
    assert codes(against(made.healthy(), *documents)) == ["LHN010"]


def changed(edit: Callable[[list[dict[str, Any]]], object]) -> bytes:
    entries = copy.deepcopy(made.bdevs())
    edit(entries)
    return dump(entries)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda e: e.pop(0), "LHN011"),
        (lambda e: e[2]["driver_specific"]["lvol"].update(base_snapshot=SNAPS[0]), "LHN013"),
        (lambda e: e[0]["driver_specific"]["lvol"].update(clones=[]), "LHN014"),
        (lambda e: e[2].update(num_blocks=7), "LHN015"),
        (lambda e: e[2].update(uuid="00000000-0000-4000-8000-00000000abcd"), "LHN019"),
        (lambda e: e.append({**e[0], "aliases": [f"disk-t/{R1}-snap-never"]}), "LHN012"),
        (lambda e: e.append({**e[0], "aliases": ["disk-t/other"]}), "LHN016"),
    ],
)
def test_one_disagreement_with_a_list_is_one_finding(edit: Any, code: str) -> None:
    assert codes(against(made.healthy(), changed(edit))) == [code]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"spec_size": 4096}, "LHN002"),
        ({"spec_size": "999999999"}, "LHN015"),
        ({"lvs_uuid": "00000000-0000-4000-8000-00000000ffff"}, ""),
        ({"name": R1.replace("21baaab4", "00000000")}, "LHN016"),
    ],
)
def test_one_disagreement_with_a_replica_object_is_one_finding(changes: dict[str, Any], code: str) -> None:
    assert codes(against(made.healthy(), dump(replica(**changes)))) == ([code] if code else [])


def test_volumes_of_another_disk_are_told_once_and_those_behind_them_are_held_against_this_one() -> None:
    strange = [copy.deepcopy(made.bdevs()[0]) for _ in range(2)]
    for number, one in enumerate(strange):
        one["aliases"] = [f"disk-u/other-{number}"]
        one["driver_specific"]["lvol"]["lvol_store_uuid"] = "00000000-0000-4000-8000-00000000ffff"
    assert _told([*made.bdevs(), strange[0]]) == _told([*strange, *made.bdevs()]) == ["LHN018"]
    head = {**made.bdevs()[2], "num_blocks": 7}
    assert _told([strange[0], *made.bdevs()[:2], head]) == ["LHN015", "LHN018"]


def _told(listed: list[dict[str, Any]]) -> list[str]:
    return sorted(
        f.rule.code for f in against(made.healthy(), dump(listed)).tally.findings() if f.rule.code != "SPB051"
    )


def test_of_many_children_a_hundred_are_shown() -> None:
    many = [f"child-{number:03d}" for number in range(150)]
    listed = changed(lambda e: e[0]["driver_specific"]["lvol"].update(clones=many))
    objects = replica()
    objects["snapshots"]["one"]["children"] = dict.fromkeys(many, True)
    for document in (listed, dump(objects)):
        found = {f.rule.code: f for f in against(made.healthy(), document).tally.findings()}["LHN014"]
        assert found.evidence["memory"] == many[:100]


def test_a_checksum_that_differs_between_disk_and_longhorn_is_an_error() -> None:
    other = replica()
    other["snapshots"]["one"]["snapshot_checksum"] = "43"
    assert codes(against(made.healthy(), dump(other))) == ["LHN020"]


def test_an_answer_about_one_volume_does_not_make_the_others_missing() -> None:
    assert codes(against(made.healthy(), dump(made.bdevs()[:1]))) == []


def test_a_support_bundle_is_searched_for_what_is_understood() -> None:
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as packed:
        packed.writestr("logs/instance-manager.log", made.loop_log())
        packed.writestr("yamls/replicas.yaml", "kind: Replica")
        packed.writestr("rpc/bdevs.json", made.agreeing())
    assert codes(against(made.healthy(), bundle.getvalue())) == ["LHN010"]


def test_what_is_not_understood_is_refused_in_one_line() -> None:
    for data in (b"", b"{}", b"[]", b"[1, 2]", b'"x"', b"\xff\xfe\x00", b"PK\x03\x04 not a zip", b"[" * 100_000):
        with pytest.raises(UsageError):
            read((("doc", data),))


def test_hostile_documents_end_in_findings_or_nothing() -> None:
    lvol: dict[str, Any] = {
        "driver_specific": {"lvol": {"clones": [1, None, {}], "base_snapshot": [], "num_allocated_clusters": "x"}}
    }
    documents = (
        dump([{**lvol, "aliases": [None, 5]}, {**lvol, "aliases": ["a/" + "x" * 100_000], "num_blocks": -1}]),
        dump([{**lvol, "aliases": [f"disk-t/{R1}"], "block_size": True, "num_blocks": 1 << 80, "uuid": 7}] * 2),
        dump({"name": R1, "spec_size": "9" * 400, "head": [], "snapshots": {"one": {"children": ["x", 1]}, "two": []}}),
        dump({"name": None, "head": {"parent": 5}, "snapshots": {}}),
        b"lvs_verify_lvol_name" * 10_000,
    )
    for document in documents[:4]:
        against(made.healthy(), document)
    with pytest.raises(UsageError):
        against(made.healthy(), documents[4])


@pytest.mark.skipif("lh-clean" not in names(), reason="the folder of real images is absent")
def test_a_real_replica_agrees_with_what_its_engine_would_say_and_every_change_is_found() -> None:
    document = json.loads((DATA / "lh-clean.derived-rpc.json").read_text())
    lvol = document["bdev_get_bdevs"]

    def told(edit: Callable[[dict[str, Any]], object]) -> list[str]:
        other = copy.deepcopy(document)
        edit(other)
        with open_source(str(unpack("lh-clean"))) as source:
            return codes(against(source, dump(other)))

    def drop(found: dict[str, Any], number: int) -> None:
        del found["bdev_get_bdevs"][number], found["bdev_lvol_get_lvols"][number]

    older = lvol[1]["aliases"][0].partition("/")[2]
    assert told(lambda d: None) == []
    assert told(lambda d: drop(d, 0)) == ["LHN010"]
    assert told(lambda d: d["bdev_get_bdevs"][0]["driver_specific"]["lvol"].update(base_snapshot=older)) == ["LHN013"]
    assert told(lambda d: drop(d, 2)) == ["LHN011"]
