"""What each release does with a store in a given state, as its sources and runs with its own code say.

The rows are those of the tables of releases (torn tail, checksum, amount, duplicate; which versions it upgrades) and of
the damage matrix that was measured with v26.06; where two releases differ, the last before and the first after.
"""

from __future__ import annotations

import pytest

from inspector.format import Wishes
from inspector.formats.gossip_store.loader import Facts, outcomes
from inspector.formats.gossip_store.versions import default_release, judged_for, readable, release, store_version

CORRUPT = "renames the whole store to gossip_store.corrupt"
PREFIX = "keeps the records before it, drops the rest"
ABORT, LATER = "aborts at start, in a loop", "accepts it and aborts later"
STOPS, COPIES, FAILS, LOADS = "stops reading there silently", "copies it on", "fails", "loads"
KILLS = "kills the node when it streams this record to a peer"
WITH = {"v0.10.0": 9, "v22.10": 10, "v22.11": 11, "v23.11": 12, "v24.02": 14, "v24.04": 14, "v24.05": 14, "v25.01": 14,
        "v25.02": 14, "v25.12": 15, "v26.04": 16, "v26.06": 16}  # fmt: skip


def said(by: str, program: str, **facts: int) -> tuple[str, str] | None:
    """What the program of a release makes of a store of the version that it writes."""
    version = facts.pop("version", WITH.get(by, 16))
    known = Facts(**{"version": version, "version_byte": version, "size": 5000, **facts})  # type: ignore[arg-type]
    found = [one for one in outcomes(known, release(by)) if one.program.startswith(program)]
    assert len(found) <= 1
    assert all(one.release == by for one in found)
    return (found[0].outcome, found[0].message) if found else None


GOSSIPD = """
torn v23.11 | renames it | gossip_store: truncated file?
torn v24.02 | keeps the records before it, drops the rest | gossip_store_compact: store ends early at 900
torn v25.12 | keeps the records before it, drops the rest | gossip_store_compact: store ends early at 900
torn v26.04 | renames it | gossip_store only processed 900 bytes of 5000
past_end v23.11 | renames it | gossip_store: truncated file?
past_end v24.02 | keeps the records before it, drops the rest | gossip_store_compact: store ends early at 900
past_end v26.04 | renames it | gossip_store only processed 900 bytes of 5000
bad_live v22.10 | loads |
bad_live v22.11 | renames it | gossip_store: Checksum verification failed (offset 900)
bad_live v24.02 | renames it | gossip_store: checksum verification failed? (offset 900)
bad_live v26.04 | renames it | gossip_store only processed 900 bytes of 5000
bad_dead v23.11 | renames it | gossip_store: Checksum verification failed (offset 900)
bad_dead v24.02 | loads |
bad_dead v26.04 | loads |
broken v23.11 | renames it | gossip_store: Checksum verification failed (offset 900)
broken v25.12 | renames it | gossip_store: checksum verification failed? (offset 900)
broken v26.04 | renames it | gossip_store only processed 900 bytes of 5000
second v25.12 | renames it | gossip_store: checksum verification failed? (offset 900)
second v26.04 | renames it | gossip_store only processed 900 bytes of 5000
incomplete v25.12 | loads |
incomplete v26.04 | renames it | gossip_store only processed 900 bytes of 5000
zero_tail v23.11 | renames it | gossip_store: Checksum verification failed (offset 900)
zero_tail v24.02 | keeps the records before it, drops the rest | gossip_store_compact: store ends early at 900
zero_tail v26.04 | renames it | gossip_store only processed 900 bytes of 5000
duplicate v23.11 | renames it | gossip_store channel_announce 900 replaces an earlier one
duplicate v24.02 | aborts at start, in a loop | gossmap.c:464 Assertion `!gossmap_find_chan' failed
duplicate v24.04 | aborts at start, in a loop | gossmap.c:464 Assertion `!gossmap_find_chan' failed
duplicate v24.05 | stops reading there silently | gossmap: redundant channel_announce, offset 912
duplicate v25.01 | stops reading there silently | gossmap: redundant channel_announce, offset 912
duplicate v25.02 | renames it | gossmap: redundant channel_announce, offset 912
duplicate v26.04 | renames it | gossmap: redundant channel_announce, offset 912
no_amount v25.12 | renames it | channel_announcement without amount
no_amount v26.04 | accepts it and aborts later | gossmap_chan_get_capacity (common/gossmap.c:1497)
no_amount_at_end v25.12 | renames it | channel_announcement without amount
no_amount_at_end v26.04 | renames it | gossip_store only processed 900 bytes of 5000
unknown v25.12 | renames it | Unknown record type at 900
unknown v26.04 | renames it | Unknown record at 912 in gossmap
short_dying v26.04 | aborts at start, in a loop | FATAL SIGNAL 11
ended v25.12 | aborts at start, in a loop |
ended v26.04 | aborts at start, in a loop | FATAL SIGNAL 11
short_at_end v25.12 | aborts at start, in a loop | map_copy: Assertion `offset + len <= map->map_size' failed
short_at_end v26.04 | aborts at start, in a loop | map_copy: Assertion `offset + len <= map->map_size' failed
amount_deleted v26.04 | loads |
announcement_deleted v26.04 | loads |
"""
GOSSMAP = """
bad_live v25.01 | loads |
bad_live v25.02 | stops reading there silently | Bad checksum on gossmap record @900/
bad_dead v26.04 | loads |
broken v25.01 | stops reading there silently |
past_end v26.04 | stops reading there silently |
incomplete v26.04 | stops reading there silently |
second v26.04 | stops reading there silently |
torn v26.04 | loads |
zero_tail v26.04 | loads |
duplicate v23.11 | loads |
duplicate v24.02 | stops reading there silently | gossmap: redundant channel_announce, offset 912
duplicate v25.02 | logs it | gossmap: redundant channel_announce, offset 912
no_amount v26.04 | aborts when it asks for a capacity | gossmap_chan_get_capacity (common/gossmap.c:1497)
ended v26.04 | crashes | endless recursion, FATAL SIGNAL 11
short_at_end v26.04 | aborts | map_copy: Assertion `offset + len <= map->map_size' failed
unknown v26.04 | logs it | Unknown record at 912 in gossmap: ignoring
short_dying v26.04 | loads |
amount_deleted v26.04 | loads |
"""
COMPACTD = """
bad_live v26.04 | copies it on | compactd checks no checksum and no structure
bad_dead v26.04 | drops it |
broken v26.04 | stops reading there silently | Incomplete gossip_store record at 900
incomplete v26.04 | stops reading there silently | Incomplete gossip_store record at 900
zero_tail v26.04 | fails | Incomplete gossip_store record at 900
torn v26.04 | fails | Incomplete gossip_store record at 900
past_end v26.04 | fails | Incomplete gossip_store record at 900
second v26.04 | fails | Incomplete gossip_store record at 900
duplicate v26.04 | copies it on | compactd checks no checksum and no structure
no_amount v26.04 | copies it on | compactd checks no checksum and no structure
no_amount_at_end v26.04 | copies it on | compactd checks no checksum and no structure
unknown v26.04 | copies it on | compactd checks no checksum and no structure
short_dying v26.04 | copies it on | compactd checks no checksum and no structure
short v26.04 | copies it on | compactd checks no checksum and no structure
short_at_end v26.04 | copies it on | compactd checks no checksum and no structure
ended v26.04 | copies it on | compactd checks no checksum and no structure
amount_deleted v26.04 | drops the amount and leaves its announcement alone |
announcement_deleted v26.04 | drops the announcement and leaves its amount alone |
"""
CONNECTD = """
bad_live v0.10.0 | kills the node when it streams this record to a peer | gossip_store: bad checksum at offset 900
bad_live v26.04 | kills the node when it streams this record to a peer | gossip_store: bad checksum at offset 900
broken v26.04 | kills the node or stops streaming there | gossip_store: bad checksum at offset 900
past_end v26.04 | kills the node or stops streaming there | gossip_store: bad checksum at offset 900
second v26.04 | kills the node or stops streaming there | gossip_store: bad checksum at offset 900
bad_dead v26.04 | loads |
torn v26.04 | loads |
"""
ROWS = [
    (program, *(" ".join(part.split()) for part in line.split("|")))
    for program, lines in (
        ("gossipd", GOSSIPD), ("gossmap", GOSSMAP), ("compactd", COMPACTD), ("connectd", CONNECTD),
    )
    for line in lines.replace("renames it", CORRUPT).strip().splitlines()
]  # fmt: skip


@pytest.mark.parametrize(("program", "when", "outcome", "message"), ROWS, ids=[f"{r[0]}: {r[1]}" for r in ROWS])
def test_one_thing_wrong_at_900(program: str, when: str, outcome: str, message: str) -> None:
    fact, by = when.split()
    assert said(by, program, **{fact: 900}) == (outcome, message)


FIRST = [  # of two things wrong in a store of v26.04 the one that its program comes to first decides
    ("gossipd", {"ended": 800, "bad_live": 900}, ABORT, "FATAL SIGNAL 11"),
    ("gossipd", {"ended": 900, "bad_live": 800}, CORRUPT, "gossip_store only processed 800 bytes of 5000"),
    ("gossipd", {"short_dying": 800, "ended": 900, "torn": 950}, ABORT, "FATAL SIGNAL 11"),
    ("gossipd", {"unknown": 800, "broken": 900}, CORRUPT, "Unknown record at 812 in gossmap"),
    ("gossipd", {"unknown": 900, "broken": 800}, CORRUPT, "gossip_store only processed 800 bytes of 5000"),
    ("gossipd", {"duplicate": 800, "torn": 900}, CORRUPT, "gossmap: redundant channel_announce, offset 812"),
    ("gossipd", {"duplicate": 900, "broken": 800}, CORRUPT, "gossip_store only processed 800 bytes of 5000"),
    ("gossipd", {"short_at_end": 950, "broken": 800}, CORRUPT, "gossip_store only processed 800 bytes of 5000"),
    ("gossipd", {"no_amount": 800, "torn": 900}, CORRUPT, "gossip_store only processed 900 bytes of 5000"),
    ("gossmap", {"ended": 800, "broken": 900}, "crashes", "endless recursion, FATAL SIGNAL 11"),
    ("gossmap", {"ended": 900, "broken": 800}, STOPS, ""),
    ("gossmap", {"no_amount": 900, "bad_live": 800}, STOPS, "Bad checksum on gossmap record @800/"),
    ("gossmap", {"no_amount": 800, "broken": 900}, "aborts when it asks for a capacity",
     "gossmap_chan_get_capacity (common/gossmap.c:1497)"),
    ("gossmap", {"short_at_end": 950, "broken": 800}, STOPS, ""),
    ("gossmap", {"bad_live": 900, "broken": 800}, STOPS, ""),
    ("compactd", {"broken": 800, "torn": 900}, STOPS, "Incomplete gossip_store record at 800"),
    ("compactd", {"broken": 900, "past_end": 800}, FAILS, "Incomplete gossip_store record at 800"),
    ("compactd", {"bad_live": 800, "torn": 900}, FAILS, "Incomplete gossip_store record at 900"),
    ("connectd", {"broken": 800, "bad_live": 900}, KILLS, "gossip_store: bad checksum at offset 900"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "facts", "outcome", "message"), FIRST)
def test_of_two_things_the_first_decides(program: str, facts: dict[str, int], outcome: str, message: str) -> None:
    assert said("v26.04", program, **facts) == (outcome, message)


def test_a_store_of_before_is_upgraded_first_and_that_ends_where_it_is_torn() -> None:
    """v26.04 copies a store of an older version record by record before it loads it."""
    old = {"version": 15}
    assert said("v26.04", "gossipd", torn=900, ended=800, **old) == (
        CORRUPT, "gossip_store_compact: store ends early at 900",
    )  # fmt: skip
    assert said("v26.04", "gossipd", bad_live=900, **old) == (CORRUPT, "checksum verification failed? (offset 900)")
    assert said("v26.04", "gossipd", bad_live=900, broken=800, **old) == (
        CORRUPT, "gossip_store only processed 800 bytes of 5000",
    )  # fmt: skip
    assert said("v26.04", "gossipd", **old) == (LOADS, "")


def test_before_v26_04_what_comes_behind_a_torn_record_is_not_met() -> None:
    assert said("v25.12", "gossipd", torn=800, broken=900) == (PREFIX, "gossip_store_compact: store ends early at 800")
    assert said("v25.12", "gossipd", torn=900, broken=800) == (
        CORRUPT, "gossip_store: checksum verification failed? (offset 800)",
    )  # fmt: skip


def test_a_length_past_the_end_is_read_as_a_torn_record_before_v26_04() -> None:
    """Where no record is found behind it either, both are told of one place."""
    both = {"broken": 900, "past_end": 900}
    assert said("v23.11", "gossipd", **both) == (CORRUPT, "gossip_store: truncated file?")
    assert said("v24.02", "gossipd", **both) == (PREFIX, "gossip_store_compact: store ends early at 900")
    assert said("v26.04", "gossipd", **both) == (CORRUPT, "gossip_store only processed 900 bytes of 5000")
    assert said("v26.04", "compactd", **both) == (STOPS, "Incomplete gossip_store record at 900")


def test_no_version_byte_and_one_that_stands_elsewhere_are_told_before_all_else() -> None:
    for by in ("v0.10.0", "v24.02", "v26.04"):
        none = Facts(16, None, 0, torn=1)
        moved = Facts(9, 9, 5000, displaced=True, torn=1)
        for known, gossipd, gossmap in (
            (none, "Cannot read gossip_store version", "cannot read the version byte"),
            (moved, "Cannot upgrade gossip_store version 0", "Unknown gossip_store version 0"),
        ):
            found = {one.program: one for one in outcomes(known, release(by))}
            assert (found["gossipd"].outcome, found["gossipd"].message) == (CORRUPT, gossipd)
            assert (found["gossmap (plugins)"].outcome, found["gossmap (plugins)"].message) == ("aborts", gossmap)
            if by == "v26.04":
                assert found["compactd"].message == "Could not read old gossip_store"
                assert found["compactd"].outcome == FAILS


def test_gossmap_takes_any_minor_version_and_no_other_major_one() -> None:
    for byte, gossmap in ((17, (LOADS, "")), (31, (LOADS, "")), (32, ("refuses", "Unknown gossip_store version 32"))):
        assert said("v26.04", "gossmap", version_byte=byte) == gossmap
        assert said("v26.04", "gossipd", version_byte=byte) == (CORRUPT, f"Cannot upgrade gossip_store version {byte}")


def test_the_programs_that_a_release_has() -> None:
    store, releases = Facts(9, 9, 5000), ("v0.9.3", "v0.10.0", "v26.03")
    programs = {by: [one.program for one in outcomes(store, release(by))] for by in releases}
    assert programs["v0.9.3"] == ["gossipd", "connectd"]
    assert programs["v0.10.0"] == programs["v26.03"] == ["gossipd", "connectd", "gossmap (plugins)"]
    assert said("v0.9.3", "connectd", version=9, bad_live=900) == (LOADS, "")
    assert said("v26.04", "compactd") == (LOADS, "")


@pytest.mark.parametrize(
    ("by", "writes", "reads"),
    [
        ("v0.6.1", 2, {2}), ("v0.7.0", 3, {3}), ("v0.7.1", 7, {7}), ("v0.8.2.1", 7, {7}), ("v0.9.0", 8, {7, 8}),
        ("v0.9.1", 8, {7, 8}), ("v0.9.2", 9, {7, 8, 9}), ("v0.11.2", 9, {7, 8, 9}), ("v0.12.0", 10, {7, 8, 9, 10}),
        ("v22.11", 11, {9, 10, 11}), ("v23.02", 12, {9, 10, 12}), ("v23.05", 12, {9, 10, 12}),
        ("v23.08", 12, {9, 10, 11, 12}), ("v24.02", 14, set(range(9, 15))), ("v25.09", 14, set(range(9, 15))),
        ("v25.09.1", 15, set(range(9, 16))), ("v25.12.1", 15, set(range(9, 16))), ("v26.04", 16, set(range(9, 17))),
    ],
)  # fmt: skip
def test_which_stores_a_release_writes_and_takes(by: str, writes: int, reads: set[int]) -> None:
    assert store_version(release(by)) == writes
    assert readable(release(by)) == reads
    for version in range(2, 18):
        found = said(by, "gossipd", version=version)
        refused = CORRUPT, f"Cannot upgrade gossip_store version {version}"
        assert found == ((LOADS, "") if version in reads else refused)


def test_a_store_is_judged_for_the_last_release_that_wrote_it_or_the_one_that_is_asked_for() -> None:
    by_version = {2: "v0.6.1", 3: "v0.7.0", 6: "v0.7.0", 7: "v0.8.2.1", 13: "v23.11.2", 14: "v25.09", 15: "v25.12.1"}
    for version, last in {**by_version, 1: "v0.6.1", 16: "v26.06.6", 17: "v26.06.6"}.items():
        assert str(default_release(version)) == str(judged_for(version, Wishes())) == last
    assert str(judged_for(9, Wishes(release="24.2"))) == "v24.02"
