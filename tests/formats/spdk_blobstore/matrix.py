"""Every damage of the issue on every real image; `python -m tests.formats.spdk_blobstore.matrix` runs all of it.

Super block, masks and both wiped; each root and each extent page scrambled beyond correction; each of them with
one bit flipped. What must be lost is computed from the truth files alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from inspector.formats.spdk_blobstore import FORMAT
from inspector.inspect import Report
from inspector.patch import Patch, Patched, changes_of
from tests.formats.spdk_blobstore.real import Damaged, names, sha256, truth, unpack, whole
from tests.formats.spdk_blobstore.support import codes, look

PAGE = 4096


@dataclass(frozen=True)
class Case:
    what: str
    sample: frozenset[tuple[str, str]] = field(default_factory=frozenset)


def _sample(case: str, *images: str) -> Case:
    return Case(case, frozenset((image, case) for image in images))


CASES = {
    "super": _sample("super", "lh-clean", "lh-dirty", "up-frag", "up-md16", "up-stale"),
    "masks": _sample("masks", "lh-clean", "up-frag", "up-md16"),
    "both": _sample("both", "lh-clean", "up-frag"),
    "roots": _sample("roots", "lh-clean", "up-frag"),
    "extents": _sample("extents", "lh-dirty", "up-frag"),
    "bits": _sample("bits", "up-md16"),
}


def run(name: str, case: str, sample: bool = False) -> Iterator[str]:
    """What went wrong, in words; nothing when all is as it must be."""
    known = truth(name)
    known["super_blob_page"] = int(known["super_blob"], 16) & 0xFFFFFFFF
    stride = known["md_page_size"]
    start = known["md_start"] * stride
    accept = frozenset({"anchored"}) if name == "lh-lostcont" else frozenset()
    if case in ("super", "masks", "both"):
        zero = [(0, PAGE)] if case != "masks" else []
        zero += [(stride, start)] if case != "super" else []
        yield from _wiped(name, known, Damaged(unpack(name), zero=tuple(zero)), case, accept)
        return
    blobs = known["blobs"]
    pages = (
        [b["page"] for b in blobs] if case == "roots" else sorted({p for b in blobs for p in b["extent_pages"] if p})
    )
    if case == "bits":
        pages = sorted({*(b["page"] for b in blobs), *pages})
    for page in pages[:: 3 if sample else 1]:
        at = start + page * stride
        span = (at + 40, at + 41) if case == "bits" else (at + 40, at + 300)
        with Damaged(unpack(name), xor=(span,), mask=4 if case == "bits" else 0x5A) as source:
            report = look(source, accept=accept)
            lost = set() if case == "bits" else _lost(known, page, case)
            yield from (f"{name} {case} page {page}: {wrong}" for wrong in whole(report, name, lost))
            if not set(codes(report)) & {"SPB020"}:
                yield f"{name} {case} page {page}: no finding for it"
            yield from _partly(report, known, page, case, lost)
            super_lost = case == "roots" and page == known["super_blob_page"]
            yield from (f"{name} {case} page {page}: {w}" for w in _repaired(report, name, lost, accept, super_lost))


def _wiped(name: str, known: dict[str, Any], source: Damaged, case: str, accept: frozenset[str]) -> Iterator[str]:
    with source:
        report = look(source, accept=accept)
        if report.state.how == "ambiguous":
            if known["cluster_size"] not in [c.geometry.cluster_size for c in report.state.candidates]:
                yield f"{name} {case}: the right geometry is not among the candidates"
            report = look(source, accept=accept, cluster_size=known["cluster_size"])
        yield from (f"{name} {case}: {wrong}" for wrong in whole(report, name))
        yield from (f"{name} {case}: {wrong}" for wrong in _repaired(report, name, set(), accept, False))
        g = report.state.geometry
        if (g.cluster_size, g.md_start, g.md_len) != (known["cluster_size"], known["md_start"], known["md_len"]):
            yield f"{name} {case}: the geometry differs"


def _repaired(report: Report, name: str, lost: set[int], accept: frozenset[str], super_lost: bool) -> Iterator[str]:
    """A repaired image is clean and every volume that was not lost is bit-exact in it."""
    assert FORMAT.plan is not None
    state, source = report.state, report.source
    if super_lost:  # its name and uuid are on no other page: they are made up on request only
        state.wishes = replace(state.wishes, accept=accept | {"name"})
    changes = tuple(changes_of(source, FORMAT.plan(state, state.wishes)))
    again = look(Patched(source, Patch(source.size, "", changes)))
    if codes(again):
        yield f"the repaired image shows {codes(again)}"
    yield from (f"repaired: {wrong}" for wrong in whole(again, name, lost))


def _lost(known: dict[str, Any], page: int, case: str) -> set[int]:
    """Volumes that cannot be whole: the one hit, and whoever reads through it where it does not write itself."""
    hit = {int(b["id"], 16) for b in known["blobs"] if page in ([b["page"]] if case == "roots" else b["extent_pages"])}
    by_id = {int(b["id"], 16): b for b in known["blobs"]}
    lost = set(hit)
    for blob, entry in by_id.items():
        at = entry
        while at["parent"]:
            parent = int(at["parent"], 16)
            if parent in hit:
                lost.add(blob)
            at = by_id[parent]
    return lost


def _partly(report: Any, known: dict[str, Any], page: int, case: str, lost: set[int]) -> Iterator[str]:
    """What the lost ones still have is right, and everything else is told as unknown."""
    for entry in known["blobs"]:
        blob = int(entry["id"], 16)
        if blob in lost and blob in report.state.store.blobs and blob != int(known["super_blob"], 16):
            digest, unknown = sha256(report, blob)
            if not unknown and digest != entry["sha256"]:
                yield f"0x{blob:x} differs and nothing of it is told as unknown (page {page}, {case})"


if __name__ == "__main__":
    failures = [failure for name in names() for case in CASES for failure in run(name, case)]
    sys.stdout.write("".join(f"{failure}\n" for failure in failures) or "all as it must be\n")
    sys.exit(bool(failures))
