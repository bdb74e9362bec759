"""The file of --state: what it may not be asked about, runs at the same time, and contents that nobody wrote."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from inspector.__main__ import main
from inspector.render.metrics import Sample, exposition
from inspector.state import States
from tests.faults import SAMPLES

KNOWN = {
    "gossip-store": "gossip_store/clean-v16.gossip_store",
    "spdk-blobstore": "spdk_blobstore/clean.img",
    "rocksdb": "rocksdb/clean-db",
    "snarkos": "snarkos/clean",
    "known-peers": "known_peers/known_addresses-v2.bin",
    "kad-trace": "kad_trace/finished.log",
}


class Scans:
    """Scans of one sample with a state, an hour apart."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.capfd, self.now = folder, capfd, time.time() + 100
        monkeypatch.setattr(time, "time", lambda: self.now)
        monkeypatch.chdir(folder)

    def put(self, sample: str) -> str:
        target = self.folder / ("gossip_store" if sample.endswith(".gossip_store") else Path(sample).name)
        place = SAMPLES / sample
        shutil.copytree(place, target) if place.is_dir() else shutil.copyfile(place, target)
        return target.name

    def scan(self, *words: str) -> tuple[int, dict[str, Any]]:
        self.now += 3600
        self.capfd.readouterr()
        code = main(["scan", *words, "--json", "--state", "state.json"])
        out, err = self.capfd.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out) if out else {"error": err}


@pytest.fixture
def scans(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Scans:
    return Scans(tmp_path, capfd, monkeypatch)


@pytest.mark.parametrize("sample", KNOWN.values(), ids=KNOWN)
def test_a_byte_of_any_format_that_changes_with_its_time_put_back_is_read(sample: str, scans: Scans) -> None:
    name = scans.put(sample)
    assert [scans.scan(name)[1]["state"]["read"] for _ in range(2)] == ["whole", "nothing"]
    place = scans.folder / name
    file = place if place.is_file() else max(place.rglob("*"), key=lambda p: p.stat().st_size)
    info, data = file.stat(), bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x20
    file.write_bytes(data)
    os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert scans.scan(name)[1]["state"]["read"] == "whole"


def test_what_a_map_calls_unread_is_not_forgotten_because_the_file_is_the_same(scans: Scans) -> None:
    name = scans.put(KNOWN["spdk-blobstore"])
    assert scans.scan(name)[0] == 0
    size = (scans.folder / name).stat().st_size
    (scans.folder / "map").write_text(f"0x0 + 1\n0x0 0x1000 +\n0x1000 0x{size - 4096:x} -\n")
    assert scans.scan(name, "--mapfile", "map")[0] == 3
    code, told = scans.scan(name)  # nor does the map make the file itself doubtful
    assert (code, told["state"]["read"]) == (0, "nothing")


def test_a_log_is_heard_also_where_the_store_is_known(scans: Scans) -> None:
    name, log = scans.put(KNOWN["gossip-store"]), scans.put(KNOWN["kad-trace"])
    scans.scan(name)
    assert "log" in scans.scan(name, "--log", log)[1]


def test_names_that_were_told_openly_are_not_told_to_a_run_that_hides_them(scans: Scans) -> None:
    name = scans.put(KNOWN["spdk-blobstore"])
    open_words = json.dumps(scans.scan(name)[1]["summary"])
    secret = json.loads(open_words)["lvs_name"]
    code, told = scans.scan(name, "--redact")
    assert code == 0
    assert secret not in json.dumps(told)


def test_metrics_have_the_same_series_whether_a_store_was_read_or_known(scans: Scans) -> None:
    name, seen = scans.put(KNOWN["spdk-blobstore"]), []
    for _ in range(2):
        scans.scan(name, "--metrics", "m.prom")
        lines = (scans.folder / "m.prom").read_text().splitlines()
        seen.append([line for line in lines if "duration" not in line and "timestamp" not in line])
    assert seen[0] == seen[1]


def test_a_path_that_is_named_twice_has_one_value_of_each() -> None:
    twice = [Sample("inspector_exit_code", code, {"path": "a"}) for code in (0, 3)]
    assert exposition(twice, {}).splitlines()[2:] == ['inspector_exit_code{path="a"} 3']


def test_a_run_that_read_nothing_does_not_overrule_one_that_found_damage(tmp_path: Path) -> None:
    state = str(tmp_path / "state.json")
    first = States.read(state)
    first.scanned("store", {"key": "1", "read_at": 1})
    first.write(state)
    early, late = States.read(state), States.read(state)
    early.relied("store", json.dumps(early.scans["store"], sort_keys=True), {"key": "1", "read_at": 2})
    late.scanned("store", None)
    late.write(state)
    early.write(state)
    assert States.read(state).scans == {}


def test_runs_at_the_same_time_lose_nothing_of_each_other(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom inspector.state import States\n"
        "for n in range(10):\n"
        "    s = States.read(sys.argv[1]); s.scanned(f'{sys.argv[2]}-{n}', {'n': n})\n"
        "    s.watched = {sys.argv[2]: {'n': n}}; s.write(sys.argv[1])\n"
    )
    state = tmp_path / "state.json"
    runs = [subprocess.Popen([sys.executable, "-c", script, str(state), name]) for name in "abc"]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    found = States.read(str(state))
    assert len(found.scans) == 30
    assert found.watches == {name: {"n": 9} for name in "abc"}
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


SCHEMA = '{"schema": "inspector/state/1", "scans": {"gossip_store": %s}}'
RUBBISH = {
    "empty": "",
    "binary": "\x00\x01",
    "cut": '{"schema": "inspector/state/1", "sca',
    "deep": "[" * 100_000,
    "another": '{"schema": "inspector/baseline/1"}',
    "newer": '{"schema": "inspector/state/2"}',
    "list": "[]",
}
ODD = ("null", "[]", "7", "{}", '{"key": {"a": 1}}')


@pytest.mark.parametrize("text", RUBBISH.values(), ids=RUBBISH)
@pytest.mark.parametrize("option", ["--state", "--baseline"])
def test_a_file_that_is_none_of_ours_is_one_line_and_a_usage_error(option: str, text: str, scans: Scans) -> None:
    name = scans.put(KNOWN["gossip-store"])
    (scans.folder / "odd").write_text(text)
    scans.capfd.readouterr()
    assert main(["scan", name, option, "odd"]) == 2
    err = scans.capfd.readouterr().err
    assert re.match(r"inspector: odd: not a .*\n  .*\n\Z", err)
    assert (scans.folder / "odd").read_text() == text


@pytest.mark.parametrize("field", ["whole_at", "read_at", "stamp", "size", "inode", "follower", "mark", "document"])
def test_an_entry_with_a_field_that_nobody_wrote_only_costs_a_read(field: str, scans: Scans) -> None:
    name = scans.put(KNOWN["gossip-store"])
    scans.scan(name)
    file = scans.folder / "state.json"
    right = file.read_text()
    for odd in ("Infinity", "NaN", "1e999", "-1", "[]", "{}", '"x"', "null", "[[[]]]", "1" * 400):
        entry = json.loads(right)["scans"][name]
        entry[field] = "HERE"
        file.write_text(SCHEMA % json.dumps(entry).replace('"HERE"', odd))
        code, told = scans.scan(name)
        assert code == 0, (odd, told)
        assert told["verdict"] == "clean"
