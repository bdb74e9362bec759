"""CDN block files: whole, cut, swapped and damaged; what a repair keeps is whole, in order and counted right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from inspector import formats
from inspector.errors import Exit, RefusedError
from inspector.format import FRAME, GAP, Query, Stretch, Wishes
from inspector.formats.snarkos_blocks.layout import METADATA_AT
from inspector.formats.snarkos_blocks.records import records, show
from inspector.formats.snarkos_blocks.units import follower, unit
from inspector.formats.snarkos_blocks.walk import WINDOW, claim
from inspector.inspect import Report, inspect
from inspector.repair import Result, repair
from inspector.source import MemorySource, open_source
from tests import damage
from tests.builders.snarkos import cdn_block, cdn_file, cdn_latest, ledger, sized, u

FORMATS = formats.all_formats()
BLOCKS = ledger(10)
DATA = cdn_file(BLOCKS, 0, 10)
BODIES = [sized(cdn_block(BLOCKS[h], BLOCKS[h - 1] if h else None)) for h in range(10)]
STARTS = [8 + sum(map(len, BODIES[:i])) for i in range(11)]


def scan(data: bytes) -> Report:
    return inspect(MemorySource(data), FORMATS, forced="snarkos-blocks")


def codes(data: bytes) -> list[str]:
    return sorted(code for code, _ in scan(data).tally.counts)


def mend(data: bytes, folder: Path) -> tuple[Result, bytes]:
    (folder / "in").write_bytes(data)
    with open_source(str(folder / "in")) as source:
        done = repair(source, FORMATS, str(folder / "out"), Wishes(), forced="snarkos-blocks")
    return done, (folder / "out").read_bytes()


def file_of(*heights: int) -> bytes:
    return u(len(heights), 8) + b"".join(BODIES[h] for h in heights)


def test_a_whole_file_has_nothing_wrong_and_is_claimed_by_its_bytes() -> None:
    assert codes(DATA) == []
    assert claim(MemorySource(DATA), None).strength == 85
    assert scan(DATA).answer.summary["blocks"] == 10


def test_a_ledger_file_that_starts_later_is_whole_as_well() -> None:
    assert codes(cdn_file(BLOCKS, 4, 9)) == []


@pytest.mark.parametrize("keep", [1, 5, 9])
@pytest.mark.parametrize("extra", [1, 8, 9, 300, 700])
def test_a_download_cut_inside_a_block_costs_that_block(keep: int, extra: int, tmp_path: Path) -> None:
    data = DATA[: STARTS[keep] + extra]
    assert scan(data).answer.summary["blocks"] == keep
    done, out = mend(data, tmp_path)
    assert out == file_of(*range(keep))
    assert done.bytes["lost"] == extra
    assert done.code is Exit.LOST


def test_swapped_blocks_are_put_in_order_and_nothing_is_lost(tmp_path: Path) -> None:
    data = file_of(0, 1, 2, 6, 4, 5, 3, 7, 8, 9)
    assert codes(data) == ["SNB005"]
    done, out = mend(data, tmp_path)
    assert out == DATA
    assert done.code is Exit.CLEAN


def test_a_repeated_block_is_left_out(tmp_path: Path) -> None:
    done, out = mend(file_of(0, 1, 2, 2, 3), tmp_path)
    assert out == file_of(0, 1, 2, 3)
    assert done.records["dropped"] == 1


def test_a_missing_height_ends_the_file_because_a_node_cannot_go_past_it(tmp_path: Path) -> None:
    done, out = mend(file_of(0, 1, 2, 3, 5, 6), tmp_path)
    assert out == file_of(0, 1, 2, 3)
    assert any("0.4.blocks" in note for note in done.notes)


@pytest.mark.parametrize("bit", [0, 3, 7, 12, 20, 40, 63])
def test_a_flipped_bit_in_a_length_costs_that_block_only(bit: int) -> None:
    report = scan(damage.flip_bit(DATA, STARTS[4] + bit // 8, bit % 8).data)
    assert report.answer.summary["blocks"] == 9
    assert report.tally.findings()[0].rule.code in ("SNB001", "SNB003", "SNB004")


def test_a_wrong_count_is_put_right(tmp_path: Path) -> None:
    assert codes(u(50, 8) + DATA[8:]) == ["SNB001"]
    assert mend(u(50, 8) + DATA[8:], tmp_path)[1] == DATA


def test_a_broken_link_is_told_where_it_is() -> None:
    data = damage.flip_bit(DATA, STARTS[6] + 8 + 33, 2).data
    findings = scan(data).tally.findings()
    assert [(f.rule.code, f.span.start, f.span.end) for f in findings] == [("SNB006", STARTS[6], STARTS[7])]


def test_noise_over_two_blocks_costs_these_and_the_one_whose_end_nothing_confirms(tmp_path: Path) -> None:
    data = damage.noise(DATA, STARTS[3] + 2, STARTS[4] + 60, 5).data
    report = scan(data)
    assert report.answer.summary["blocks"] == 7
    assert mend(data, tmp_path)[1] == file_of(5, 6, 7, 8, 9)


def test_the_search_for_the_next_block_crosses_windows() -> None:
    filler = Random(8).randbytes(2 * WINDOW + 77)
    data = u(3, 8) + BODIES[0] + filler + BODIES[1] + BODIES[2]
    report = scan(data)
    assert report.answer.summary["blocks"] == 2  # where the first one ends, nothing confirms
    assert report.account.roles[4] == len(filler)


def test_headers_that_lead_nowhere_do_not_make_the_walk_slow() -> None:
    bait = u(1 << 40, 8) + BODIES[1][8:360]
    report = scan(u(1, 8) + bait * 4000 + BODIES[2])
    assert report.answer.summary["blocks"] == 1


def test_a_name_that_promises_more_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "0.50.blocks").write_bytes(DATA)
    with open_source(str(tmp_path / "0.50.blocks")) as source:
        assert [code for code, _ in inspect(source, FORMATS).tally.counts] == ["SNB008"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (cdn_latest(49), []),
        (cdn_latest(49)[:-1], ["SNB009"]),
        (sized(b"{}"), ["SNB009"]),
        (sized(b"{" * 3000), ["SNB009"]),
        (sized(b'{"exclusive_height":1,"inclusive_height":"0"}'), ["SNB009"]),
    ],
)
def test_latest_json_is_checked(data: bytes, code: list[str]) -> None:
    assert codes(data) == code


def test_a_file_without_any_whole_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        mend(u(1, 8) + BODIES[0][:200], tmp_path)


def test_records_and_exhibits_speak_of_the_same_blocks() -> None:
    state = scan(DATA).state
    lines = list(records(state, Query()))
    assert [line.fields["height"] for line in lines] == list(range(10))
    exhibit = show(state, "", STARTS[5] + 100)
    assert exhibit is not None
    assert (exhibit.span.start, exhibit.span.end) == (STARTS[5], STARTS[6])
    assert {f.name: f.value for f in exhibit.fields}["height"] == 5


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_is_told_and_the_repair_passes_its_own_inspection(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    start = rng.randrange(len(DATA) - 400)
    data = damage.noise(DATA, start, start + rng.choice((1, 30, 400)), seed).data
    report = scan(data)
    assert "INS001" not in {code for code, _ in report.tally.counts}
    assert sum(report.account.roles) == len(data)
    try:
        mend(data, tmp_path)  # raises UnverifiedError if what it wrote is not clean
    except RefusedError:
        assert report.answer.summary["blocks"] == 0


@pytest.mark.parametrize("size", range(10))
def test_a_file_that_ends_in_or_right_behind_its_count_is_tiled_so(size: int) -> None:
    tiles: list[tuple[int, int, int]] = []

    def tap(_: object, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for one in stretches:
            tiles.extend(zip(one.starts, [*one.starts[1:], one.end], one.roles, strict=True))
            yield one

    inspect(MemorySource(u(0, 8)[:size] + b"\7" * (size - 8)), FORMATS, forced="snarkos-blocks", tap=tap)
    assert tiles[:1] == ([(0, min(size, 8), FRAME if size >= 8 else GAP)] if size else [])


def test_the_block_that_names_this_one_is_found_wherever_it_stands() -> None:
    state = scan(DATA).state_of_bottom
    for moved in (0, 1, 5000):
        data = DATA[: STARTS[4]] + bytes(moved) + DATA[STARTS[4] :]

        def read(at: int, n: int, data: bytes = data) -> bytes:
            return data[at : at + n]

        assert follower(state, "", STARTS[3], read, len(data)) == STARTS[4] + moved
        assert follower(state, "", STARTS[3], read, STARTS[4] + moved + 8 + 1 + 32 - 1) is None
    assert follower(state, "", STARTS[9], read, len(data)) is None


@pytest.mark.parametrize("cut", range(1, 80))
def test_a_cut_in_the_first_bytes_of_a_block_costs_nothing_before_it(cut: int) -> None:
    account = scan(DATA[: STARTS[5] + cut]).account
    assert account.units - account.damaged == 5


def test_damage_of_the_first_header_costs_the_first_block_only() -> None:
    broken = bytearray(DATA)
    broken[STARTS[0] + 8] ^= 0xFF  # the version of the first block
    account = scan(bytes(broken)).account
    assert (account.units, account.damaged) == (10, 1)


@pytest.mark.parametrize("height", [0, 1, 5, 9])
def test_a_block_of_another_network_costs_no_other_block(height: int, tmp_path: Path) -> None:
    broken = bytearray(DATA)
    broken[STARTS[height] + 8 + METADATA_AT + 1] ^= 1
    report = scan(bytes(broken))
    found, *follows = report.tally.findings()
    assert (found.rule.code, found.span.start, found.span.end) == ("SNB003", STARTS[height], STARTS[height + 1])
    assert [f.rule.code for f in follows] == (["SNB005"] if 0 < height < 9 else [])
    assert all(f.cause.name != "swapped" for f in follows)  # the next block stands where it belongs
    assert found.message.endswith("cannot be taken apart: network 1, most blocks say 0")
    place = STARTS[height] + 8 + METADATA_AT + 1
    assert (found.cause.name, found.cause.confidence) == ("bit-flip", "possible")
    assert (found.evidence["flip_at"], found.evidence["flip_bit"]) == (place, 0)
    assert report.answer.summary["network"] == "mainnet"
    if height in (0, 9):  # a node reads on from any height, and cannot read past a hole
        assert mend(bytes(broken), tmp_path)[1][8:] == b"".join(b for h, b in enumerate(BODIES) if h != height)


def test_the_height_of_the_first_block_alone_does_not_say_where_others_may_be() -> None:
    broken = bytearray(DATA)
    broken[STARTS[0] + 8 + METADATA_AT + 14] ^= 0x80  # the top of its height
    broken[STARTS[3]] ^= 0xFF  # a length: the next block is searched
    account = scan(bytes(broken)).account
    assert (account.units - account.damaged, account.roles[GAP]) == (9, len(BODIES[3]))


@pytest.mark.parametrize(
    ("start", "end", "whole"),
    [
        *((STARTS[9], len(DATA) - lost, not lost) for lost in range(20)),
        (STARTS[8], STARTS[9] - 1, False),
        (STARTS[8], STARTS[9], True),
        (STARTS[8], len(DATA), True),
    ],
)
def test_a_block_is_sound_before_the_next_one_and_before_the_end(start: int, end: int, whole: bool) -> None:
    found = unit(scan(DATA).state_of_bottom, "", start, lambda at, n: DATA[at : min(at + n, end)])
    assert (found is not None and found.sound) == whole


@pytest.mark.parametrize("lost", [0, 4, 9])
def test_bytes_that_no_block_accounts_for_are_shown_as_such(lost: int) -> None:
    hurt = bytearray(DATA)
    hurt[STARTS[lost] : STARTS[lost] + 200] = b"\xff" * 200
    report = scan(bytes(hurt))
    state = report.state_of_bottom
    inside = [f.span for f in report.tally.findings() if f.span.start == STARTS[lost]]
    for offset in (STARTS[lost], STARTS[lost] + 300, STARTS[lost + 1] - 1):
        shown = show(state, "", offset)
        assert shown is not None
        assert (shown.span.start, shown.span.end) == (STARTS[lost], STARTS[lost + 1])
        assert shown.span in inside
    for other in {0, 3, 5, 8} - {lost}:
        shown = show(state, "", STARTS[other + 1] - 1)
        assert shown is not None
        assert (shown.title, shown.span.end) == ("block", STARTS[other + 1])


def test_a_repair_is_named_where_there_is_something_to_repair() -> None:
    assert scan(DATA).answer.next == ()
    assert scan(file_of(1, 2)[:-1]).answer.next != ()
    assert scan(u(1, 8) + bytes(200)).answer.next == ()


@pytest.mark.parametrize("behind", [bytes(64), bytes(4096), cdn_file(BLOCKS, 0, 3)], ids=["64", "page", "file"])
def test_what_is_appended_costs_no_block(behind: bytes, tmp_path: Path) -> None:
    data = file_of(0, 1, 2)
    assert "SNB003" not in codes(data + behind)
    result, out = mend(data + behind, tmp_path)
    assert out == data
    assert result.records["lost"] == 0


def test_few_zeroes_behind_the_last_block_may_be_its_own() -> None:
    """Bytes that were put into a block push its own end, a few zero counts, out behind where it claims to end."""
    data = file_of(0, 1, 2)
    assert "SNB003" in codes(data[:-900] + b"\x17" * 8 + data[-900:])
