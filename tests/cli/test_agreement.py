"""Commands agree with each other about the same damage, and names of files hurt none of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from inspector.__main__ import main
from tests.contract.corpus import SAMPLES

GOSSIP = SAMPLES / "gossip_store"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capfd.readouterr()
    code = main(list(arguments))
    told = capfd.readouterr()
    return code, " ".join((told.out + told.err).split())


def test_a_deleted_record_that_is_damaged_is_a_note_everywhere(capfd: pytest.CaptureFixture[str]) -> None:
    path = str(GOSSIP / "deleted-bit.gossip_store")
    assert words(capfd, "scan", path)[0] == 0
    for style in ((), ("--jsonl",), ("--csv",), ("--dump",)):
        code, out = words(capfd, "records", path, "--damaged", *style)
        assert code == 0
        assert "bad checksum" in out or "BAD CHECKSUM" in out


def test_it_is_damage_for_releases_that_check_deleted_records(capfd: pytest.CaptureFixture[str]) -> None:
    path = str(GOSSIP / "deleted-bit.gossip_store")
    assert [words(capfd, command, path, "--for", "v23.11")[0] for command in ("scan", "records")] == [3, 3]


def test_a_scan_calls_nothing_lost_that_a_repair_brings_back(capfd: pytest.CaptureFixture[str]) -> None:
    path = str(SAMPLES / "rocksdb" / "leveldb-bit")
    assert "no entry is lost" in words(capfd, "scan", path)[1]
    assert "nothing is lost" in words(capfd, "repair", path, "--dry-run")[1]


def test_a_missing_table_is_never_called_no_loss(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, told = words(capfd, "repair", str(SAMPLES / "rocksdb" / "table-missing"), "-o", "out")
    assert code == 4
    assert "nothing is lost" not in told


def test_an_archive_of_a_part_is_not_a_repair_without_loss(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, told = words(capfd, "repair", str(SAMPLES / "snarkos" / "value-cut"), "--archive", "-o", "out")
    assert code == 4
    assert "blocks from 3 on" in told


@pytest.mark.parametrize(
    "sample",
    ["gossip_store/noise.gossip_store", "kad_trace/stalled.log", "known_peers/known_addresses-torn.bin",
     "rocksdb/data-bit.sst", "spdk_blobstore/root-bit.img"],
)  # fmt: skip
def test_a_proof_that_means_nothing_is_refused_by_every_command(capfd: pytest.CaptureFixture[str], sample: str) -> None:
    for command in (("scan",), ("repair", "--dry-run")):
        assert words(capfd, *command, str(SAMPLES / sample), "--accept", "unsaeled")[0] == 2


@pytest.mark.parametrize("filter_", [("--node", "zz"), ("--node", ""), ("--scid", "7"), ("--scid", "")])
def test_a_filter_that_means_nothing_is_refused(capfd: pytest.CaptureFixture[str], filter_: tuple[str, str]) -> None:
    assert words(capfd, "records", str(GOSSIP / "noise.gossip_store"), *filter_)[0] == 2


def test_one_file_is_not_two_copies(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copy(GOSSIP / "noise.gossip_store", "g")
    os.link("g", "h")
    for other in ("g", "./g", "h"):
        code, told = words(capfd, "merge", "g", other, "-o", "out")
        assert code == 7
        assert "the same file" in told


def test_a_name_of_a_file_hurts_no_command(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = "new\nline \x1b[31mred \u202e raw\udcff\udc80 [bold] '$(reboot)"
    shutil.copy(os.fsencode(GOSSIP / "torn-header.gossip_store"), os.fsencode(name))
    runs = (
        ("scan", name), ("scan", name, "--json"), ("scan", name, "--redact"), ("records", name, "--damaged"),
        ("show", name, "47"), ("items", name), ("repair", name, "-o", f"{name}.fixed"), ("diff", name, name),
        ("report", name, "-o", "r.md"), ("report", name, "-o", "r.zip", "--no-redact"), ("capture", name, "-o", "c"),
        ("excerpt", name, "-o", "e"), ("carve", name, "--format", "gossip-store", "--dry-run"),
    )  # fmt: skip
    for arguments in runs:
        code, told = words(capfd, *arguments)
        assert code in (0, 3, 4), f"{arguments}: {told}"
        assert not {"\x1b", "\u202e"} & set(told)
