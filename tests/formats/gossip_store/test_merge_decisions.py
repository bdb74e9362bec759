"""What a merge writes of one channel or node, decided from what each copy says of it, the newest copy first."""

from __future__ import annotations

from array import array
from random import Random

import pytest

from inspector.formats.gossip_store import merge_owners as own
from inspector.formats.gossip_store.merge_owners import Channel, Channels

SCID, NODE = 7, 9
Fact = tuple[int, int, int]  # what, its value, offset
PAIR = own.LIVE | own.PAIRED | own.AMOUNT_LIVE
DEAD_PAIR = own.PAIRED  # both halves are flagged


def announced(at: int, value: int = PAIR) -> Fact:
    return own.ANNOUNCED, value, at


def update(at: int, time: int, side: int = 0) -> Fact:
    return own.UPDATED, side << 32 | time, at


def replaced(time: int, side: int = 0) -> Fact:
    return own.REPLACED, side << 32 | time, 1


def tombstone(at: int, live: bool = True) -> Fact:
    return own.CLOSED, own.LIVE * live, at


def place(rank: int, at: int) -> int:
    return rank << 48 | at


def read(*copies: list[Fact], owners: Channels | None = None) -> tuple[Channel, Channels]:
    """What becomes of the one owner that these copies tell of."""
    owners = owners or Channels()
    for rank, facts in enumerate(copies):
        for code, value, at in facts:
            owners.state(SCID, code, value, place(rank, at))
    (channel,) = owners.finish()
    assert channel.scid == SCID
    return channel, owners


def test_the_newest_copy_gives_the_announcement() -> None:
    found, _ = read([announced(10)], [announced(20)])
    assert (found.alive, found.announcement, found.amount, found.resurrectable) == (True, place(0, 10), 0, False)


def test_of_two_announcements_in_one_copy_the_first_is_written() -> None:
    assert read([announced(10), announced(30)])[0].announcement == place(0, 10)


def test_an_announcement_without_its_amount_is_taken_from_an_older_copy_that_has_both() -> None:
    found, _ = read([announced(10, own.LIVE)], [announced(20)])
    assert (found.announcement, found.without_amount) == (place(1, 20), 0)


def test_an_announcement_and_an_amount_that_stand_apart_are_put_together() -> None:
    found, _ = read([announced(10, own.LIVE), (own.AMOUNT, 0, 50)], [(own.AMOUNT, 0, 60)])
    assert (found.announcement, found.amount, found.without_amount) == (place(0, 10), place(0, 50), 0)


def test_a_whole_pair_is_preferred_to_halves_that_stand_apart() -> None:
    found, _ = read([announced(10, own.LIVE), (own.AMOUNT, 0, 50)], [announced(20)])
    assert (found.announcement, found.amount) == (place(1, 20), 0)


def test_an_announcement_whose_amount_no_copy_has_is_told_and_not_written() -> None:
    found, _ = read([announced(10, own.LIVE)], [announced(20, own.LIVE)])
    assert (found.alive, found.announcement, found.without_amount) == (True, 0, place(0, 10))


def test_a_private_channel_needs_no_amount() -> None:
    assert read([announced(10, own.LIVE | own.PRIVATE)])[0].announcement == place(0, 10)


def test_the_later_update_of_a_direction_is_written_whichever_copy_has_it() -> None:
    found, owners = read([announced(10), update(20, 100), update(30, 50, 1)], [update(40, 99), update(50, 51, 1)])
    assert (found.updates, found.times) == ((place(0, 20), place(1, 50)), (100, 51))
    assert (owners.superseded, owners.dead) == (2, 0)


def test_of_equal_updates_the_newest_copy_gives_it_and_within_it_the_one_appended_last() -> None:
    found, owners = read([announced(10), update(20, 100), update(30, 100)], [update(40, 100)])
    assert found.updates == (place(0, 30), 0)
    assert owners.superseded == 0


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("time", "back"), [(99, False), (100, False), (101, True)])
def test_an_update_that_a_newer_copy_has_deleted_does_not_come_back(time: int, back: bool, side: int) -> None:
    newest = [announced(10), replaced(90, side), replaced(100, side), replaced(95, side), update(15, 7, 1 - side)]
    found, owners = read(newest, [update(20, time, side)])
    assert found.updates[side] == (place(1, 20) if back else 0)
    assert found.updates[1 - side] == place(0, 15)
    assert owners.dead == (not back)


def test_a_deleted_update_says_nothing_of_its_own_copy_or_of_the_other_direction() -> None:
    found, _ = read([announced(10), replaced(100), update(20, 100), update(25, 90, 1)], [update(40, 95, 1)])
    assert (found.updates, found.times) == ((place(0, 20), place(1, 40)), (100, 95))


def test_an_older_copy_is_bound_by_the_latest_of_all_deletions_before_it() -> None:
    found, owners = read([announced(10), replaced(100)], [replaced(120), replaced(90)], [update(20, 110)])
    assert (found.updates, owners.dead) == ((0, 0), 1)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("whole", "time", "back"), [(set(), 100, False), ({0}, 100, True), ({0}, 99, False)])
def test_a_flag_that_nothing_explains_is_damage_where_the_copy_lacks_nothing(
    whole: set[int], time: int, back: bool, side: int
) -> None:
    """A copy without damage deletes an update of a living channel and has none in its place: the flag is wrong."""
    found, _ = read([announced(10), replaced(100, side)], [update(20, time, side)], owners=Channels(whole=whole))
    assert found.updates[side] == (place(1, 20) if back else 0)
    assert found.updates[1 - side] == 0


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("lives", "dead"), [(100, 1), (101, 1), (99, 0)])
def test_a_live_update_of_that_time_in_the_same_copy_explains_the_flag(lives: int, dead: int, side: int) -> None:
    facts = [announced(10), update(15, lives, side), update(12, 80, side), replaced(100, side)]
    found, owners = read(facts, [update(20, 100, side)], owners=Channels(whole={0}))
    assert found.updates[side] == (place(0, 15) if dead else place(1, 20))
    assert owners.dead == dead


def test_what_one_copy_says_of_flags_is_not_added_to_what_the_next_one_says() -> None:
    closed = [replaced(5), replaced(5, 1)]
    for newer in ([(own.AMOUNT, 0, 40)], [(own.WANTED, own.LIVE, 40)], [replaced(5)]):
        assert not read(newer, closed, [announced(20)])[0].alive
    assert read([replaced(5)], [replaced(5, 1)], [announced(20)])[0].alive
    assert read([replaced(5), update(9, 1)], [replaced(5), update(12, 3, 1)])[0].announcement == 0


def test_a_tombstone_closes_the_channel_and_only_it_is_written() -> None:
    found, _ = read([tombstone(30), tombstone(35)], [announced(20), update(25, 9)])
    assert (found.alive, found.announcement, found.updates) == (False, 0, (0, 0))
    assert (found.tombstone, found.resurrectable, found.dead_by) == (place(0, 30), True, 0)


def test_a_deleted_tombstone_closes_the_channel_too_and_is_not_written() -> None:
    found, _ = read([tombstone(30, live=False)], [announced(20)])
    assert (found.alive, found.tombstone) == (False, 0)


def test_a_channel_announced_again_behind_its_tombstone_lives() -> None:
    found, _ = read([tombstone(30), announced(40)])
    assert (found.alive, found.announcement, found.tombstone) == (True, place(0, 40), 0)


def test_the_newest_copy_that_says_anything_decides_and_is_named() -> None:
    found, _ = read([], [tombstone(30)], [announced(20)])
    assert (found.alive, found.dead_by) == (False, 1)
    found, _ = read([], [announced(20)], [tombstone(30)])
    assert (found.alive, found.announcement, found.tombstone) == (True, place(1, 20), 0)


LIVES = [  # what one copy says, whether it lacks nothing, and whether the channel lives (None: it says nothing)
    ("an announcement whose amount alone is flagged, its updates too", [announced(10, own.LIVE | own.PAIRED),
                                                                       replaced(5)], False, False),
    ("the same with an update that lives", [announced(10, own.LIVE | own.PAIRED), replaced(5), update(9, 6)], False,
     True),
    ("the same with no update at all", [announced(10, own.LIVE | own.PAIRED)], False, True),
    ("the same with a second, whole pair", [announced(10, own.LIVE | own.PAIRED), announced(50), replaced(5)], False,
     True),
    ("the same with a damaged update that is not flagged", [announced(10, own.LIVE | own.PAIRED), replaced(5),
                                                           (own.WANTED_UPDATE, 6, 70)], False, True),
    ("one whose flags were corrected, all updates flagged", [announced(10, PAIR | own.PATCHED), replaced(5)], True,
     False),
    ("the same in a copy that lacks something", [announced(10, PAIR | own.PATCHED), replaced(5)], False, True),
    ("a whole pair, all updates flagged", [announced(10), replaced(5)], True, True),
    ("a dead announcement before a live amount, an update that lives", [announced(10, own.PAIRED | own.AMOUNT_LIVE),
                                                                       update(9, 6)], False, True),
    ("the same without an update", [announced(10, own.PAIRED | own.AMOUNT_LIVE)], False, False),
    ("a dead pair with an update that lives", [announced(10, DEAD_PAIR), update(9, 6)], False, False),
    ("an update that lives and no announcement", [update(9, 6)], False, True),
    ("flagged updates and nothing else, nothing missing", [replaced(5)], True, False),
    ("the same where something is missing", [replaced(5)], False, None),
    ("flagged updates of both directions", [replaced(5), replaced(5, 1)], False, False),
    ("an announcement without an amount, all updates flagged", [announced(10, own.LIVE), replaced(5)], True, True),
    ("a damaged announcement that is flagged", [(own.WANTED, 0, 80), replaced(5)], True, False),
    ("only a damaged announcement that is not flagged", [(own.WANTED, own.LIVE, 80), replaced(5)], True, None),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "whole", "lives"), [row[1:] for row in LIVES], ids=[row[0] for row in LIVES])
def test_where_flags_disagree_the_updates_decide(facts: list[Fact], whole: bool, lives: bool | None) -> None:
    """An older copy has the channel closed, another one open: it shows whether the newest one decides."""
    for older, then in (([tombstone(30)], False), ([announced(20)], True)):
        found, _ = read(facts, older, owners=Channels(whole={0} if whole else set()))
        assert found.alive == (then if lives is None else lives)


def test_flagged_updates_of_both_directions_prove_nothing_where_much_cannot_be_read() -> None:
    found, _ = read([replaced(5), replaced(5, 1)], [announced(20)], owners=Channels(holed={0}))
    assert found.alive


def test_a_flagged_pair_is_taken_where_its_channel_lives() -> None:
    live = [announced(10, own.PAIRED | own.AMOUNT_LIVE), update(9, 6)]
    assert read(live)[0].announcement == place(0, 10)
    assert read([update(9, 6)], [announced(20, DEAD_PAIR), announced(25, DEAD_PAIR)])[0].announcement == place(1, 20)
    assert read([announced(10, DEAD_PAIR)])[0].announcement == 0


def test_a_live_pair_of_an_older_copy_goes_before_a_flagged_one_of_a_newer() -> None:
    found, _ = read([announced(10, own.PAIRED | own.AMOUNT_LIVE), update(9, 6)], [announced(20)])
    assert found.announcement == place(1, 20)


def test_the_record_of_a_dying_channel_is_written_once_and_only_of_a_living_one() -> None:
    dying = (own.DYING, 0, 60)
    assert read([announced(10), dying, (own.DYING, 0, 70)])[0].dying == place(0, 60)
    assert read([tombstone(30), dying])[0].dying == 0


def test_damaged_records_are_told_with_what_they_were_and_counted_up_to_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own, "ASKED", 2)
    damaged = [(own.WANTED, own.LIVE, 50), (own.WANTED_UPDATE, 1 << 32 | 77, 60), (own.WANTED, own.LIVE, 70)]
    found, owners = read([announced(10), *damaged])
    assert found.wanted == ((own.WANTED, own.LIVE, place(0, 50)), (own.WANTED_UPDATE, 1 << 32 | 77, place(0, 60)))
    assert (owners.asked, owners.unasked) == (2, 1)


def named(by: int) -> Fact:
    """By a channel that is written (0), or by one that is closed, as the copy of rank by - 1 says."""
    return own.NAMED, by, 0


def test_a_node_is_told_with_the_channels_that_name_it() -> None:
    nodes = read([named(0), update(20, 5)], owners=Channels(nodes=True))[0]
    assert (nodes.alive, nodes.nodes, nodes.updates) == (True, (1, 0), (place(0, 20), 0))
    nodes = read([named(3), named(2), named(4)], [update(20, 5)], owners=Channels(nodes=True))[0]
    assert (nodes.nodes, nodes.updates) == ((0, 2), (place(1, 20), 0))
    assert read([(own.NODE_A, 0, 11), (own.NODE_B, 0, 12), announced(10)])[0].nodes == (place(0, 11), place(0, 12))


def test_a_node_deleted_at_its_old_place_is_taken_from_there_where_the_new_one_is_damaged() -> None:
    """gossipd appends a node_announcement again and flags the first: an older copy still has that one alive."""
    moved = [replaced(100), (own.WANTED_UPDATE, 100, 90)]
    found, _ = read(moved, [update(20, 100)], owners=Channels(nodes=True))
    assert (found.updates, found.times) == ((place(1, 20), 0), (100, 0))
    found, _ = read([replaced(100), (own.WANTED_UPDATE, 101, 90)], [update(20, 100)], owners=Channels(nodes=True))
    assert found.updates == (0, 0)
    older = [update(20, 90), update(30, 100), update(25, 95)]
    assert read(moved, older, owners=Channels(nodes=True))[0].updates == (place(1, 30), 0)
    found, _ = read([*moved, update(95, 101)], [update(20, 100)], owners=Channels(nodes=True))
    assert found.updates == (place(0, 95), 0)


def test_no_flag_of_a_node_in_a_copy_that_lacks_nothing_is_believed_without_what_replaced_it() -> None:
    found, _ = read([replaced(100)], [update(20, 100)], owners=Channels(nodes=True, whole={0}))
    assert found.updates == (place(1, 20), 0)
    found, _ = read([replaced(100)], [update(20, 99)], owners=Channels(nodes=True, whole={0}))
    assert found.updates == (0, 0)


def _facts(rng: Random, owners: int, rank: int) -> list[tuple[int, int, int, int]]:
    codes = (own.ANNOUNCED, own.AMOUNT, own.DYING, own.CLOSED, own.UPDATED, own.REPLACED, own.WANTED,
             own.WANTED_UPDATE, own.NODE_A)  # fmt: skip
    made = []
    for at in range(1, 3 * owners):
        code = rng.choice(codes)
        timed = code in (own.UPDATED, own.REPLACED, own.WANTED_UPDATE)
        value = rng.randrange(2) << 32 | rng.randrange(1, 6) if timed else rng.randrange(32)
        made.append((rng.randrange(owners) * 0x10001, code, value, place(rank, at)))
    return made


def test_what_does_not_fit_into_memory_comes_out_the_same_and_once() -> None:
    """Owners above the limit wait in files, and those of one file that are still too many in others."""
    rng = Random(4)
    facts = [fact for rank in range(3) for fact in _facts(rng, 300, rank)]
    told = []
    for limit in (10**6, 40, 1):
        owners = Channels(limit=limit, whole={1})
        for one in facts:
            owners.state(*one)
        found = list(owners.finish())
        assert len({channel.scid for channel in found}) == len(found)
        told.append((sorted(found, key=lambda c: c.scid), owners.dead, owners.superseded, owners.asked))
    assert told[0] == told[1] == told[2]
    assert [channel.scid for channel in told[0][0]] == sorted({scid for scid, *_ in facts})


def test_facts_fed_in_bulk_are_the_same_facts() -> None:
    facts = _facts(Random(5), 20, 2)
    one, two = Channels(), Channels()
    rows = array("Q")
    for owner, code, value, at in facts:
        one.state(owner, code, value, at)
        rows.extend((owner, code << own.CODE | value, at))
    two.feed(rows)
    assert list(one.finish()) == list(two.finish())


def test_replaced_updates_in_bulk_are_the_same_facts() -> None:
    rng = Random(6)
    rows = [(rng.randrange(8), rng.randrange(4), rng.randrange(1, 9)) for _ in range(60)]
    later = [(owner, own.UPDATED, side << 32 | time, place(2, 10 * time + side))
             for owner in range(8) for side in (0, 1) for time in (3, 6, 8)]  # fmt: skip
    told = []
    for bulk in (True, False):
        owners = Channels(limit=6)
        owners.state(3, *announced(5)[:2], place(0, 5))
        for rank in (0, 1):
            if bulk:
                owners.replaced(rows[30 * rank :][:30], rank)
            else:
                for owner, flags, time in rows[30 * rank :][:30]:
                    owners.state(owner, own.REPLACED, (flags & 1) << 32 | time, place(rank, 1))
        for fact in later:
            owners.state(*fact)
        told.append((sorted(owners.finish(), key=lambda c: c.scid), owners.dead, owners.superseded))
    assert told[0] == told[1]
