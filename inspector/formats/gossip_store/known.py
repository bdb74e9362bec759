"""What the sound records of a store tell about a damaged one: who signs a channel's updates, which channels exist.

Made in one walk over the store, only once a damaged record asks for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from inspector.formats.gossip_store.layout import SEALED_HEADER
from inspector.formats.gossip_store.signed import ANNOUNCEMENT, NODE, SIGNED, UPDATE, judge
from inspector.formats.gossip_store.walk import BAD_CHECKSUM, BAD_LENGTH, OK, Store, walk

CHANNELS = 1 << 17  # remembered; the public network has 50,000 (February 2026)
NODES = 1 << 15  # node ids that a zeroed one is looked for among; the public network has 17,000
SAMPLED = 8  # sound signed messages that tell whether this store's signatures are real at all
TOMBSTONE = 4103
LEARNT = -1  # in place of an offset: the announcement was corrected
SUSPECTS = 256  # damaged announcements that may be asked for a key once they are corrected


@dataclass(slots=True)
class Known:
    """Where sound announcements and updates stand, and what all messages of this store have in common."""

    store: Store
    channels: dict[int, int] = field(default_factory=dict)  # scid -> offset of its announcement's record
    updates: dict[int, list[int]] = field(default_factory=dict)  # scid -> offsets of its last sound updates
    suspects: list[tuple[int, int]] = field(default_factory=list)  # damaged records that may be announcements
    chains: Counter[bytes] = field(default_factory=Counter)
    sound: list[int] = field(default_factory=list)  # offsets of the first signed messages
    nodes: dict[int, int] = field(default_factory=dict)  # folded node id -> offset of its last sound announcement
    closed: set[int] = field(default_factory=set)  # channels that a tombstone closes
    learnt: dict[int, bytes] = field(default_factory=dict)  # scid -> corrected announcement
    _ids: list[bytes] | None = None
    _signs: bool | None = None

    @classmethod
    def of(cls, store: Store) -> Known:
        known = cls(store)
        for at, end, kind, mark, scid, node in _records(store):
            if mark == OK:
                known.add(at, kind, scid, node)
            elif mark in (BAD_CHECKSUM, BAD_LENGTH) and end - at >= 444 and len(known.suspects) < SUSPECTS:
                known.suspects.append((at, end))
        return known

    def add(self, at: int, kind: int, scid: int, node: int = 0) -> None:
        if kind == TOMBSTONE:
            if len(self.closed) < CHANNELS:
                self.closed.add(scid)
            return
        if len(self.sound) < 4 * SAMPLED:
            self.sound.append(at)
        if kind == ANNOUNCEMENT and (len(self.channels) < CHANNELS or scid in self.channels):
            self.channels[scid] = at
        elif kind == NODE and (len(self.nodes) < CHANNELS or node in self.nodes):
            self.nodes[node] = at
        elif kind == UPDATE and (len(self.updates) < CHANNELS or scid in self.updates):
            self.updates.setdefault(scid, []).append(at)
            del self.updates[scid][:-4]

    def body(self, at: int) -> bytes:
        """The body of a sound record."""
        head = self.store.source.read(at, 12)
        return self.store.source.read(at + 12, SEALED_HEADER.unpack(head)[1]) if len(head) == 12 else b""

    def node(self, scid: int, direction: int) -> bytes | None:
        """The node id that signs a channel's updates of this direction."""
        at = self.channels.get(scid)
        if at is None:
            return None
        return node_of(self.learnt[scid] if at < 0 else self.body(at), scid, direction)

    def learn(self, body: bytes) -> None:
        """A corrected announcement tells like a sound one."""
        at = 292 + (body[258] << 8 | body[259])
        scid = int.from_bytes(body[at : at + 8], "big")
        if scid not in self.channels:
            self.learnt[scid] = body
            self.channels[scid] = LEARNT

    def last_of(self, node: bytes) -> bytes:
        """The last sound announcement of a node; b"" where there is none."""
        at = self.nodes.get(node[0] ^ int.from_bytes(node[1:9], "big")) if len(node) == 33 else None
        return self.body(at) if at is not None else b""

    def channel_at(self, at: int) -> int:
        """The channel that the announcement at `at` names, 0 where it is too short to name one."""
        body = self.body(at)
        start = 292 + (body[258] << 8 | body[259]) if len(body) >= 432 else len(body)
        return int.from_bytes(body[start : start + 8], "big")

    def lives(self, scid: int) -> bool | None:
        """Whether the channel's updates say that it is open; None where it has none."""
        flags = [self.store.source.read(at, 1)[0] for at in self.updates.get(scid, ())]
        if scid in self.closed or (flags and all(first & 0x80 for first in flags)):
            return False
        return True if flags else None

    def chain(self) -> bytes | None:
        """The chain hash that the first sound messages have in common; None where there is none."""
        if not self.chains:
            self.chains.update(filter(None, (chain_of(self.body(at)) for at in self.sound)))
        (value, count), *others = self.chains.most_common(2) or [(b"", 0)]
        return value if count >= 2 and not others else None

    def node_ids(self) -> list[bytes]:
        """Node ids that sound announcements name."""
        if self._ids is None:
            found: dict[bytes, None] = {}
            for scid, at in self.channels.items():
                body = self.learnt[scid] if at < 0 else self.body(at)
                found |= dict.fromkeys(filter(None, (node_of(body, scid, 0), node_of(body, scid, 1))))
                if len(found) >= NODES:
                    break
            self._ids = list(found)
        return self._ids

    def signs(self) -> bool:
        """Whether signatures of this store's sound messages hold at all; stores made by tests have none."""
        if self._signs is None:
            self._signs = self._any_holds()
        return self._signs

    def _any_holds(self) -> bool:
        checked = 0
        for at in self.sound:
            verdict = judge(self.body(at), self.node)
            if "held" in verdict.which:
                return True
            checked += "failed" in verdict.which
            if checked >= SAMPLED:
                return False
        return False


def node_of(body: bytes, scid: int, direction: int) -> bytes | None:
    """The node id at one end of an announced channel, if this is the announcement of that channel."""
    if len(body) < 432:
        return None
    at = 292 + (body[258] << 8 | body[259])
    if int.from_bytes(body[at : at + 8], "big") != scid:
        return None
    key = body[at + 8 + 33 * direction : at + 41 + 33 * direction]
    return key if len(key) == 33 else None


def chain_of(body: bytes) -> bytes | None:
    if len(body) >= 432 and body[:2] == b"\x01\x00":
        at = 260 + (body[258] << 8 | body[259])
        return body[at : at + 32]
    return body[66:98] if len(body) >= 130 and body[:2] == b"\x01\x02" else None


def _records(store: Store) -> Iterator[tuple[int, int, int, int, int, int]]:
    """(start, end, type, mark, scid, folded node id) of signed messages, tombstones and damaged records."""
    for stretch in walk(store):
        batch = stretch.columns.get("batch")
        if batch is None:
            continue
        last = len(stretch) - 1
        for i, (kind, mark) in enumerate(zip(batch.kinds, batch.marks, strict=True)):
            if mark or kind in SIGNED or kind == TOMBSTONE:
                end = batch.starts[i + 1] if i < last else batch.end
                yield batch.starts[i], end, kind, mark, batch.owners[i], batch.nodes_a[i]
