"""Whether a folder or a file is a RocksDB or LevelDB database, and opening it."""

from __future__ import annotations

from itertools import islice

from inspector.errors import UsageError
from inspector.format import Claim, State, Wishes
from inspector.formats.rocksdb import batch, blob, names, opening, table, version
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import FEW, Database, open_database, sniff
from inspector.formats.rocksdb.footer import SIZE, decode
from inspector.formats.rocksdb.log import BLOCK, LogReader, Sound
from inspector.formats.rocksdb.logical import WHOLE, Assembler
from inspector.source import Source

_LOOK = 1 << 18


def claim(source: Source, lower: State | None) -> Claim:
    """By what verifies, not by names: a MANIFEST's first edit, a table's metaindex, a WAL record, a blob header."""
    if source.member("") is not None:
        return _claim_file(source)
    kinds = {m.name: names.classify(m.name).kind for m in source.members if not m.secret}
    manifests = [name for name, kind in kinds.items() if kind == "manifest"]
    tables = [name for name, kind in kinds.items() if kind == "table"]
    wals = [name for name, kind in kinds.items() if kind == "wal"]
    for name in manifests[:4]:
        if _edits(source, name):
            return Claim(95, f"{name} holds version edits whose checksums match")
    for name in tables[:4]:
        if _is_table(source, name):
            return Claim(85, f"{name} is a table whose metaindex verifies")
    for name in wals[:4]:
        if _batches(source, name):
            return Claim(70, f"{name} holds write batches whose checksums match")
    others = {"options", "identity", "wal"} & set(kinds.values())
    if "CURRENT" in kinds and (manifests or tables or others):
        return Claim(40, "files are named as a database names them, though none verifies")
    if tables or manifests:
        return Claim(20, f"{(tables or manifests)[0]} is named as a database names its files")
    return Claim(0, "no file is named or made as in a database")


def _claim_file(source: Source) -> Claim:
    size = source.length("")
    name = names.classify_alone(source.name)
    if _is_table(source, ""):
        return Claim(95, "the table's footer leads to a metaindex that verifies")
    found = sniff(source.read, size)
    if found == "table":
        return Claim(60, "it ends with a table's magic number")
    if found == "blob" and (first := blob.record_at(source.read, blob.HEADER, size)) and first.state == blob.GOOD:
        return Claim(95, "a blob file whose first record verifies")
    if found == "manifest" and _edits(source, ""):
        return Claim(95, "version edits whose checksums match")
    if found == "wal" and _batches(source, ""):
        return Claim(95, "write batches whose checksums match")
    if name.kind in ("table", "wal", "manifest", "blob"):
        return Claim(20, f"it is named as a database names a {name.kind}")
    return Claim(0, "no table footer, no log record, no blob header")


def _edits(source: Source, name: str) -> bool:
    size = min(source.length(name), _LOOK)
    for reach in (min(size, BLOCK), size):  # the first edit is near the start, or nowhere near
        found = version.replay(lambda at, n, end=reach: source.read(at, min(n, end - at), name), reach)  # type: ignore[misc]
        if found.edits or reach == size:
            return found.edits > 0
    return False


def _batches(source: Source, name: str) -> bool:
    """Whether a write batch with an operation verifies; a log may begin with empty ones."""
    size = min(source.length(name), 16 << 20)  # `sniff` has found a whole batch there
    reader, assembler = LogReader(lambda at, n: source.read(at, min(n, size - at), name), size), Assembler()
    for pieces in reader.batches():
        if isinstance(pieces, Sound) and pieces.empty and assembler.idle:
            continue  # they hold nothing; there may be a hundred thousand of them
        if any(_acts(record.data) for record in assembler.feed(pieces) if record.fate == WHOLE):
            return True
    return False


def _acts(data: bytes) -> bool:
    """Whether a write batch has an operation, and the first ones make sense."""
    try:
        return sum(1 for _ in islice(batch.operations(data), FEW)) > 0
    except MalformedError:
        return False


def _is_table(source: Source, name: str) -> bool:
    size = source.length(name)
    try:
        footer = decode(source.read(max(0, size - SIZE), SIZE, name), size)
    except MalformedError:
        return False
    trial = table.Table(lambda at, n: source.read(at, n, name), size)
    return opening.proves(trial, footer)


def open_store(source: Source, lower: State | None, wishes: Wishes) -> Database:
    """The database with its MANIFEST replayed; tables are opened when they are walked."""
    if unknown := wishes.accept - {"unique"}:
        raise UsageError(f"--accept {', '.join(sorted(unknown))} means nothing here", "a database takes: unique")
    database = open_database(source, wishes.max_unit)
    database.wishes = wishes
    return database


def busy(source: Source) -> str | None:
    """Why writing is refused: somebody has the database open."""
    holder = source.locked_by("LOCK")
    return f"process {holder} has this database open" if holder is not None else None
