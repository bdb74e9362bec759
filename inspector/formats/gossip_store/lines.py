"""All records of a store as lines of JSON: sound ones compiled, at hundreds of MB/s, the others one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from inspector import kernels
from inspector.format import GAP, UNIT, Entry, Query, Stretch
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.addresses import addresses, alias
from inspector.formats.gossip_store.records import entry, harmless
from inspector.formats.gossip_store.walk import OK, Store, walk

Encode = Callable[[Any], bytes]
LONGEST = 1 << 17  # bytes of a record that are looked at
_FLAGS = (versions.DELETED, versions.PUSH, 0x2000, versions.ZOMBIE, versions.DYING)


def lines(store: Store, query: Query, encode: Encode) -> Iterator[bytes | Entry] | None:
    """Blocks of whole lines, and entries whose lines the caller writes; None where a filter picks records."""
    if (
        kernels.GossipLines is None
        or store.source.sparing
        or query != Query()
        or versions.header_size(store.version) != 12
    ):
        return None
    return _lines(store, encode)


def _lines(store: Store, encode: Encode) -> Iterator[bytes | Entry]:
    names = [encode(versions.flag_names(bit, store.version)[0]) for bit in _FLAGS]
    writer = kernels.GossipLines(names, lambda raw: encode(alias(raw)), lambda raw: encode(list(addresses(raw))))
    for stretch in walk(store, judged=False):
        batch = stretch.columns.get("batch")
        at, full = 0, False
        while at < len(stretch):
            if batch is not None:
                base, data = stretch.columns["window"]
                block, at, full = writer.lines(data, base, batch, at)
                if block:
                    yield block
            if at < len(stretch) and not full:
                yield from _slowly(store, stretch, at)
                at += 1


def _slowly(store: Store, stretch: Stretch, i: int) -> Iterator[Entry]:
    start, role, mark = stretch.starts[i], stretch.roles[i], stretch.marks[i]
    end = stretch.starts[i + 1] if i + 1 < len(stretch) else stretch.end
    if role in (UNIT, GAP) or mark != OK:
        stop = min(end, start + LONGEST)
        base, data = stretch.columns.get("window", (0, b""))
        seen = base <= start and stop <= base + len(data)  # by the walk: there may be tens of thousands
        raw = bytes(data[start - base : stop - base]) if seen else store.source.read(start, stop - start)
        note = harmless(store, mark, raw[0] << 8) if role == UNIT else False
        yield entry(store, raw, start, end, role, mark, stretch.kinds[i], note)
