"""Members of a folder that cannot be opened or read: told as what they are, and all else is inspected."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from inspector import folder, formats, live
from inspector.errors import Exit, SourceError
from inspector.format import Extent, Wishes
from inspector.inspect import Report, inspect
from inspector.render.next_steps import steps
from inspector.render.text import quoted
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from inspector.span import Span
from inspector.unread import Unread

SAMPLES = Path(__file__).parents[1] / "samples"
STORE = SAMPLES / "rocksdb" / "clean-db"
TABLE = "000011.sst"


def scan(path: Path) -> Report:
    with open_source(str(path)) as source:
        return inspect(source, formats.all_formats())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    shutil.copytree(STORE, tmp_path / "db")
    return tmp_path / "db"


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], None]:
    """The system refuses to open names that end so; root may open what a mode forbids, so the call itself fails."""
    really = os.open

    def by(number: int, name: str) -> None:
        def opens(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if os.fspath(path).endswith(name):
                raise OSError(number, os.strerror(number), path)
            return really(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", opens)

    return by


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.EUCLEAN])
def test_a_file_that_cannot_be_opened_is_a_finding_and_the_rest_is_inspected(
    number: int, store: Path, shut: Callable[[int, str], None]
) -> None:
    shut(number, TABLE)
    report = scan(store)
    [closed] = [f for f in report.tally.findings() if f.rule.code == "INS007"]
    assert (closed.span, closed.evidence["why"]) == (Span(0, 4255, TABLE), os.strerror(number))
    assert report.exit_code() is Exit.DAMAGED
    assert sum(report.account.roles) == report.source.size
    words = f"1 file or folder could not be opened: {TABLE}. What is said here is said without it."
    assert report.answer.words[0] == words
    assert report.answer.words[1].startswith("2 tables with 60 entries that can be read, 40 operations in WALs")
    commands = [step.command for step in steps(report)]
    assert not any("inspector repair" in command for command in commands)  # which would be refused
    rights = number in (errno.EACCES, errno.EPERM)
    assert [c for c in commands if c.startswith("sudo ")] == [f"sudo inspector scan {quoted(str(store))}"] * rights
    for found in report.tally.findings():  # nothing says that what nobody could read is zero
        if found.span.member == TABLE and found.bytes_known:
            assert os.strerror(number) in found.cause.because, found
    assert "INS001" not in {code for code, _ in report.tally.counts}


def test_nothing_is_repaired_around_a_file_that_the_owner_may_read(
    store: Path, tmp_path: Path, shut: Callable[[int, str], None]
) -> None:
    shut(errno.EACCES, TABLE)
    with open_source(str(store)) as source, pytest.raises(SourceError, match="Permission denied"):
        repair(source, formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert not (tmp_path / "out").exists()


def test_where_nothing_can_be_opened_the_whole_scan_ends(store: Path, shut: Callable[[int, str], None]) -> None:
    shut(errno.EACCES, "")
    with pytest.raises(SourceError, match="Permission denied"):
        scan(store)


def test_a_folder_in_a_store_that_cannot_be_listed_is_a_finding(store: Path, shut: Callable[[int, str], None]) -> None:
    (store / "lost").mkdir()
    (store / "lost" / "000099.sst").write_bytes(b"x")
    shut(errno.EACCES, "lost")
    report = scan(store)
    [closed] = [f for f in report.tally.findings() if f.rule.code == "INS007"]
    assert (closed.span.member, closed.bytes_known) == ("lost", False)


def test_a_link_that_took_the_name_of_a_file_is_not_followed(store: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes((store / TABLE).read_bytes())
    with open_source(str(store)) as source:
        (store / TABLE).unlink()
        (store / TABLE).symlink_to(tmp_path / "outside")
        report = inspect(source, formats.all_formats())
    assert TABLE in source.closed
    assert "INS007" in {code for code, _ in report.tally.counts}


def test_a_link_that_took_the_name_of_an_inner_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "store" / "inner").mkdir(parents=True)
    (tmp_path / "store" / "inner" / "file").write_bytes(b"ours")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"theirs")
    with open_source(str(tmp_path / "store")) as source:
        shutil.rmtree(tmp_path / "store" / "inner")
        (tmp_path / "store" / "inner").symlink_to(tmp_path / "outside")
        assert source.read(0, 4, "inner/file") == bytes(4)
        assert "inner/file" in source.closed


def test_a_link_that_took_the_place_of_a_folder_while_it_is_listed_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store" / "inner").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"theirs")
    really = folder._sort_in

    def swapped(*arguments: object) -> None:
        really(*arguments)  # type: ignore[arg-type]
        (tmp_path / "store" / "inner").rmdir()
        (tmp_path / "store" / "inner").symlink_to(tmp_path / "outside")

    monkeypatch.setattr(folder, "_sort_in", swapped)
    with open_source(str(tmp_path / "store")) as source:
        assert source.members == ()
        assert set(source.closed) == {"inner"}


def test_a_file_that_a_running_program_removes_is_no_damage(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look is at the folder as it is then."""
    shutil.copy(store / "OPTIONS-000007", store / "OPTIONS-000009")
    with open_source(str(store)) as source:
        (store / "OPTIONS-000009").unlink()
        report = live.inspect(source, formats.all_formats(), sleep=lambda _: None)
        assert report.exit_code() is Exit.CLEAN
        assert not report.source.closed


class Sick(MemorySource):
    """Reads that touch a bad range fail."""

    bad: tuple[Span, ...] = ()

    def _pread(self, member: str, n: int, at: int) -> bytes:
        if any(span.overlaps(Span(at, at + n, member)) for span in self.bad):
            raise OSError(errno.EIO, "Input/output error")
        return super()._pread(member, n, at)


@pytest.mark.parametrize(
    ("sample", "bad"),
    [
        ("gossip_store/clean-v16.gossip_store", Span(4096, 8192)),
        ("spdk_blobstore/clean.img", Span(8192, 12288)),
        ("snarkos_blocks/0.5.blocks", Span(4096, 8192)),
        ("kad_trace/stalled.log", Span(0, 4096)),
        ("known_peers/known_addresses-v2.bin", Span(0, 4096)),
    ],
)
def test_bytes_that_nobody_could_read_are_never_called_zeroes_that_were_written(sample: str, bad: Span) -> None:
    source = Sick((SAMPLES / sample).read_bytes(), sample)
    source.bad = (bad,)
    report = inspect(source, formats.all_formats())
    assert list(source.unreadable.joined()) == [bad]
    for found in report.tally.findings():
        assert found.cause.name != "zeroed-range", found
        assert not found.bytes_known or not found.span.overlaps(bad) or "could not be read" in found.message
    assert report.diagnosis is not None
    assert (report.diagnosis.verdict, report.diagnosis.confidence) == ("medium", "certain")


def test_a_source_of_which_nothing_can_be_read_is_an_error_and_no_finding() -> None:
    source = Sick((SAMPLES / "gossip_store/clean-v16.gossip_store").read_bytes(), "sick")
    source.bad = (Span(0, 9122),)
    with pytest.raises(SourceError, match="nothing of it could be read"):
        inspect(source, formats.all_formats(), forced="gossip-store")


def test_extracted_bytes_that_were_unreadable_before_have_no_proof(tmp_path: Path) -> None:
    """Detection reads ahead and meets the bad sectors first; the map of the output must still name all of them."""
    from inspector.extract import extract

    source = Sick(Random(1).randbytes(65536), "disk")
    source.bad = (Span(4096, 8192), Span(16384, 20480), Span(32768, 36864))
    source.read(0, 65536)
    out = tmp_path / "out"
    done = extract(source, iter([Extent(0, 65536, Span(0, 65536), "placed")]), "volume", str(out))
    assert done.proof == {"sealed": 0, "derived": 0, "placed": 65536 - 3 * 4096, "none": 3 * 4096}


def test_unread_ranges_are_each_byte_once_in_any_order() -> None:
    rng, unread, truth = Random(7), Unread(), set[int]()
    for _ in range(300):
        start = rng.randrange(500)
        span = Span(start, start + rng.randrange(1, 40))
        unread.note(span)
        truth |= set(range(span.start, span.end))
        assert sum(one.length for one in unread) == len(truth)
    joined = list(unread.joined())
    assert {at for span in joined for at in range(span.start, span.end)} == truth
    assert all(one.end < two.start for one, two in pairwise(joined))
    assert list(unread.within(Span(100, 101))) == [s for s in (Span(100, 101),) if 100 in truth]
