"""A medium that fails between two reads of the same bytes: nothing is told of zeroes that stand for what is gone."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector import formats, live
from inspector.__main__ import main
from inspector.diagnosis.reread import reread
from inspector.errors import Exit, SourceError
from inspector.format import Wishes
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import open_source
from inspector.span import Span
from tests import damage

SAMPLES = Path(__file__).parents[1] / "samples"
DISK, CLUSTER = SAMPLES / "spdk_blobstore" / "masks-wiped.img", 24 * 4096  # a page of a volume's content
HOLE = SAMPLES / "gossip_store" / "zeroed-hole.gossip_store"
CLEAN = SAMPLES / "gossip_store" / "clean-v16.gossip_store"
BLOCK = 4096


@pytest.fixture
def sick(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int, int], None]:
    """From the `after`-th read of a block on, that block of that file cannot be read."""
    read, copy = os.pread, os.copy_file_range

    def of(path: Path, block: int, after: int = 0) -> None:
        inode = path.stat().st_ino
        reads = 0

        def meets(fd: int, n: int, at: int) -> None:
            nonlocal reads
            if os.fstat(fd).st_ino == inode and at < block + BLOCK and block < at + n:
                reads += 1
                if reads > after:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))

        def pread(fd: int, n: int, at: int) -> bytes:
            meets(fd, n, at)
            return read(fd, n, at)

        def copy_range(source: int, to: int, n: int, at: int, there: int) -> int:
            meets(source, n, at)
            return copy(source, to, n, at, there)

        monkeypatch.setattr(os, "pread", pread)
        monkeypatch.setattr(os, "copy_file_range", copy_range)

    return of


def test_content_that_the_medium_does_not_deliver_is_lost_in_the_ledger(
    sick: Callable[[Path, int, int], None], tmp_path: Path
) -> None:
    """No checksum covers a volume's content: it is read for the first time when it is copied."""
    sick(DISK, CLUSTER, 0)
    out = tmp_path / "out"
    with open_source(str(DISK)) as source:
        result = repair(source, formats.all_formats(), str(out), Wishes())
    assert result.code is Exit.LOST
    assert result.bytes["lost"] == BLOCK
    assert sum(result.bytes[action] for action in ("kept", "corrected", "dropped", "lost")) == DISK.stat().st_size
    assert [edit.origin for edit in result.changes if edit.action == "lost"] == [Span(CLUSTER, CLUSTER + BLOCK)]
    assert out.read_bytes()[CLUSTER : CLUSTER + BLOCK] == bytes(BLOCK)


def test_a_copy_that_fails_for_a_block_that_went_bad_blames_the_medium(
    sick: Callable[[Path, int, int], None], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told = set()
    for after in range(1, 12):  # at some read it is judged already and not copied yet
        sick(HOLE, 0, after)
        with open_source(str(HOLE)) as source:
            try:
                told.add(repair(source, formats.all_formats(), str(out), Wishes(), force=True).code.name)
            except SourceError as error:
                told.add(error.message.rpartition(" on ")[2])
    assert told == {"went bad meanwhile", "LOST"}


def test_a_known_finding_stays_known_and_the_bad_block_is_news(
    sick: Callable[[Path, int, int], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, known = tmp_path / "gossip_store", str(tmp_path / "known")
    store.write_bytes(damage.flip_bit(CLEAN.read_bytes(), 6000, 1).data)
    assert main(["scan", str(store), "--write-baseline", known]) == Exit.DAMAGED
    capsys.readouterr()
    ends = set()
    for after in (*range(41, 52), 1 << 20):
        sick(store, BLOCK, after)
        code = main(["scan", str(store), "--json", "--baseline", known])
        told = json.loads(capsys.readouterr().out)
        judged = [f for f in told["findings"] if f["code"] == "INS002" or f["cause"]["name"] != "unreadable-medium"]
        codes = {found["code"]: found.get("new") for found in judged}
        assert not codes.get("GSP003"), (after, codes)
        ends.add((code, codes.get("INS002")))
    assert ends >= {(Exit.DAMAGED, True), (Exit.CLEAN, None)}


def test_what_cannot_be_read_again_is_not_compared_with_the_medium(
    sick: Callable[[Path, int, int], None], tmp_path: Path
) -> None:
    place = tmp_path / "gossip_store"
    place.write_bytes((SAMPLES / "gossip_store" / "checksum-at-3044.gossip_store").read_bytes())
    with open_source(str(place)) as source:
        report = inspect(source, formats.all_formats(), causes=False)
        found = next(f for f in report.tally.findings() if f.rule.code == "GSP003")
        sick(place, 0, 0)
        assert reread(source, found.span).same is None
    with open_source(str(place)) as source:
        sick(place, 0, 3)
        assert not {code for code, _ in live.inspect(source, formats.all_formats()).tally.counts} & {"INS006", "INS004"}


def test_another_file_at_the_name_does_not_prove_that_memory_was_bad(tmp_path: Path) -> None:
    place = tmp_path / "gossip_store"
    data = HOLE.read_bytes()
    place.write_bytes(data)
    with open_source(str(place)) as source:
        source.read(0, 1)
        (tmp_path / "other").write_bytes(data[::-1])
        (tmp_path / "other").rename(place)
        told = reread(source, Span(8192, 12288))
    assert told.same is not False, "the file that was opened is read again, whatever has its name now"


def test_a_file_that_loses_bytes_is_judged_by_those_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeroes stand for what went away while it was read: nothing may be told of them."""
    place = tmp_path / "gossip_store"
    data = CLEAN.read_bytes()
    place.write_bytes(data)
    real, left = os.pread, 5

    def pread(fd: int, n: int, at: int) -> bytes:
        nonlocal left
        left -= 1
        if left == 0:
            os.truncate(place, 5000)
        return real(fd, n, at)

    monkeypatch.setattr(os, "pread", pread)
    with open_source(str(place)) as source:
        report = live.inspect(source, formats.all_formats())
    codes = {code for code, _ in report.tally.counts}
    assert left < 0
    assert "INS003" in codes
    assert "GSP006" not in codes
    assert "shorter" in report.partial
    assert report.source.size == 5000


@pytest.mark.parametrize("line", ["diff {} {}", "records {}", "items {}", "report {} -o {}.md"])
def test_what_moved_while_it_was_read_is_no_result(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "gossip_store"
    place.write_bytes(CLEAN.read_bytes())
    real, reads = os.pread, 0

    def pread(fd: int, n: int, at: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads == 6:
            os.truncate(place, 5000)
        return real(fd, n, at)

    monkeypatch.setattr(os, "pread", pread)
    assert main(line.format(place, place).split()) == Exit.PARTIAL
    assert not (tmp_path / "gossip_store.md").exists()
