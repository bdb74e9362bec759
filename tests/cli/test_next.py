"""What a scan tells to run next does what it says, on every sample; and no command contradicts another."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from inspector.__main__ import main
from inspector.cli.app import COMMANDS
from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.render.next_steps import CARRIED, steps
from inspector.source import open_source
from tests.contract.corpus import Case, case_id, cases, folder_of

DONE = (0, 3, 4)  # clean, damage shown, written with a loss that was told
# offers that were wrong once, and a third of all others; `make proof` runs all of them
ONCE_WRONG = (
    *("checksum-at-3044.gossip_store", "deleted-bit.gossip_store", "odd.img", "dictionary-bit.sst", "plain.sst"),
    *("000014-torn.log", "leveldb-bit", "table-gone", "value-cut", "geometry-ambiguous.img", "lvolstore-lost.img"),
    *("names.img", "shared-cluster.img", "binary.log"),
)
OURS = [
    case
    for number, case in enumerate(cases())
    if os.environ.get("INSPECTOR_PROOF") or number % 3 == 0 or case.path.name in ONCE_WRONG
]


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A sample in a folder of its own, under its own name."""
    case: Case = request.param
    monkeypatch.chdir(tmp_path)
    shutil.copytree(case.path, case.path.name) if case.path.is_dir() else shutil.copy(case.path, case.path.name)
    return case.path.name


def scanned(capfd: pytest.CaptureFixture[str], path: str) -> tuple[int, Any]:
    capfd.readouterr()
    code = main(["scan", "--json", path])
    return code, json.loads(capfd.readouterr().out)


@pytest.mark.parametrize("store", OURS, ids=case_id, indirect=True)
def test_every_command_that_is_offered_can_be_pasted(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, told = scanned(capfd, store)
    for command, why in zip(told["next"], told["next_why"], strict=True):
        assert "\n" not in command + why
        words = shlex.split(command)
        if words[0] != "inspector":
            assert words[0] in ("cp", "mv"), command
            continue
        if words[1] in ("records", "items", "show") and not first_of_its_kind(store, words):
            continue
        assert main(words[1:]) in DONE, f"{command}: {capfd.readouterr().err}"
        if "-o" in words:
            assert Path(words[words.index("-o") + 1]).exists()
    listed = main(["records", "--jsonl", store])
    assert listed in (0, code), "records calls something damage that the scan does not"
    if listed:
        assert main(["records", "--jsonl", "--damaged", store]) == listed


TRIED: set[str] = set()


def first_of_its_kind(store: str, words: list[str]) -> bool:
    """Looking costs as much as the scan itself: once for each format and way of asking."""
    kind = " ".join((Path(store).suffix, words[1], *(w for w in words if w.startswith("--"))))
    return not (kind in TRIED or TRIED.add(kind))  # type: ignore[func-returns-value]


def report_of(path: str, **asked: Any) -> Report:
    with open_source(path) as source:
        source.label = asked.pop("label", path)
        return inspect(source, all_formats(), **asked)


SHOWN = str(folder_of(next(f for f in all_formats() if f.name == "gossip-store")) / "checksum-at-3044.gossip_store")
FOLDER = str(folder_of(next(f for f in all_formats() if f.name == "rocksdb")) / "leveldb-bit")


@pytest.mark.parametrize(
    "label",
    ["with space", "-dash", "quote's", "new\nline", "\x1b[31mred", "raw\udcff", "ümlaut", "$(reboot)", "\u202eevil"],
)
def test_a_path_survives_the_shell_and_shows_nothing_active(label: str, tmp_path: Path) -> None:
    place = str(tmp_path / "x")[:-1] + label
    shutil.copy(os.fsencode(SHOWN), os.fsencode(place))
    (first, *_) = steps(report_of(place, label=place))
    assert first.command.isprintable()
    echoed = subprocess.run(
        ["bash", "-c", first.command.replace("inspector repair", "printf '%s\\0'")], check=True, capture_output=True
    )
    assert echoed.stdout.split(b"\0")[0] == os.fsencode(place)


def test_a_name_beside_a_folder_never_lies_inside_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "db")
    monkeypatch.chdir(tmp_path / "db")
    for label in (".", "./", "../db/", "../db/.", "../db"):
        command = next(s.command for s in steps(report_of(label)) if " repair " in s.command)
        out = Path(shlex.split(command)[-1]).resolve()
        assert out == (tmp_path / "db.repaired").resolve(), command


def test_what_the_scan_was_told_goes_on_to_the_next_command() -> None:
    from inspector.format import Wishes

    found = steps(report_of(SHOWN, wishes=Wishes(release="v24.02"), forced="gossip-store"))
    assert {s.command.split(" ")[1] for s in found} == {"repair", "show", "records"}
    for step in found:
        assert "--format gossip-store --for v24.02" in step.command


def test_the_options_that_are_carried_on_exist() -> None:
    import typer

    from inspector.cli.parser import build

    group = typer.main.get_command(build(COMMANDS))
    for name, options in CARRIED.items():
        known = {o for p in group.commands[name].params for o in p.opts}  # type: ignore[attr-defined]
        assert set(options) <= known, name


def test_a_correction_without_a_witness_is_offered_with_its_chance_of_being_wrong() -> None:
    found = [s for s in steps(report_of(SHOWN)) if " repair " in s.command]
    assert [s.command.endswith("--accept unique") for s in found] == [False, True]
    assert "2.7e-07" in found[1].remark
    outputs = [shlex.split(s.command)[4] for s in found]
    assert outputs == ["gossip_store.repaired", "gossip_store.repaired.unique"], "both can be run"


def test_what_was_piped_in_is_named_file() -> None:
    found = [s.command for s in steps(report_of(SHOWN, label="-"))]
    assert found[0] == "inspector repair - -o gossip_store.repaired < FILE"
    assert all(c.endswith(" < FILE") for c in found)
