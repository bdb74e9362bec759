"""What the sound records of a store tell about a damaged one: who signs a channel's updates, which channels exist.

Made in one walk over the store, only once a damaged record asks for it.
"""

from __future__ import annotations

import re
from collections import Counter

from msgspec import Struct, field

from inspector import kernels
from inspector.crc32c import crc32c
from inspector.format import Stretch
from inspector.formats.gossip_store.exchanged import MOST_AREAS
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.signed import ANNOUNCEMENT, judge, kind_of
from inspector.formats.gossip_store.walk import BAD_CHECKSUM, BAD_LENGTH, Store, walk

CHANNELS = 1 << 17  # remembered; the public network has 50,000 (February 2026)
NODES = 1 << 15  # node ids that a zeroed one is looked for among; the public network has 17,000
SAMPLED = 8  # sound signed messages that tell whether this store's signatures are real at all
TOMBSTONE = 4103
PRIVATE = 4104  # an announcement that nobody signed, behind 12 bytes
SHORTEST_ANNOUNCED = 12 + 432  # header and body of a channel_announcement without features
MOST_FEATURES = 256  # bytes, of an announcement that is looked for backwards; real ones have at most 21
TIMED = 1000  # announcements whose times are looked at
_ANNOUNCES = ANNOUNCEMENT.to_bytes(2, "big")
_DAMAGE = re.compile(rb"[^\x00]+")  # all marks but those of sound tiles
SUSPECTS = 256  # damaged announcements that may be asked for a key once they are corrected


class Known(Struct):
    """Where sound announcements and updates stand, and what all messages of this store have in common."""

    store: Store
    index: kernels.GossipKnown = field(default_factory=lambda: kernels.GossipKnown(CHANNELS, 4 * SAMPLED))
    suspects: list[tuple[int, int]] = field(default_factory=list)  # damaged records that may be announcements
    areas: list[tuple[int, int]] = field(default_factory=list)  # where no record verifies, some more than are searched
    chains: Counter[bytes] = field(default_factory=Counter)
    learnt: dict[int, bytes] = field(default_factory=dict)  # scid -> corrected announcement
    _ids: list[bytes] | None = None
    _bare: dict[int, bytes] | None = None
    _signs: bool | None = None
    _times: tuple[int, int] | None = None

    @classmethod
    def of(cls, store: Store) -> Known:
        known = cls(store)
        for stretch in walk(store, judged=False):
            batch = stretch.columns.get("batch")
            if batch is None:
                continue
            known.damage(stretch)
            for i in known.index.feed(batch):
                end = batch.starts[i + 1] if i + 1 < len(batch) else batch.end
                announces = end - batch.starts[i] >= SHORTEST_ANNOUNCED
                if batch.marks[i] in (BAD_CHECKSUM, BAD_LENGTH) and announces and len(known.suspects) < SUSPECTS:
                    known.suspects.append((batch.starts[i], end))
        return known

    def damage(self, stretch: Stretch) -> None:
        """Adds where no record of a stretch verifies; tiles that touch are one area."""
        marks, areas = stretch.marks.tobytes(), self.areas
        for match in _DAMAGE.finditer(marks) if len(areas) <= MOST_AREAS else ():
            start, end = stretch.starts[match.start()], stretch.span(match.end() - 1).end
            if areas and areas[-1][1] == start:
                areas[-1] = areas[-1][0], end
            else:
                areas.append((start, end))

    def announced(self, scid: int) -> bool:
        """Whether a sound or corrected announcement of the channel is known."""
        return scid in self.learnt or self.index.announcement(scid) >= 0

    def channels(self) -> list[int]:
        """All channels with an announcement."""
        return [*self.index.announced(), *self.learnt]

    def unannounced(self) -> list[bytes]:
        """All channels that have updates and no announcement, as they are written."""
        if self._bare is None:
            self._bare = {scid: scid.to_bytes(8, "big") for scid in self.index.unannounced()}
        return [raw for scid, raw in self._bare.items() if scid not in self.learnt]

    def body(self, at: int) -> bytes:
        """The body of a sound record."""
        head = self.store.source.read(at, 12)
        return self.store.source.read(at + 12, SEALED_HEADER.unpack(head)[1]) if len(head) == 12 else b""

    def node(self, scid: int, direction: int) -> bytes | None:
        """The node id that signs a channel's updates of this direction."""
        return node_of(self._announcement(scid), scid, direction)

    def _announcement(self, scid: int) -> bytes:
        at = self.index.announcement(scid)
        return self.body(at) if at >= 0 else self.learnt.get(scid, b"")

    def learn(self, body: bytes) -> None:
        """A corrected announcement tells like a sound one."""
        at = 292 + (body[258] << 8 | body[259])
        scid = int.from_bytes(body[at : at + 8], "big")
        if not self.announced(scid):
            self.learnt[scid] = body

    def last_of(self, node: bytes) -> bytes:
        """The last sound announcement of a node; b"" where there is none."""
        at = self.index.node(node[0] ^ int.from_bytes(node[1:9], "big")) if len(node) == 33 else -1
        return self.body(at) if at >= 0 else b""

    def channel_at(self, at: int) -> int:
        """The channel that the announcement at `at` names, 0 where it is too short to name one."""
        return scid_of(self.body(at))

    def channel_before(self, at: int) -> int:
        """The channel that a sound announcement which ends at `at` names; 0 where there is none."""
        start = max(0, at - SHORTEST_ANNOUNCED - MOST_FEATURES)
        room = self.store.source.read(start, at - start)
        last = len(room) - SHORTEST_ANNOUNCED
        at = room.rfind(_ANNOUNCES, 12, max(0, last) + 14)
        while at >= 0:
            _, length, stored, time = SEALED_HEADER.unpack_from(room, at - 12)
            body = room[at:]
            if length == len(body) and crc32c(body, time) == stored:
                return scid_of(body)
            at = room.rfind(_ANNOUNCES, 12, at + 1)
        return 0

    def lives(self, scid: int) -> bool | None:
        """Whether the channel's updates say that it is open; None where it has none."""
        flags = [self.store.source.read(at, 1)[0] for at in self.index.updates(scid)]
        if self.index.closed(scid) or (flags and all(first & 0x80 for first in flags)):
            return False
        return True if flags else None

    def chain(self) -> bytes | None:
        """The chain hash that the first sound messages have in common; None where there is none."""
        if not self.chains:
            self.chains.update(filter(None, (chain_of(self.body(at)) for at in self.index.first)))
        (value, count), *others = self.chains.most_common(2) or [(b"", 0)]
        return value if count >= 2 and not others else None

    def times(self) -> tuple[int, int]:
        """The earliest and the latest time in the headers of sound announcements, of a thousand of them at most."""
        if self._times is None:
            scids = self.index.announced()
            some = [self.index.announcement(scid) for scid in scids[:: 1 + len(scids) // TIMED]]
            found = [SEALED_HEADER.unpack(self.store.source.read(at, 12))[3] for at in some]
            self._times = (min(found), max(found)) if found else (1, 0)
        return self._times

    def node_ids(self) -> list[bytes]:
        """Node ids that sound announcements name."""
        if self._ids is None:
            found: dict[bytes, None] = {}
            for scid in self.channels():
                body = self._announcement(scid)
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
        for at in self.index.first:
            verdict = judge(self.body(at), self.node)
            if "held" in verdict.which:
                return True
            checked += "failed" in verdict.which
            if checked >= SAMPLED:
                return False
        return False


def node_of(body: bytes, scid: int, direction: int) -> bytes | None:
    """The node id at one end of an announced channel, if this is the announcement of that channel."""
    if kind_of(body) == PRIVATE:
        body = body[12:]
    if len(body) < 432:
        return None
    at = 292 + (body[258] << 8 | body[259])
    if int.from_bytes(body[at : at + 8], "big") != scid:
        return None
    key = body[at + 8 + 33 * direction : at + 41 + 33 * direction]
    return key if len(key) == 33 else None


def scid_of(announcement: bytes) -> int:
    """The channel that an announcement names, 0 where it is too short to name one."""
    at = 292 + (announcement[258] << 8 | announcement[259]) if len(announcement) >= 432 else len(announcement)
    return int.from_bytes(announcement[at : at + 8], "big")


def chain_of(body: bytes) -> bytes | None:
    if len(body) >= 432 and body[:2] == b"\x01\x00":
        at = 260 + (body[258] << 8 | body[259])
        return body[at : at + 32]
    return body[66:98] if len(body) >= 130 and body[:2] == b"\x01\x02" else None
