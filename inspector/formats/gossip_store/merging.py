"""One store from several copies: every record that verifies in any of them, and nothing that a newer one says is dead.

In this order: rank the copies, fill each one's damage by position from the others (healing), undo what damage remains
by proof (mending), find each owner's record (merge_owners), write announcements, updates, nodes and tombstones.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct, field

from inspector import crc32c
from inspector.copies import Loss, Merge, Quilt, Take
from inspector.errors import RefusedError, SourceError, UsageError
from inspector.format import Wishes
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.alongside import cover
from inspector.formats.gossip_store.conversion import flag_rewrite, not_converted
from inspector.formats.gossip_store.healing import Healing, heal, quilted
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.mending import mend, seen_through
from inspector.formats.gossip_store.merge_facts import FLAGS, INSIDE, Facts, damaged
from inspector.formats.gossip_store.merge_order import of_one_version, ranked, version_for
from inspector.formats.gossip_store.merge_owners import (
    CODE,
    NAMED,
    SIDE,
    WANTED_UPDATE,
    Channel,
    Channels,
    place_of,
    where,
)
from inspector.formats.gossip_store.over_start import covering
from inspector.formats.gossip_store.placing import steps
from inspector.formats.gossip_store.walk import Store, walk
from inspector.formats.gossip_store.words import LEAVE_ALONE, NO_FUNDS
from inspector.kernels.spill import PARTITIONS, Spill
from inspector.overlay import Overlay
from inspector.runs import Runs
from inspector.span import Span

MOST = 200  # copies
REMEMBERED = 1 << 16  # losses that are told once for all copies
WIDE = 600  # bytes of a damage that may hide several records
WINDOW = 1 << 20
_WORD = 8
DYING_FROM = 12  # store version in which records of a dying channel are flagged


class Copy(Struct):
    """One copy as it is seen: `store` with other copies' bytes and corrections in place of its damage."""

    number: int
    store: Store
    healing: Healing
    quilt: Quilt | None = None
    overlay: Overlay | None = None
    over: frozenset[int] = frozenset()  # of copies over other announcements, and of the amounts behind them
    used: int = 0
    window: tuple[int, bytes] = (0, b"")

    @property
    def mended(self) -> frozenset[int]:
        return frozenset(piece.start for piece in self.overlay.pieces) if self.overlay else frozenset()

    def read(self, at: int, n: int) -> bytes:
        start, data = self.window
        if not start <= at or at + n > start + len(data):
            start, data = self.window = at, self.store.source.read(at, max(n, WINDOW))
        return data[at - start : at - start + n]


class Merger(Struct):
    copies: list[Copy]  # by rank, the newest first
    target: int
    wishes: Wishes
    made: Merge
    words: Runs = field(default_factory=lambda: Runs(_WORD))
    amounts: dict[int, int] = field(default_factory=dict)  # announcement's place -> its amount's, where apart
    named: Spill = field(default_factory=lambda: Spill(None))  # nodes of written channels and of dead ones
    whole: set[int] = field(default_factory=set)  # ranks of copies without damage that is left
    lost: set[tuple[int, int]] = field(default_factory=set)

    def count(self, what: str, by: int = 1) -> None:
        self.made.counts[what] = self.made.counts.get(what, 0) + by

    def takes(self) -> Iterator[Take]:
        yield Take(-1, data=bytes([self.target]), proof="derived", why="version byte", units=0)
        if versions.needs_uuid(self.target):
            yield Take(-1, data=self._uuid(), proof="derived", why="uuid record, made from the copies")
        self._channels()
        self._nodes()
        for word in self.words:
            yield from self._record(int.from_bytes(word, "big"))
        self.words.close()
        for name in ("superseded", "dead"):
            self.made.counts.setdefault(name, 0)

    def _uuid(self) -> bytes:
        digest = hashlib.sha256(b"store-inspector merge uuid\0")
        for copy in self.copies:
            digest.update(copy.store.size.to_bytes(8, "big") + copy.store.source.read(0, WINDOW))
        body = (4107).to_bytes(2, "big") + digest.digest()
        head: bytes = SEALED_HEADER.pack(versions.COMPLETED, len(body), crc32c.crc32c(body, 0), 0)
        return head + body

    # -- which records -------------------------------------------------------------------------

    def _channels(self) -> None:
        owners, anchored = Channels(whole=self.whole), "anchored" in self.wishes.accept
        for rank, copy in enumerate(self.copies):
            facts = Facts(owners, rank, copy.store.version, copy.quilt, self.wishes, copy.mended, copy.over)
            hurt, widest = False, 0
            for stretch in walk(copy.store):
                facts.stretch(stretch)
                for start, end, why in damaged(copy.store, stretch, owners, rank, anchored):
                    hurt, widest = True, max(widest, end - start)
                    if why:
                        self._lost(rank, start, end, why)
            if not hurt:
                self.whole.add(rank)
            if widest > WIDE:
                owners.holed.add(rank)
            self.count("not_loadable", facts.refused)
        for channel in owners.finish():
            self._channel(channel)
        self._counts(owners)

    def _counts(self, owners: Channels) -> None:
        self.count("superseded", owners.superseded)
        self.count("dead", owners.dead)
        if owners.unasked:
            self.made.losses_total += owners.unasked
            self.made.notes.append(f"{owners.unasked:,} damaged records were not looked for in the other copies")

    def _channel(self, channel: Channel) -> None:
        self.count("closed_channels", channel.resurrectable)
        for node in channel.nodes:
            if node and (channel.announcement or not channel.alive):
                by = 0 if channel.announcement else 1 + channel.dead_by
                self.named.add(node % PARTITIONS, array("Q", (node, NAMED << CODE | by, 0)))
        dying = bool(channel.dying)
        if channel.amount and len(self.amounts) >= REMEMBERED:
            self.made.losses_total += 1
        elif channel.announcement:
            self._put(0, channel.announcement, dying)
            if channel.amount:
                self.amounts[channel.announcement] = channel.amount  # rare: both halves come from damaged pairs
        for update in channel.updates:
            if update:
                self._put(1, update, dying)
        for place in (channel.dying, channel.tombstone):
            if place:
                self._put(3, place, False)
        if channel.without_amount:
            rank, at = where(channel.without_amount)
            end = at + 12 + int.from_bytes(self.copies[rank].store.source.read(at + 2, 2), "big")
            self._lost(rank, at, end, "an announcement whose amount is sound in no copy")
        for code, value, place in channel.wanted:
            if channel.alive and not _replaced(channel, code, value):
                self._missed(place, channel.announcement)

    def _nodes(self) -> None:
        owners = Channels(nodes=True, whole=self.whole)
        for part in self.named.take():
            for told in part:
                owners.feed(told)
        for rank, copy in enumerate(self.copies):
            facts = Facts(owners, rank, copy.store.version, copy.quilt, self.wishes, copy.mended, copy.over)
            for stretch in walk(copy.store):
                facts.nodes(stretch)
        for node in owners.finish():
            place = node.updates[0]
            lively, closed = node.nodes
            if place and closed and not lively and closed - 1 < self._rank_of(place):
                self.count("nodes_of_closed_channels")
            elif place:
                self._put(2, place, False)
            for _, value, at in node.wanted:
                if not place or node.times[0] < value & ((1 << SIDE) - 1):
                    self._missed(at, place)
        self._counts(owners)

    def _put(self, phase: int, place: int, dying: bool) -> None:
        rank, at = where(place)
        word = phase << 62 | rank << 54 | at << 1 | dying
        self.words.add(word.to_bytes(_WORD, "big"))

    def _rank_of(self, place: int) -> int:
        """The rank of the copy whose bytes really stand at a place."""
        rank, at = where(place)
        quilt = self.copies[rank].quilt
        source = quilt.taken_from(at) if quilt else None
        return rank if source is None else self.made.order.index(source)

    def _missed(self, damaged: int, written: int) -> None:
        """A damaged record is lost unless it is the one that is written in its place: most of its bytes tell."""
        rank, at = where(damaged)
        copy = self.copies[rank]
        end = min(copy.store.size, at + 12 + int.from_bytes(copy.store.source.read(at + 2, 2), "big"))
        if written:
            other, there = where(written)
            sound = self.copies[other].store.source.read(there, end - at)
            mine = copy.store.source.read(at, end - at)
            if sum(a == b for a, b in zip(mine, sound, strict=False)) * 4 >= 3 * (end - at):
                return
        head = copy.store.source.read(at, 12)
        body = copy.store.source.read(at + 12, end - at - 12)
        stored, time = (int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big"))
        why = "it does not verify, and no other copy has it"
        if crc32c.crc32c(body, time) == stored:
            why = FLAGS if versions.flags_say_nothing(head[0] << 8 | head[1], copy.store.version) else INSIDE
        self._lost(rank, at, end, why)

    def _lost(self, rank: int, start: int, end: int, why: str) -> None:
        copy = self.copies[rank]
        if copy.healing.covers(start, end) or (start, end) in self.lost:
            return
        if len(self.lost) < REMEMBERED:
            self.lost.add((start, end))  # two copies of one file that are damaged in the same place lose it once
        self.made.lose(Loss(copy.number, Span(start, end), why))

    # -- their bytes ---------------------------------------------------------------------------

    def _record(self, word: int) -> Iterator[Take]:
        phase, rank, at, dying = word >> 62, word >> 54 & 0xFF, (word & ((1 << 54) - 1)) >> 1, word & 1
        copy = self.copies[rank]
        first = self._take(copy, at, bool(dying))
        if phase or first is None or first[1] != 256:
            if first is not None:
                self.count(_PLURAL.get(first[1], "others"))
                yield first[0]
            return
        amount = self.amounts.get(place_of(rank, at))
        other, there = where(amount) if amount else (rank, first[2])
        second = self._take(self.copies[other], there, False)
        if second is None or second[1] != 4101:
            raise _moved(copy, at)
        self.count("channels")
        yield first[0]
        yield second[0]

    def _take(self, copy: Copy, at: int, dying: bool) -> tuple[Take, int, int] | None:
        """One record as it is written, its kind, and where it ends; None where the target version has no place."""
        head = copy.read(at, 14)
        length = head[2] << 8 | head[3]
        end = at + 12 + length
        data = copy.read(at, end - at)
        if len(data) < 14:
            raise _moved(copy, at)
        flags, kind = data[0] << 8 | data[1], data[12] << 8 | data[13]
        version = copy.store.version
        if version != self.target:
            why = not_converted(version, self.target, kind, flags, end - at)
            if why or (kind == 3503 and self.target >= 9):
                self.count("not_converted")
                return None
        now = 0 if versions.flags_say_nothing(flags, version) else flags & ~versions.DELETED
        keep, put = flag_rewrite(version, self.target) or (0xFFFF, 0)
        now = now & keep | put
        if versions.has_completed(self.target):
            now |= versions.COMPLETED
        if dying and self.target >= DYING_FROM and kind in (256, 258):
            now |= versions.DYING
        changed = now != flags
        copy.used += 1
        source = copy.quilt.taken_from(at) if copy.quilt else None
        fixed = copy.overlay.within(at, end) if copy.overlay else ()
        why, proof = ("; ".join(piece.why for piece in fixed), fixed[0].proof) if fixed else ("", "sealed")
        if changed:
            why = "; ".join(filter(None, (why, f"flags {flags:04x} became {now:04x}")))
            data = now.to_bytes(2, "big") + data[2:]
        if fixed:
            self.count("corrected")
        number = copy.number if source is None else source
        return Take(number, Span(at, end), data, proof, why), kind, end


_PLURAL = {
    256: "channels",
    257: "nodes",
    258: "updates",
    4102: "private_updates",
    3503: "private_channels",
    4104: "private_channels",
    4103: "tombstones",
    4106: "dying",
}


def _replaced(channel: Channel, code: int, value: int) -> bool:
    """Whether what is written of a channel is at least as new as the damaged record."""
    if code == WANTED_UPDATE:
        side, time = value >> SIDE, value & ((1 << SIDE) - 1)
        return bool(channel.updates[side]) and channel.times[side] >= time
    return bool(channel.announcement)


def merge(stores: Sequence[Store], wishes: Wishes, item: str | None) -> Merge:
    if item is not None:
        raise UsageError("a gossip store is merged as a whole", "leave --item out")
    if len(stores) > MOST:
        raise RefusedError(f"{len(stores)} copies; at most {MOST} are merged at once", "merge some of them first")
    unknown = wishes.accept - {"anchored", "unique"}
    if unknown:
        raise UsageError(
            f"--accept {', '.join(sorted(unknown))} means nothing here", "a gossip store takes: anchored, unique"
        )
    stores = of_one_version(stores)
    order, ages = ranked(stores)
    target = version_for(stores, wishes)
    made = Merge((), sum(store.size for store in stores) + 64, tuple(order), tuple(age.words for age in ages))
    copies = [_seen(number, [(n, stores[n]) for n in order], wishes, made) for number in order]
    cover([(copy.store, copy.healing) for copy in copies])
    if all(store.version != target for store in stores):
        made.notes.append(f"written as store version {target}")
    made.notes += [NO_FUNDS, LEAVE_ALONE]
    made.after = steps
    made.takes = Merger(copies, target, wishes, made).takes()
    return made


def _seen(number: int, copies: list[tuple[int, Store]], wishes: Wishes, made: Merge) -> Copy:
    """A copy through the others' bytes and its corrections."""
    by_number = dict(copies)
    store = by_number[number]
    facts = store.facts
    hurt = facts.get("hurt", True) or facts["lost"] or facts["lost_bytes"]
    others = [(n, other) for n, other in copies if n != number]
    healing = heal(store, others) if hurt else Healing()
    store = quilted(store, others, healing)
    quilt = store.source if isinstance(store.source, Quilt) else None
    mended = mend(store, wishes) if hurt else None
    overlay: Any = None
    if mended is not None and mended.pieces:
        store = seen_through(store, mended)
        overlay = store.source
    if mended is not None:
        made.notes += [f"{by_number[number].source.label}: {line}" for line in mended.notes()]
    copies_over = [pair for pair in covering(store, facts) if not quilt or quilt.taken_from(pair[0]) is None]
    over = frozenset(at for pair in copies_over for at in pair)
    return Copy(number, store, healing, quilt, overlay, over)


def _moved(copy: Copy, at: int) -> SourceError:
    label = copy.store.source.label
    why = "could be read a moment ago and reads otherwise now"
    return SourceError(f"{label}: the record at {at} {why}", "image the medium, and merge the images")
