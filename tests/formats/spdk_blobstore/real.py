"""Images that the real programs wrote, unpacked sparse, with damage laid over them while they are read."""

from __future__ import annotations

import hashlib
import json
import lzma
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from inspector.formats.spdk_blobstore.content import extents
from inspector.inspect import Report
from inspector.source import Source, open_source
from tests.formats.spdk_blobstore.support import DATA

CHUNK = 1 << 20


def names() -> list[str]:
    """Images of the data folder; empty where there is none."""
    manifest = DATA / "MANIFEST.json"
    return sorted(json.loads(manifest.read_text())) if manifest.exists() else []


def truth(name: str) -> dict[str, Any]:
    manifest = json.loads((DATA / "MANIFEST.json").read_text())
    found: dict[str, Any] = json.loads((DATA / manifest[name]["truth"]).read_text())
    return found


@cache
def _folder() -> Path:
    import atexit
    import shutil

    folder = Path(mkdtemp(prefix="spdk-images-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def unpack(name: str) -> Path:
    """The image as a sparse file in a temporary folder."""
    path = _folder() / f"{name}.img"
    with lzma.open(DATA / f"{name}.img.xz") as packed, path.open("wb") as out:
        while data := packed.read(CHUNK):
            if data.count(0) != len(data):
                out.write(data)
            else:
                out.seek(len(data), 1)
        out.truncate()
    return path


Spans = tuple[tuple[int, int], ...]


class Damaged(Source):
    """A file whose bytes are changed as they are read: XOR of `mask` over spans, or zeroes."""

    def __init__(self, path: Path, xor: Spans = (), zero: Spans = (), mask: int = 0x5A) -> None:
        inner = open_source(str(path))
        super().__init__(inner.label, inner.kind, inner.path, list(inner.members))
        self._files = inner._files
        self._xor, self._zero, self._mask = xor, zero, mask

    def _pread(self, member: str, n: int, at: int) -> bytes:
        data = bytearray(super()._pread(member, n, at))
        for start, end in self._zero:
            low, high = max(start, at), min(end, at + len(data))
            if low < high:
                data[low - at : high - at] = bytes(high - low)
        for start, end in self._xor:
            for place in range(max(start, at), min(end, at + len(data))):
                data[place - at] ^= self._mask
        return bytes(data)


def sha256(report: Report, blob: int) -> tuple[str, int]:
    """Digest of a volume's content with zeroes for what is unknown, and how many bytes are."""
    digest, unknown = hashlib.sha256(), 0
    for extent in extents(report.state, f"0x{blob:x}"):
        left = extent.length
        if extent.proof == "none":
            unknown += left
        if extent.origin is None or extent.proof == "none":
            while left:
                step = min(left, CHUNK)
                digest.update(bytes(step))
                left -= step
            continue
        at = extent.origin.start
        while at < extent.origin.end:
            data = report.source.read(at, min(CHUNK, extent.origin.end - at))
            digest.update(data)
            at += len(data)
    return digest.hexdigest(), unknown


def whole(report: Report, name: str, lost: set[int] | None = None) -> list[str]:
    """Volumes of the truth that do not come out bit-exact, those in `lost` aside."""
    wrong = []
    for entry in truth(name)["blobs"]:
        blob = int(entry["id"], 16)
        if blob in (lost or set()):
            continue
        if blob not in report.state.store.blobs:
            wrong.append(f"{entry['id']} is missing")
        elif sha256(report, blob) != (entry["sha256"], 0):
            wrong.append(f"{entry['id']} differs")
    return wrong
