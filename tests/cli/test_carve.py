"""`inspector carve` as people and scripts use it, and --mapfile on the other commands."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from random import Random

import pytest
from jsonschema import Draft202012Validator

from inspector import formats, mapfile
from inspector.__main__ import main
from inspector.carvers import MODULES, carver
from inspector.render.schemas import schema
from tests.builders.gossip import healthy
from tests.builders.rocksdb import pairs, wal
from tests.builders.rocksdb_table import Shape, table
from tests.builders.spdk import Image
from tests.carve.devices import shuffled
from tests.cli.conftest import Ran, Run


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def one(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main(list(arguments))
        told = capfd.readouterr()
        return Ran(code, told.out, told.err)

    return one


@pytest.fixture
def device(tmp_path: Path) -> str:
    """A disk with something of everything."""
    image = Image(clusters=24)
    image.lvol("volume", 6, [0, 1, 5])
    rng = Random(4)
    parts = [shuffled(healthy(16, 30_000, seed=3), 12), table(pairs(0, 60), Shape()).data, wal(30, 9)[0]]
    data = b"".join(part + rng.randbytes(333) for part in parts)
    (tmp_path / "disk.img").write_bytes(data.ljust(1 << 18, b"\0") + bytes(image.build()))
    return "disk.img"


@pytest.mark.parametrize("name", MODULES)
def test_every_document_keeps_to_its_schema(name: str, call: Run, device: str, tmp_path: Path) -> None:
    check = Draft202012Validator(schema("carve", formats.all_formats()))
    told = call("carve", device, "--format", name, "-o", "out", "--json", "--map", "finds", "--map-out", "chart")
    check.validate(told.document)
    assert told.document["exit_code"] == told.code
    assert told.code in (0, 4)
    assert told.document["output"]["path"] == "out"
    assert told.document["false_finds"]["expected"] < 1e-6
    lines = [json.loads(line) for line in (tmp_path / "finds").read_text().splitlines()]
    assert len(lines) == told.document["finds_total"]
    assert lines[:50] == told.document["finds"][:50]
    assert [line["start"] for line in lines] == sorted(line["start"] for line in lines)
    parsed = mapfile.parse((tmp_path / "chart").read_bytes(), "chart")
    assert sum(parsed[1]) - sum(parsed[0]) <= sum(line["end"] - line["start"] for line in lines)
    assert stat.S_IMODE((tmp_path / "finds").stat().st_mode) == 0o600
    dry = call("carve", device, "--format", name, "--dry-run", "--json").document
    check.validate(dry)
    assert dry["output"] is None
    for key in ("found", "written", "left_out", "finds"):
        assert dry[key] == told.document[key], key


@pytest.mark.parametrize("name", MODULES)
def test_the_same_bytes_give_the_same_files_and_nothing_else_changes(
    name: str, call: Run, device: str, tmp_path: Path
) -> None:
    before = (tmp_path / device).read_bytes()
    outs = []
    for out in ("first", "second"):
        assert call("carve", device, "--format", name, "-o", out).code in (0, 4)
        place = tmp_path / out
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        outs.append([(str(p.relative_to(place)), p.read_bytes()) for p in files])
    assert outs[0] == outs[1]
    assert (tmp_path / device).read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {device, "first", "second"}


def test_the_screen_says_what_was_found_and_what_to_do(call: Run, device: str) -> None:
    told = call("carve", device, "--format", "gossip-store", "-o", "store")
    for words in ("store: carved from disk.img", "Found", "left out", "expected false finds", "Verified", "Now"):
        assert words in told.out, words
    assert call("scan", "store").code == 0


def test_requests_that_cannot_be_done(call: Run, device: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"precious")
    (tmp_path / "folder").mkdir()
    cases = [
        (2, ("carve", device, "--format", "gossip-store")),
        (2, ("carve", device, "--format", "gossip", "--dry-run")),
        (2, ("carve", device, "--format", "rocksdb-sst", "--to-version", "16", "--dry-run")),
        (2, ("carve", device, "--format", "gossip-store", "--to-version", "13", "--dry-run")),
        (2, ("carve", device, "--format", "gossip-store", "--accept", "unique", "--dry-run")),
        (2, ("carve", device, "--format", "gossip-store", "--mapfile", device, "--dry-run")),
        (2, ("scan", device, device, "--mapfile", "there")),
        (2, ("carve", device, "--format", "gossip-store", "-o", "new", "--map", "./new", "--force")),
        (6, ("carve", "absent", "--format", "gossip-store", "--dry-run")),
        (7, ("carve", "folder", "--format", "gossip-store", "--dry-run")),
        (7, ("carve", device, "--format", "gossip-store", "-o", "there")),
        (7, ("carve", device, "--format", "gossip-store", "-o", device, "--force")),
        (7, ("carve", device, "--format", "gossip-store", "-o", "new", "--map", "there")),
        (7, ("carve", device, "--format", "gossip-store", "-o", "new", "--map", device, "--force")),
        (7, ("carve", device, "--format", "rocksdb-sst", "-o", "there")),
    ]
    for code, arguments in cases:
        told = call(*arguments)
        assert told.code == code, (arguments, told.err)
        assert told.err.startswith("inspector: "), arguments
    assert (tmp_path / "there").read_bytes() == b"precious"
    assert not (tmp_path / "new").exists()


def test_nothing_found_is_exit_code_5_and_makes_no_file(call: Run, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(Random(1).randbytes(50_000))
    for name in MODULES:
        told = call("carve", "noise", "--format", name, "-o", "out")
        assert told.code == 5
        assert "no " in told.out
        assert not (tmp_path / "out").exists()


def test_a_mapfile_makes_never_read_bytes_a_finding_of_scan_and_a_loss_of_repair(call: Run, tmp_path: Path) -> None:
    store = healthy(16, 30_000, seed=3)
    (tmp_path / "gossip_store").write_bytes(store)
    (tmp_path / "map").write_text(f"0x0 + 1\n0 10000 +\n10000 512 ?\n10512 {len(store) - 10512} +\n")
    told = call("scan", "gossip_store", "--mapfile", "map", "--json")
    assert told.code == 3
    assert [f["start"] for f in told.document["findings"] if f["code"] == "INS002"] == [10000]
    told = call("repair", "gossip_store", "--mapfile", "map", "-o", "out", "--json")
    assert told.code == 4
    assert 512 <= told.document["bytes"]["lost"] < 4096
    assert call("scan", "out").code == 0


def test_carvers_are_named_as_they_are_listed() -> None:
    for name in MODULES:
        found = carver(name)
        assert found.name == name
        assert found.format in {f.name for f in formats.all_formats()}


def test_an_archive_in_which_nothing_is_found_is_called_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import gzip

    (tmp_path / "disk.gz").write_bytes(gzip.compress(b"a disk" * 1000))
    code = main(["carve", str(tmp_path / "disk.gz"), "--format", "gossip-store", "-o", str(tmp_path / "out")])
    assert (code, "unpack it first: gzip -dc" in capfd.readouterr().err) == (5, True)
