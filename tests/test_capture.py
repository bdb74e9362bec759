"""A capsule says what its source says, and holds no more than that takes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest

from inspector import capture as capture_module
from inspector import inspect as inspect_module
from inspector.__main__ import main
from inspector.capsule import CapsuleSource
from inspector.finding import Finding
from inspector.format import Item
from inspector.inspect import CHANGED, Report
from inspector.source import Source
from inspector.span import Span
from inspector.veil import Values
from tests import damage
from tests.builders import gossip, spdk
from tests.contract.corpus import Case, case_id, cases
from tests.faults import SAMPLES

SOME = cases()[::7]
Told = pytest.CaptureFixture[str]


def told(capfd: Told, *arguments: str) -> tuple[int, str]:
    capfd.readouterr()
    code = main([*arguments])
    return code, capfd.readouterr().out


def scanned(capfd: Told, path: Path) -> dict[str, object]:
    return compared(told(capfd, "scan", str(path), "--json")[1])


def compared(text: str) -> dict[str, object]:
    document = json.loads(text)
    if document["diagnosis"]:
        document["diagnosis"]["reread"] = None  # a capsule is no medium that could be asked again
    return {k: v for k, v in document.items() if k not in ("source", "next")}


@pytest.mark.parametrize("case", SOME, ids=case_id)
def test_a_capsule_gives_the_findings_of_its_source(case: Case, tmp_path: Path, capfd: Told) -> None:
    made, path = tmp_path / "x.capsule", case.path
    if path.is_dir():  # under another name: samples are called like rules, and a folder's name is private
        path = Path(shutil.copytree(path, tmp_path / "folder-of-jane"))
    code, _ = told(capfd, "capture", str(path), "-o", str(made))
    assert code == 0
    assert scanned(capfd, made) == scanned(capfd, path)
    assert made.stat().st_mode & 0o777 == 0o600


def large_disk() -> tuple[spdk.Image, bytes]:
    """A store of 64 MiB with volumes full of content, not shut down, one bit of a root page flipped."""
    image = spdk.Image(clusters=64, cluster_size=1 << 20)
    for number in range(4):
        image.lvol(f"volume-of-jane-{number}", 8, list(range(6)))
    data = bytearray(image.build(clean=False))
    data[image.page_at(1) + 50] ^= 4
    return image, bytes(data)


def test_the_content_of_volumes_stays_where_it_is_and_a_patch_repairs_the_disk(tmp_path: Path, capfd: Told) -> None:
    image, data = large_disk()
    disk, made = tmp_path / "disk.img", tmp_path / "disk.capsule"
    disk.write_bytes(data)
    assert told(capfd, "capture", str(disk), "-o", str(made))[0] == 0
    assert made.stat().st_size < 20_000
    held = zipfile.ZipFile(made).read("data")
    for number in range(4):
        for cluster in range(6):
            assert spdk.content(f"volume-of-jane-{number}", cluster, 1 << 20)[4096:4160] not in held
    assert (
        told(capfd, "items", str(made), "--json")[1].replace("disk.capsule", "disk.img")
        == (told(capfd, "items", str(disk), "--json")[1])
    )
    assert told(capfd, "extract", str(made), "volume-of-jane-2", "-o", str(tmp_path / "out"))[0] == 7
    assert not (tmp_path / "out").exists()
    assert told(capfd, "repair", str(made), "--patch", str(tmp_path / "patch"))[0] == 0
    assert told(capfd, "apply", str(tmp_path / "patch"), str(disk), "--undo", str(tmp_path / "undo"))[0] == 0
    assert told(capfd, "scan", str(disk))[0] == 0
    assert image.vols


def test_its_document_holds_to_its_schema(tmp_path: Path, capfd: Told) -> None:
    case = next(c for c in cases() if c.format.name == "spdk-blobstore")
    for command in ("capture", "excerpt"):
        code, out = told(capfd, command, str(case.path), "-o", str(tmp_path / command), "--json")
        assert code == 0
        jsonschema.validate(json.loads(out), json.loads(told(capfd, "schema", command)[1]))


def test_a_member_whose_name_leads_out_is_refused(tmp_path: Path, capfd: Told) -> None:
    case = next(c for c in cases() if c.path.name == "clean-db")
    made = tmp_path / "x.capsule"
    told(capfd, "capture", str(case.path), "-o", str(made))
    with zipfile.ZipFile(made) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["capsule.json"] = parts["capsule.json"].replace(b'"CURRENT"', b'"../CURRENT"')
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    assert main(["scan", str(made)]) == 6
    assert "leads out" in capfd.readouterr().err


def test_the_same_source_gives_the_same_capsule(tmp_path: Path, capfd: Told) -> None:
    case = next(c for c in cases() if c.format.name == "spdk-blobstore")
    for name in ("a", "b"):
        told(capfd, "capture", str(case.path), "-o", str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_files_that_are_not_the_store_s_own_are_left_out(tmp_path: Path, capfd: Told) -> None:
    case = next(c for c in cases() if c.path.name == "clean-db")
    folder = tmp_path / "db"
    folder.mkdir()
    for name, data in case.members().items():
        (folder / name).write_bytes(data)
    (folder / "diary.txt").write_bytes(b"dear diary, " * 40)
    (folder / "hsm_secret").write_bytes(b"never read " * 3)
    assert told(capfd, "capture", str(folder), "-o", str(tmp_path / "c"))[0] == 0
    held = zipfile.ZipFile(tmp_path / "c").read("data")
    assert b"dear diary" not in held
    assert b"never read" not in held
    assert b"MANIFEST-" in held
    assert b"diary" not in zipfile.ZipFile(tmp_path / "c").read("capsule.json")
    assert scanned(capfd, tmp_path / "c") == scanned(capfd, folder)


def test_any_byte_of_a_capsule_may_be_wrong_and_it_says_so_or_reads_the_same(tmp_path: Path, capfd: Told) -> None:
    case = next(c for c in cases() if c.format.name == "spdk-blobstore" and c.path.name == "super-bit.img")
    made = tmp_path / "x.capsule"
    told(capfd, "capture", str(case.path), "-o", str(made))
    right, data = scanned(capfd, made), made.read_bytes()
    rng = Random(9)
    for _ in range(60):
        at = rng.randrange(50, len(data))
        hurt = bytearray(data[: rng.choice((len(data), at))])
        if at < len(hurt):
            hurt[at] ^= 1 << rng.randrange(8)
        made.write_bytes(hurt)
        capfd.readouterr()
        code = main(["scan", str(made), "--json"])
        out = capfd.readouterr()
        assert code in (3, 6), (at, out.err)
        if code == 3:
            assert compared(out.out) == right, at


def test_a_capsule_of_a_part_that_cannot_be_read_is_not_made(
    tmp_path: Path, capfd: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zeroes that stand for it would be taken for the store's own."""
    store = tmp_path / "gossip_store"
    store.write_bytes((SAMPLES / "gossip_store" / "zeroed-hole.gossip_store").read_bytes())
    real = os.pread

    def sick(fd: int, n: int, at: int) -> bytes:
        if os.fstat(fd).st_ino == store.stat().st_ino and at < 16384 and at + n > 12288:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, n, at)

    monkeypatch.setattr(os, "pread", sick)
    assert told(capfd, "capture", str(store), "-o", str(tmp_path / "out"))[0] == 6
    assert not (tmp_path / "out").exists()


def large_store(tmp_path: Path, damages: int) -> Path:
    data = gossip.healthy(16, 1_500_000, 5)
    for number in range(1, damages + 1):
        data = damage.flip_bit(data, len(data) - 9000 * number, number % 8).data
    if damages > 1:
        data = damage.noise(data, len(data) // 2, len(data) // 2 + 300, 3).data
    path = tmp_path / "gossip_store.corrupt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("damages", [1, 5])
def test_of_sound_gossip_records_only_their_headers_are_taken(damages: int, tmp_path: Path, capfd: Told) -> None:
    store, made = large_store(tmp_path, damages), tmp_path / "x.capsule"
    code, out = told(capfd, "capture", str(store), "-o", str(made), "--json")
    assert code == 0
    bytes_of = json.loads(out)["bytes"]
    assert bytes_of["captured"] + bytes_of["verified_not_captured"] == store.stat().st_size
    assert bytes_of["verified_not_captured"] > store.stat().st_size // 5  # diagnosis reads up to 1.3 MB
    assert scanned(capfd, made) == scanned(capfd, store)
    for filters in (("--damaged",), ("--kind", "node_announcement")):
        listed = [
            [(one["start"], one["end"], one["kind"], one["state"], one.get("crc")) for one in map(json.loads, lines)]
            for lines in (
                told(capfd, "records", str(path), "--jsonl", *filters)[1].splitlines() for path in (store, made)
            )
        ]
        assert listed[0] == listed[1]
        assert listed[0]


def test_a_capsule_with_bodies_left_out_repairs_its_source_or_says_what_it_lacks(tmp_path: Path, capfd: Told) -> None:
    store, made = tmp_path / "gossip_store.corrupt", tmp_path / "x.capsule"
    data = gossip.healthy(16, 1_500_000, 5)
    store.write_bytes(data)
    listed = told(capfd, "records", str(store), "--jsonl", "--kind", "channel_update", "--live")[1].splitlines()
    before = damage.flip_bit(data, json.loads(listed[-9])["start"] + 3, 1).data  # its length: its checksum proves it
    store.write_bytes(before)
    assert told(capfd, "capture", str(store), "-o", str(made))[0] == 0
    assert told(capfd, "repair", str(made), "--patch", str(tmp_path / "patch"))[0] == 0
    assert told(capfd, "apply", str(tmp_path / "patch"), str(store), "--undo", str(tmp_path / "undo"))[0] == 0
    assert store.read_bytes() == data != before
    capfd.readouterr()
    assert main(["repair", str(made), "-o", str(tmp_path / "whole")]) == 7
    assert capfd.readouterr().err.count("not captured") == 1
    assert not (tmp_path / "whole").exists()


DATABASES = [case for case in cases() if case.format.name == "rocksdb"]


@pytest.mark.parametrize("case", DATABASES, ids=case_id)
def test_of_sound_blocks_and_log_records_only_their_sums_are_taken(
    case: Case, tmp_path: Path, capfd: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a large database, where no file is small enough to be taken whole."""
    monkeypatch.setattr("inspector.capture.SMALL", 0)
    made = tmp_path / "x.capsule"
    code, out = told(capfd, "capture", str(case.path), "-o", str(made), "--no-redact", "--json")
    assert code == 0
    assert scanned(capfd, made) == scanned(capfd, case.path)
    damaged = [told(capfd, "records", str(path), "--jsonl", "--damaged")[1] for path in (case.path, made)]
    assert damaged[0] == damaged[1]
    if case.path.name == "clean-v7.sst":
        assert json.loads(out)["bytes"]["verified_not_captured"] > 0


def test_words_that_do_not_fit_what_they_stand_for_are_an_error_in_one_line(tmp_path: Path, capfd: Told) -> None:
    store, made = large_store(tmp_path, 1), tmp_path / "x.capsule"
    told(capfd, "capture", str(store), "-o", str(made))
    with zipfile.ZipFile(made) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest, rng = json.loads(parts["capsule.json"]), Random(3)
    first = manifest["members"][0]["vouched"][0]
    for round_ in range(13):
        words = bytearray(parts["vouched"])
        _, start, _, place, length = first
        if round_ == 12:  # records of no length, in a run of no length
            first[2], words[place : place + length] = start, (1).to_bytes(4, "little") + bytes(length - 4)
        at = place + (rng.randrange(4) if rng.random() < 0.5 else rng.randrange(length // 8))  # counts, lengths
        words[at] ^= 1 << rng.randrange(8)
        manifest["vouched_sha256"] = hashlib.sha256(words).hexdigest()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("capsule.json", json.dumps(manifest))
            archive.writestr("data", parts["data"])
            archive.writestr("vouched", bytes(words))
        capfd.readouterr()
        code = main(["scan", str(made)])
        said = capfd.readouterr()
        assert code in (0, 3, 6, 7), said.err
        assert "INS001" not in said.out
        assert code in (0, 3) or said.err.count("\n") <= 2


@pytest.mark.parametrize("whole", [True, False])
def test_items_are_listed_only_where_that_may_read_what_is_not_in_it(
    whole: bool, tmp_path: Path, capfd: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, made = tmp_path / "disk.img", tmp_path / "x.capsule"
    if whole:
        path = SAMPLES / "kad_trace" / "two-logs.log"
    else:
        path.write_bytes(large_disk()[1])
    listed, before = [0], Values.item

    def item(values: Values, one: Item) -> Item:
        listed[0] += 1
        return before(values, one)

    monkeypatch.setattr(Values, "item", item)
    assert told(capfd, "capture", str(path), "-o", str(made))[0] == 0
    assert (listed[0] == 0) is whole
    found = json.loads(told(capfd, "items", str(path), "--json")[1])["items"]
    assert found
    assert json.loads(told(capfd, "items", str(made), "--json")[1])["items"] == found


@pytest.mark.parametrize(
    ("sample", "name", "compared_again"),
    [
        ("gossip_store/signed-flips.gossip_store", "jane.bin", False),
        ("rocksdb/data-bit.sst", "jane.bin", False),
        ("rocksdb/data-bit.sst", "jane.sst", False),
        ("rocksdb/data-bit.sst", "000031.sst", False),
        ("rocksdb/data-bit.sst", "jane.ldb", False),
        ("rocksdb/000014-bit.log", "MANIFEST-of-jane", False),
        ("rocksdb/leveldb-bit/000005.ldb", "jane.ldb", False),
        ("snarkos_blocks/length-bit.blocks", "jane.blocks", True),
    ],
)
def test_a_capsule_of_every_byte_is_compared_only_where_its_name_tells_something_else(
    sample: str, name: str, compared_again: bool, tmp_path: Path, capfd: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a single file is private, and is another one in the capsule unless its program gave it."""
    asked, compare = [], capture_module._read_alike

    def noted(*given: Any) -> None:
        asked.append(given)
        compare(*given)

    monkeypatch.setattr(capture_module, "_read_alike", noted)
    path, made = Path(shutil.copy(SAMPLES / sample, tmp_path / name)), tmp_path / "x.capsule"
    assert told(capfd, "capture", str(path), "-o", str(made))[0] == 0
    assert bool(asked) == compared_again
    assert b"jane" not in zipfile.ZipFile(made).read("capsule.json") or name.startswith("MANIFEST-")
    right = scanned(capfd, path)
    assert scanned(capfd, made) == right
    assert right["verdict"] == "damaged"


@pytest.mark.parametrize(("kept", "asked"), [("every byte", 0), ("a part", 2), ("a name of its own", 2)])
def test_why_is_asked_again_only_of_a_folder_whose_capsule_lacks_bytes_or_names(
    kept: str, asked: int, tmp_path: Path, capfd: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same bytes and the same findings come the same causes: the findings are compared in any case."""
    folder, made = Path(shutil.copytree(SAMPLES / "rocksdb" / "leveldb-bit", tmp_path / "db-of-jane")), tmp_path / "x"
    if kept == "a part":
        monkeypatch.setattr("inspector.capture.SMALL", 0)
    elif kept == "a name of its own":
        (folder / "diary-of-jane.txt").write_bytes(b"dear diary")
    causes, name_causes = [], inspect_module.name_causes

    def noted(*given: Any) -> bool:
        causes.append(given)
        return name_causes(*given)

    monkeypatch.setattr(inspect_module, "name_causes", noted)
    assert told(capfd, "capture", str(folder), "-o", str(made))[0] == 0
    assert len(causes) == asked
    assert b"jane" not in zipfile.ZipFile(made).read("capsule.json")
    assert scanned(capfd, made) == scanned(capfd, folder)


def test_a_capsule_of_every_byte_of_a_folder_that_says_something_else_is_refused(
    tmp_path: Path, capfd: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, made = Path(shutil.copytree(SAMPLES / "rocksdb" / "leveldb-bit", tmp_path / "db")), tmp_path / "x"
    inspected, inspect = [], inspect_module.inspect

    def other(source: Source, *given: Any, **named: Any) -> Report:
        inspected.append(source)
        report = inspect(source, *given, **named)
        if isinstance(source, CapsuleSource):
            report.tally.put(Finding(CHANGED, Span(0, 0), "something else", bytes_known=False))
        return report

    monkeypatch.setattr(capture_module, "inspect", other)
    assert told(capfd, "capture", str(folder), "-o", str(made))[0] == 8
    assert any(isinstance(source, CapsuleSource) for source in inspected)
    assert not made.exists()
