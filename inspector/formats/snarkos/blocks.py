"""Blocks as a CDN file, `extract LEDGER blocks:A-B`: only those whose every byte stands in the maps.

A block without transactions is its rows one behind the other (ledger/block/src/bytes.rs). One with transactions is
not: what a node writes of a transaction has its own bytes, and these maps hold its parts. Their order and tags differ
between releases, and only the block hash, which is BHP over a Merkle root, would show that they were put together as
they once were. So such blocks are refused, and the refusal says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from inspector.errors import RefusedError
from inspector.format import Extent
from inspector.formats.rocksdb.items import extents as rows_of
from inspector.formats.snarkos import maps, values
from inspector.formats.snarkos.layout import HEADER_SIZE
from inspector.formats.snarkos.ledger import Ledger, entries, find_cut, walked
from inspector.formats.snarkos.names import asked_heights
from inspector.formats.snarkos.reading import Cursor, MalformedError, ids, whole

MOST: Final = 50  # blocks of one file of a CDN
LONGEST: Final = 256 << 20  # bytes of one file
_SIZED: Final = frozenset({6, 7, 9, 10})  # maps whose values begin with their length
_MAPS: Final = (6, 7, 9, 10, 12, 14, 15)


class Rows(Struct):
    """What the maps hold of the blocks that were asked for."""

    network: int | None = None
    hashes: dict[int, bytes] = field(default_factory=dict)  # by height
    values: dict[tuple[int, bytes], bytes] = field(default_factory=dict)  # by map and hash
    size: int = 0


def extents(ledger: Ledger, asked: str) -> Iterator[Extent]:
    """A CDN file of whole blocks; anything else that is asked for is the database's own business."""
    heights = asked_heights(asked)
    if heights is None:
        yield from rows_of(ledger.db, asked)
        return
    first, last = heights
    if last - first >= MOST:
        raise RefusedError(f"{asked}: more than {MOST} blocks", f"a file of a CDN holds {MOST}: blocks:0-{MOST - 1}")
    rows = _gather(ledger, first, last)
    bodies = [_block(rows, height) for height in range(first, last + 1)]
    data = len(bodies).to_bytes(8, "little") + b"".join(len(b).to_bytes(8, "little") + b for b in bodies)
    why = f"the rows of blocks {first} to {last} one behind the other; a node checks their hashes when it reads them"
    yield Extent(0, len(data), None, "derived", why, data)


def _gather(ledger: Ledger, first: int, last: int) -> Rows:
    """One pass: map 4 comes before the maps that are keyed by hash."""
    walked(ledger)
    ledger.cut = find_cut(ledger.db)
    rows = Rows()
    wanted: set[bytes] = set()
    for key, value, _ in entries(ledger):
        try:
            network, number, own = maps.split(key)
        except MalformedError:
            continue  # scan has a finding for it
        if number == 4 and len(own) == 4 and first - 1 <= int.from_bytes(own, "little") <= last:
            rows.network = network if rows.network is None else rows.network
            if network == rows.network:
                rows.hashes[int.from_bytes(own, "little")] = value
                wanted.add(value)
        elif number in _MAPS and network == rows.network and own in wanted:
            rows.size += len(value)
            if rows.size > LONGEST:
                raise RefusedError(f"blocks {first} to {last} have more than {LONGEST >> 20} MiB", "ask for fewer")
            rows.values[number, own] = value
    return rows


def _block(rows: Rows, height: int) -> bytes:
    """The bytes of one block; RefusedError where the ledger does not hold them all."""
    own, before = rows.hashes.get(height), rows.hashes.get(height - 1, b"") if height else bytes(32)
    if own is None or not before:
        lacking = height if own is None else height - 1
        raise RefusedError(f"block {lacking} has no row in block.id", "inspector items lists the whole blocks")
    parts = {number: rows.values.get((number, own)) for number in _MAPS}
    if missing := [maps.name_of(number) for number, value in parts.items() if value is None]:
        raise RefusedError(
            f"block {height} has no row in {', '.join(missing)}", "inspector items lists the whole blocks"
        )
    try:
        return _put_together(height, own, before, {number: value or b"" for number, value in parts.items()})
    except MalformedError as error:
        raise RefusedError(f"block {height}: {error.why}", "inspector items lists the whole blocks") from error


def _put_together(height: int, own: bytes, before: bytes, parts: dict[int, bytes]) -> bytes:
    listed = len(ids(parts[14], "transaction ids")) // 32
    if listed:
        raise RefusedError(
            f"block {height} has {listed} transactions, whose own bytes the maps do not hold",
            "missing: the bytes of executions, fees and deployments, whose order and tags depend on the release, and "
            "the block hash (BHP) that would prove them; blocks without transactions can be extracted",
        )
    inner = {number: Cursor(value).sized(maps.name_of(number)) for number, value in parts.items() if number in _SIZED}
    if len(inner[6]) != HEADER_SIZE:
        raise MalformedError(f"the header has {len(inner[6])} bytes")
    aborted = whole(parts[12], values.many(lambda c: c.sized("solution id"), 16, "solution ids"), "solution ids")
    gone = ids(parts[15], "transaction ids")
    return b"".join(
        (
            b"\1", own, before, inner[6], inner[7], inner[9], inner[10],
            len(aborted).to_bytes(4, "little"), *aborted,
            b"\1", bytes(4),
            (len(gone) // 32).to_bytes(4, "little"), gone,
        )
    )  # fmt: skip
