"""One block or record as it begins at an offset, for whoever asks whether other bytes would make it hold."""

from __future__ import annotations

from itertools import islice

from inspector.correct import SILENT, Correction, Testimony, Word, correct_crc32c, flips, told
from inspector.counted import counted
from inspector.crc32c import crc32c
from inspector.format import Misplaced, Reading, Traits, Unit
from inspector.formats.rocksdb import blob, checksums, footer, log, log_runs
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.correction import correct_block
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import BlobFacts
from inspector.span import Span

MOST_RECORDS = 4096  # behind a place that are asked in which blocks they were written
SPARE = 64  # bytes that are zero behind the last record of a log, if there are any
LONGEST = 1 << 16  # bytes of a unit in which flipped bits are looked for


def unit(db: Database, member: str, at: int, read: Reading) -> Unit | None:
    """A log record by its header; a table's block where the table says that one begins."""
    what = db.files.get(member)
    if what is None:
        return None
    if what.kind in ("wal", "manifest"):
        return _record(at, read)
    if what.kind == "table":
        pair = db.table(member).block_at(at)
        if pair is None or pair[1].offset != at:
            return None
        handle = pair[1]
        loaded = db.table(member).judge(handle, read(at, handle.end - at), compressed=False)
        return Unit(handle.end, loaded.ok)
    return None


def _record(at: int, read: Reading) -> Unit | None:
    head = read(at, log.HEADER)
    if len(head) < log.HEADER or head[6] not in log._TYPES:
        return None
    end = at + log.header_size(head[6]) + (head[4] | head[5] << 8)
    if end > at - at % log.BLOCK + log.BLOCK + log.BLOCK:
        return None
    body = read(at + 6, end - at - 6)
    whole = len(body) == end - at - 6
    return Unit(end, whole and checksums.mask(crc32c(body)) == int.from_bytes(head[:4], "little"))


def surplus(db: Database, member: str) -> int | None:
    """By how much a table's length differs from what the MANIFEST, or its own footer, says."""
    what = db.files.get(member)
    if what is None or what.kind != "table":
        return None
    size = db.size(member)
    if endless(db, member):
        return None
    if db.version is not None and not db.single:
        stated = next((f.size for _, f in db.version.live_tables() if f.number == what.number), None)
        if stated is not None:
            # zeroes over the footer and on behind it are room that was made: what lies there did not move there
            blank = size > stated and not db.source.read(size - footer.SIZE, footer.SIZE, member).strip(b"\0")
            return None if blank and _blank_end(db, member, stated) else size - stated
    return _by_footer(db, member, size)


def _blank_end(db: Database, member: str, stated: int) -> bool:
    """Whether zeroes stand where a table ended that its MANIFEST lists with `stated` bytes."""
    return not db.source.read(max(0, stated - 8), 8, member).strip(b"\0")


def _by_footer(db: Database, member: str, size: int) -> int | None:
    """How far a footer stands from where it was written: it follows the metaindex, or is sealed with its own place."""
    start = size - footer.SIZE
    data = db.source.read(start, footer.SIZE, member)
    try:
        found = footer.decode(data, size)
    except MalformedError:
        return None
    if found.version < 6:
        return found.start - max(found.metaindex.end, found.index.end if found.index else 0)
    if not found.base or len(data) < footer.SIZE:
        return None
    blank = data[:5] + bytes(4) + data[9:]
    added = int.from_bytes(data[5:9], "little") - checksums.block_checksum(found.checksum, blank) & 0xFFFFFFFF
    written = added ^ found.base  # of a file below 4 GiB
    return found.start - written if abs(found.start - written) < 1 << 24 else None


def endless(db: Database, member: str) -> str | None:
    """A table or blob file whose last bytes are no footer was cut, or never finished."""
    what = db.files.get(member)
    if what is not None and what.kind == "blob":
        return _endless_blobs(db, member, what.number)
    if what is None or what.kind != "table":
        return None
    size = db.size(member)
    tail = db.source.read(max(0, size - footer.SIZE), footer.SIZE, member)
    marks = (footer.MAGIC.to_bytes(8, "little"), footer.LEGACY_MAGIC.to_bytes(8, "little"))
    whole = tail[-8:] in marks or tail[:41].endswith(bytes(16)) or db.table(member).footer is not None
    return None if whole else "the file ends without a table's footer"


def _endless_blobs(db: Database, member: str, number: int) -> str | None:
    """A blob file without a footer that is shorter than the values that the MANIFEST counts in it."""
    facts, families = db.facts.get(member), db.version.families.values() if db.version else ()
    listed = next((family.blobs[number] for family in families if number in family.blobs), None)
    if listed is None or not isinstance(facts, BlobFacts) or facts.footer_count is not None:
        return None
    short = blob.HEADER + listed.size + blob.FOOTER - db.size(member)
    return f"the file has {counted(short, 'byte')} fewer than the MANIFEST counts in it" if short > 0 else None


def misplaced(db: Database, member: str, at: int, read: Reading) -> Misplaced | None:
    """A log record that holds and passes the end of a 32 KiB block was not written where it stands."""
    what = db.files.get(member)
    if what is None or what.kind not in ("wal", "manifest"):
        return None
    found = _record(at, read)
    if found is None or not found.sound or at // log.BLOCK == (found.end - 1) // log.BLOCK:
        return None
    because = "a record holds across the end of a 32 KiB block: everything here stands in another place"
    return Misplaced("shifted", because)


def flipped(db: Database, span: Span) -> tuple[int, str] | None:
    """One or two flipped bits that make a block or record hold."""
    what = db.files.get(span.member)
    if what is None or not 0 < span.length <= LONGEST:
        return None
    data = db.source.read(span.start, span.length, span.member)
    found: Correction | None = None
    wrong = 0
    if what.kind in ("wal", "manifest") and span.length > log.HEADER:
        word = Word(6, len(data), 0, stands_for=checksums.unmask, stored_as=checksums.mask)
        found = correct_crc32c(data, word, _anyone)
        wrong = (data[4] | data[5] << 8) ^ (len(data) - log.header_size(data[6]))  # the checksum leaves the length out
    elif what.kind == "table":
        table = db.table(span.member)
        pair = table.block_at(span.start)
        if pair is not None and pair[1].offset == span.start and pair[1].end == span.end:
            context = table.context
            modifier = context.modifier(span.start)
            found = correct_block(data, context.checksum, context.version, modifier, context.dictionary, lambda _: True)
    if found is None or not found.patch:
        return None
    if wrong.bit_count() > 2:
        return None
    return flips(
        found.patch
    ) + wrong.bit_count(), f"{'; '.join(told(data, found.patch, span.start, 2))}: so the checksum holds"


def grid(db: Database, member: str) -> tuple[int, int, str] | None:
    """The blocks that a log is cut into."""
    what = db.files.get(member)
    return (log.BLOCK, 0, "a block of the log") if what is not None and what.kind in ("wal", "manifest") else None


def phase(db: Database, member: str, at: int, read: Reading) -> int | None:
    """How far the blocks that the records from `at` on were written in stand behind the borders of 32 KiB blocks.

    A record that goes on in the next block fills its own to the end, and its rest begins there. A page of another place
    holds one such border at most, so two are asked for, or that the log ends behind the first.
    """
    if grid(db, member) is None:
        return None
    first, end = None, at
    for one in islice(log_runs.pieces(read, at), MOST_RECORDS):
        kind, end = log.FRAGMENT.get(one.type), one.end
        borders = [one.start] if kind in (log.MIDDLE, log.LAST) else []
        borders += [one.end] if kind in (log.FIRST, log.MIDDLE) else []
        for border in borders:
            if first is None:
                first = border
            elif border != first:
                return first % log.BLOCK if border % log.BLOCK == first % log.BLOCK else None
    return first % log.BLOCK if first is not None and not read(end, SPARE).strip(b"\0") else None


def _anyone(unit: bytes, patch: tuple[tuple[int, int], ...]) -> Testimony:
    return SILENT


# what members say of each other, and what was written as it stands
_APART = frozenset({"RDB012", "RDB013", "RDB016", "RDB017", "RDB018", "RDB019", "RDB025", "RDB031", "RDB033", "RDB035",
                    "RDB042", "RDB043"})  # fmt: skip
TRAITS = Traits(
    unit,
    surplus,
    apart=_APART,
    lone=frozenset({"RDB003", "RDB004", "RDB005", "RDB006", "RDB007", "RDB008", "RDB032"}),
    tailed=True,
    values=True,
    grid=grid,
    phase=phase,
    flipped=flipped,
    misplaced=misplaced,
    endless=endless,
    marks=frozenset({"the footer of a RocksDB table", "the footer of a LevelDB table", "a RocksDB table's properties"}),
)
