"""What can be wrong with a farmer's piece cache."""

from __future__ import annotations

from inspector.finding import Rule, Severity

_SOURCE = "subspace-farmer/src/disk_piece_cache.rs, read_piece_internal"
CHECKSUM = Rule(
    "PCH001",
    "piece-checksum-mismatch",
    Severity.ERROR,
    "a cached piece does not match its digest",
    "The BLAKE3 digest behind the element differs from that of its index and piece.",
    'It logs "Hash doesn\'t match, corrupted piece in cache" and does not use the piece.',
    "inspector repair empties the element; the farmer fetches the piece again.",
    _SOURCE,
)
CUT = Rule(
    "PCH002",
    "last-element-cut",
    Severity.ERROR,
    "the file ends inside an element",
    "A piece cache is a whole number of elements of 1,048,712 bytes.",
    "It computes the number of elements from its settings and cannot read the last one.",
    "inspector repair completes it with zeroes, which is an empty element. Where only zeroes are left nothing is lost.",
    _SOURCE,
)
TWICE = Rule(
    "PCH003",
    "piece-twice",
    Severity.NOTE,
    "two elements hold the same piece",
    "The farmer keeps one place per piece in memory.",
    "It uses the later one.",
    "Nothing needs to be done.",
    "subspace-farmer/src/disk_piece_cache.rs, contents",
)
MOVED = Rule(
    "PCH004",
    "pieces-moved",
    Severity.WARNING,
    "good pieces do not lie where the farmer looks",
    "Element i must lie at i * 1,048,712; bytes were put into the file or taken out of it before these.",
    'It logs "Hash doesn\'t match, corrupted piece in cache" for each and uses none of them.',
    "inspector repair puts them back at multiples of 1,048,712 bytes.",
    _SOURCE,
)
RULES = (CHECKSUM, CUT, TWICE, MOVED)
