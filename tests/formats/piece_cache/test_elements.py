"""A farmer's piece cache: every element judged alone, bad ones emptied, nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.errors import Exit, RefusedError
from inspector.finding import UNKNOWN_CAUSE, Cause
from inspector.format import Query, Wishes
from inspector.formats.piece_cache import FORMAT
from inspector.formats.piece_cache.elements import cause_of
from inspector.formats.piece_cache.hunting import TRIES, Hunt
from inspector.formats.piece_cache.layout import ELEMENT, PIECE
from inspector.inspect import Report, inspect
from inspector.repair import Result, repair
from inspector.source import MemorySource, open_source
from tests.builders.piece_cache import EMPTY, element

FIRST, SECOND, THIRD = element(3), element(1 << 40), element(0x0102_0000)


def scan(data: bytes, name: str = "piece_cache.bin") -> Report:
    report = inspect(MemorySource(data, name), (FORMAT,))
    assert not report.account.holes
    assert sum(report.account.roles) == len(data)
    return report


def mend(data: bytes, tmp_path: Path) -> tuple[bytes, Result]:
    source, target = tmp_path / "piece_cache.bin", tmp_path / "out.bin"
    source.write_bytes(data)
    with open_source(str(source)) as opened:
        result = repair(opened, (FORMAT,), str(target), Wishes(), forced="piece-cache", force=True)
    return target.read_bytes(), result


def flipped(data: bytes, at: int, mask: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def test_an_element_has_the_length_the_farmer_computes() -> None:
    assert ELEMENT == 1_048_712 == PIECE.struct.sizeof() == len(FIRST)


def test_good_and_empty_elements_are_clean() -> None:
    report = scan(FIRST + EMPTY + SECOND, "anything")
    assert report.exit_code() == Exit.CLEAN
    assert report.claim.strength == 98
    assert report.answer.summary == {
        "elements": 3, "good": 2, "empty": 1, "bad": 0, "cut_bytes": 0, "bad_elements": [],
        "moved": 0,
    }  # fmt: skip


@pytest.mark.parametrize("data", [flipped(FIRST, 8), EMPTY + flipped(FIRST, 8), FIRST[:-1]])
def test_a_cache_without_a_good_piece_is_not_repaired_to_zeroes(data: bytes, tmp_path: Path) -> None:
    """Under any other name nothing would know the output for a cache."""
    assert scan(data).answer.next == ()
    with pytest.raises(RefusedError, match="no piece of this cache is good"):
        mend(data, tmp_path)
    assert not (tmp_path / "out.bin").exists()


@pytest.mark.parametrize("at", [0, 8, 500_000, ELEMENT - 33])
def test_a_flipped_bit_costs_that_piece_and_no_other(at: int, tmp_path: Path) -> None:
    data = FIRST + flipped(SECOND, at) + EMPTY
    report = scan(data)
    (finding,) = report.tally.findings()
    assert (finding.rule.code, finding.span.start, finding.span.end) == ("PCH001", ELEMENT, 2 * ELEMENT)
    fixed, result = mend(data, tmp_path)
    assert fixed == FIRST + EMPTY + EMPTY
    assert (result.code, result.bytes["lost"], result.records["lost"]) == (Exit.LOST, ELEMENT, 1)
    assert scan(fixed).exit_code() == Exit.CLEAN


def test_a_flipped_bit_of_the_digest_is_named() -> None:
    report = scan(flipped(FIRST, ELEMENT - 5, 0x20) + SECOND)
    (finding,) = report.tally.findings()
    assert (finding.cause.name, finding.cause.confidence) == ("bit-flip", "certain")
    assert (finding.evidence["flipped_byte"], finding.evidence["flipped_bit"]) == (ELEMENT - 5, 5)


def test_a_zeroed_page_is_named() -> None:
    report = scan(FIRST[:8192] + bytes(4096) + FIRST[12288:] + SECOND)
    (finding,) = report.tally.findings()
    assert (finding.cause.name, finding.cause.confidence) == ("zeroed-range", "certain")
    assert (finding.evidence["zeroes_start"], finding.evidence["zeroes_end"]) == (8192, 12288)


def test_a_cut_file_loses_its_last_element(tmp_path: Path) -> None:
    data = FIRST + SECOND[:1000]
    report = scan(data)
    assert [f.rule.code for f in report.tally.findings()] == ["PCH002"]
    assert mend(data, tmp_path)[0] == FIRST + EMPTY


@pytest.mark.parametrize("at", [0, 1, ELEMENT, ELEMENT + 777, 2 * ELEMENT - 1])
@pytest.mark.parametrize("count", [1, 512, -1, -4096])
def test_bytes_put_in_or_lost_cost_at_most_the_element_they_hit(at: int, count: int, tmp_path: Path) -> None:
    data = FIRST + SECOND + EMPTY + THIRD
    data = data[:at] + b"\x5a" * count + data[at:] if count > 0 else data[:at] + data[at - count :]
    report = scan(data)
    shown = {f.rule.code: f for f in report.tally.findings()}
    assert shown.keys() == {"PCH001", "PCH004"}
    assert {f.cause.name for f in shown.values()} == {"shifted"}
    moved = shown["PCH004"]
    assert (moved.evidence["by"], moved.span.end) == (count, len(data))
    fixed, result = mend(data, tmp_path)
    hit = at // ELEMENT if count < 0 or at % ELEMENT else None
    kept = [piece for i, piece in enumerate((FIRST, SECOND, THIRD)) if i != hit]
    assert all(fixed.index(piece) % ELEMENT == 0 for piece in kept)
    assert len(fixed) == 4 * ELEMENT
    assert result.records["kept"] == len(kept)
    assert scan(fixed).exit_code() == Exit.CLEAN


def test_two_bad_elements_side_by_side_have_not_moved() -> None:
    findings = scan(flipped(FIRST, 70) + flipped(SECOND, 80) + THIRD).tally.findings()
    assert [(f.rule.code, f.span.start, f.span.length) for f in findings] == [
        ("PCH001", 0, ELEMENT), ("PCH001", ELEMENT, ELEMENT),
    ]  # fmt: skip
    assert all(f.cause.name != "shifted" for f in findings)


def test_places_that_look_like_a_piece_index_are_tried_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def bad(_: Hunt, at: int) -> str:
        tried.append(at)
        return "bad"

    monkeypatch.setattr(Hunt, "_judged", bad)
    heads = b"\x01\0\0\0\0\0\0\0" * (ELEMENT // 4)
    scan(b"\x02" + heads)
    assert TRIES <= len(tried) < TRIES + 40


def test_zeroes_behind_the_last_element_hold_nothing(tmp_path: Path) -> None:
    data = FIRST + bytes(4096)
    (finding,) = scan(data).tally.findings()
    assert (finding.rule.code, finding.level.name, finding.salvage) == ("PCH002", "WARNING", "kept")
    fixed, result = mend(data, tmp_path)
    assert (fixed, result.code) == (FIRST + EMPTY, Exit.CLEAN)
    # of an index that begins with zeroes so much may be left
    assert mend(data[: ELEMENT + 3], tmp_path)[1].code == Exit.LOST


def test_a_piece_in_two_elements_is_a_note() -> None:
    report = scan(FIRST + EMPTY + FIRST)
    (finding,) = report.tally.findings()
    assert (finding.rule.code, finding.span.start, finding.span.end) == ("PCH003", 2 * ELEMENT, 3 * ELEMENT)
    assert finding.evidence == {"piece_index": 3, "first": 0, "count": 1}
    assert report.exit_code() == Exit.CLEAN


def test_records_and_items_name_pieces() -> None:
    report = scan(FIRST + EMPTY + flipped(SECOND, 77))
    assert FORMAT.records is not None
    assert FORMAT.items is not None
    assert FORMAT.show is not None
    assert [(e.kind, e.state) for e in FORMAT.records(report.state, Query())] == [
        ("piece", "ok"), ("empty", "ok"), ("piece", "bad checksum"),
    ]  # fmt: skip
    assert [i.id for i in FORMAT.items(report.state)] == ["piece:3"]
    shown = FORMAT.show(report.state, "", 2 * ELEMENT + 9)
    assert shown is not None
    assert (shown.span.start, shown.state) == (2 * ELEMENT, "bad")


@pytest.mark.parametrize("length", [0, 1, 31, 32, ELEMENT - 1, ELEMENT + 1])
def test_any_length_is_accounted_for(length: int) -> None:
    scan((FIRST + SECOND)[:length])


@pytest.mark.parametrize("name", ["identity.bin", "secret_ed25519"])
def test_files_that_hold_keys_are_refused_by_name_and_not_opened(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    place.write_bytes(b"k" * 32)
    place.chmod(0)
    with pytest.raises(RefusedError, match="never opened"):
        open_source(str(place))


@pytest.mark.parametrize(
    ("at", "start", "end", "where"),
    [
        (0, 8192, 8492, "on a boundary of 4096 bytes"),
        (0, 9000, 9728, "on a boundary of 512 bytes"),
        (0, 9216, 9600, "on a boundary of 512 bytes"),
        (0, 0, 300, "on a boundary of 4096 bytes"),
        (0, 9001, 9301, ""),
        (0, 9001, 9257, ""),  # 256
        (3 * ELEMENT, 4096 - 408, 4300, "on a boundary of 4096 bytes"),  # boundaries of the file, not of the element
    ],
)
def test_a_run_of_zeroes_is_as_sure_as_where_it_begins_or_ends(at: int, start: int, end: int, where: str) -> None:
    cause, evidence = cause_of(bytes([7]) * start + bytes(end - start) + bytes([7]) * (ELEMENT - end), at)
    assert (evidence["zeroes_start"], evidence["zeroes_end"]) == (at + start, at + end)
    words = f"zero from {at + start} to {at + end}" + (f", {where}" if where else "")
    assert cause == Cause("zeroed-range", "likely" if where else "possible", words)


def test_a_run_of_255_zeroes_is_none() -> None:
    cause, evidence = cause_of(bytes([7]) * 9001 + bytes(255) + bytes([7]) * (ELEMENT - 9256), 0)
    assert (cause, set(evidence)) == (UNKNOWN_CAUSE, {"stored", "computed"})


@pytest.mark.parametrize("junk", [7, 20, 5000])
def test_bytes_behind_the_last_element_that_begin_none_are_left_out(junk: int, tmp_path: Path) -> None:
    tail = bytes(range(255, 0, -1)) * 20
    (found,) = scan(FIRST + THIRD + tail[:junk]).tally.findings()
    assert (found.rule.code, found.level.value, found.cause.name) == ("PCH002", "warning", "shifted")
    written, done = mend(FIRST + THIRD + tail[:junk], tmp_path)
    assert (written, done.code) == (FIRST + THIRD, Exit.CLEAN)


def test_a_cut_element_is_lost_whatever_its_piece_index(tmp_path: Path) -> None:
    for one in (FIRST, SECOND):  # the index of the second is as large as no chain's, and there is one like it
        (found,) = scan(SECOND + one[:7000]).tally.findings()
        assert (found.level.value, found.salvage) == ("error", "lost")
        assert mend(SECOND + one[:7000], tmp_path)[1].code is Exit.LOST
