"""Which changes no error or warning tells, and why none can: no checksum covers the bytes, or nobody reads them.

A change that nobody tells and that is not in this list is a fault of `tests.proof`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

from inspector.format import OPAQUE
from inspector.formats.rocksdb import footer
from inspector.formats.rocksdb.coding import MalformedError
from tests.proof_truth import Case, Tile, Truth, Verdict

Limit = Callable[[Truth, Case, Tile], bool]

SILENT, NOTE, ANY = "silent", "note", "*"
PAGE = 4096


def why_silent(truth: Truth, case: Case, verdict: Verdict) -> str:
    """The reason, or nothing where there is none."""
    tile = truth.tile_of(case.member, case.at)
    if tile is None:
        return "the document is another one, or says nothing about this store now" if case.member else ""
    if not tile.sound or any(tile.span.overlaps(span) for span in truth.hurt):
        return "the sample is damaged here already"
    if tile.role == OPAQUE:
        return "content without a checksum"
    if not case.change and case.at == tile.span.start:
        return "it ends behind a whole unit, or is empty"
    form = truth.store.form.on or truth.store.form.name
    for outcomes, kind, cut, limit, why in LIMITS.get(form, ()):
        if (
            verdict.outcome in outcomes
            and kind in (ANY, tile.kind)
            and cut == (not case.change)
            and limit(truth, case, tile)
        ):
            return why
    return ""


def _always(_: Truth, __: Case, ___: Tile) -> bool:
    return True


def _deleted(truth: Truth, case: Case, tile: Tile) -> bool:
    """Whether the record is deleted, before the change or by it."""
    data = truth.members[case.member]
    first = data[tile.span.start] ^ (case.change if case.at == tile.span.start else 0)
    return bool((data[tile.span.start] | first) & 0x80)


def _flags(_: Truth, case: Case, tile: Tile) -> bool:
    return case.at - tile.span.start < 2


def _padding(truth: Truth, case: Case, tile: Tile) -> bool:
    """Whether nobody reads the byte: behind the handles, or a handle or version that says the same in other words."""
    data = truth.members[case.member]
    whole = data[tile.span.start : tile.span.end]
    changed = case.made(data)[tile.span.start : tile.span.end]
    try:
        one, two = footer.decode(whole, len(data)), footer.decode(changed, len(data))
    except MalformedError:
        return False
    return one.version < 6 and (one.metaindex, one.index, one.checksum) == (two.metaindex, two.index, two.checksum)


def _behind_mask(truth: Truth, case: Case, _: Tile) -> bool:
    page = case.at - case.at % PAGE
    length = int.from_bytes(truth.members[case.member][page + 1 : page + 5], "little")
    at = case.at - page - 5
    return at * 8 >= length or (at == length // 8 and not case.change & ((1 << length % 8) - 1))


def _zeroes(truth: Truth, case: Case, tile: Tile) -> bool:
    """Whether what is left of a record are zeroes, as they may stand behind the last one."""
    return not any(truth.members[case.member][tile.span.start : case.at])


def _gzip_head(_: Truth, case: Case, tile: Tile) -> bool:
    """Flags, time, level and system of a gzip member; what is cut before its method is no gzip."""
    return 3 <= case.at - tile.span.start < 10 if case.change else case.at < 3


def _same_text(truth: Truth, case: Case, _: Tile) -> bool:
    data = truth.members[case.member]
    return gzip.decompress(case.made(data)) == gzip.decompress(data)


_BLOCK = "a block's own hash needs the chain's hash functions and parameters, which are not here"
_LINE = "text has no checksum: other words are other words"

# format: (outcomes, kind of the tile, a cut, what must hold, why)
LIMITS: dict[str, tuple[tuple[tuple[str, ...], str, bool, Limit, str], ...]] = {
    "gossip-store": (
        ((SILENT, NOTE), ANY, False, _deleted, "the record is deleted: nobody reads it"),
        ((SILENT, NOTE), ANY, False, _flags, "flags have no checksum; each combination means something"),
        ((SILENT, NOTE), "", False, _always, "the version byte says another version whose records read alike"),
    ),
    "rocksdb": (
        ((NOTE,), "wal_record", True, _always, "a log ends inside a record when the program is killed: a note"),
        ((SILENT,), "wal_record", True, _zeroes, "zeroes may stand behind the end of a log"),
        ((SILENT,), "table_footer", False, _padding, "behind the handles of a footer of versions 1 to 5 nobody reads"),
        ((SILENT,), "blob_header", False, _always, "nothing in the file protects a blob file's header"),
        ((SILENT, NOTE), "current", False, _always, "a name without a checksum, whose file is here"),
    ),
    "snarkos-blocks": (
        ((SILENT,), "block", False, _always, _BLOCK),
        ((SILENT,), "latest", False, _always, "a height or a hash without a checksum"),
    ),
    "known-peers": (((SILENT, NOTE), "slack", False, _always, "behind a list nobody reads: what an older one left"),),
    "spdk-blobstore": (
        ((SILENT, NOTE), "mask", False, _behind_mask, "behind the bits that a mask counts nobody reads"),
        ((SILENT, NOTE), "unused metadata", False, _always, "a page that no mask counts"),
        ((SILENT, NOTE), "free cluster", False, _always, "nobody reads a free cluster"),
        ((SILENT, NOTE), "tail", False, _always, "nobody reads behind the last cluster"),
    ),
    "kad-trace": (
        ((SILENT, NOTE), "line", False, _always, _LINE),
        ((SILENT, NOTE), "line", True, _always, "a log ends where it was cut, and may"),
        ((SILENT,), "gzip member", False, _gzip_head, "the checksum of a gzip member does not cover its head"),
        ((SILENT,), "gzip member", False, _same_text, "it unpacks to the same text: padding of a block"),
        ((SILENT,), "gzip member", True, _gzip_head, "two bytes are no gzip member yet"),
    ),
}
