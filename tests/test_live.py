"""Damage is called damage only where it is still there at the second look."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inspector import formats, live
from inspector.errors import Exit
from inspector.inspect import Report
from inspector.source import open_source
from inspector.uncached import uncached
from tests.builders.gossip import HEADER, healthy
from tests.builders.live_store import LiveStore

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture
def store(tmp_path: Path) -> LiveStore:
    made = LiveStore(tmp_path / "gossip_store", 3)
    made.grow(60)
    return made


@pytest.fixture
def writer(store: LiveStore) -> Iterator[None]:
    """Another process that has the store open for writing."""
    with subprocess.Popen(["sleep", "60"], pass_fds=[store.store.fd]) as process:
        yield
        process.kill()


def scan(path: Path, meanwhile: Callable[[], None] = lambda: None) -> Report:
    """`meanwhile` happens while the second look is waited for."""
    source = open_source(str(path))
    report = live.inspect(source, formats.all_formats(), sleep=lambda _: meanwhile())
    source.close()
    return report


def codes(report: Report) -> set[str]:
    return {code for code, _ in report.tally.counts}


@pytest.mark.usefixtures("writer")
def test_an_append_in_flight_is_not_damage_while_the_program_runs(store: LiveStore) -> None:
    whole = len(store.store.data)
    store.tear()
    report = scan(store.path)
    assert report.exit_code() is Exit.CLEAN
    assert "INS005" in codes(report)
    assert report.live["stable_end"] == whole
    assert report.live["in_flight"] == store.path.stat().st_size - whole
    assert report.live["users"][0].startswith("sleep (")
    assert sum(report.account.roles) == whole


def test_the_same_bytes_are_damage_once_nobody_writes(store: LiveStore) -> None:
    store.tear()
    os.utime(store.path, (1, 1))
    report = scan(store.path)
    assert report.exit_code() is Exit.DAMAGED
    assert "GSP007" in codes(report)
    assert not report.live


@pytest.mark.usefixtures("writer")
def test_damage_before_the_end_is_damage_whoever_has_the_store_open(store: LiveStore) -> None:
    store.flip()
    store.tear()
    report = scan(store.path)
    assert report.exit_code() is Exit.DAMAGED
    assert {"GSP003", "INS005"} <= codes(report)


@pytest.mark.usefixtures("writer")
def test_more_than_one_write_can_leave_at_the_end_is_damage(store: LiveStore) -> None:
    with store.path.open("ab") as file:
        file.write(os.urandom(2 << 20))
    assert scan(store.path).exit_code() is Exit.DAMAGED


@pytest.mark.usefixtures("writer")
def test_a_hole_that_is_filled_meanwhile_is_reported_as_transient(store: LiveStore) -> None:
    (start, end), fill = store.hole()
    report = scan(store.path, fill)
    assert report.exit_code() is Exit.CLEAN
    [note] = [f for f in report.tally.findings() if f.rule.code == "INS004"]
    assert (note.span.start, note.span.end) == (start, end)
    assert note.evidence["first_rule"] == "GSP006"
    assert report.live["transient"] == 1


def test_an_end_that_is_finished_meanwhile_by_a_writer_nobody_can_see(store: LiveStore) -> None:
    finish = store.tear()
    report = scan(store.path, finish)
    assert report.exit_code() is Exit.CLEAN
    assert report.live["in_flight"] == 0


def test_where_cache_and_medium_differ_it_is_said(store: LiveStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _, restore = store.flip()
    good = bytes(store.store.data)

    monkeypatch.setattr(live, "uncached", lambda _, start, n: (good[start : start + n], "O_DIRECT", ""))
    monkeypatch.setattr(live, "forget", lambda *_: restore())  # the kernel drops the page and reads the medium again
    report = scan(store.path)
    assert "INS006" in codes(report)
    assert "GSP003" not in codes(report)
    assert report.exit_code() is Exit.DAMAGED


def test_where_the_medium_cannot_be_asked_it_is_said(store: LiveStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.flip()
    monkeypatch.setattr(live, "uncached", lambda *_: (None, "not possible", "here"))
    report = scan(store.path)
    assert report.exit_code() is Exit.DAMAGED
    assert report.live == {"reread": "not possible: here", "differ": 0}


def test_the_medium_has_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = os.urandom(20_000)
    path.write_bytes(data)
    with open_source(str(path)) as source:
        for start, n in ((0, 20_000), (1, 10), (4095, 2), (12_345, 7_655), (19_999, 1)):
            found, how, why = uncached(source, start, n)
            assert (found, why) == (data[start : start + n], "") or (found, how) == (None, "not possible")


def test_a_store_that_grows_while_it_is_read_is_checked_up_to_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "gossip_store"
    path.write_bytes(healthy(16, 100_000, seed=1))
    with open_source(str(path)) as source:
        with path.open("ab") as file:
            file.write(bytes(50))
        report = live.inspect(source, formats.all_formats())
    assert (report.partial, report.exit_code()) == ("", Exit.CLEAN)
    assert report.live["size"] == report.live["stable_end"] + 50
    assert "INS003" in codes(report)


@pytest.mark.parametrize("how", ["replaced", "removed", "shorter"])
def test_a_store_that_is_no_longer_the_one_that_was_opened_is_a_lower_bound(how: str, tmp_path: Path) -> None:
    path = tmp_path / "gossip_store"
    path.write_bytes(healthy(16, 100_000, seed=1))
    with open_source(str(path)) as source:
        if how == "replaced":
            (tmp_path / "other").write_bytes(b"\x10")
            (tmp_path / "other").rename(path)
        elif how == "removed":
            path.unlink()
        else:
            os.truncate(path, 99_000)
        report = live.inspect(source, formats.all_formats())
    assert how in report.partial
    assert report.exit_code() in (Exit.PARTIAL, Exit.DAMAGED)
    assert how == "shorter" or report.exit_code() is Exit.PARTIAL


def _rotated(path: Path) -> None:
    log = path.read_bytes()
    path.rename(path.with_suffix(".1"))
    path.write_bytes(log[:1000])


def test_a_log_that_is_rotated_meanwhile_was_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    path.write_bytes((SAMPLES / "kad_trace" / "finished.log").read_bytes())
    with open_source(str(path)) as source:
        _rotated(path)
        report = live.inspect(source, formats.all_formats())
    assert (report.partial, report.exit_code()) == ("", Exit.CLEAN)
    assert "was replaced" in report.live["changed"]
    assert report.account.done == source.size
    with open_source(str(path)) as source:  # deleted: nobody has that log any more
        path.unlink()
        report = live.inspect(source, formats.all_formats())
    assert report.exit_code() is Exit.PARTIAL


def test_a_line_in_flight_when_the_log_is_rotated_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    whole = (SAMPLES / "kad_trace" / "finished.log").read_bytes()
    path.write_bytes(whole[:-30])
    with path.open("ab") as writer, open_source(str(path)) as source:
        writer.write(whole[-30:])
        writer.flush()
        _rotated(path)
        report = live.inspect(source, formats.all_formats(), sleep=lambda _: None)
    assert (report.partial, report.exit_code()) == ("", Exit.CLEAN)


def test_a_store_with_pointers_that_was_written_to_is_a_lower_bound(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes((SAMPLES / "spdk_blobstore" / "clean.img").read_bytes())
    with open_source(str(path)) as source:
        os.utime(path)
        report = live.inspect(source, formats.all_formats())
    assert report.exit_code() is Exit.PARTIAL


@pytest.mark.usefixtures("writer")
def test_an_announcement_whose_amount_is_in_flight_wants_nothing(store: LiveStore) -> None:
    whole = len(store.store.data)
    store.net.open(store.net.nodes[0], store.net.nodes[5])
    amount = whole + HEADER + int.from_bytes(store.store.data[whole + 2 : whole + 4])  # behind the announcement
    os.ftruncate(store.store.fd, amount + 5)
    report = scan(store.path)
    assert report.exit_code() is Exit.CLEAN
    assert report.live["stable_end"] == whole
    assert report.live["in_flight"] == amount + 5 - whole
