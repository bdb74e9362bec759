"""Where bytes lie in a CDN file: a count, then blocks, each behind its length; a block begins with fixed fields.

Sources: node/cdn/src/blocks.rs (names, framing), ledger/block/src/bytes.rs (block).
"""

from __future__ import annotations

from typing import Final

import construct as c
from msgspec import Struct

from inspector.formats.snarkos.layout import HEADER, HEADER_SIZE
from inspector.layout import Layout

FILE: Final = Layout("blocks_file", "head of a .blocks file", c.Struct("count" / c.Int64ul * "blocks in this file"))

HEAD: Final = Layout(
    "block_head",
    "a block in a .blocks file: its length, hashes and header",
    c.Struct(
        "length" / c.Int64ul * "bytes of the block behind this field",
        "block_version" / c.Int8ul * "block version, 1",
        "hash" / c.Bytes(32) * "block hash",
        "previous_hash" / c.Bytes(32) * "hash of the block before, zero for genesis",
        *HEADER.struct.subcons,
    ),
    show=HEADER.show,
)

LATEST: Final = Layout(
    "latest_json",
    "latest.json of a CDN: a bincode string",
    c.Struct("length" / c.Int64ul * "bytes of the JSON text behind this field"),
)

LAYOUTS: Final = (FILE, HEAD, LATEST)

COUNT_SIZE: Final = 8
LENGTH_SIZE: Final = 8
HEADER_AT: Final = 1 + 32 + 32  # in a block
HEAD_SIZE: Final = HEADER_AT + HEADER_SIZE
METADATA_AT: Final = HEADER_AT + 193  # version u8, network u16, round u64, height u32


class Head(Struct, frozen=True):
    """The fixed fields of a block that tie it to its neighbours."""

    hash: bytes
    previous: bytes
    network: int
    round: int
    height: int
    timestamp: int


KINDS: Final = {1: "count", 2: "block", 3: "unread", 4: "latest"}
COUNT, BLOCK, UNREAD, LATEST_KIND = KINDS
SOUND, TRUNCATED, MALFORMED, GONE = range(4)
DAMAGED: Final = frozenset({TRUNCATED, MALFORMED})
MARK_NAMES: Final = {SOUND: "ok", TRUNCATED: "truncated", MALFORMED: "malformed", GONE: "gap"}
