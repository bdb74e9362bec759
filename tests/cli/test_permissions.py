"""What a user without rights, with a wrong name or an unset variable is told: what it was, and what helps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.errors import Exit

ROOT = Path(__file__).parents[2]
STORE = ROOT / "samples/gossip_store/zeroed-hole.gossip_store"
# root reads and writes everything: it gives that up, and is an owner like any other
CAPABILITIES = "-dac_override,-dac_read_search"
LIKE_A_USER = ["setpriv", f"--bounding-set={CAPABILITIES}", f"--inh-caps={CAPABILITIES}"] if os.geteuid() == 0 else []
READ = "run it as root or as the owner of the file"
WRITE = "name a file in a folder that you may write to"
WAY = "a folder on the way is not open to you"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store; the same without rights, and in a folder that is closed; a folder that is only read."""
    if LIKE_A_USER and shutil.which("setpriv") is None:
        pytest.skip("root cannot give up its rights here")
    for name in ("store", "sealed"):
        shutil.copyfile(STORE, tmp_path / name)
    for folder, mode in (("closed", 0), ("given", 0o500)):
        (tmp_path / folder).mkdir()
        shutil.copyfile(STORE, tmp_path / folder / "store")
        (tmp_path / folder).chmod(mode)
    (tmp_path / "sealed").chmod(0)
    return tmp_path


def asked(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*LIKE_A_USER, sys.executable, "-m", "inspector", *words]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=place, env=surroundings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("scan sealed", READ),
        ("scan closed", READ),
        ("scan closed/store", WAY),
        ("records closed/store", READ),
        ("repair sealed -o out", READ),
        ("repair store -o given/out", WRITE),
        ("scan store --log sealed", READ),
        ("scan store --baseline sealed", READ),
        ("scan store --redact --redact-map sealed", READ),
        ("scan store --state closed/state", WAY),
        ("scan store --metrics given/metrics", WRITE),
        ("carve store --format gossip-store -o closed/out", WAY),
        ("report store -o closed/out.md", WAY),
        ("watch closed/store --for 0", WAY),
    ],
)
def test_what_is_closed_to_a_user_is_told_with_what_helps(words: str, hint: str, place: Path) -> None:
    done = asked(place, *words.split())
    assert done.returncode == Exit.IO
    assert "Permission denied" in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in place.iterdir()) == ["closed", "given", "sealed", "store"]
    if words.startswith("report"):  # which says no names
        assert "closed" not in done.stderr


def test_a_member_that_is_closed_is_a_finding_and_the_others_are_read(place: Path) -> None:
    shutil.copytree(ROOT / "samples/rocksdb/clean-db", place / "db")
    (log,) = (place / "db").glob("*.log")
    log.chmod(0)
    done = asked(place, "scan", "db", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == Exit.DAMAGED
    assert any(f["code"] == "INS007" and "Permission denied" in f["message"] for f in told["findings"])
    assert told["records"]["by_kind"]["data_block"] == 14


@pytest.mark.parametrize("name", ["sealed", "absent", "empty", "pipe"])
def test_a_watch_that_never_saw_a_store_does_not_end_as_if_all_were_well(name: str, place: Path) -> None:
    (place / "empty").touch()
    os.mkfifo(place / "pipe")
    done = asked(place, "watch", name, "--for", "0.1s", "--interval", "0.05s")
    assert done.returncode == Exit.PARTIAL
    assert "nothing was checked" in done.stderr


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        ("rocksdb/clean-db", Exit.CLEAN),
        ("rocksdb/lost-edit", Exit.DAMAGED),
        ("known_peers/known_addresses-v2.bin", Exit.CLEAN),
    ],
)
def test_a_watch_of_a_store_that_is_scanned_whole_ends_with_what_it_saw(sample: str, code: Exit, place: Path) -> None:
    done = asked(place, "watch", str(ROOT / "samples" / sample), "--for", "0.1s", "--patience", "0.05s")
    assert done.returncode == code, done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("scan", ""), Exit.USAGE, "a PATH is empty"),
        (("records", ""), Exit.USAGE, "a PATH is empty"),
        (("scan", "dangling"), Exit.IO, "dangling: a link to a name that is not there"),
        (("scan", "stroe"), Exit.IO, "did you mean store?"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(words: tuple[str, ...], code: Exit, said: str, place: Path) -> None:
    (place / "dangling").symlink_to("nowhere")
    done = asked(place, *words)
    assert done.returncode == code
    assert said in done.stderr
