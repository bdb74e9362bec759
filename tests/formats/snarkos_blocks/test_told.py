"""What is said of the blocks of a CDN file, and which of them a repair keeps."""

from __future__ import annotations

from random import Random

import pytest

from inspector.diagnosis import diagnose
from inspector.finding import Tally
from inspector.format import Query, Wishes
from inspector.formats.snarkos_blocks import FORMAT
from inspector.formats.snarkos_blocks.check import check
from inspector.formats.snarkos_blocks.layout import (
    HEAD_SIZE,
    HEADER_AT,
    METADATA_AT,
)
from inspector.formats.snarkos_blocks.records import items, records, show
from inspector.formats.snarkos_blocks.units import LONGEST, unit
from inspector.formats.snarkos_blocks.walk import (
    Blocks,
    flipped,
    open_file,
    walk,
    why_malformed,
)
from inspector.source import MemorySource
from tests.builders.snarkos import cdn_file, cdn_latest, ledger, u
from tests.formats.snarkos_blocks.support import BODIES, DATA, NAME, STARTS, codes, put, scan


@pytest.mark.parametrize(
    ("at", "mask", "flip"),
    [
        (0, 1, (0, 0)),
        (0, 0x80, (0, 7)),
        (HEADER_AT, 2, (HEADER_AT, 1)),
        (METADATA_AT, 4, (METADATA_AT, 2)),
        (METADATA_AT + 1, 0x10, (METADATA_AT + 1, 4)),
        (METADATA_AT + 2, 1, (METADATA_AT + 2, 0)),
        (METADATA_AT + 3, 1, None),  # the round may be any
        (0, 3, None),  # two bits
    ],
)
def test_one_flipped_bit_of_a_field_with_one_value_is_named(at: int, mask: int, flip: tuple[int, int] | None) -> None:
    body = BODIES[2][8 : 8 + HEAD_SIZE]
    hurt = put(body, at, bytes([body[at] ^ mask]))
    assert flipped(hurt, 0) == flip
    assert flipped(hurt, None) is None
    assert flipped(hurt[:-1], 0) is None
    assert flipped(put(hurt, METADATA_AT + 2, b"\1"), 0) is None or at == METADATA_AT + 2 or flip is None


def test_the_network_s_upper_byte_counts() -> None:
    body = put(BODIES[2][8 : 8 + HEAD_SIZE], METADATA_AT + 1, b"\1\2")
    assert flipped(body, 0x0201) is None
    assert flipped(body, 0x0200) == (METADATA_AT + 1, 0)
    assert flipped(body, 0x0301) == (METADATA_AT + 2, 0)


@pytest.mark.parametrize(
    ("at", "byte", "why"),
    [
        (0, 3, "block version 3, not 1"),
        (HEADER_AT, 0, "header version 0, not 1"),
        (METADATA_AT, 9, "metadata version 9, not 1"),
        (METADATA_AT + 1, 2, "network 2, most blocks say 0"),
        (METADATA_AT + 2, 1, "network 256 does not exist"),
    ],
)
def test_what_is_wrong_with_a_head_is_said(at: int, byte: int, why: str) -> None:
    data = put(DATA, STARTS[3] + 8 + at, bytes([byte]))
    blocks = Blocks(MemorySource(data), Wishes(), False, network=0)
    assert why_malformed(blocks, STARTS[3], STARTS[4], None) == why
    short = Blocks(MemorySource(DATA[: STARTS[3] + 8 + HEAD_SIZE - 1]), Wishes(), False, network=0)
    assert why_malformed(short, STARTS[3], STARTS[4], None) == "it ends inside its header"


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ((0, 1, 3, 4), [("SNB001", 0), ("SNB005", 2)]),
        ((0, 1, 1, 2), [("SNB001", 0), ("SNB005", 2)]),
        ((2, 1), [("SNB001", 0), ("SNB005", 1)]),
    ],
)
def test_heights_out_of_order_are_told_at_the_block(order: tuple[int, ...], found: list[tuple[str, int]]) -> None:
    data = u(9, 8) + b"".join(BODIES[h] for h in order)
    starts = [8 + sum(len(BODIES[h]) for h in order[:i]) for i in range(len(order) + 1)]
    spans = [(code, 0, 8) if code == "SNB001" else (code, starts[i], starts[i + 1]) for code, i in found]
    assert sorted(codes(data)) == sorted(spans)
    (height,) = [f for f in scan(data).tally.findings() if f.rule.code == "SNB005"]
    before, this = order[found[1][1] - 1], order[found[1][1]]
    assert height.evidence == {"height": this, "expected": before + 1}
    assert (height.cause.name, height.cause.confidence) == ("swapped", "possible")


def test_a_height_behind_lost_bytes_is_missing_there_and_one_that_goes_back_stands_wrong() -> None:
    lost = b"\x07" * 600
    for order, cause in (((0, 2), "unknown"), ((2, 1), "swapped")):
        data = u(2, 8) + BODIES[order[0]] + lost + BODIES[order[1]]
        blocks, tally = open_file(MemorySource(data), None, Wishes()), Tally()
        check(blocks, walk(blocks), tally)
        (height,) = [f for f in tally.findings() if f.rule.code == "SNB005"]
        assert height.cause.name == cause


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("0.8.blocks", None),
        ("0.9.blocks", {"named": [0, 9], "first": 0, "last": 7}),
        ("0.7.blocks", {"named": [0, 7], "first": 0, "last": 7}),
        ("1.8.blocks", {"named": [1, 8], "first": 0, "last": 7}),
    ],
)
def test_the_name_says_which_heights_are_due(name: str, evidence: dict[str, object] | None) -> None:
    found = [f for f in scan(DATA, name).tally.findings() if f.rule.code == "SNB008"]
    assert [f.evidence for f in found] == ([evidence] if evidence else [])
    assert [(f.span.start, f.span.end) for f in found] == ([(0, 0)] if evidence else [])


def test_the_answer_says_what_was_found() -> None:
    report = scan(put(DATA, STARTS[3] + 8 + METADATA_AT, b"\2"), NAME)
    assert report.answer.summary == {
        "kind": "blocks", "network": "mainnet", "count": 8, "blocks": 7, "first_height": 0, "last_height": 7,
        "latest": None,
    }  # fmt: skip
    assert scan(cdn_latest(49), "latest.json").answer.summary == {
        "kind": "latest", "network": None, "count": None, "blocks": 0, "first_height": None, "last_height": None,
        "latest": {"exclusive_height": 50, "inclusive_height": 49, "hash": "ab1synthetic"},
    }  # fmt: skip


def test_records_are_those_that_are_asked() -> None:
    state = scan(put(DATA, STARTS[3] + 8 + METADATA_AT, b"\2"), NAME).state_of_bottom
    everything = list(records(state, Query()))
    assert [(e.span.start, e.span.end, e.state) for e in everything] == [
        (STARTS[i], STARTS[i + 1], "malformed" if i == 3 else "ok") for i in range(8)
    ]
    assert everything[3].fields == {"bytes": len(BODIES[3]) - 8}
    assert everything[2].fields["bytes"] == len(BODIES[2]) - 8
    assert [e.span.start for e in records(state, Query(damaged=True))] == [STARTS[3]]
    for start, end, heights in ((STARTS[2], STARTS[4], [2, 3]), (STARTS[2] - 1, STARTS[4] + 1, [1, 2, 3, 4])):
        assert [e.span.start for e in records(state, Query(start=start, end=end))] == [STARTS[h] for h in heights]
    assert [item.id for item in items(state)] == [f"block:{h}" for h in range(8) if h != 3]


def test_each_byte_is_shown_in_what_holds_it() -> None:
    lost = b"\x07" * 5000
    data = DATA[: STARTS[3]] + lost + DATA[STARTS[3] :]
    state = scan(data).state_of_bottom
    for at, title, start, end in (
        (0, "count", 0, 8),
        (7, "count", 0, 8),
        (8, "block", 8, STARTS[1]),
        (STARTS[1] - 1, "block", 8, STARTS[1]),
        (STARTS[1], "block", STARTS[1], STARTS[2]),
        (STARTS[3], "unread bytes", STARTS[3], STARTS[3] + 5000),
        (STARTS[3] + 4999, "unread bytes", STARTS[3], STARTS[3] + 5000),
        (STARTS[3] + 5000, "block", STARTS[3] + 5000, STARTS[4] + 5000),
    ):
        shown = show(state, "", at)
        assert shown is not None
        assert (shown.title, shown.span.start, shown.span.end) == (title, start, end)
        most = {"count": 8, "block": 8 + HEAD_SIZE, "unread bytes": 4096}[title]
        assert shown.data == data[start:end][:most]
    hurt = scan(put(DATA, STARTS[3] + 8 + METADATA_AT, b"\2")).state_of_bottom
    shown = show(hurt, "", STARTS[3] + 9)
    assert shown is not None
    assert [(f.rule.code, f.span.start) for f in shown.findings] == [("SNB003", STARTS[3])]
    shown = show(hurt, "", STARTS[2])
    assert shown is not None
    assert shown.findings == ()


def test_what_may_stand_at_a_place_is_a_block_of_a_length_that_can_be() -> None:
    state = scan(DATA).state_of_bottom

    def asked(data: bytes, at: int) -> tuple[int, bool] | None:
        found = unit(state, "", at, lambda begin, n: data[begin : begin + n])
        return None if found is None else (found.end, found.sound)

    assert asked(DATA, 8) == (STARTS[1], True)
    assert asked(DATA, 7) is None
    assert asked(DATA, 0) is None
    assert asked(put(DATA, STARTS[2], u(HEAD_SIZE, 8)), STARTS[2]) is None
    assert asked(put(DATA, STARTS[2], u(HEAD_SIZE + 1, 8)), STARTS[2]) == (STARTS[2] + 9 + HEAD_SIZE, False)
    assert asked(put(DATA, STARTS[2], u(LONGEST, 8)), STARTS[2]) is None
    assert asked(put(DATA, STARTS[2], u(LONGEST - 1, 8)), STARTS[2]) == (STARTS[2] + 7 + LONGEST, False)
    assert asked(put(DATA, STARTS[2] + 8, b"\2"), STARTS[2]) == (STARTS[3], False)
    assert asked(put(DATA, STARTS[3] + 8 + 33, bytes(32)), STARTS[2]) == (STARTS[3], False)  # another names no one
    assert asked(put(DATA, STARTS[2] + 8 + HEAD_SIZE, b"\xff"), STARTS[2]) == (STARTS[3], False)
    assert asked(DATA[: STARTS[3]], STARTS[2]) == (STARTS[3], True)
    assert asked(DATA[: STARTS[3] + 1], STARTS[2]) == (STARTS[3], False)
    assert asked(DATA[: STARTS[3] - 1], STARTS[2]) == (STARTS[3], False)


@pytest.mark.parametrize(
    ("order", "kept", "left", "named"),
    [
        ((0, 1, 2, 5, 6, 7), (0, 1, 2), 3, "blocks:5-7"),  # of two runs of three the first
        ((0, 1, 5, 6, 7), (5, 6, 7), 2, "blocks:0-1"),
        ((7, 6, 5, 2), (5, 6, 7), 1, "block:2"),
        ((4,), (4,), 0, ""),
        ((0, 0), (0,), 1, ""),  # there twice: no height is left out
        ((0, 2, 4, 6, 7), (6, 7), 3, "block:0, block:2, block:4"),
    ],
)
def test_the_longest_run_is_kept_and_the_first_of_two(
    order: tuple[int, ...], kept: tuple[int, ...], left: int, named: str
) -> None:
    data = u(len(order), 8) + b"".join(BODIES[h] for h in order)
    state = scan(data).state_of_bottom
    assert FORMAT.plan is not None
    made = FORMAT.plan(state, Wishes())
    edits = list(made.edits)
    at = {8 + sum(len(BODIES[h]) for h in order[:i]): order[i] for i in range(len(order))}
    assert tuple(at[e.origin.start] for e in edits if e.action == "kept" and e.units and e.origin) == kept
    assert sum(e.units for e in edits if e.action == "dropped") == left
    first, last = kept[0], kept[-1]
    notes = [f"{len(kept)} whole blocks, heights {first} to {last}: name the file {first}.{last + 1}.blocks"]
    if left:
        out = f"; inspector extract gives out {named}" if named else ""
        notes.append(f"{left} whole blocks that do not follow on these were left out{out}")
    assert made.notes == notes
    count = edits[0]
    assert (count.action, count.data) == (("kept", None) if len(kept) == len(order) else ("corrected", u(len(kept), 8)))


def test_bits_that_flip_all_over_a_file_are_never_certain_to_be_blocks_that_changed_places() -> None:
    data = cdn_file(ledger(50, 3, heavy=0), 0, 50)
    for seed in (0, 5, 7, 16, 26):
        rng, hurt = Random(seed), bytearray(data)
        for _ in range(len(data) * 8 // 10_000):
            bit = rng.randrange(64, len(data) * 8)
            hurt[bit // 8] ^= 1 << bit % 8
        said = {(event.cause.name, event.cause.confidence) for event in diagnose(scan(bytes(hurt))).events}
        assert not {("swapped", "certain"), ("shifted", "certain")} & said, (seed, said)


@pytest.mark.parametrize("bit", [3, 8, 9])
def test_a_bit_of_a_length_is_told_from_as_many_bytes_that_moved(bit: int) -> None:
    at = STARTS[3]
    hurt = bytearray(DATA)
    hurt[at + bit // 8] ^= 1 << bit % 8
    first = diagnose(scan(bytes(hurt))).events[0]
    assert first.cause.name == "bit-flip"
    assert f"byte {at + bit // 8} " in first.cause.because
    lost = diagnose(scan(DATA[: at + 900] + DATA[at + 900 + (1 << bit) :])).events[0]
    assert lost.cause.name == "shifted"
