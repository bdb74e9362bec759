"""Which copies may be merged, which of them is the newest, and which store version is written."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from inspector.errors import RefusedError
from inspector.format import Wishes
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.conversion import TARGETS, target_version
from inspector.formats.gossip_store.known import chain_of
from inspector.formats.gossip_store.walk import OK, Store, walk

LATEST = 9  # of a copy's latest times the middle one counts: one message from the future decides nothing
ASKED = 64  # signed messages of a copy that are asked for their chain


class Age(Struct, frozen=True):
    """What tells how new a copy is, in the order in which it counts."""

    middle: int  # of the latest times of its sound records
    latest: int
    sound: int
    deleted: int
    mtime_ns: int
    chain: bytes | None

    @property
    def words(self) -> str:
        return (
            f"its {LATEST} latest messages are of {self.middle} to {self.latest}; {self.sound:,} sound records, "
            f"{self.deleted:,} of them deleted"
        )


def age_of(store: Store) -> Age:
    top: list[int] = []
    sound = deleted = asked = 0
    chain: bytes | None = None
    for stretch in walk(store):
        batch = stretch.columns.get("batch")
        if batch is None:
            continue
        marks = batch.marks.tobytes()
        whole = marks.count(OK) == len(marks)
        times = batch.times if whole else [t for t, mark in zip(batch.times, marks, strict=True) if mark == OK]
        top = heapq.nlargest(LATEST, [*top, *heapq.nlargest(LATEST, times)])
        sound += marks.count(OK)
        deleted += sum(flags >= versions.DELETED for flags in batch.flags)
        for i, kind in enumerate(batch.kinds if asked < ASKED and chain is None else ()):
            if kind in (256, 258) and marks[i] == OK and asked < ASKED and chain is None:
                end = batch.starts[i + 1] if i + 1 < len(batch) else batch.end
                chain = chain_of(store.source.read(batch.starts[i] + 12, end - batch.starts[i] - 12))
                asked += 1
    member = store.source.member()
    mtime = member.mtime_ns if member else 0
    return Age(top[len(top) // 2] if top else 0, top[0] if top else 0, sound, deleted, mtime, chain)


def ranked(stores: Sequence[Store]) -> tuple[list[int], list[Age]]:
    """Numbers of the copies, the newest first; raises RefusedError where they are not copies of one thing."""
    for store in stores:
        if store.version < versions.OLDEST_JUDGED:
            raise RefusedError(
                f"{store.source.label}: store version {store.version}: its checksums cannot be judged",
                "leave this copy out",
            )
    ages = [age_of(store) for store in stores]
    chains = {age.chain: store.source.label for age, store in zip(ages, stores, strict=True) if age.chain}
    if len(chains) > 1:
        (one, first), (two, second) = list(chains.items())[:2]
        raise RefusedError(
            f"{first} is of chain {one[::-1].hex()[:16]}…, {second} of {two[::-1].hex()[:16]}…",
            "only copies of one chain's gossip can be merged",
        )

    def newness(number: int) -> tuple[int, ...]:
        age = ages[number]
        return (age.middle, age.latest, age.sound, age.deleted, age.mtime_ns, -number)

    return sorted(range(len(stores)), key=newness, reverse=True), ages


def of_one_version(stores: Sequence[Store]) -> list[Store]:
    """The copies, each whose version byte does not tell its version read as the others, where its records fit that.

    Records tell the newest version they may be of.
    """
    told = {store.version for store in stores if not store.guessed}
    if len(told) != 1:
        return list(stores)
    (one,) = told
    completed = versions.has_completed(one)
    return [
        replace(store, version=one)
        if store.guessed and one <= store.version and versions.has_completed(store.version) == completed
        else store
        for store in stores
    ]


def version_for(stores: Sequence[Store], wishes: Wishes) -> int:
    """The store version to write: as asked, else the highest of the copies, which the program that wrote it reads."""
    target = target_version(max(stores, key=lambda store: store.version), wishes)
    if target not in TARGETS and any(store.version != target for store in stores):
        mixed = ", ".join(str(v) for v in sorted({store.version for store in stores}))
        raise RefusedError(f"copies of store versions {mixed}: {target} cannot be written from all", "--to-version 16")
    return target
