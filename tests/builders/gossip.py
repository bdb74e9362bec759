"""Healthy gossip stores of any version and size: what gossipd of that release would write and load again.

`Store` appends records and changes headers in place, as gossipd does; `Network` lets channels and nodes live and die
on it; `healthy` makes a whole store. The same seed always gives the same bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from random import Random

import crc32c

from tests.builders import gossip_messages as m

DELETED, PUSH, RATELIMIT, COMPLETED, ZOMBIE, DYING = 0x8000, 0x4000, 0x2000, 0x2000, 0x1000, 0x0800
HEADER = 12  # bytes, versions 5-16
START = 1_700_000_000  # unix seconds of the first update
_HEAD = struct.Struct(">HHII")
_OLD_HEAD = struct.Struct(">II")


class Store:
    """The bytes of one gossip_store and the three things a writer does to them."""

    def __init__(self, version: int = 16, *, bare: bool = False) -> None:
        """`bare` leaves out the uuid record that a store of version 16 begins with."""
        self.version = version
        self.data = bytearray([version])
        self.header = HEADER if version >= 5 else _OLD_HEAD.size
        self.born = COMPLETED if version >= 15 else 0
        if version >= 16 and not bare:
            self.append(m.uuid(bytes(range(100, 132))))

    def append(self, body: bytes, timestamp: int = 0, flags: int = 0) -> int:
        """The offset of the new record's header."""
        at = len(self.data)
        if self.version >= 7:
            seal = crc32c.crc32c(body, timestamp)
            self.data += _HEAD.pack(flags | self.born, len(body), seal, timestamp) + body
        elif self.version >= 5:
            self.data += _HEAD.pack(flags, len(body), old_seal(body), timestamp) + body
        else:
            self.data += _OLD_HEAD.pack(len(body), old_seal(body)) + body
        return at

    def flag(self, at: int, bits: int) -> None:
        """Set flags in place; only versions with flags in the header."""
        assert self.version >= 5, "records of this version have no flags"
        self.data[at] |= bits >> 8

    def set_timestamp(self, at: int, timestamp: int) -> None:
        """The timestamp seeds the checksum, so both are written."""
        flags, length, _, _ = _HEAD.unpack_from(self.data, at)
        body = bytes(self.data[at + HEADER : at + HEADER + length])
        seal = crc32c.crc32c(body, timestamp) if self.version >= 7 else old_seal(body)
        _HEAD.pack_into(self.data, at, flags, length, seal, timestamp)

    def bytes(self) -> bytes:
        return bytes(self.data)


def old_seal(body: bytes) -> int:
    """A stand-in for ccan's faulty checksum of versions 2-6, which is not CRC-32C and which nothing here can judge."""
    return sum(body) * 0x9E3779B1 & 0xFFFFFFFF


@dataclass(slots=True, eq=False)
class Channel:
    scid: int
    nodes: tuple[bytes, bytes]
    announcement: int
    amount: int
    updates: list[int | None] = field(default_factory=lambda: [None, None])
    dying: int | None = None


@dataclass(slots=True, eq=False)
class Node:
    id: bytes
    words: m.NodeWords
    announcement: int | None = None
    channels: list[Channel] = field(default_factory=list)


class Network:
    """Channels and nodes on a store, kept in the order and with the flags of gossmap_manage.c."""

    def __init__(self, store: Store, seed: int = 0) -> None:
        self.store = store
        self.rng = Random(seed)
        self.noise = m.Noise(self.rng)
        self.channels: list[Channel] = []
        self.dying: list[Channel] = []  # spent, not yet buried
        self.nodes: list[Node] = []
        self._by_id: dict[bytes, Node] = {}
        self.time = START
        self.block = 700_000
        self.marks = store.version >= 5  # records can be flagged in place
        self.mandatory_max = store.version >= 11

    def tick(self) -> int:
        self.time += 7
        return self.time

    def node(self, words: m.NodeWords | None = None) -> Node:
        made = Node(m.node_id(self.rng), words or m.node_words(self.rng))
        self.nodes.append(made)
        self._by_id[made.id] = made
        return made

    def open(self, one: Node, two: Node, *, scid: int | None = None, flags: int = 0) -> Channel:
        """An announcement directly followed by its amount, both with timestamp 0."""
        self.block += 1
        number = scid if scid is not None else m.scid(self.block, self.rng.randrange(3000), self.rng.randrange(2))
        first, second = sorted((one.id, two.id))
        body = m.channel_announcement(self.noise, number, first, second, m.FEATURES[0])
        sat = self.rng.randrange(20_000, 16_777_215)
        if self.store.version <= 3:
            at = self.store.append(m.wrapped(m.OLD_ANNOUNCEMENT, body, sat))
            channel = Channel(number, (first, second), at, at)
        else:
            at = self.store.append(body, flags=flags)
            channel = Channel(number, (first, second), at, self.store.append(m.amount(sat)))
        self.channels.append(channel)
        one.channels.append(channel)
        two.channels.append(channel)
        return channel

    def update(self, channel: Channel, side: int, *, flags: int = 0, short: bool = False) -> int:
        """A new update is appended first, then the one it replaces is deleted."""
        now = self.tick()
        maximum = None if short and not self.mandatory_max else 99_000_000
        body = m.channel_update(
            self.noise, channel.scid, side, now, disabled=now % 9 == 0, htlc_max=maximum, ppm=now % 1000
        )
        if self.store.version <= 3:
            body = m.wrapped(m.OLD_UPDATE, body)
        at = self.store.append(body, now, flags)
        old = channel.updates[side]
        if self.marks and channel.updates == [None, None]:
            self.store.set_timestamp(channel.announcement, now)
        channel.updates[side] = at
        if old is not None and self.marks:
            self.store.flag(old, DELETED)
        return at

    def announce(self, node: Node, *, flags: int = 0) -> int:
        now = self.tick()
        return self._announce(node, m.node_announcement(self.noise, node.id, now, node.words), now, flags)

    def _announce(self, node: Node, body: bytes, now: int, flags: int = 0) -> int:
        if self.store.version <= 3:
            body = m.wrapped(m.OLD_NODE, body)
        at = self.store.append(body, now, flags)
        if node.announcement is not None and self.marks:
            self.store.flag(node.announcement, DELETED)
        node.announcement = at
        return at

    def spend(self, channel: Channel) -> int:
        """The funding output was spent: 72 blocks of grace (12 before v26.04)."""
        self.block += 1
        grace = 72 if self.store.version >= 16 else 12
        channel.dying = self.store.append(m.chan_dying(channel.scid, self.block + grace))
        if self.store.version >= 14 or self.store.version == 12:
            for at in (channel.announcement, *channel.updates):
                if at is not None:
                    self.store.flag(at, DYING)
        return channel.dying

    def close(self, channel: Channel) -> None:
        """A tombstone, then every record of the channel is deleted; its nodes follow it or move behind the next."""
        if self.store.version >= 8:
            self.store.append(m.delete_chan(channel.scid))
        elif self.store.version <= 3:
            self.store.append(m.old_delete(channel.scid))
        if self.marks:
            for at in (channel.announcement, channel.amount, *channel.updates, channel.dying):
                if at is not None:
                    self.store.flag(at, DELETED)
        self.channels.remove(channel)
        for node_id in channel.nodes:
            self._leave(self._by_id[node_id], channel)

    def _leave(self, node: Node, channel: Channel) -> None:
        was_first = node.channels[0] is channel
        node.channels.remove(channel)
        if node.announcement is None:
            return
        if not node.channels:
            if self.marks:
                self.store.flag(node.announcement, DELETED)
            node.announcement = None
        elif was_first and self.marks:
            self._announce(node, *self._stored(node.announcement))

    def _stored(self, at: int) -> tuple[bytes, int]:
        _, length, _, timestamp = _HEAD.unpack_from(self.store.data, at)
        return bytes(self.store.data[at + HEADER : at + HEADER + length]), timestamp

    def keep_private(self, one: Node, two: Node) -> None:
        """Our unannounced channel, as versions 4-12 kept it: the channel and an update from each side."""
        version = self.store.version
        number = m.scid(self.block, 1, 0)
        self.block += 1
        first, second = sorted((one.id, two.id))
        if version >= 9:
            self.store.append(m.private_channel(1_000_000, m.private_announcement(number, first, second)))
        else:
            self.store.append(m.local_add_channel(number, second, 1_000_000))
        if version >= 5:
            for side in (0, 1):
                update = m.channel_update(self.noise, number, side, self.tick())
                self.store.append(m.private_update(update), self.time if version < 9 else 0)


def healthy(version: int = 16, size: int = 60_000, seed: int = 0) -> bytes:
    """A store of about `size` bytes in which most records are dead, as in a node that ran for weeks."""
    return grown(version, size, seed).store.bytes()


def grown(version: int = 16, size: int = 60_000, seed: int = 0) -> Network:
    """The network behind `healthy`: about 160 bytes a record, three of four records replaced or closed."""
    net = Network(Store(version), seed)
    rng, store = net.rng, net.store
    live = max(2, size // 2650)  # channels; the rest of the size is history
    for _ in range(max(2, live // 2)):
        net.node()
    own = PUSH if 7 <= version <= 14 else 0  # bit 0x4000: our own gossip
    if 4 <= version <= 12:
        net.keep_private(net.nodes[0], net.nodes[1])
    while len(store.data) < size:
        dice = rng.random()
        if len(net.channels) < live and (dice < 0.12 or len(net.channels) < 2):
            _open_one(net, own)
        elif dice < 0.16 and version >= 2:
            node = rng.choice(net.nodes)
            if node.channels:
                net.announce(node, flags=own if node is net.nodes[0] else 0)
        elif dice < 0.165 and len(net.channels) > live // 2:
            _end_one(net)
        else:
            channel = rng.choice(net.channels)
            spam = RATELIMIT if 10 <= version <= 13 and dice > 0.99 else 0
            bits = own if net.nodes[0].id in channel.nodes else 0
            late = DYING if channel.dying is not None and version >= 14 else 0
            net.update(channel, int(dice * 1000) & 1, flags=spam | bits | late, short=version <= 10 and dice > 0.6)
    return net


def _open_one(net: Network, own: int) -> None:
    one = net.rng.choice(net.nodes)
    two = net.rng.choice([net.nodes[0] if one is not net.nodes[0] else net.nodes[1], net.rng.choice(net.nodes)])
    if one is two:
        two = net.node()
    channel = net.open(one, two, flags=own if net.nodes[0] in (one, two) else 0)
    if net.rng.random() < 0.9:
        net.update(channel, 0)
        net.update(channel, 1)
        for node in (one, two):
            if node.announcement is None:
                net.announce(node)


def _end_one(net: Network) -> None:
    version = net.store.version
    channel = net.rng.choice(net.channels)
    if version in (12, 13) and net.rng.random() < 0.3:
        for at in (channel.announcement, *channel.updates):
            if at is not None:
                net.store.flag(at, ZOMBIE)
    elif version >= 11 and (len(net.dying) < 3 or net.rng.random() < 0.4):
        if channel.dying is None:
            net.spend(channel)
            net.dying.append(channel)
    else:
        net.close(net.dying.pop(0) if net.dying else channel)
