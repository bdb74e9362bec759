"""Where the bytes of one cache element lie.

Source: subspace-farmer/src/disk_piece_cache.rs (`DiskPieceCache::element_size`, `write_piece`).
"""

from __future__ import annotations

import construct as c

from inspector.layout import Layout

RECORD, COMMITMENT, WITNESS = 1 << 20, 48, 48
ELEMENT = 8 + RECORD + COMMITMENT + WITNESS + 32

INDEX = Layout(
    "piece-cache-index",
    "head of an element",
    c.Struct("piece_index" / c.Int64ul * "number of the piece in the archived history"),
)
PIECE = Layout(
    "piece-cache-element",
    "one cached piece; all zero when empty",
    c.Struct(
        "piece_index" / c.Int64ul * "number of the piece in the archived history",
        "record" / c.Bytes(RECORD) * "the record, 1 MiB",
        "commitment" / c.Bytes(COMMITMENT) * "KZG commitment of the record",
        "witness" / c.Bytes(WITNESS) * "KZG witness of the record in its segment",
        "digest" / c.Bytes(32) * "BLAKE3-256 of index and piece, no key and no context",
    ),
)
LAYOUTS = (PIECE, INDEX)
