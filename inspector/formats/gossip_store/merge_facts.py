"""What the records of one copy say about owners, batch by batch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import compress

from msgspec import Struct, field

from inspector.copies import Quilt
from inspector.format import Stretch, Wishes
from inspector.formats.gossip_store import oddities as odd
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.evidence import is_uniform
from inspector.formats.gossip_store.merge_owners import (
    AMOUNT,
    AMOUNT_LIVE,
    ANNOUNCED,
    CLOSED,
    DYING,
    LIVE,
    NODE_A,
    NODE_B,
    PAIRED,
    PATCHED,
    PRIVATE,
    REPLACED,
    SIDE,
    UPDATED,
    WANTED,
    WANTED_UPDATE,
    Channels,
    place_of,
)
from inspector.formats.gossip_store.walk import ANCHORED, BAD_CHECKSUM, BAD_LENGTH, DISPLACED, OK, SECOND_STORE, Store
from inspector.kernels import Batch

_UPDATES = frozenset({258, 4102})
_PRIVATE = frozenset({3503, 4104})
_NAMING = frozenset({BAD_CHECKSUM, BAD_LENGTH, ANCHORED})  # marks of records that are not taken and still name an owner
FLAGS = "its flags are damaged, so that it may be dead or alive, and no other copy has it"
INSIDE = "found inside a damaged record: --accept anchored takes it"


class Facts(Struct):
    """Feeds one copy's sound records to the owners' tables."""

    owners: Channels
    rank: int
    version: int
    quilt: Quilt | None
    wishes: Wishes
    mended: frozenset[int] = frozenset()  # offsets of corrected records: no checksum covers their flags
    over: frozenset[int] = frozenset()  # of copies over other announcements, and of the amounts that are not their own
    doubted: list[int] = field(default_factory=list)  # tiles of this stretch that may be dead or alive
    refused: int = 0  # live records that no lightningd loads: of an unknown type, or too short

    def _sound(self, stretch: Stretch) -> bytes:
        """1 for each tile that may speak."""
        marks = stretch.marks.tobytes()
        anchored = "anchored" in self.wishes.accept
        table = bytes(mark == OK or (anchored and mark == ANCHORED) for mark in range(256))
        sound = bytearray(marks.translate(table))
        self.doubted = []
        bits = stretch.columns["odd"].tobytes()
        if bits.count(0) != len(bits):
            for i, bit in enumerate(bits):
                if bit & (odd.SHORT | odd.UNKNOWN_TYPE):
                    sound[i] = 0
                elif sound[i] and bit & odd.UNKNOWN_FLAGS and self._flagless(stretch, i):
                    sound[i] = 0
                    self.doubted.append(i)
        for start in self.over:
            if stretch.start <= start < stretch.end:
                sound[bisect_left(stretch.starts, start)] = 0
        if self.mended:
            for i, start in enumerate(stretch.starts):
                if start in self.mended and stretch.columns["batch"].flags[i] >= versions.DELETED:
                    sound[i] = 0
        return bytes(sound)

    def _flagless(self, stretch: Stretch, i: int) -> bool:
        """Whether it says DELETED in flags that are damaged: it speaks neither for nor against its owner's life."""
        flags = stretch.columns["batch"].flags[i]
        return bool(flags >= versions.DELETED and versions.flags_say_nothing(flags, self.version))

    def stretch(self, stretch: Stretch) -> None:
        """Channels and their updates."""
        batch = stretch.columns.get("batch")
        if batch is None:
            return
        sound, state, base = self._sound(stretch), self.owners.state, place_of(self.rank, 0)
        kinds, flags_of, owners, starts = batch.kinds, batch.flags, batch.owners, batch.starts
        # in one go, because they are most of a store; their order among the others does not matter
        died = [flags >= versions.DELETED and kind == 258 for flags, kind in zip(flags_of, kinds, strict=True)]
        picked = zip(compress(owners, died), compress(batch.aux, died), compress(batch.times, died), strict=True)
        rest = compress(sound, died)
        self.owners.replaced((fact for fact, good in zip(picked, rest, strict=True) if good and fact[0]), self.rank)
        for i in self.doubted:
            if owners[i] and kinds[i] in (256, 258):
                update = kinds[i] == 258
                value = (batch.aux[i] & 1) << SIDE | batch.times[i] if update else LIVE
                state(owners[i], WANTED_UPDATE if update else WANTED, value, base + starts[i])
        others = [i for i, dead in enumerate(died) if not dead]
        for i in others:
            good, kind, flags, owner, start = sound[i], kinds[i], flags_of[i], owners[i], starts[i]
            if not good:
                self.refused += stretch.marks[i] == OK and flags < versions.DELETED and start not in self.over
                continue
            dead = flags >= versions.DELETED
            if kind in _UPDATES:
                if owner:
                    value = (batch.aux[i] & 1) << SIDE | batch.times[i]
                    state(owner, REPLACED if dead else UPDATED, value, base + start)
            elif kind == 256:
                self._announcement(batch, sound, i, base)
            elif kind in _PRIVATE and owner:
                state(owner, ANNOUNCED, PRIVATE | (0 if dead else LIVE), base + start)
            elif kind == 4103 and owner:
                state(owner, CLOSED, 0 if dead else LIVE, base + start)
            elif kind == 4106 and owner and not dead:
                state(owner, DYING, 0, base + start)
            elif kind == 4101 and i and kinds[i - 1] == 256 and not sound[i - 1] and owners[i - 1] and not dead:
                # behind a damaged announcement that still names its channel
                state(owners[i - 1], AMOUNT, 0, base + start)

    def _announcement(self, batch: Batch, sound: bytes, i: int, base: int) -> None:
        kinds, flags, owners = batch.kinds, batch.flags, batch.owners
        owner, start = owners[i], batch.starts[i]
        if not owner:
            return
        said = 0 if flags[i] & versions.DELETED else LIVE
        if i + 1 < len(sound) and sound[i + 1] and kinds[i + 1] == 4101:
            said |= PAIRED | (0 if flags[i + 1] & versions.DELETED else AMOUNT_LIVE)
        if self.quilt is not None and self.quilt.taken_from(start) is not None:
            said |= PATCHED
        self.owners.state(owner, ANNOUNCED, said, base + start)
        if batch.nodes_a[i] or batch.nodes_b[i]:
            self.owners.state(owner, NODE_A, 0, batch.nodes_a[i])
            self.owners.state(owner, NODE_B, 0, batch.nodes_b[i])

    def nodes(self, stretch: Stretch) -> None:
        """Node announcements, and damaged ones that still name their node."""
        batch = stretch.columns.get("batch")
        if batch is None or 257 not in batch.kinds:
            return
        sound, base = self._sound(stretch), place_of(self.rank, 0)
        for i, kind in enumerate(batch.kinds):
            node = batch.nodes_a[i] if kind == 257 else 0
            if not node:
                continue
            dead = batch.flags[i] & versions.DELETED
            if sound[i]:
                self.owners.state(node, REPLACED if dead else UPDATED, batch.times[i], base + batch.starts[i])
            elif i in self.doubted or (not dead and stretch.marks[i] in _NAMING):
                self.owners.state(node, WANTED_UPDATE, batch.times[i], base + batch.starts[i])


def damaged(
    store: Store, stretch: Stretch, owners: Channels, rank: int, anchored: bool
) -> Iterator[tuple[int, int, str]]:
    """Damage: start, end, why it is lost; "" where it is dead, or is asked for when all owners are known."""
    marks = stretch.marks.tobytes()
    if marks.count(OK) == len(marks):
        return
    batch = stretch.columns.get("batch")
    for i, mark in enumerate(marks):
        if mark in (OK, SECOND_STORE) or (mark == ANCHORED and anchored):
            continue
        start, end = stretch.starts[i], stretch.starts[i + 1] if i + 1 < len(marks) else stretch.end
        if mark == DISPLACED:
            continue
        if mark in _NAMING and batch is not None:
            kind, owner = batch.kinds[i], batch.owners[i]
            if batch.flags[i] & versions.DELETED or kind == 257:
                yield start, end, ""
                continue
            if kind in _UPDATES and owner:
                value = (batch.aux[i] & 1) << SIDE | batch.times[i]
                owners.state(owner, WANTED_UPDATE, value, place_of(rank, start))
                yield start, end, ""
                continue
            if kind == 4101 and i and batch.owners[i - 1]:
                owner = batch.owners[i - 1]
            if kind in (256, 4101, 3503, 4104) and owner:
                owners.state(owner, WANTED, LIVE if kind == 256 else 0, place_of(rank, start))
                yield start, end, ""
                continue
            yield start, end, INSIDE if mark == ANCHORED else "a damaged record that names no channel or node"
        elif end == store.size and is_uniform(store.source, start, end):
            continue  # zeroes behind the last record
        else:
            yield start, end, "no record can be read here"
