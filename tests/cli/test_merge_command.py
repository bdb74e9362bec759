"""`inspector merge` as a command: documents, exit codes, refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.render.schemas import schema
from tests import damage
from tests.builders.gossip import healthy
from tests.formats.gossip_store.witness import walk

BASE = healthy(16, 20_000, 1)
FIRST, SECOND = [r for r in walk(BASE) if r.live and r.kind == 258][:2]


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two copies, each with a record that only the other has."""
    monkeypatch.chdir(tmp_path)
    for name, record in (("gossip_store.corrupt", FIRST), ("gossip_store.bak", SECOND)):
        Path(name).write_bytes(damage.noise(BASE, record.at + 20, record.end).data)
    return ["gossip_store.corrupt", "gossip_store.bak"]


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capfd.readouterr()
    code = main(list(arguments))
    told = capfd.readouterr()
    return code, told.out, told.err


def test_what_is_whole_in_any_copy_is_written(copies: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    before = [Path(c).read_bytes() for c in copies]
    code, out, _ = run(capfd, "merge", *copies, "-o", "out", "--map", "map", "--json")
    document = json.loads(out)
    jsonschema.validate(document, schema("merge", formats.all_formats()))
    assert (code, document["exit_code"], document["losses_total"]) == (0, 0, 0)
    assert document["verified"]["ok"] is True
    assert document["output"]["size"] == Path("out").stat().st_size
    assert sum(s["records_taken"] for s in document["sources"]) + document["made"]["records"] == len(
        list(walk(Path("out").read_bytes()))
    )
    assert [Path(c).read_bytes() for c in copies] == before
    assert main(["scan", "out", "--quiet"]) == 0


def test_the_screen_names_the_newest_copy_first_and_what_was_taken(
    copies: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capfd, "merge", *copies, "-o", "out")
    assert code == 0
    assert "nothing is lost: all that is alive in any copy is in the output" in out
    assert "Copies  the newest first" in out
    assert "read again and inspected whole: clean" in out


def test_a_dry_run_writes_nothing_and_exits_as_the_scans(copies: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    names = sorted(Path().iterdir())
    code, out, _ = run(capfd, "merge", *copies, "--dry-run", "--json")
    document = json.loads(out)
    jsonschema.validate(document, schema("merge", formats.all_formats()))
    assert (code, document["output"]) == (3, None)
    assert sorted(Path().iterdir()) == names


def test_a_record_damaged_in_all_copies_is_exit_4(copies: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    data = Path(copies[1]).read_bytes()
    Path(copies[1]).write_bytes(damage.noise(data, FIRST.at + 20, FIRST.end, 9).data)
    code, out, _ = run(capfd, "merge", *copies, "-o", "out")
    assert code == 4
    assert f"{FIRST.at} (0x{FIRST.at:x}), {FIRST.end - FIRST.at} bytes" in out


def test_refusals_write_nothing(copies: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    Path("known_addresses.bin").write_bytes(bytes(961_284))
    os.link(copies[0], "link")
    names = sorted(Path().iterdir())
    for code, arguments in (
        (2, ("merge", copies[0], "-o", "out")),
        (2, ("merge", *copies)),
        (2, ("merge", *copies, "-o", "out", "--item", "x")),
        (2, ("merge", *copies, "-o", "out", "--touch")),
        (6, ("merge", copies[0], "missing", "-o", "out")),
        (7, ("merge", copies[0], "known_addresses.bin", "-o", "out")),
        (7, ("merge", copies[0], "link", "-o", "out")),
        (7, ("merge", *copies, "-o", copies[1], "--force")),
        (7, ("merge", *copies, "-o", "out", "--map", copies[0], "--force")),
        (7, ("merge", *copies, "-o", "out", "--map", "out")),
    ):
        found, out, err = run(capfd, *arguments)
        assert (found, out) == (code, ""), arguments
        assert len(err.splitlines()) <= 2, (arguments, err)
        assert sorted(Path().iterdir()) == names, arguments


def test_a_scan_of_lightningds_folder_tells_the_command_that_saves_most(
    copies: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """What a refusal and a crash in compaction leave: a new store, the refused one, and the begin of a rewrite."""
    Path("node").mkdir()
    for name in copies:
        Path(name).rename(Path("node") / name)
    Path("node/gossip_store").write_bytes(BASE[: FIRST.at])
    Path("node/gossip_store.tmp").write_bytes(BASE[: SECOND.end + 5])
    _, out, _ = run(capfd, "scan", "node")
    said = " ".join(out.split())
    command = said[said.index("inspector merge node/gossip_store") :].split()[1:]
    assert len(command) == 7
    code, _, _ = run(capfd, *command)
    assert code in (0, 4)
    merged = Path("gossip_store.merged").read_bytes()
    alive = [{data[r.at + 12 : r.end] for r in walk(data) if r.live and r.kind < 4096} for data in (merged, BASE)]
    assert alive[0] == alive[1]


def test_a_folder_alone_is_told_how_to_name_the_copies_in_it(
    copies: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capfd, "merge", ".", "-o", "out")
    assert (code, "inspector scan . tells the command" in err) == (2, True)
