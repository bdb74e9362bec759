"""Images written by SPDK and by Longhorn's engine against what those programs say is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from inspector.format import Wishes
from inspector.formats.spdk_blobstore import FORMAT
from inspector.formats.spdk_blobstore.loader import LONGHORN, LONGHORN_7, UPSTREAM, load
from inspector.repair import repair
from inspector.source import open_source
from tests.formats.spdk_blobstore.matrix import CASES, run
from tests.formats.spdk_blobstore.real import names, sha256, truth, unpack, whole
from tests.formats.spdk_blobstore.support import codes, look

pytestmark = pytest.mark.skipif(not names(), reason="the folder of real images is absent")

ACCEPT = {"lh-lostcont": frozenset({"anchored"})}
FINDINGS = {"lh-crashdel3": ["SPB041"], "lh-crashsnap2": ["SPB040"], "lh-lostcont": ["SPB024"]}


def runs(bits: list[list[int]]) -> list[int]:
    return [bit for start, count in bits for bit in range(start, start + count)]


@pytest.mark.parametrize("name", names())
def test_blobs_are_as_the_program_that_wrote_them_says(name: str) -> None:
    with open_source(str(unpack(name))) as source:
        assert codes(look(source)) == FINDINGS.get(name, [])
        report = look(source, accept=ACCEPT.get(name, frozenset()))
        store = report.state.store
        for entry in truth(name)["blobs"]:
            blob = store.blobs[int(entry["id"], 16)]
            lost_page = name == "lh-lostcont" and len(entry["md_pages"]) == 3
            want: dict[str, Any] = {
                "xattrs": {k.encode(): v.encode("latin-1") for k, v in entry["xattrs"].items()},
                "internal": {k: bytes.fromhex(v) for k, v in entry["xattrs_internal_hex"].items()},
                "flags": (entry["invalid_flags"], entry["data_ro_flags"], entry["md_ro_flags"]),
                "parent": int(entry["parent"], 16) if entry["parent"] else None,
                "pages": entry["md_pages"],
                "clusters": entry["clusters"],
                "allocated": entry["num_allocated_clusters"],
                "snapshot": entry["is_snapshot"],
                "sha256": (entry["sha256"], 0),
            }
            if lost_page:  # the page that was lost, and the attribute on it
                want["pages"].remove(6)
                del want["xattrs"][b"pad2"]
            assert described(report, blob) == want
        if name not in ("lh-crashdel3", "lh-crashsnap2", "lh-lostcont"):
            assert list(store.used) == runs(truth(name)["used_clusters_runs"])
            assert list(store.pages) == runs(truth(name)["used_md_pages_runs"])


def described(report: Any, blob: Any) -> dict[str, Any]:
    store = report.state.store
    clusters: list[int] = []
    for run_ in store.own(blob):
        clusters += [run_.cluster + i if run_.cluster else 0 for i in range(run_.count)]
    return {
        "xattrs": blob.xattrs,
        "internal": {k.decode(): v for k, v in blob.internal.items()},
        "flags": blob.flags,
        "parent": blob.parent,
        "pages": list(blob.pages),
        "clusters": clusters,
        "allocated": store.allocated(blob),
        "snapshot": blob.id in store.children,
        "sha256": sha256(report, blob.id),
    }


@pytest.mark.parametrize("name", names())
def test_a_repaired_image_is_clean_and_keeps_every_volume(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out.img"
    with open_source(str(unpack(name))) as source:
        result = repair(source, (FORMAT,), str(out), Wishes(accept=ACCEPT.get(name, frozenset())))
    assert result.code == 0
    with open_source(str(out)) as again:
        report = look(again)
        assert codes(report) == []
        assert whole(report, name) == []
        assert len(report.state.store.blobs) == len(truth(name)["blobs"])


def test_loaders_do_what_was_measured() -> None:
    expected = {
        "lh-clean": ("refuses the store with -22", "loads"),
        "lh-dirty": ("refuses the store with -22", "recovers and loads"),
        "lh-crashsnap2": ("dies at every load", "dies at every load"),
        "lh-lostcont": ("refuses the store with -22", "recovers and loads, 1 with wrong content"),
        "up-stale": ("recovers and loads", "recovers and loads"),
        "up-frag": ("loads", "loads"),
    }
    for name, outcomes in expected.items():
        with open_source(str(unpack(name))) as source:
            state = look(source).state
            assert (load(state, UPSTREAM).outcome().outcome, load(state, LONGHORN).outcome().outcome) == outcomes
    with open_source(str(unpack("lhsynth7-clean"))) as source:
        state = look(source).state
        assert load(state, LONGHORN).comes_up  # type 7 is ignored after a clean shutdown
        state.super_data = dirty(state.super_data)
        assert load(state, LONGHORN).code == -84
        assert load(state, LONGHORN_7).comes_up


def dirty(data: bytes) -> bytes:
    from inspector.formats.spdk_blobstore import superblock as sb

    return sb.build(replace(sb.parse(data), clean=0))


def test_snapshots_of_longhorn_verify_against_their_checksums() -> None:
    for name in ("lh-clean", "lhsynth7-clean"):
        with open_source(str(unpack(name))) as source:
            report = look(source, checksums=True)
            assert codes(report) == []


@pytest.mark.parametrize(("name", "case"), [(n, c) for n in names() for c in CASES if (n, c) in CASES[c].sample])
def test_damage_costs_exactly_what_cannot_be_known(name: str, case: str) -> None:
    for failure in run(name, case, sample=True):
        pytest.fail(failure)
