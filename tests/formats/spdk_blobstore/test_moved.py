"""Bytes put in or lost before or inside the metadata: every page is read where it stands now, and put back."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.errors import RefusedError
from inspector.format import GAP, Wishes
from inspector.formats.spdk_blobstore import moved
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.spdk import Image
from tests.builders.spdk_samples import clean, dirty
from tests.formats.spdk_blobstore.support import codes, look, place, read, repaired

PAGE = 4096
METADATA = 4 * PAGE  # super block and three masks stand before it
ROOT = METADATA + PAGE  # of vol-a
LAST = METADATA + 7 * PAGE  # behind the last page in use
CLEAN, DIRTY = clean(), dirty()


def put_in(data: bytes, at: int, count: int, seed: int = 0) -> bytes:
    """Bytes that do not begin or end with a zero, so that their place is theirs alone."""
    return (
        data[:at]
        + b"x" * (count > 1)
        + Random(seed).randbytes(count - 1 - (count > 1))
        + b"y" * (count > 0)
        + data[at:]
    )


@pytest.mark.parametrize(
    "at", [0, 50, PAGE - 1, PAGE, PAGE + 900, 2 * PAGE + 3, METADATA, ROOT + 1, ROOT + 4095, LAST - PAGE + 10]
)
@pytest.mark.parametrize("count", [1, 3, 512, 4096, 5000])
def test_bytes_put_in_cost_nothing(at: int, count: int) -> None:
    assert repaired(put_in(CLEAN, at, count)) == CLEAN


@pytest.mark.parametrize("at", [0, 17, 200, PAGE - 40, PAGE + 900, ROOT - 60, ROOT + 3000])
@pytest.mark.parametrize("count", [1, 3, 16])
def test_lost_zeroes_and_known_bytes_are_made_anew(at: int, count: int) -> None:
    if at == 17 and count > 3:  # beyond what every store begins with
        return
    assert repaired(CLEAN[:at] + CLEAN[at + count :]) == CLEAN


@pytest.mark.parametrize("page", [4, 5, 6, 7, 8])
def test_a_page_that_is_there_twice_is_left_out_and_one_that_is_not_leaves_its_place(page: int) -> None:
    at = page * PAGE
    assert repaired(CLEAN[: at + PAGE] + CLEAN[at:]) == CLEAN
    report = look(CLEAN[:at] + CLEAN[at + PAGE :])
    assert (report.state.disk.moved.at, report.state.disk.moved.by) == (at, -PAGE)


def test_zeroes_put_in_cost_nothing_either() -> None:
    for at in range(5, LAST - PAGE, 1777):
        assert repaired(CLEAN[:at] + bytes(700) + CLEAN[at:]) == CLEAN, at


def test_of_a_store_that_was_not_shut_down_all_volumes_are_there() -> None:
    healthy = look(DIRTY)
    for at in (0, 60, PAGE + 7, ROOT + 9):
        report = look(put_in(DIRTY, at, 77))
        assert read(report, "vol-a") == read(healthy, "vol-a")
        assert codes(report) == ["SPB011"]


def test_the_place_the_cause_and_what_programs_do_are_told() -> None:
    report = look(put_in(CLEAN, ROOT + 100, 3))
    assert place(report, "SPB011") == (ROOT + 100, ROOT + 103)
    (finding,) = report.tally.findings()
    assert (finding.cause.name, finding.cause.confidence) == ("shifted", "certain")
    assert all("without" in one.outcome for one in report.answer.loaders)
    assert "refuses the store with -84" in {one.outcome for one in look(put_in(CLEAN, 0, 3)).answer.loaders}
    assert "refuses the store with -19" in {one.outcome for one in look(put_in(CLEAN, PAGE, 3)).answer.loaders}


WHOLE = "Every volume whose root page is there can be copied out whole."
UNSURE = WHOLE[:-1] + ", if the bytes that are too many stand behind them all; else their content has moved."


@pytest.mark.parametrize(
    ("data", "where", "content"),
    [
        (put_in(CLEAN, ROOT + 100, 3), "3 bytes were put in at byte 20,580", WHOLE),
        (put_in(CLEAN, 0, 1), "1 byte was put in at byte 0", WHOLE),
        (CLEAN[:ROOT] + CLEAN[ROOT + PAGE :], "4,096 bytes are missing at byte 20,480", None),
        (put_in(CLEAN, len(CLEAN) - 2 * PAGE - 7, 33), None, UNSURE),  # among clusters, which nothing covers
        (CLEAN + b"junk!", None, UNSURE),
        (CLEAN[:-PAGE] + bytes(PAGE) + b"a log line\n" * 200, None, WHOLE),  # by what it is, it stands behind
        (CLEAN, None, None),
    ],
)
def test_the_answer_says_whether_content_can_have_moved(data: bytes, where: str | None, content: str | None) -> None:
    words = look(data).answer.words
    moved_words = [word for word in words if "what is behind is read where it stands now" in word]
    assert moved_words == ([f"{where}: what is behind is read where it stands now."] if where else [])
    assert [word for word in words if "copied out whole" in word] == ([content] if content else [])


@pytest.mark.parametrize(("tail", "warned"), [(b"junk!", True), (b"a log line\n" * 200, False), (b"", False)])
def test_where_content_may_have_moved_an_extracted_volume_is_to_be_compared(
    tail: bytes, warned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "disk.img").write_bytes(CLEAN[:-PAGE] + bytes(PAGE) + tail)
    main(["extract", str(tmp_path / "disk.img"), "vol-b", "-o", str(tmp_path / "volume")])
    assert ("compare it before you trust it" in " ".join(capsys.readouterr().out.split())) is warned


def test_what_was_put_in_between_pages_is_a_gap_of_its_own() -> None:
    data = put_in(CLEAN, ROOT, 100)
    report = look(data)
    assert report.account.roles[GAP] == 100
    assert sum(report.account.roles) == len(data)
    assert report.account.damaged == 0


def test_where_lost_bytes_were_none_that_are_known_one_page_is_lost() -> None:
    at = ROOT + 20  # of a descriptor
    report = look(CLEAN[:at] + CLEAN[at + 5 :])
    assert codes(report).count("SPB020") == 1
    assert read(report, "vol-b")[0] == read(look(CLEAN), "vol-b")[0]


def test_an_image_that_kept_its_size_lost_its_end() -> None:
    data = put_in(CLEAN, ROOT + 100, 3)[: len(CLEAN)]
    assert codes(look(data)) == ["SPB011", "SPB004"]
    assert repaired(data) == CLEAN  # nothing lay there


def test_a_super_block_that_went_astray_is_no_store_that_moved() -> None:
    data = bytearray(CLEAN)
    data[:PAGE], data[METADATA : METADATA + PAGE] = CLEAN[METADATA : METADATA + PAGE], CLEAN[:PAGE]
    assert moved.before(Disk(MemorySource(bytes(data)))) is None


def test_a_healthy_store_and_one_that_is_cut_moved_nowhere() -> None:
    for data in (CLEAN, CLEAN + bytes(PAGE), CLEAN[: -3 * PAGE], DIRTY):
        state = look(data).state
        assert state.disk.moved is None


def test_a_repair_to_a_file_is_verified_and_says_what_it_left_out(tmp_path: Path) -> None:
    data = put_in(CLEAN, ROOT + 100, 3)
    result = repair(MemorySource(data), formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert (tmp_path / "out").read_bytes() == CLEAN
    assert (int(result.code), result.bytes["dropped"], result.bytes["lost"]) == (0, 3, 0)


def test_a_change_in_place_is_refused(tmp_path: Path) -> None:
    data = put_in(CLEAN, ROOT + 100, 3)
    with pytest.raises(RefusedError, match="in place"):
        repair(MemorySource(data), formats.all_formats(), str(tmp_path / "p"), Wishes(), patch=True)


def test_what_a_repair_makes_up_for_a_lost_page_is_not_called_kept(tmp_path: Path) -> None:
    data = bytearray(CLEAN)
    data[METADATA : METADATA + PAGE] = b"\x5a" * PAGE
    wishes = Wishes(accept=frozenset({"name"}))
    result = repair(MemorySource(bytes(data)), formats.all_formats(), str(tmp_path / "out"), wishes)
    assert int(result.code) == 4
    assert result.bytes["lost"] == PAGE
    assert not inspect(MemorySource((tmp_path / "out").read_bytes()), formats.all_formats()).damaged


LOG = b"2026-01-01T00:00:00Z qemu-img: 100 % of disk.img done\n"


@pytest.mark.parametrize("tail", [LOG, LOG * 40, b"\x01\xff" * 50])
def test_a_log_line_behind_the_store_is_left_out_and_costs_nothing(tail: bytes, tmp_path: Path) -> None:
    data = CLEAN[:-PAGE] + bytes(PAGE) + tail  # the last cluster holds nothing, as most do
    (found,) = (f for f in look(data).tally.findings() if f.rule.code == "SPB009")
    assert (found.cause.name, found.span.start) == ("shifted", len(CLEAN))
    assert found.cause.confidence == ("certain" if len(tail) > 1000 else "likely")
    result = repair(MemorySource(data), formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert (tmp_path / "out").read_bytes() == CLEAN[:-PAGE] + bytes(PAGE)
    assert (int(result.code), result.bytes["dropped"], result.bytes["lost"]) == (0, len(tail), 0)


@pytest.mark.parametrize("last", [b"\x55\xaa", b"SWAPSPACE2", LOG])
def test_bytes_put_in_further_ahead_are_not_taken_for_what_stands_behind(last: bytes) -> None:
    """They push the store's own end out of it; content behind them moved, and a repair would write that."""
    whole = CLEAN[: -len(last)] + last
    data = put_in(whole, len(CLEAN) - 2 * PAGE - 7, 33)
    with pytest.raises(RefusedError, match="behind its store"):
        repaired(data)


@pytest.mark.parametrize("tail", [b"!", b"junk!", bytes(700)])
def test_what_stands_behind_the_store_is_left_out_on_request(tail: bytes, tmp_path: Path) -> None:
    data = CLEAN + tail
    with pytest.raises(RefusedError, match="behind its store"):
        repaired(data)
    assert any("--accept unsealed" in command for command in look(data).answer.next)
    wishes = Wishes(accept=frozenset({"unsealed"}))
    result = repair(MemorySource(data), formats.all_formats(), str(tmp_path / "out"), wishes)
    assert (tmp_path / "out").read_bytes() == CLEAN
    assert (result.bytes["dropped"], result.bytes["lost"]) == (len(tail), 0)


def test_pages_that_stand_in_their_places_too_were_copied_and_not_moved() -> None:
    """Two of the pages that a copy laid over others stand as far from home as if bytes were lost, and at home, too."""
    made = Image(clusters=64)
    for number in range(8):
        made.lvol(f"vol-{number}", 4, [number % 4])
    healthy = made.build()
    roots = sorted(vol.pages[0] for vol in made.vols.values())
    first, by = made.page_at(roots[2]), made.page_at(roots[5]) - made.page_at(roots[2])
    length = made.page_at(roots[5]) - first
    data = bytearray(healthy)
    data[first : first + length] = healthy[first + by : first + by + length]
    report = look(data)
    assert report.state.disk.moved is None
    assert "SPB011" not in codes(report)
    names = {blob.name for blob in report.state.store.blobs.values()}
    assert {f"vol-{n}" for n in (0, 4, 5, 6, 7)} <= names  # over 1, 2 and 3 others were laid
    out = repaired(data)
    assert out[first + length : len(healthy)] == healthy[first + length :]


def test_first_pages_that_changed_places_in_a_circle_have_not_moved_the_pages_between_them() -> None:
    """Two of three stand as far from home as if bytes were put in; the maps that they name are where they were."""
    made = Image(clusters=64)
    for name in ("one", "two"):
        made.lvol(name, 4, [0, 2])
    healthy = made.build()
    one, two = (vol.pages[0] for vol in list(made.vols.values())[-2:])
    places = [made.page_at(page) for page in (one, two, 2 * two - one)]
    data = bytearray(healthy)
    for k, at in enumerate(places):
        data[at : at + PAGE] = healthy[places[k - 1] : places[k - 1] + PAGE]
    assert look(data).state.disk.moved is None
    assert repaired(data) == healthy
