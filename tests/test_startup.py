"""What a command does not need is not imported: start-up is most of the time of a small inspection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import crc32c as package
import pytest

from inspector import crc32c
from inspector.catalogue import bottoms, named
from inspector.formats import all_formats
from inspector.source import MemorySource

SAMPLES = Path(__file__).parent.parent / "samples"


def imported(*words: str) -> set[str]:
    """Modules that a command line has imported when it ends, without those that were there before."""
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom inspector.__main__ import main\nmain(sys.argv[1:])\n"
        "sys.stderr.write('\\n'.join(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=SAMPLES)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("sample", "others"),
    [
        ("gossip_store/clean-v16.gossip_store", {"spdk_blobstore", "rocksdb", "kad_trace", "snarkos", "known_peers"}),
        ("rocksdb/clean-v7.sst", {"gossip_store", "spdk_blobstore", "kad_trace", "known_peers"}),
        ("kad_trace/finished.log", {"gossip_store", "spdk_blobstore", "rocksdb", "known_peers"}),
    ],
)
def test_a_scan_imports_its_own_format_and_nothing_for_a_terminal(sample: str, others: set[str]) -> None:
    found = imported("scan", sample)
    assert not {f"inspector.formats.{name}" for name in others} & found
    assert not {"rich", "typer", "construct", "importlib.metadata", "concurrent.futures", "traceback"} & found
    assert not {"inspector.correct", "inspector.diagnosis", "inspector.carve", "inspector.plan"} & found


def test_the_version_loads_next_to_nothing() -> None:
    assert not {"msgspec", "typer", "inspector.cli.app", "inspector.kernels.gossip_tiles"} & imported("--version")


def test_a_healthy_table_loads_nothing_that_explains_or_undoes_damage() -> None:
    found = imported("scan", "rocksdb/clean-v7.sst")
    names = ("mending", "judges", "cause", "ends", "holding", "patch", "plan", "view")
    assert not {f"inspector.formats.rocksdb.{name}" for name in names} & found


def test_plain_help_loads_no_command() -> None:
    assert not {"inspector.cli.scan", "inspector.cli.repair", "inspector.format", "rich"} & imported("--help")


def test_an_option_of_a_format_imports_no_other() -> None:
    assert "inspector.formats.gossip_store" not in imported("scan", "rocksdb/clean-v7.sst", "--jobs", "1")


def test_the_checksum_is_the_one_of_the_package() -> None:
    assert crc32c.crc32c(b"123456789") == package.crc32c(b"123456789") == 0xE3069283
    assert crc32c.crc32c(memoryview(b"6789"), crc32c.crc32c(b"12345")) == 0xE3069283


def test_the_likely_format_is_asked_first_and_every_format_once() -> None:
    formats = all_formats()
    asked = [form.name for form in bottoms(formats, MemorySource(b"", "x/000012.sst"))]
    assert asked[0] == "rocksdb"
    assert sorted(asked) == sorted(form.name for form in formats if form.on is None)


def test_a_format_is_found_by_its_name() -> None:
    formats = all_formats()
    for form in formats:
        assert named(formats, form.name) is form
        assert named([*formats], form.name) is form
    assert named(formats, "no-such") is None
