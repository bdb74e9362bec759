"""What a merge must give, told from the undamaged stores by a reader that shares no code with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from inspector import formats
from inspector.format import Wishes
from inspector.formats.gossip_store.walk import open_store
from inspector.formats.gossip_store.walk import walk as walk_tiles
from inspector.merge import Merged, merge
from inspector.source import MemorySource, open_source
from tests.builders.gossip import Network, Store, grown, healthy
from tests.formats.gossip_store.witness import Record, channel, objection, walk

UUID = 4107
Told = tuple[int, int, bytes]  # type, time, body


@dataclass(frozen=True, slots=True)
class Score:
    """Records of the newest store that are alive in any copy, those of them that came back, and the opposite."""

    alive: int
    back: int
    resurrected: int  # of a channel or node that is closed in the newest store
    stale: int  # older updates of a living channel or node, whose newest one is lost in all copies
    flagged: int  # alive, but a damaged flag of some copy says that it is deleted
    inside: int  # whole, but inside what a damaged record claims: never taken without --accept anchored
    headless: int  # its flags and length are destroyed in every copy: nothing tells whether it was deleted
    split: int  # announcements and amounts that are alive, but side by side in no copy
    objection: str
    merged: Merged
    missing: tuple[Record, ...] = ()


def hurt(data: bytes, count: int, rng: Random, records: list[Record]) -> bytes:
    """`count` damages, each inside one of these records or over a page that begins in it."""
    out = bytearray(data)
    for record in rng.sample(records, min(count, len(records))):
        kind = rng.randrange(6)
        at, end = record.at, record.end
        if kind == 0:
            out[rng.randrange(at, end)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            low = rng.randrange(at, end)
            out[low:end] = bytes(end - low)
        elif kind == 2:
            out[at:end] = bytes(b ^ rng.randrange(1, 256) for b in out[at:end])
        elif kind == 3:
            out[at + 2 + rng.randrange(2)] ^= 1 << rng.randrange(8)
        elif kind == 4:
            low = rng.randrange(at + 12, end)
            out[low : low + 8] = rng.randbytes(min(8, len(out) - low))
        else:
            low = at // 512 * 512 or 1
            out[low : low + 512] = bytes(len(out[low : low + 512]))
    return bytes(out)


def alive_in_any(newest: list[Record], whole: bytes, copies: list[bytes]) -> list[Record]:
    """Live records of the newest store whose bodies stand whole in a copy of this file or anywhere in another."""
    found = []
    for record in newest:
        body = whole[record.at + 4 : record.end]  # without flags and length
        if any(body == copy[record.at + 4 : record.end] for copy in copies) or any(body in copy for copy in copies):
            found.append(record)
    kept = {record.at for record in found}
    before = {b.at: a.at for a, b in pairwise(newest)}
    after = {a.at: b.at for a, b in pairwise(newest)}
    # an amount is nothing without its announcement, and gossipd refuses an announcement without its amount
    other = {256: after, 4101: before}
    return [r for r in found if r.kind not in other or other[r.kind][r.at] in kept]


def merged(folder: Path, copies: list[bytes], wishes: Wishes | None = None) -> Merged:
    paths = []
    for k, data in enumerate(copies):
        path = folder / f"copy{k}.gossip_store"
        path.write_bytes(data)
        paths.append(str(path))
    sources = [open_source(path) for path in paths]
    try:
        return merge(
            sources,
            formats.all_formats(),
            str(folder / "merged"),
            wishes or Wishes(),
            force=True,
            map_to=str(folder / "map"),
        )
    finally:
        for source in sources:
            source.close()


def score(folder: Path, newest: bytes, copies: list[bytes]) -> Score:
    """Merge the copies and hold the result against the undamaged newest store."""
    everything = list(walk(newest))
    records = [r for r in everything if r.live and r.kind != UUID]
    alive = alive_in_any(records, newest, copies)
    done = merged(folder, copies)
    data = (folder / "merged").read_bytes()
    out = {told(r): r for r in walk(data) if r.kind != UUID}
    wanted = {told(r) for r in records}
    living = {owner(r) for r in records}
    wrong = [r for key, r in out.items() if key not in wanted]
    stale = sum(owner(r) in living for r in wrong)
    said_dead = {told(r) for copy in copies for r in walk(copy) if not r.live} & wanted
    missing = tuple(r for r in alive if told(r) not in out)
    flagged = sum(told(r) in said_dead for r in missing)
    missing = tuple(r for r in missing if told(r) not in said_dead)
    split = [r for r in missing if r.kind in (256, 4101) and not _together(r, everything, newest, copies)]
    missing = tuple(r for r in missing if r not in split)
    hidden = {told(r) for copy in copies for r in _inside(copy)} if missing else set()
    inside = [r for r in missing if told(r) in hidden]
    missing = tuple(r for r in missing if r not in inside)
    headless = [r for r in missing if not any(newest[r.at + 2 : r.end] in copy for copy in copies)]
    missing = tuple(r for r in missing if r not in headless)
    back = len(alive) - len(missing) - flagged - len(split) - len(inside) - len(headless)
    rest = (len(wrong) - stale, stale, flagged, len(inside), len(headless), len(split))
    return Score(len(alive), back, *rest, objection(data), done, missing)


def _inside(copy: bytes) -> Iterator[Record]:
    """Records that verify, but lie in what a damaged one claims."""
    store = open_store(MemorySource(copy), None, Wishes())
    claimed = []
    for part in walk_tiles(store):
        ends = [*part.starts[1:], part.end]
        claimed += [(a, b) for a, b, mark in zip(part.starts, ends, part.marks, strict=True) if mark in (1, 2, 4)]
    for record in walk(copy):
        if any(a <= record.at < b for a, b in claimed):
            yield record


def _together(record: Record, everything: list[Record], newest: bytes, copies: list[bytes]) -> bool:
    """Whether some copy has the announcement and its amount whole, one behind the other."""
    i = next(i for i, r in enumerate(everything) if r.at == record.at) - (record.kind == 4101)
    one, two = everything[i], everything[i + 1]
    first, second = newest[one.at + 4 : one.end], newest[two.at + 4 : two.end]
    for copy in copies:
        at = copy.find(first)
        behind = at + len(first) + 4
        if at >= 0 and copy[behind : behind + len(second)] == second:
            return True
    return False


def owner(record: Record) -> tuple[int, int | bytes]:
    """What a record is about: a node, a channel's announcement, or one direction of its updates."""
    if record.kind == 257:
        at = 72 + int.from_bytes(record.body[66:68], "big")
        return 257, record.body[at : at + 33]
    return record.kind, channel(record) << 1 | (record.body[111] & 1 if record.kind == 258 else 0)


def evolve(net: Network, steps: int, rng: Random) -> None:
    """Days in the life of a network: mostly updates, some nodes, channels that open and close."""
    for _ in range(steps):
        dice = rng.random()
        if dice < 0.06 and len(net.channels) > 4:
            net.close(rng.choice(net.channels))
        elif dice < 0.12:
            one, two = rng.sample(net.nodes, 2)
            made = net.open(one, two)
            net.update(made, 0)
            net.update(made, 1)
        elif dice < 0.2:
            node = rng.choice(net.nodes)
            if node.channels:
                net.announce(node)
        else:
            net.update(rng.choice(net.channels), rng.randrange(2))


def compacted(data: bytes, seed: int) -> bytes:
    """The same store as compactd leaves it: only what is live, another uuid, other offsets."""
    live = [data[r.at : r.end] for r in walk(data) if r.live and r.kind != UUID]
    fresh = Store(16, bare=True)
    fresh.append(UUID.to_bytes(2, "big") + Random(seed).randbytes(32))
    return fresh.bytes() + b"".join(live)


def told(record: Record) -> Told:
    return record.kind, record.time, record.body


def same_store(folder: Path, size: int, count: int, seed: int) -> Score:
    """Three copies of one store, each damaged in `count` records that the two others have whole."""
    base, rng = healthy(16, size, seed), Random(seed)
    records = list(walk(base))
    rng.shuffle(records)
    copies = [hurt(base, count, rng, records[k::3]) for k in range(3)]
    return score(folder, base, copies)


def moved_ages(seed: int) -> tuple[list[bytes], list[bytes]]:
    """Three ages of a small store, and copies of them in which bytes were put in, lost, changed or overwritten."""
    rng = Random(seed)
    net = grown(16, 40_000, seed)
    whole = [net.store.bytes()]
    for _ in range(2):
        evolve(net, 25, rng)
        whole.append(net.store.bytes())
    if rng.random() < 0.5:
        whole[rng.randrange(2)] = compacted(whole[1], seed)
    copies = []
    for data in whole:
        out = bytearray(data)
        for _ in range(rng.randrange(8)):
            at, kind = rng.randrange(1, len(out)), rng.randrange(6)
            if kind == 0:
                out[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                out[at : at + 512] = bytes(len(out[at : at + 512]))
            elif kind == 2:
                low = rng.randrange(len(out))
                page = out[low : low + rng.randrange(1, 4097)]
                out[at : at + len(page)] = page
            elif kind == 3:
                del out[at : at + rng.randrange(1, 400)]
            elif kind == 4:
                out[at:at] = rng.randbytes(rng.randrange(1, 300))
            else:
                other = rng.randrange(len(out)) // 4096 * 4096 or 1
                page = out[other : other + 4096]
                out[at : at + len(page)] = page
        copies.append(bytes(out))
    return whole, copies


def three_ages(folder: Path, size: int, count: int, seed: int, compact: bool = False) -> Score:
    """A backup, a later copy (perhaps compacted), and the newest in which channels were closed since; all damaged."""
    rng = Random(seed)
    net = grown(16, size, seed)
    copies = [net.store.bytes()]
    for _ in range(2):
        evolve(net, max(20, size // 2000), rng)
        copies.append(net.store.bytes())
    newest = copies[2]
    if compact:
        copies[1] = compacted(copies[1], seed)
    return score(folder, newest, [hurt(data, count, rng, list(walk(data))) for data in copies])
