"""Documents read beside a store (baseline, state, patch, capsule, support bundle), with anything in any place."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from inspector import capsule, patch
from inspector.baseline import Baseline
from inspector.errors import InspectorError
from inspector.formats import all_formats
from inspector.formats.longhorn import memory
from inspector.inspect import inspect
from inspector.source import MemorySource, open_source
from inspector.state import States, recall, remember

SAMPLES = Path(__file__).parents[1] / "samples"
STORE = SAMPLES / "gossip_store" / "clean-v16.gossip_store"
# what json.loads makes of hostile text: too large for a float, no number, too large for 64 bits, half a surrogate pair
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1 << 70,
    float("inf"),
    float("nan"),
    "x",
    "\0",
    "\ud800",
    "9" * 5000,
    [],
    {},
    [[]],
    {"": None},
)
DEEP = b"[" * 200_000


def with_each(document: Any) -> Iterator[Any]:
    """The document with each odd value in each of its places, and with each of its places left out."""
    yield from ODD
    inner = range(len(document)) if isinstance(document, list) else list(document)
    for key in inner:
        if isinstance(document[key], dict | list) and document[key]:
            values: Iterator[Any] = with_each(document[key])
        else:
            values = iter(ODD)
        for value in values:
            changed = document[:] if isinstance(document, list) else dict(document)
            changed[key] = value
            yield changed
        if isinstance(document, dict):
            yield {k: v for k, v in document.items() if k != key}


def refused_or_read(reads: Callable[[], object], told: object) -> None:
    try:
        reads()
    except InspectorError:
        pass
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error} for {str(told)[:300]!r}") from error


def test_any_baseline_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "baseline"
    whole = {"schema": "inspector/baseline/1", "paths": {"a": {"fingerprints": ["f"], "counts": {"GSP003 error": 1}}}}
    for told in with_each(whole):
        path.write_text(json.dumps(told))
        refused_or_read(lambda: Baseline.read(str(path)), told)
    path.write_bytes(DEEP)
    refused_or_read(lambda: Baseline.read(str(path)), "deep")


def test_any_state_is_used_or_left_alone(tmp_path: Path) -> None:
    path, store = tmp_path / "state", tmp_path / "gossip_store"
    store.write_bytes(STORE.read_bytes())
    with open_source(str(store)) as source:
        report = inspect(source, all_formats())
        document = {"source": {"size": 1}, "bytes": {"total": 1, "records": 1}, "records": {"total": 1, "by_kind": {}}}
        entry = remember(report, document, 0, "key", 1e9)
        assert entry is not None
        store.write_bytes(STORE.read_bytes())  # the same bytes, later: only what is new would be read
    for told in with_each(entry):
        path.write_text(json.dumps({"schema": "inspector/state/1", "scans": {"a": told}, "watches": {}}))
        with open_source(str(store)) as source:
            known = States.read(str(path)).scans.get("a")
            refused_or_read(partial(recall, known, source, all_formats(), "key", 1e9 + 1), told)


def test_any_patch_is_read_or_refused(tmp_path: Path) -> None:
    path, digest = tmp_path / "patch", hashlib.sha256(b"x").hexdigest()
    head = {"schema": "inspector/patch/1", "size": 10, "format": "gossip-store", "undoes": False}
    data = base64.b64encode(b"x").decode()
    change = {"start": 1, "length": 1, "before": digest, "after": digest, "data": data}
    for first in with_each(head):
        path.write_bytes(json.dumps(first).encode() + b"\n" + json.dumps(change).encode() + b"\n")
        refused_or_read(lambda: patch.read(str(path)), first)
    for second in with_each(change):
        path.write_bytes(json.dumps(head).encode() + b"\n" + json.dumps(second).encode() + b"\n")
        refused_or_read(lambda: patch.read(str(path)), second)
    path.write_bytes(json.dumps(head).encode() + b"\n" + DEEP + b"\n")
    refused_or_read(lambda: patch.read(str(path)), "deep")


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return out.getvalue()


def test_any_capsule_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.capsule"
    empty = hashlib.sha256(b"").hexdigest()
    member = {
        "name": "",
        "size": 1,
        "ranges": [[0, 1]],
        "zeros": [],
        "extents": [[0, 1]],
        "vouched": [["", 0, 0, 0, 0]],
    }
    whole = {
        "schema": capsule.SCHEMA,
        "members": [member],
        "sha256": hashlib.sha256(b"x").hexdigest(),
        "vouched_sha256": empty,
        "source": {"kind": "file", "name": "gossip_store"},
        "detected": ["gossip-store", 50, "because"],
    }

    def opens() -> None:
        with capsule.open_capsule(str(path)) as source:
            source.read(0, 1)

    path.write_bytes(zipped(capsule_json=json.dumps(whole).encode(), data=b"x", vouched=b""))
    opens()
    for told in with_each(whole):
        path.write_bytes(zipped(capsule_json=json.dumps(told).encode(), data=b"x", vouched=b""))
        refused_or_read(opens, told)
    packed = zipped(capsule_json=json.dumps(whole).encode(), data=b"x", vouched=b"")
    for at in range(0, len(packed), 5):
        for change in (1, 0x80, 0xFF):
            path.write_bytes(packed[:at] + bytes([packed[at] ^ change]) + packed[at + 1 :])
            refused_or_read(opens, f"byte {at} ^ {change}")
        path.write_bytes(packed[:at])
        refused_or_read(opens, f"cut to {at}")


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'{"members":[' + b"[]," * 30_000_000 + b"[]]}"])
def test_a_capsule_whose_manifest_is_a_bomb_is_refused_before_it_is_taken_apart(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(zipped(capsule_json=text, data=b"", vouched=b""))
    with pytest.raises(InspectorError):
        capsule.open_capsule(str(tmp_path / "x"))


def test_any_document_of_a_running_system_is_read_or_refused() -> None:
    lvol = {
        "snapshot": True,
        "base_snapshot": "s",
        "clones": ["c"],
        "num_allocated_clusters": 1,
        "lvol_store_uuid": "u",
    }
    bdev = {"name": "n", "uuid": "u", "aliases": ["lvs/name"], "num_blocks": 1, "block_size": 1}
    whole = {
        "result": [bdev | {"driver_specific": {"lvol": lvol}}, {"alias": "a/b", "lvs": {"uuid": "u"}, "name": "b"}],
        "jsonrpc": "2.0",
    }
    replica = {"name": "r", "spec_size": "1", "head": {"name": "h"}, "snapshots": {"s": {"parent": "p"}}, "state": "e"}
    for document in (whole, replica):
        for told in with_each(document):
            given = json.dumps(told).encode()
            refused_or_read(partial(memory.read, (("x", given),)), told)
    refused_or_read(lambda: memory.read((("x", DEEP),)), "deep")


def test_any_bundle_is_read_or_refused() -> None:
    packed = zipped(a_json=b'{"result": [], "jsonrpc": "2.0"}' * 40, b_log=b"level=info " * 40)
    for at in range(0, len(packed), 3):
        for change in (1, 0x80, 0xFF):
            hurt = packed[:at] + bytes([packed[at] ^ change]) + packed[at + 1 :]
            refused_or_read(partial(memory.read, (("x", hurt),)), f"byte {at} ^ {change}")


def test_latest_json_may_hold_anything() -> None:
    whole = json.loads((SAMPLES / "snarkos_blocks" / "latest.json").read_bytes()[8:])
    for told in with_each(whole):
        text = json.dumps(told).encode()
        source = MemorySource(len(text).to_bytes(8, "little") + text, "latest.json")
        report = inspect(source, all_formats(), forced="snarkos-blocks")
        assert "INS001" not in {code for code, _ in report.tally.counts}, told
