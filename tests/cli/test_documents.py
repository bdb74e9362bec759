"""Every document that a command prints holds to the schema that `inspector schema` prints for it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from inspector.__main__ import main
from inspector.formats import all_formats
from inspector.inspect import LATE, inspect
from inspector.render import documents
from inspector.render.encoding import encode
from inspector.render.schemas import SCHEMAS
from inspector.render.schemas import schema as make
from inspector.source import open_source
from tests.contract.corpus import SAMPLES

DAMAGED = "checksum-at-3044.gossip_store"
FLIPPED = "super-bit.img"

# what is run in a folder with copies of some samples, in this order; and the schema of what it prints
RUNS: tuple[tuple[str, str], ...] = (
    ("scan", f"scan {DAMAGED} --json"),
    ("scan", f"scan {FLIPPED} --redact --json"),
    ("scan", "scan nothing-here --json"),
    ("scans", f"scan {DAMAGED} {FLIPPED} nothing-here --json"),
    ("scan", f"scan {DAMAGED} --log node.log --json"),
    ("records", f"records {DAMAGED} --jsonl"),
    ("records", f"records {DAMAGED} --damaged --jsonl --redact"),
    ("show", f"show {DAMAGED} 3044 --json"),
    ("items", f"items {FLIPPED} --json"),
    ("item", f"items {FLIPPED} --jsonl"),
    ("repair", f"repair {DAMAGED} --dry-run --json"),
    ("repair", f"repair {DAMAGED} -o mended --json"),
    ("repair", f"repair {FLIPPED} --patch patch --json"),
    ("apply", f"apply patch {FLIPPED} --undo undo --json"),
    ("apply", f"apply undo {FLIPPED} --undo redo --json"),
    ("extract", f"extract {FLIPPED} vol-a -o raw --json"),
    ("carve", f"carve {DAMAGED} --format gossip-store -o carved --json"),
    ("carve", "carve node.log --format gossip-store --dry-run --json"),
    ("carve", "carve clean.img --format spdk-blobstore -o carved.img --json"),
    ("carve", "carve clean-v7.sst --format rocksdb-sst -o tables --json"),
    ("merge", f"merge {DAMAGED} carved -o merged --json"),
    ("merge", f"merge {DAMAGED} carved --dry-run --json --redact"),
    ("diff", f"diff {DAMAGED} mended --json"),
    ("diff", f"diff {DAMAGED} {DAMAGED} --json"),
    ("watch", f"watch {DAMAGED} --for 0.3s --patience 0.1s --interval 0.1s --jsonl"),
    ("watch", "watch nothing-here --for 0.1s --jsonl"),
    ("capture", f"capture {FLIPPED} -o c.capsule --json"),
    ("capture", f"capture {DAMAGED} -o d.capsule --no-redact --json"),
    ("scan", "scan c.capsule --json"),
    ("excerpt", f"excerpt {DAMAGED} -o small --json"),
    ("explain", "explain GSP003 --json"),
    ("explain-log", "explain 'gossip_store: bad checksum offset 3044' --json"),
    ("explain-log", f"explain - --store {DAMAGED} --json < node.log"),
    ("formats", "formats --json"),
    ("formats", "formats longhorn --json"),
    ("inject", "dev inject clean-v16.gossip_store -o bad --damage flip --damage swap --json"),
    ("selftest", "dev selftest clean-v16.gossip_store --rounds 2 --json"),
    ("report", f"report {DAMAGED} -o r.json --no-environment && r.json"),
    ("report", f"report {FLIPPED} --log node.log -o q.json && q.json"),
)
MAKES = {"-o", "--patch", "--undo"}  # what later commands read: another process may have been given their case


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("documents")
    for name in (f"gossip_store/{DAMAGED}", "gossip_store/clean-v16.gossip_store", f"spdk_blobstore/{FLIPPED}"):
        shutil.copy(SAMPLES / name, place)
    for name in ("rocksdb/clean-v7.sst", "spdk_blobstore/clean.img"):
        shutil.copy(SAMPLES / name, place)
    (place / "node.log").write_text("2026-01-01 BROKEN gossipd: gossip_store: bad checksum offset 3044\n")
    return place


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[int, str, str]]:
    """What each command that was run in the folder so far ended with and printed."""
    return {}


def run(command: str) -> int:
    words, _, _ = command.partition(" && ")
    words, _, piped = words.partition(" < ")
    with pytest.MonkeyPatch.context() as patched, Path(piped or os.devnull).open(encoding="utf-8") as given:
        patched.setattr(sys, "stdin", given)
        return main(shlex.split(words))


@pytest.mark.parametrize(("name", "command"), RUNS, ids=[command for _, command in RUNS])
def test_what_is_printed_holds_to_its_schema(
    folder: Path,
    outcomes: dict[str, tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    command: str,
) -> None:
    monkeypatch.chdir(folder)
    for _, one in RUNS[: RUNS.index((name, command)) + 1]:
        if one not in outcomes and (one == command or MAKES & set(one.split())):  # others are run by their own cases
            capfd.readouterr()
            code = run(one)
            outcomes[one] = code, *capfd.readouterr()
    code, told, said = outcomes[command]
    words, _, written = command.partition(" && ")
    assert code in (0, 3, 4, 5, 6, 9), said
    text = Path(written).read_text(encoding="utf-8") if written else told
    documents = [json.loads(line) for line in text.splitlines()] if "--jsonl" in words else [json.loads(text)]
    assert documents
    for document in documents:
        jsonschema.validate(document, schema(name), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "name",
    [
        "gossip_store/checksum-at-3044.gossip_store",
        "longhorn/healthy.img",
        "rocksdb/clean-db",
        "snarkos/clean",
        "snarkos_blocks/0.5.blocks",
        "known_peers/known_addresses-v2.bin",
        "kad_trace/stalled.log",
    ],
)
def test_an_inspection_that_ended_early_holds_to_the_schema(name: str) -> None:
    with open_source(str(SAMPLES / name)) as source:
        report = inspect(source, all_formats(), deadline=time.monotonic() - 1)
        document = json.loads(encode(documents.scan(report, 9), pretty=False))
    assert (document["partial"], document["summary"]) == (LATE, {})
    jsonschema.validate(document, schema("scan"), cls=jsonschema.Draft202012Validator)


@cache
def schema(name: str) -> Any:
    return make(name, all_formats())


def test_every_schema_is_tried() -> None:
    assert {name for name, _ in RUNS} == set(SCHEMAS)
