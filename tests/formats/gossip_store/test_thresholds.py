"""What each store version means by its flags, which releases a warning is for, and what a merge counts."""

from __future__ import annotations

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from inspector.copies import Merge
from inspector.format import Wishes
from inspector.formats.gossip_store import FORMAT, versions
from inspector.formats.gossip_store.conversion import flag_rewrite, not_converted
from inspector.formats.gossip_store.follow import GossipFollower
from inspector.formats.gossip_store.healing import Healing
from inspector.formats.gossip_store.merge_owners import place_of
from inspector.formats.gossip_store.merging import Copy, Merger
from inspector.formats.gossip_store.whole import whole_file
from inspector.formats.gossip_store.words import _known_bug, compare
from inspector.repair import repair
from inspector.source import MemorySource
from inspector.span import Span
from tests.builders import gossip_messages as m
from tests.builders.gossip import DELETED, Network, Store
from tests.contract.corpus import memory
from tests.formats.gossip_store.merge_truth import merged

PUSH, DYING = "PUSH", "DYING"
FLAGS = {  # the bits from 0x8000 down, by the releases that wrote each version
    7: ("DELETED", PUSH, "0x2000", "0x1000", "0x0800"), 8: ("DELETED", PUSH, "0x2000", "0x1000", "0x0800"),
    9: ("DELETED", PUSH, "0x2000", "0x1000", "0x0800"), 10: ("DELETED", PUSH, "RATELIMIT", "0x1000", "0x0800"),
    11: ("DELETED", PUSH, "RATELIMIT", "0x1000", "0x0800"), 12: ("DELETED", PUSH, "RATELIMIT", "ZOMBIE", DYING),
    13: ("DELETED", PUSH, "RATELIMIT", "ZOMBIE", DYING), 14: ("DELETED", PUSH, "0x2000", "0x1000", DYING),
    15: ("DELETED", PUSH, "COMPLETED", "0x1000", DYING), 16: ("DELETED", PUSH, "COMPLETED", "0x1000", DYING),
}  # fmt: skip
STALE = {14: {0x2000}}  # what an upgrade may leave


@pytest.mark.parametrize("version", FLAGS)
def test_each_version_knows_its_flags_and_no_others(version: int) -> None:
    for k, name in enumerate(FLAGS[version]):
        bit = 0x8000 >> k
        assert versions.flag_names(bit, version) == [name]
        unknown = name.startswith("0x") and bit not in STALE.get(version, ())
        assert bool(versions.unknown_bits(version) & bit) == unknown
    assert versions.flag_names(0x7FF, version) == ["0x07ff"]
    assert versions.flag_names(0xF801, version) == [*FLAGS[version], "0x0001"]
    assert versions.unknown_bits(version) & 0x7FF == 0x7FF


@pytest.mark.parametrize(("flags", "version", "nothing"), [
    (0x8000, 14, False), (0x8001, 14, False), (0x8003, 14, True), (0x9001, 14, True), (0x9001, 13, False),
    (0x0003, 7, True), (0x3000, 9, True), (0x3000, 10, False), (0x2000, 16, False), (0, 16, False), (1, 16, True),
    (0x2001, 16, False), (0x2003, 16, True), (0x1000, 16, True), (0x3000, 15, False), (0x0800, 11, False),
    (0x1800, 11, True), (0x1800, 12, False),
])  # fmt: skip
def test_flags_with_two_bits_that_no_release_leaves_say_nothing(flags: int, version: int, nothing: bool) -> None:
    assert versions.flags_say_nothing(flags, version) == nothing


BUGS = [  # finding, a word of the advice, the last version that shows it, the first release that is free of it
    ("GSP026", "2758", 7, "v0.7.2"), ("GSP025", "4453", 9, "v0.10.0"), ("GSP017", "8035", 16, "v25.02"),
    ("GSP033", "8053", 14, "v25.02"),
]  # fmt: skip
BEFORE = {"v0.7.2": "v0.7.1", "v0.10.0": "v0.9.3", "v25.02": "v24.11.2"}


@pytest.mark.parametrize(("code", "told", "last", "free"), BUGS)
def test_upgrading_is_advised_where_the_release_had_the_fault(code: str, told: str, last: int, free: str) -> None:
    def advised(version: int, release: str | None, found: str = code) -> bool:
        store: Any = SimpleNamespace(version=version, wishes=Wishes(release=release))
        tally: Any = SimpleNamespace(counts={(found, "error"): 1})
        lines = _known_bug(store, tally)
        assert len(lines) <= 1
        return bool(lines) and told in lines[0]

    assert advised(last, None)
    assert advised(last, BEFORE[free])
    assert not advised(last, free)
    assert not advised(last, "v26.04")
    assert not advised(last, None, "GSP003")
    if last < 16:
        assert not advised(last + 1, None)
        assert not advised(last + 1, BEFORE[free])


@pytest.mark.parametrize(("size", "release", "wraps"), [
    ((1 << 32) + 1, "v24.08", True), (1 << 32, "v24.08", False), ((1 << 32) + 1, "v24.11", False),
])  # fmt: skip
def test_releases_before_v24_11_keep_offsets_in_32_bits(size: int, release: str, wraps: bool) -> None:
    found: list[tuple[str, Span]] = []
    store: Any = SimpleNamespace(version=14, version_byte=14, version_at=0, guessed=False, size=size, start=1,
                                 facts={}, wishes=Wishes(release=release), headless=False)  # fmt: skip
    whole_file(lambda slug, span, *rest: found.append((slug, span)), store)
    assert found == [("offset-wrap", Span(1 << 32, size))] * wraps


@pytest.mark.parametrize("dead", [2, 3, 4, 5])
def test_compacting_is_advised_where_more_is_dead_than_alive(dead: int) -> None:
    store = Store(14)
    for number in range(6):
        store.append(m.delete_chan(number + 1), 0, DELETED * (number < dead))
    with memory({"": store.bytes()}) as source:
        told = repair(source, (FORMAT,), None, Wishes(), forced=FORMAT.name, dry_run=True).notes
        compacted = repair(source, (FORMAT,), None, Wishes(compact=True), forced=FORMAT.name, dry_run=True).notes
    advice = f"{22 * dead:,} of {133:,} bytes are deleted records: --compact would save them"
    assert (advice in told) == (dead > 3)
    assert not any("--compact" in note for note in compacted)
    assert any("--compact" in note for note in told) == (dead > 3)


CONVERTED = [  # version, target, kind, flags, length with header, a word of why it stays behind
    (12, 14, 3503, 0, 500, "private"), (12, 13, 4102, 0, 200, "private"), (13, 14, 4104, 0, 500, ""),
    (11, 12, 4102, 0, 200, ""), (12, 14, 256, 0, 442, ""), (12, 14, 258, 0x1000, 150, "ZOMBIE"),
    (13, 14, 256, 0x1000, 442, "ZOMBIE"), (11, 14, 256, 0x1000, 442, ""), (14, 16, 256, 0x1000, 442, ""),
    (10, 14, 258, 0, 142, "htlc_maximum"), (11, 14, 258, 0, 142, ""), (10, 14, 258, 0, 150, ""),
    (10, 14, 257, 0, 142, ""),
]  # fmt: skip


@pytest.mark.parametrize(("version", "target", "kind", "flags", "length", "why"), CONVERTED)
def test_what_an_upgrade_leaves_behind(version: int, target: int, kind: int, flags: int, length: int, why: str) -> None:
    told = not_converted(version, target, kind, flags, length)
    assert (bool(told), why in told) == (bool(why), True)


def test_the_completed_bit_comes_and_goes_with_version_15() -> None:
    assert flag_rewrite(14, 16) == flag_rewrite(9, 15) == (0xFFFF, 0x2000)
    assert flag_rewrite(16, 14) == flag_rewrite(15, 14) == (0xDFFF, 0)
    assert flag_rewrite(15, 16) is flag_rewrite(14, 9) is None


def test_ages_and_names_of_stores_side_by_side() -> None:
    second = 1_000_000_000
    rows: list[Any] = [
        ("net/gossip_store", 2000, 50 * second, SimpleNamespace(facts={"channels": 1234})),
        ("gossip_store.corrupt", 10, 48 * second + 1, SimpleNamespace(facts={})),
        ("gossip_store.tmp", 5, 40 * second, None), ("gossip_store.compact", 6, 30 * second, None),
        ("gossip_store.1", 7, 50 * second - 1, None),
    ]  # fmt: skip
    assert compare(rows)[:5] == (
        "net/gossip_store: 2,000 bytes, newest, 1,234 live channels; the store in use",
        "gossip_store.1: 7 bytes, newest, 0 live channels; a copy",
        "gossip_store.corrupt: 10 bytes, 1 s older, 0 live channels; what lightningd refused; the next refusal "
        "overwrites it",
        "gossip_store.tmp: 5 bytes, 10 s older, 0 live channels; a rewrite that did not finish: the good beginning, in "
        "the new version",
        "gossip_store.compact: 6 bytes, 20 s older, 0 live channels; a compaction that did not finish",
    )
    assert compare([]) == ()


def test_a_version_byte_that_changes_under_a_follower_is_told_even_where_nothing_else_is_there() -> None:
    for rest in (b"", Store(14).bytes()[1:] + Network(Store(14)).store.bytes()[1:]):
        follower = GossipFollower()
        assert list(follower.sweep(MemorySource(b"\x0e" + rest, "gossip_store"), 1 << 20)) == []
        assert list(follower.advance(MemorySource(b"\x0e" + rest, "gossip_store"))) == []
        assert list(follower.sweep(MemorySource(b"\x0e" + rest, "gossip_store"), 1 << 20)) == []
        (one,) = follower.sweep(MemorySource(b"\x0f" + rest, "gossip_store"), 1 << 20)
        assert (one.what, one.start, one.end) == ("broken", 0, 1)


def test_a_merge_counts_live_records_that_nobody_loads_and_no_others(tmp_path: Path) -> None:
    net = Network(Store(16), seed=3)
    channel = net.open(net.node(), net.node())
    net.update(channel, 0)
    hurt = net.update(channel, 1)
    sound = net.store.bytes()
    net.store.append(b"\x12\x34one")
    net.store.append(b"\x12\x34two")
    net.store.append(b"\x12\x34dead", 0, DELETED)
    net.store.append(m.chan_dying(5, 9)[:9])
    odd = bytearray(net.store.bytes())
    odd[hurt + 40] ^= 0xFF
    done = merged(tmp_path, [bytes(odd), sound])
    assert done.plan.counts["not_loadable"] == 3
    assert (done.plan.counts["channels"], done.plan.counts["updates"], done.plan.losses_total) == (1, 2, 0)


@pytest.mark.parametrize(("alike", "lost"), [(40, False), (31, False), (30, False), (29, True), (4, True)])
def test_a_damaged_record_that_is_three_quarters_of_the_one_that_is_written_is_not_lost(alike: int, lost: bool) -> None:
    """40 bytes of a record, of which some are as in the sound one: less than 30 make it another one."""
    sound = b"\x20\x00\x00\x1c" + Random(1).randbytes(36)
    mine = sound[:alike] + bytes(byte ^ 0xFF for byte in sound[alike:])
    assert _lost(mine, sound, True) == [(1, 41)] * lost
    assert _lost(mine, sound, False) == [(1, 41)]


def _lost(mine: bytes, sound: bytes, written: bool) -> list[tuple[int, int]]:
    """What is told as lost of a damaged record at 1 where another copy has one at 1 that is written, or has none."""
    made = Merge((), 0, (0, 1), ())
    copies = [
        Copy(number, FORMAT.open(MemorySource(b"\x10" + data, "gossip_store"), None, Wishes()), Healing())
        for number, data in enumerate((mine, sound))
    ]
    Merger(copies, 16, Wishes(), made)._missed(place_of(0, 1), place_of(1, 1) * written)
    return [(loss.span.start, loss.span.end) for loss in made.losses]
