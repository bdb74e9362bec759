"""Which records a question gets, held against a second reader of the store; and what stands at a byte."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from inspector.errors import UsageError
from inspector.format import Query, Wishes
from inspector.formats.gossip_store import FORMAT
from inspector.formats.gossip_store.records import records, show
from inspector.formats.gossip_store.walk import Store
from inspector.source import MemorySource
from tests.builders.gossip import healthy
from tests.formats.gossip_store.witness import Record, channel, walk

NAMES = {256: "channel_announcement", 257: "node_announcement", 258: "channel_update", 4101: "channel_amount",
         4103: "delete_chan", 4106: "chan_dying", 4107: "uuid"}  # fmt: skip


def opened(data: bytes) -> Store:
    store: Store = FORMAT.open(MemorySource(data, "gossip_store"), None, Wishes())
    return store


@cache
def whole() -> tuple[bytes, list[Record]]:
    data = healthy(16, 9000, 4)
    return data, list(walk(data))


def places(data: bytes, **asked: Any) -> list[int]:
    return [entry.span.start for entry in records(opened(data), Query(**asked)) if entry.kind != "version"]


def test_every_record_is_told_with_its_offset_length_and_kind() -> None:
    data, known = whole()
    told = [(e.span.start, e.span.end, e.kind, e.fields["length"]) for e in records(opened(data), Query())]
    assert told[-len(known) :] == [(r.at, r.end, NAMES[r.kind], len(r.body)) for r in known]


@pytest.mark.parametrize("kind", NAMES)
def test_records_of_a_kind(kind: int) -> None:
    data, known = whole()
    assert places(data, kinds=frozenset({NAMES[kind]})) == [r.at for r in known if r.kind == kind]


@pytest.mark.parametrize("deleted", [True, False])
def test_dead_or_live_records(deleted: bool) -> None:
    data, known = whole()
    assert places(data, deleted=deleted) == [r.at for r in known if r.live is not deleted]


def test_a_range_has_what_touches_it_and_nothing_beside_it() -> None:
    data, known = whole()
    first, second, third = known[4:7]
    assert places(data, start=first.at, end=first.end) == [first.at]
    assert places(data, start=first.end - 1, end=second.at + 1) == [first.at, second.at]
    assert places(data, start=second.at, end=third.at) == [second.at]
    assert places(data, start=third.at) == [r.at for r in known if r.at >= third.at]
    assert places(data, end=first.at) == [r.at for r in known if r.at < first.at]
    assert places(data, start=known[-1].end - 1) == [known[-1].at]


def test_records_of_a_channel_are_all_that_name_it() -> None:
    data, known = whole()
    for scid in {channel(r) for r in known if r.kind == 258}:
        words = f"{scid >> 40}x{scid >> 16 & 0xFFFFFF}x{scid & 0xFFFF}"
        named = [r.at for r in known if r.kind in (256, 258, 4103, 4106) and channel(r) == scid]
        assert places(data, scid=words) == named


def test_records_of_a_node_are_those_that_have_its_key_or_its_beginning() -> None:
    data, known = whole()
    key = next(r for r in known if r.kind == 257)
    node = key.body[2 + 64 + 2 + (key.body[66] << 8 | key.body[67]) + 4 :][:33]
    have = [r.at for r in known if node in r.body]
    assert len(have) >= 2
    assert places(data, node=node.hex()) == have
    assert places(data, node=node[:6].hex()) == have
    assert set(places(data, node=node[:1].hex())) > set(have)
    assert places(data, node=(node + b"\0").hex()[:66]) == have
    for wrong in ("", "zz", "0", (node + b"\0").hex()):
        with pytest.raises(UsageError):
            places(data, node=wrong)


def test_damaged_records_alone_and_not_the_unjudged_ones_of_old_stores() -> None:
    data, known = whole()
    hit = known[9]
    hurt = bytearray(data)
    hurt[hit.end - 1] ^= 1
    assert places(bytes(hurt), damaged=True) == [hit.at]
    assert places(data, damaged=True) == []
    old = healthy(6, 4000, 4)
    assert places(old, damaged=True) == []
    assert len(places(old)) > 5


def test_records_with_a_flag() -> None:
    data, known = whole()
    dead = [r.at for r in known if not r.live]
    assert places(data, flags=frozenset({"DELETED"})) == dead
    assert places(data, flags=frozenset({"COMPLETED", "DELETED"})) == dead
    assert places(data, flags=frozenset({"PUSH"})) == []


def test_what_stands_at_a_byte_is_shown_with_its_neighbours() -> None:
    data, known = whole()
    store = opened(data)
    before, this, after = known[4:7]
    said = {
        this.at: f"{this.at} is the offset of the record's header",
        this.at + 1: f"byte {this.at + 1} lies inside it, 1 bytes from its start",
        this.at + 12: f"{this.at + 12} is the offset of the record's body (header at {this.at}), as gossmap's messages "
        "print it",
        this.end - 1: f"byte {this.end - 1} lies inside it, {this.end - 1 - this.at} bytes from its start",
    }
    for at, words in said.items():
        shown = show(store, "", at)
        assert shown is not None
        assert (shown.span.start, shown.span.end, shown.matched) == (this.at, this.end, words)
        assert [e.span.start for e in shown.neighbours] == [before.at, after.at]
        assert shown.data == data[this.at : this.end]
        assert shown.title == f"{NAMES[this.kind]} at {this.at}, {this.end - this.at} bytes"
    assert show(store, "", len(data)) is None
    last = show(store, "", len(data) - 1)
    assert last is not None
    assert (last.span.start, [e.span.start for e in last.neighbours]) == (known[-1].at, [known[-2].at])
    version = show(store, "", 0)
    assert version is not None
    assert (version.matched, version.span.end) == ("0 is where the stretch begins", 1)
    assert [e.span.start for e in version.neighbours] == [1]
