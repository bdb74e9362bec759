"""Whether a MANIFEST that verifies was written before the tables that are here, or for another database."""

from __future__ import annotations

from inspector.formats.rocksdb import batch
from inspector.formats.rocksdb.database import Database, newest_in
from inspector.formats.rocksdb.log import LogReader
from inspector.formats.rocksdb.logical import WHOLE, Assembler
from inspector.formats.rocksdb.table import Table


def any_of(database: Database) -> bool:
    """Whether unlisted tables show that the MANIFEST is cut off between two records, older than they are, or another's.

    They hold what neither its numbers nor any WAL reaches; or tables that it lists are not here, while these have
    numbers that it had yet to give, or are all that is here. Left-overs of interrupted work show none of this: their
    entries are in a WAL, or in the tables they were made from, which stay until an edit lists what replaced them.
    """
    version = database.version
    if version is None or not version.edits or version.damaged:
        return False
    fresh = {number: name for number, name in database.unlisted().items() if number not in version.removed}
    if not fresh:
        return False
    listed = {file.number for _, file in version.live_tables()}
    if listed - database.tables.keys():
        later = any(number >= version.next_file and _has_footer(database, name) for number, name in fresh.items())
        if later or not listed & database.tables.keys():
            return True
    logs = [found for _, name in database.live_wals() if (found := _numbers_in_wal(database, name))]
    known = max([version.last_sequence, *(last for _, last in logs)])
    begin = min((first for first, _ in logs), default=0)
    for number, name in fresh.items():
        table = database.table(name)
        newest = newest_in(table)
        if newest > known or version.last_sequence < newest < begin:
            return True
        if newest == 0 and not listed and number >= version.next_file and table.data_blocks and not _is_external(table):
            return True  # a compaction made it, which alone gives number 0, of tables that no edit lists
    return False


def _is_external(table: Table) -> bool:
    """Whether a table was made to be ingested."""
    return table.properties is not None and table.properties.external


def _has_footer(database: Database, name: str) -> bool:
    """Whether a table was written to its end; one that was being written when its process was killed was not."""
    return database.table(name).footer is not None


def _numbers_in_wal(database: Database, name: str) -> tuple[int, int] | None:
    """The first sequence number in a WAL and the highest one; None where no operation can be read."""
    first, last = 0, 0
    reader = LogReader(database.reader(name), database.size(name), database.files[name].number or None)
    for record in Assembler(max_record=database.max_unit).records(reader.pieces()):
        if record.fate == WHOLE and len(record.data) >= batch.HEADER:
            sequence, count = batch.header(record.data)
            first, last = first or sequence, max(last, sequence + max(count, 1) - 1)
    return (first, last) if last else None
