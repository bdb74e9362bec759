"""Which bytes are a block, where one may end and where the next is searched: each condition kept and broken by one."""

from __future__ import annotations

import pytest

from inspector.format import Query, Wishes
from inspector.formats.snarkos_blocks import walk as walking
from inspector.formats.snarkos_blocks.layout import (
    BLOCK,
    GONE,
    HEAD_SIZE,
    HEADER_AT,
    MALFORMED,
    METADATA_AT,
    SOUND,
    UNREAD,
)
from inspector.formats.snarkos_blocks.records import items, records, show
from inspector.formats.snarkos_blocks.walk import (
    claim,
    open_file,
    parse_head,
    walk,
)
from inspector.source import MemorySource
from tests.builders.snarkos import cdn_latest, sized, u
from tests.formats.snarkos_blocks.support import BODIES, DATA, HEIGHT_AT, NAME, STARTS, codes, put, scan, tiles


@pytest.mark.parametrize(
    ("data", "name", "strength"),
    [
        (DATA, "anything", 85),
        (DATA[: 16 + HEAD_SIZE], "anything", 85),
        (DATA[: 15 + HEAD_SIZE], "anything", 0),
        (DATA[: 15 + HEAD_SIZE], NAME, 30),
        (b"", "12345678901.2.blocks", 0),  # eleven digits are no height
        (b"", "1234567890.2.blocks", 30),
        (cdn_latest(49), "anything", 80),
        (cdn_latest(49)[:-1], "anything", 0),
        (cdn_latest(49)[:-1], "latest.json", 25),
        (sized(b'{"a":1}'), "anything", 0),
        (sized(b"{" + b" " * ((1 << 16) - 17) + b"exclusive_height"), "anything", 80),
        (sized(b"{" + b" " * ((1 << 16) - 16) + b"exclusive_height"), "anything", 0),
        (sized(b"{exclusive_height" + b" " * (1 << 17)), "anything", 80),
        (b"", "anything", 0),
    ],
)
def test_a_file_is_claimed_by_a_block_else_by_its_text_else_by_its_name(data: bytes, name: str, strength: int) -> None:
    assert claim(MemorySource(data, name), None).strength == strength


@pytest.mark.parametrize(
    ("data", "name", "latest", "named"),
    [
        (DATA, "latest.json", True, None),
        (DATA, "3.50.blocks", False, (3, 50)),
        (u(8, 8) + b"{", "x", True, None),
        (u(8, 8) + b"|", "x", False, None),
        (put(DATA, 8, b"{"), "x", False, None),  # a length that begins like text, before a head
    ],
)
def test_a_text_is_told_from_blocks_by_its_first_byte(
    data: bytes, name: str, latest: bool, named: tuple[int, int] | None
) -> None:
    found = open_file(MemorySource(data, name), None, Wishes())
    assert (found.latest, found.named) == (latest, named)


@pytest.mark.parametrize("at", [0, HEADER_AT, METADATA_AT])
def test_a_head_has_three_versions_of_one(at: int) -> None:
    body = BODIES[3][8:]
    assert parse_head(body) is not None
    for version in (0, 2):
        assert parse_head(put(body, at, bytes([version]))) is None


def test_a_head_is_of_a_network_that_exists_and_of_the_one_that_is_asked() -> None:
    body = BODIES[3][8:]
    for number, exists in ((0, True), (1, True), (2, True), (3, False), (0x0100, False)):
        other = put(body, METADATA_AT + 1, number.to_bytes(2, "little"))
        head = parse_head(other)
        assert (head is not None) == exists
        assert head is None or head.network == number
        assert (parse_head(other, 1) is not None) == (number == 1)
    assert parse_head(body[:HEAD_SIZE]) is not None
    assert parse_head(body[: HEAD_SIZE - 1]) is None


def test_a_head_says_the_fields_of_its_block() -> None:
    for height, body in enumerate(BODIES):
        head = parse_head(body[8:])
        assert head is not None
        assert head.height == height
        assert head.hash == body[9:41]
        assert head.previous == body[41:73]
        if height:
            assert head.previous == BODIES[height - 1][9:41]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"inclusive_height":4,"exclusive_height":5}', ""),
        (b'{"inclusive_height":4,"exclusive_height":4}', "exclusive_height is not inclusive_height and one more"),
        (b'{"inclusive_height":4,"exclusive_height":6}', "exclusive_height is not inclusive_height and one more"),
        (b'{"inclusive_height":"4","exclusive_height":5}', "a height is not a number"),
        (b'{"inclusive_height":4}', "a height is not a number"),
        (b"[1]", "it is no JSON object"),
    ],
)
def test_the_two_heights_of_the_newest_state_must_agree(text: bytes, why: str) -> None:
    report = scan(sized(text), "latest.json")
    assert [(f.rule.code, f.evidence) for f in report.tally.findings()] == ([("SNB009", {"why": why})] if why else [])
    state = report.state_of_bottom
    (entry,) = records(state, Query())
    assert (entry.kind, entry.state, entry.span.end) == ("latest", "malformed" if why else "ok", len(text) + 8)
    shown = show(state, "", 3)
    assert shown is not None
    assert (shown.title, shown.span.start, shown.span.end) == ("latest.json", 0, len(text) + 8)
    assert list(items(state)) == []


def test_bytes_behind_the_newest_state_are_malformed() -> None:
    assert codes(cdn_latest(49) + b" ", "latest.json") == [("SNB009", 0, len(cdn_latest(49)) + 1)]


def test_an_empty_newest_state_is_told() -> None:
    assert codes(b"", "latest.json") == [("SNB009", 0, 0)]


def test_more_blocks_than_fit_in_a_stretch_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "TILES", 3)
    stretches = list(walk(open_file(MemorySource(DATA), None, Wishes())))
    assert [list(one.starts) for one in stretches] == [[0, *STARTS[:2]], STARTS[2:5], STARTS[5:8]]
    assert [one.end for one in stretches] == [STARTS[2], STARTS[5], len(DATA)]
    assert [head.height for one in stretches for head in one.columns["heads"] if head] == list(range(8))


def test_the_network_is_that_of_most_blocks_and_the_height_the_middle_one() -> None:
    for wrong in range(8):
        data = DATA
        for height in range(wrong):
            data = put(data, STARTS[height] + 8 + METADATA_AT + 1, b"\1")
        state = scan(data).state_of_bottom
        if wrong != 4:  # of four and four either is right
            assert state.network == (0 if wrong < 4 else 1)
        assert state.height == 4  # of eight heights from 0 the fifth


def test_the_first_33_blocks_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "VOTES", 3)
    data = DATA
    for height in (3, 4, 5, 6, 7):
        data = put(data, STARTS[height] + 8 + METADATA_AT + 1, b"\1")
    state = scan(data).state_of_bottom
    assert (state.network, state.height) == (0, 1)


def test_a_vote_goes_on_behind_a_block_whose_length_is_wrong() -> None:
    data = put(DATA, STARTS[0], u(1 << 40, 8))
    state = scan(data).state_of_bottom
    assert (state.network, state.height) == (0, 4)


@pytest.mark.parametrize(("length", "block"), [(HEAD_SIZE, False), (HEAD_SIZE + 1, True)])
def test_a_block_is_longer_than_its_head(length: int, block: bool) -> None:
    head = BODIES[1][8 : 8 + length]
    found = tiles(u(1, 8) + u(length, 8) + head)
    assert found == [(8, 16 + length, BLOCK, MALFORMED) if block else (8, 16 + length, UNREAD, GONE)]


def test_a_block_whose_length_leads_behind_the_end_is_cut_and_one_to_the_end_is_whole() -> None:
    whole = u(2, 8) + BODIES[0] + BODIES[1]
    assert tiles(whole)[1][2:] == (BLOCK, SOUND)
    assert tiles(whole[:-1])[1] == (STARTS[1], STARTS[2] - 1, BLOCK, 1)
    assert codes(whole[:-1])[0] == ("SNB002", STARTS[1], STARTS[2] - 1)


@pytest.mark.parametrize(("zeroes", "sound"), [(63, False), (64, True)])
def test_sixty_four_zeroes_behind_the_last_block_are_none_of_its_own(zeroes: int, sound: bool) -> None:
    data = u(3, 8) + b"".join(BODIES[:3]) + bytes(zeroes)
    assert (tiles(data)[2] == (STARTS[2], STARTS[3], BLOCK, SOUND)) == sound
    # a file that counts more blocks has not ended there
    data = u(4, 8) + b"".join(BODIES[:3]) + bytes(zeroes)
    assert tiles(data)[2][3] != SOUND
    assert tiles(u(3, 8) + b"".join(BODIES[:3]) + bytes(zeroes - 1) + b"\1" + bytes(80))[2][3] != SOUND


def test_what_follows_a_block_may_name_its_hash_where_its_own_head_is_damaged() -> None:
    data = put(DATA, STARTS[4] + 8, b"\7")  # the version of block 4: its previous hash still names block 3
    assert tiles(data)[3] == (STARTS[3], STARTS[4], BLOCK, SOUND)
    data = put(data, STARTS[4] + 8 + 33, b"\0" * 32)
    assert tiles(data)[3][3] != SOUND


@pytest.mark.parametrize(("left", "sound"), [(7, True), (9, True), (72, True)])
def test_a_download_cut_before_the_previous_hash_of_a_block_costs_that_block(left: int, sound: bool) -> None:
    data = DATA[: STARTS[3] + left]
    assert (tiles(data)[2] == (STARTS[2], STARTS[3], BLOCK, SOUND)) == sound
    for at, byte in ((5, b"\1"), (7, b"\1"), (8, b"\2"), (8, b"\0")):
        if at < left:  # no length of a block, or no version of one
            assert tiles(put(data, STARTS[3] + at, byte))[2][3] != SOUND


def test_a_unit_larger_than_is_read_is_not_taken_apart() -> None:
    data = put(DATA, STARTS[2] + 8 + HEAD_SIZE, b"\xff")  # no kind of authority
    assert tiles(data)[2] == (STARTS[2], STARTS[3], BLOCK, MALFORMED)
    assert tiles(data, max_unit=len(BODIES[2]))[2][3] == MALFORMED
    assert tiles(data, max_unit=len(BODIES[2]) - 1)[2][3] == SOUND


@pytest.mark.parametrize("window", [2000, 2001, 2400, 1 << 20])
def test_a_block_is_found_behind_damage_wherever_a_window_ends(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "WINDOW", window)
    for length in range(1200, 1200 + 420, 7):
        data = u(2, 8) + b"\x01" * length + BODIES[1] + BODIES[2]
        assert tiles(data) == [
            (8, 8 + length, UNREAD, GONE),
            (8 + length, 8 + length + len(BODIES[1]), BLOCK, SOUND),
            (8 + length + len(BODIES[1]), len(data), BLOCK, SOUND),
        ]


@pytest.mark.parametrize(("name", "found"), [("1.3.blocks", True), ("2.3.blocks", False), ("0.1.blocks", False)])
def test_behind_damage_only_heights_that_the_name_has_are_searched(name: str, found: bool) -> None:
    data = u(1, 8) + b"\x07" * 500 + BODIES[1]
    assert (tiles(data, name)[0] == (8, 508, UNREAD, GONE)) == found


@pytest.mark.parametrize(("away", "found"), [((1 << 20) - 1, True), (1 << 20, False)])
def test_without_a_name_heights_far_from_the_middle_are_no_blocks(away: int, found: bool) -> None:
    middle = 4
    far = put(BODIES[7], HEIGHT_AT, (middle + away).to_bytes(4, "little"))
    data = u(8, 8) + b"".join(BODIES[:7]) + b"\x07" * 500 + far
    # eight blocks vote where it is found by the vote, which knows no height: heights 0 to 6 and this one
    assert scan(data).state_of_bottom.height == middle
    assert ((STARTS[7] + 500, len(data), BLOCK, SOUND) in tiles(data)) == found


def test_a_file_of_its_count_alone_has_one() -> None:
    assert [scan(u(5, 8)[:size]).answer.summary["count"] for size in (0, 7, 8, 9)] == [None, None, 5, 5]


@pytest.mark.parametrize(
    "bait",
    [
        put(BODIES[5], HEIGHT_AT, (1 << 30).to_bytes(4, "little")),  # so far on is no block of this file
        u(HEAD_SIZE, 8) + BODIES[5][8 : 8 + HEAD_SIZE],  # a block is longer than its head
        put(BODIES[5], 8, b"\2"),
        put(BODIES[5], 8 + HEADER_AT, b"\2"),
        put(BODIES[5], 0, u(9999, 8)),  # it leads nowhere
    ],
    ids=["height", "length", "version", "header", "end"],
)
def test_what_only_looks_like_a_block_does_not_hide_the_next(bait: bytes) -> None:
    data = u(3, 8) + BODIES[0] + b"\7" * 300 + bait + b"".join(BODIES[3:6])
    begin = STARTS[1] + 300 + len(bait)
    assert tiles(data, "0.9.blocks")[-3:] == [
        (begin, begin + len(BODIES[3]), BLOCK, SOUND),
        (begin + len(BODIES[3]), begin + sum(map(len, BODIES[3:5])), BLOCK, SOUND),
        (begin + sum(map(len, BODIES[3:5])), len(data), BLOCK, SOUND),
    ]


def test_thirty_three_blocks_say_which_network_this_is() -> None:
    zero, one = BODIES[3], put(BODIES[3], 8 + METADATA_AT + 1, b"\1")
    for order, network in (((zero,) * 16 + (one,) * 17 + (zero,) * 9, 1), ((zero,) * 17 + (one,) * 25, 0)):
        blocks = open_file(MemorySource(u(42, 8) + b"".join(order)), None, Wishes())
        next(iter(walk(blocks)))
        assert blocks.network == network
