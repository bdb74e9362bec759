"""Files that are given beside a store (baselines, states, maps, logs, patches, what a system says), made to cost."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.builders.bombs import BIG, gzipped, log_line

MIB = 1 << 20
_DEEP = {
    "lists": b"[" * MIB,
    "objects": b'{"a":' * (MIB // 5),
    "many": b"[" + b"[]," * (MIB // 3) + b"[]]",
    "numbers": b"[" + b"9" * MIB + b"]",
    "keys": b"{" + b",".join(b'"%d":0' % i for i in range(100_000)) + b"}",
    "text": b'"' + b"\\u0000" * (MIB // 6) + b'"',
    "lines": b"{}\n" * (MIB // 3),
    "newlines": b"\n" * MIB,
    "zeroes": bytes(MIB),
}


def _zipped(members: int, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for k in range(members):
            archive.writestr(f"logs/{k}.json", content)
    return out.getvalue()


def _baseline(inner: bytes) -> bytes:
    return b'{"schema":"inspector/baseline/1","fingerprints":' + inner + b"}"


def _rpc(deep: int, count: int) -> bytes:
    """bdev_get_bdevs, whose volumes name each other as parents, and themselves."""
    listed = [
        {
            "name": f"u{k}",
            "aliases": [f"disk-t/v{k}"],
            "driver_specific": {
                "lvol": {
                    "base_snapshot": f"v{(k + 1) % deep}",
                    "clones": [f"v{k}"] * 3,
                    "snapshot": True,
                    "clone": True,
                }
            },
        }
        for k in range(count)
    ]
    return json.dumps(listed).encode()


def documents() -> dict[str, Callable[[], bytes]]:
    made: dict[str, Callable[[], bytes]] = {f"{name}.json": partial(bytes, text) for name, text in _DEEP.items()}
    return made | {
        "baseline-deep.json": lambda: _baseline(b"[" * MIB),
        "baseline-many.json": lambda: _baseline(b"[" + b'"a",' * (MIB // 4) + b'"b"]'),
        "bundle.zip": lambda: _zipped(10, b'{"a":"' + b"x" * (2 * BIG // 3) + b'"}'),
        "bundle-deep.zip": lambda: _zipped(3, b"[" * (16 << 20)),
        "bundle-lists.zip": lambda: _zipped(20, b"[" + b"[]," * 400_000 + b"[]]"),
        "bundle-many.zip": lambda: _zipped(10_000, b"{}"),
        "rpc-itself.json": lambda: _rpc(1, 3000),
        "rpc-cycle.json": lambda: _rpc(3000, 3000),
        "ranges.map": lambda: b"0x0 ? 1\n" + b"0x0 0x0 +\n" * (MIB // 10),
        "ranges-tiny.map": lambda: (
            b"0x0 ? 1\n" + b"".join(b"0x%x 0x1 %s\n" % (i, b"+-"[i % 2 :][:1]) for i in range(60_000))
        ),
        "ranges-far.map": lambda: b"0x0 ? 1\n" + b"0xffffffffffffffff 0xffffffffffffffff +\n" * 20_000,
        "zeroes.log.gz": lambda: gzipped(bytes(BIG)),
        "hits.log.gz": lambda: gzipped(log_line(b"starting") * 200_000),
        "lines.log.gz": lambda: gzipped(b"\n" * BIG),
        "words.log": lambda: b"gossip_store: bad checksum offset 3044\n" * (MIB // 40),
        "patch-many.patch": lambda: (
            b'{"schema":"inspector/patch/1","size":100,"format":"gossip-store"}\n'
            + b'{"start":0,"end":0,"data":"","before":""}\n' * 20_000
        ),
    }


def fill(path: Path, make: Callable[[], bytes]) -> None:
    path.write_bytes(make())
