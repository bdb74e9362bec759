"""Ways to hurt a healthy store of version 16, and what one row of the damage table asks."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from tests import damage
from tests.builders import gossip_messages as m
from tests.builders.gossip import DELETED, HEADER, Network, Store, grown
from tests.damage import Damaged
from tests.formats.gossip_store.witness import Record, walk

PAGE = 4096


@dataclass(slots=True)
class Base:
    """The healthy store before the damage, its records, and ways to point at one in the middle."""

    size: int
    net: Network = field(init=False)
    data: bytes = field(init=False)
    records: list[Record] = field(init=False)

    def __post_init__(self) -> None:
        self.net = grown(16, self.size, seed=7)
        self.data = self.net.store.bytes()
        self.records = list(walk(self.data))

    def pick(self, kind: int, live: bool = True, skip: int = 0) -> Record:
        """A record of this type behind the middle of the file, not beside one that was picked with another `skip`."""
        middle = [r for r in self.records if r.at > self.size // 2 and r.kind == kind and r.live is live]
        return middle[skip * 3]

    def page(self, number: int = 0) -> int:
        """The offset of an aligned page behind the middle."""
        return (self.size // 2 // PAGE + 1 + number) * PAGE

    def changed(self, change: Callable[[Network], object], more: int = 2) -> Damaged:
        """The store after something that a writer did wrong, followed by `more` ordinary updates."""
        net = _copy(self)
        before = len(net.store.data)
        change(net)
        after = len(net.store.data)
        for k in range(more):
            net.store.append(m.channel_update(net.noise, m.scid(9, 9, k), 0, 5), 5, DELETED)
        return Damaged(net.store.bytes(), ((before, after),))


def _copy(base: Base) -> Network:
    store = Store(16, bare=True)
    store.data = bytearray(base.data)
    net = Network(store, seed=99)
    net.channels, net.nodes, net.time, net.block = base.net.channels, base.net.nodes, base.net.time, base.net.block
    return net


@cache
def base_of(size: int) -> Base:
    return Base(size)


CORRUPT = "renames the whole store to gossip_store.corrupt"
LOADS, STOPS, COPIES, FAILS = "loads", "stops reading there silently", "copies it on", "fails"
ABORTS, LATER = "aborts at start, in a loop", "accepts it and aborts later"
Page = tuple[str, str, str]  # gossipd, gossmap, compactd


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: `must` are codes of which one is found at the damage; `also` may be said of its neighbours."""

    name: str
    hurt: Callable[[Base], Damaged]
    must: frozenset[str]
    also: frozenset[str] = frozenset()
    page: Page | None = None
    shifts: Callable[[Base], tuple[int, ...]] = lambda base: (0,)
    repairs: bool = True


def kind(
    name: str, hurt: Callable[[Base], Damaged], must: str, also: str = "", page: Page | None = None, shift: int = 0
) -> Kind:
    return Kind(name, hurt, frozenset(must.split()), frozenset(also.split()), page, lambda base: (0, shift))


def bit(of: int, at: int, bit: int, live: bool = True) -> Callable[[Base], Damaged]:
    def hurt(base: Base) -> Damaged:
        return damage.flip_bit(base.data, base.pick(of, live).at + at, bit)

    return hurt


def length(of: int, value: Callable[[int, int], int], live: bool = True) -> Callable[[Base], Damaged]:
    """`value(length, bytes left behind the header)` is written into the length field."""

    def hurt(base: Base) -> Damaged:
        r = base.pick(of, live)
        new = value(len(r.body), len(base.data) - r.at - HEADER)
        return damage.overwrite(base.data, r.at + 2, struct.pack(">H", new))

    return hurt


def dead_past_end(base: Base) -> Damaged:
    """A deleted update near the end claims 5000 bytes more than the file has."""
    r = [r for r in base.records if r.kind == 258 and not r.live][-4]
    return damage.overwrite(base.data, r.at + 2, struct.pack(">H", len(base.data) - r.at - HEADER + 5000))


def at_end(body: Callable[[Network], bytes], more: int = 0) -> Callable[[Base], Damaged]:
    return lambda base: base.changed(lambda net: net.store.append(body(net), 7), more)


def new_update(net: Network) -> bytes:
    return m.channel_update(net.noise, net.channels[0].scid, 1, net.tick())


def torn(count: int, completed: bool = False) -> Callable[[Base], Damaged]:
    def hurt(base: Base) -> Damaged:
        net = _copy(base)
        at = net.store.append(new_update(net), net.time)
        return damage.tear(base.data, bytes(net.store.data[at:]), count, completed)

    return hurt


def duplicate(net: Network) -> None:
    channel = net.channels[len(net.channels) // 2]
    nodes = channel.nodes
    net.store.append(m.channel_announcement(net.noise, channel.scid, *nodes))
    net.store.append(m.amount(77_000))


def new_announcement(net: Network) -> bytes:
    one, two = sorted(n.id for n in net.nodes[:2])
    return m.channel_announcement(net.noise, m.scid(999_999, 1, 1), one, two)


def latin(net: Network) -> bytes:
    node = next(n for n in net.nodes if n.channels)
    return m.node_announcement(net.noise, node.id, net.tick(), m.NodeWords("Bücher".encode("latin-1")))


def pair(which: int) -> Callable[[Base], Damaged]:
    """DELETED flipped on only one of a live announcement (0) and its amount (1)."""

    def hurt(base: Base) -> Damaged:
        first = base.pick(256)
        return damage.flip_bit(base.data, first.at if which == 0 else first.end, 7)

    return hurt


def noise_inside(base: Base) -> Damaged:
    r = base.pick(258)
    return damage.noise(base.data, r.at + 60, r.at + 64, 3)


def scattered(base: Base) -> Damaged:
    return damage.flip_bits(base.data, base.records[3].at, len(base.data), max(4, base.size // 20_000), 5)


def pages_zeroed(base: Base) -> Damaged:
    data, spans = base.data, []
    for page in range(2, base.size // PAGE - 1, 23):
        data = damage.zero(data, page * PAGE, page * PAGE + PAGE).data
        spans.append((page * PAGE, page * PAGE + PAGE))
    return Damaged(data, tuple(spans))


def record_at_1(base: Base) -> Damaged:
    r = base.pick(258)
    return damage.overwrite(base.data, 1, base.data[r.at : r.end])


def record_misplaced(base: Base) -> Damaged:
    r, target = base.pick(258), base.pick(256, skip=1)
    return damage.overwrite(base.data, target.at + 40, base.data[r.at : r.end])


def uuid_bit(base: Base) -> Damaged:
    return damage.flip_bit(base.data, 30, 2)


def cut_pair(base: Base) -> Damaged:
    return damage.truncate(base.data, base.pick(256).end)


def older_store(base: Base) -> Damaged:
    return damage.append(base.data, grown(14, base.size // 4, seed=8).store.bytes())


def two_in_a_row(base: Base) -> Damaged:
    r = base.pick(258)
    data = damage.flip_bit(base.data, r.at + 20, 1).data
    return Damaged(damage.flip_bit(data, r.end + 30, 6).data, ((r.at + 20, r.at + 21), (r.end + 30, r.end + 31)))
