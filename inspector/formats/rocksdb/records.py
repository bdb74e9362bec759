"""Entries one by one for `records`, and one structure with its bytes for `show`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from inspector.field import Field
from inspector.format import Entry, Exhibit, Query
from inspector.formats.rocksdb import batch, blob, blob_frame, block, codecs, holding, keys, kinds, layout, log, logical
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.check import show_key
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.posing import role_within
from inspector.formats.rocksdb.table import Loaded, Role, Table
from inspector.layout import Layout
from inspector.span import Span
from inspector.windowed import Windowed

NO_FILTERS: Final = Query()
SHOWN: Final = 4096
VALUE_LIMIT: Final = 4096


def records(db: Database, query: Query) -> Iterator[Entry]:
    """Entries of tables, operations of WALs, edits of MANIFESTs and blobs, in the order of the files."""
    every = query == replace(NO_FILTERS, member=query.member, text=query.text, value_limit=query.value_limit)
    for member in db.source.members:
        if query.member is not None and member.name != query.member:
            continue
        kind = db.files[member.name].kind if member.name in db.files else "foreign"
        if kind == "table":
            found = _table(db, member.name, query)
        elif kind == "wal":
            found = _wal(db, member.name, query)
        elif kind == "manifest":
            found = _manifest(db, member.name)
        elif kind == "blob":
            found = _blobs(db, member.name, query)
        else:
            continue
        for entry in found:
            if every or _wanted(entry, query):
                yield entry


def _wanted(entry: Entry, query: Query) -> bool:
    if entry.span.end <= query.start or (query.end is not None and entry.span.start >= query.end):
        return False
    if query.damaged and entry.state == "ok":
        return False
    if query.deleted is not None and (entry.kind in _DELETES) != query.deleted:
        return False
    return not query.kinds or entry.kind in query.kinds


_DELETES: Final = frozenset({"delete", "single-delete", "delete-with-timestamp", "range-delete"})


def text_of(data: bytes, query: Query) -> dict[str, Any]:
    """A value for JSON: hexadecimal, or text with --text; cut at --value-limit, its length always exact."""
    return {"value": key_of(data[: _limit(query)], query), "value_length": len(data)}


def _limit(query: Query) -> int:
    return VALUE_LIMIT if query.value_limit is None else query.value_limit


def key_of(key: bytes, query: Query) -> str:
    return key.decode("utf-8", "backslashreplace") if query.text else key.hex()


def _fields(key: bytes, sequence: int, value: bytes, query: Query) -> dict[str, Any]:
    return {"key": key_of(key, query), "sequence": sequence, **text_of(value, query)}


def _table(db: Database, member: str, query: Query) -> Iterator[Entry]:
    table = db.table(member)
    if table.declined:
        yield Entry(Span(0, table.size, member), "foreign", "not read", {"why": table.declined})
        return
    read = Windowed(table.read, table.sparing)
    for role, handle in table.blocks():
        if handle.end <= query.start or (query.end is not None and handle.offset >= query.end):
            continue
        if role not in ("data", "range-deletes"):
            continue
        span = Span(handle.offset, min(handle.end, table.size), member)
        if not db.source.holds(span.start, span.end, member):
            yield Entry(span, "data_block", "ok", {"withheld": holding.WITHHELD})
            continue
        loaded = _load(table, handle, read)
        if not loaded.ok:
            yield Entry(span, "data_block", kinds.MARK_NAMES[kinds.STATE_MARKS[loaded.state]], {"why": loaded.why})
            continue
        if role == "data" and (other := role_within(table, loaded.content, table.places)):
            yield Entry(
                span, "data_block", "malformed", {"why": f"it holds what a block of another kind does: {other}"}
            )
            continue
        yield from _block_entries(loaded, span, query)


def _load(table: Table, handle: Any, read: Windowed) -> Loaded:
    if handle.size > codecs.MAX_BLOCK:
        return table.load(handle)
    return table.judge(handle, read(handle.offset, handle.end - handle.offset))


def _block_entries(loaded: Loaded, span: Span, query: Query) -> Iterator[Entry]:
    """Entries of a block; their own spans where the block is not compressed, else the block's."""
    try:
        found = block.places(loaded.content)
    except MalformedError as error:
        yield Entry(span, "data_block", "malformed", {"why": str(error)})
        return
    for key, start, value_at, value_end, end in found:
        if len(key) < 8:
            yield Entry(span, "data_block", "malformed", {"why": "a key of less than 8 bytes"})
            return
        sequence, kind = keys.tag_of(key)
        exact = Span(span.start + start, span.start + end, span.member) if loaded.type == 0 else span
        value = loaded.content[value_at:value_end]
        fields = _fields(key[:-8], sequence, value, query)
        yield Entry(exact, keys.TYPE_NAMES.get(kind, f"type-{kind}"), "ok", fields)


def _wal(db: Database, member: str, query: Query) -> Iterator[Entry]:
    number = db.files[member].number or None
    begin, before = 0, 0
    while held := holding.held_log(db.source, member, begin):
        told = {"records": held.sums.records - before, "withheld": holding.WITHHELD}
        yield Entry(Span(begin, held.end, member), "wal_records", "ok", told)
        begin, before = held.end, held.sums.records
    for record in log_records(db, member, number, begin):
        span = Span(record.start, record.end, member)
        if odd := unread(record, span):
            yield odd
            continue
        try:
            for step in batch.alike(batch.operations(record.data)):
                yield of_step(step, span, query)
        except MalformedError as error:
            yield malformed(span, str(error))


def unread(record: logical.Record, span: Span) -> Entry | None:
    """The entry of a WAL's record that is no batch; None of any other."""
    if record.fate != logical.WHOLE:
        # an append that never finished: recovery goes on without it
        return Entry(span, "wal_record", logical.FATES[record.fate], {}, record.fate == logical.CUT)
    if len(record.data) < batch.HEADER:  # there may be a hundred thousand of them
        return malformed(span, batch.too_short(len(record.data)))
    return None


def malformed(span: Span, why: str) -> Entry:
    return Entry(span, "wal_record", "content malformed", {"why": why})


def of_step(step: batch.Op | tuple[batch.Mark, int], span: Span, query: Query) -> Entry:
    """An operation of the batch at `span`, or a mark with how many times it stands there."""
    if isinstance(step, batch.Op):
        limit = _limit(query)
        shown = step.value if len(step.value) <= limit else step.value[:limit]
        told: dict[str, Any] = {
            "family": step.family,
            "key": key_of(step.key, query),
            "sequence": step.sequence,
            "value": key_of(shown, query),
            "value_length": len(step.value),
        }
        return Entry(span, keys.TYPE_NAMES[step.type], "ok", told)
    mark, count = step
    fields: dict[str, Any] = {"tag": mark.tag, "id": mark.id[:64].hex()}
    return Entry(span, "mark", "ok", fields | {"count": count} if count > 1 else fields)


def log_records(db: Database, member: str, number: int | None, begin: int = 0) -> Iterator[logical.Record]:
    """Logical records of a log from `begin` on, lost ones and gaps among them."""
    lost: list[log.Piece] = []

    def seen() -> Iterator[log.Piece]:
        for piece in log.LogReader(db.reader(member), db.size(member), number, begin).pieces():
            if piece.state in (log.UNREAD, log.BAD, log.TORN):
                lost.append(piece)
            yield piece

    for record in logical.Assembler(max_record=db.max_unit).records(seen()):
        while lost and lost[0].start < record.start:
            yield _as_record(lost.pop(0))
        yield record
    for piece in lost:
        yield _as_record(piece)


def _as_record(piece: log.Piece) -> logical.Record:
    fate = logical.CUT if piece.state == log.TORN else logical.BROKEN
    return logical.Record(fate, b"", ((piece.start, piece.end),))


def _manifest(db: Database, member: str) -> Iterator[Entry]:
    for record in log_records(db, member, None):
        span = Span(record.start, record.end, member)
        if record.fate != logical.WHOLE:
            yield Entry(span, "manifest_record", logical.FATES[record.fate], {})
            continue
        if not record.data:  # an edit that says nothing; there may be a hundred thousand of them
            yield Entry(span, "version_edit", "ok", {"family": 0})
            continue
        try:
            yield Entry(span, "version_edit", "ok", _edit_fields(edits.decode(record.data)))
        except MalformedError as error:
            yield Entry(span, "manifest_record", "content malformed", {"why": str(error)})


MOST_TOLD = 1000  # tables or blob files of one edit that are listed; the rest is counted


def _edit_fields(edit: edits.Edit) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("comparator", "log_number", "next_file", "last_sequence", "prev_log", "min_log_to_keep", "db_id"):
        if (value := getattr(edit, name)) is not None:
            found[name] = value
    found["family"] = edit.family
    if edit.add_family is not None:
        found["add_family"] = edit.add_family
    if edit.drop_family:
        found["drop_family"] = True
    if edit.deleted:
        found["deleted"] = [{"level": level, "number": number} for level, number in edit.deleted[:MOST_TOLD]]
    if edit.added:
        found["added"] = [
            {
                "level": new.level,
                "number": new.number,
                "size": new.size,
                "smallest": show_key(new.smallest[:-8]),
                "largest": show_key(new.largest[:-8]),
                "sequences": [new.smallest_sequence, new.largest_sequence],
            }
            for new in edit.added[:MOST_TOLD]
        ]
    if edit.blobs:
        found["blobs"] = [{"number": b.number, "count": b.count, "size": b.size} for b in edit.blobs[:MOST_TOLD]]
    for name, all_of_it in (("deleted", edit.deleted), ("added", edit.added), ("blobs", edit.blobs)):
        if len(all_of_it) > MOST_TOLD:
            found[f"{name}_total"] = len(all_of_it)
    return found


def _blobs(db: Database, member: str, query: Query) -> Iterator[Entry]:
    read, size = Windowed(db.reader(member), db.source.sparing), db.size(member)
    compression = blob_frame.compression(db, member)
    end = size
    try:
        blob.footer(db.source.read(max(0, size - blob.FOOTER), blob.FOOTER, member))
        end = size - blob.FOOTER
    except MalformedError:
        end = size  # never closed, or damaged: records go on to the end of the file
    for record in _blob_records(db, member, read, min(blob.HEADER, size), end):
        span = Span(record.start, record.end, member)
        if record.state == blob.PADDING:
            continue
        if not db.source.holds(span.start, span.end, member):
            yield Entry(span, "blob", "ok", {"length": span.length, "withheld": holding.WITHHELD})
            continue
        if record.state != blob.GOOD:
            yield Entry(span, "blob", blob.STATES[record.state], {"length": span.length})
            continue
        key_at = record.start + blob.RECORD_HEADER
        fields: dict[str, Any] = {"value_length": record.value_size}
        if record.key_size <= codecs.MAX_BLOCK and record.value_size <= db.max_unit:
            fields["key"] = key_of(db.source.read(key_at, record.key_size, member), query)
            raw = db.source.read(record.end - record.value_size, record.value_size, member)
            try:
                fields |= text_of(db.unpacked(raw, compression, key_at, member), query)
            except MalformedError as error:
                fields["why"] = str(error)
        yield Entry(span, "blob", "ok", fields)


def _blob_records(db: Database, member: str, read: Windowed, start: int, end: int) -> Iterator[blob.BlobRecord]:
    at = start
    while at < end:
        if held := holding.held_blobs(db.source, member, at):
            stop, starts, stored = held
            for low, high, word in zip(starts, [*starts[1:], stop], stored, strict=True):
                yield blob.BlobRecord(low, high, blob.GOOD, stored=word, computed=word)
        else:
            stop = db.source.next_vouched(holding.BLOBS, at, member) or end
            yield from blob.records(read, at, stop, db.gaps(member))
        at = stop


def show(db: Database, member: str, at: int) -> Exhibit | None:
    """The block, record or footer that holds offset `at` of a member."""
    kind = db.files[member].kind if member in db.files else None
    if kind == "table":
        return _show_table(db, member, at)
    if kind in ("wal", "manifest"):
        return _show_log(db, member, at)
    if kind == "blob":
        return _show_blob(db, member, at)
    return None


def _exhibit(
    db: Database, title: str, span: Span, state: str, shape: Layout | None, base: int, notes: tuple[str, ...]
) -> Exhibit:
    if not db.source.holds(span.start, span.end, span.member):
        return Exhibit(title, span, state, "the structure that holds this offset", notes=(*notes, holding.WITHHELD))
    data = db.source.read(span.start, min(span.length, SHOWN), span.member)
    fields: tuple[Field, ...] = ()
    if shape is not None:
        body = db.source.read(base, min(span.end - base, SHOWN), span.member)
        fields = tuple(shape.fields(body, base))
    return Exhibit(title, span, state, "the structure that holds this offset", data, fields, notes)


def _show_table(db: Database, member: str, at: int) -> Exhibit | None:
    table = db.table(member)
    if table.footer and at >= table.footer.start:
        span = Span(table.footer.start, table.size, member)
        shape = layout.FOOTER if table.footer.version < 6 else layout.FOOTER_CONTEXT
        shape = layout.FOOTER_LEGACY if table.footer.legacy else shape
        state = next((t.why for t in table.troubles if t.role == "footer"), "ok")
        return _exhibit(db, "table footer", span, state, shape, span.start, ())
    found = table.block_at(at)
    if found is None:
        gap = next((g for g in table.gaps if g[0] <= at < g[1]), None)
        return _exhibit(db, "gap", Span(*gap, member), "no block verifies", None, 0, ()) if gap else None
    role, handle = found
    if not db.source.holds(handle.offset, handle.end, member):
        return _exhibit(db, f"{role} block", Span(handle.offset, handle.end, member), "ok", None, 0, ())
    loaded = table.load(handle, compressed=role != "filter")
    state = kinds.MARK_NAMES[kinds.STATE_MARKS[loaded.state]]
    span = Span(handle.offset, min(handle.end, table.size), member)
    notes = _block_notes(table, role, loaded)
    return _exhibit(db, f"{role} block", span, state, layout.BLOCK_TRAILER, handle.offset + handle.size, notes)


def _block_notes(table: Table, role: Role, loaded: Loaded) -> tuple[str, ...]:
    notes = [f"compression {codecs.NAMES.get(loaded.type, str(loaded.type))}"]
    if not loaded.ok:
        return (*notes, f"stored {loaded.stored:08x}, computed {loaded.computed:08x}", loaded.why)
    if role in ("data", "range-deletes"):
        try:
            pairs = block.entries(loaded.content)
        except MalformedError as error:
            return (*notes, str(error))
        if pairs and all(len(key) >= 8 for key, _ in pairs):
            notes.append(f"{len(pairs)} entries, {show_key(pairs[0][0][:-8])} to {show_key(pairs[-1][0][:-8])}")
    return tuple(notes)


def _show_log(db: Database, member: str, at: int) -> Exhibit | None:
    number = db.files[member].number or None
    begin = 0
    while held := holding.held_log(db.source, member, begin):
        begin = held.end
        if at < begin:
            low = bisect_right(held.starts, at) - 1
            end = held.starts[low + 1] if low + 1 < len(held.starts) else held.end
            return _exhibit(db, "log record", Span(held.starts[low], end, member), "ok", None, 0, ())
    for piece in log.LogReader(db.reader(member), db.size(member), number, begin).pieces():
        if piece.start <= at < piece.end:
            recyclable = log.header_size(piece.type) == log.RECYCLABLE_HEADER
            shape = layout.RECYCLABLE_HEADER if recyclable else layout.LOG_HEADER
            known = piece.state in (log.GOOD, log.BAD, log.RELENGTH, log.TORN)
            notes = (f"stored {piece.stored:08x}, computed {piece.computed:08x}",) if piece.state == log.BAD else ()
            span = Span(piece.start, piece.end, member)
            return _exhibit(
                db, "log record", span, log.STATES[piece.state], shape if known else None, span.start, notes
            )
    return None


def _show_blob(db: Database, member: str, at: int) -> Exhibit | None:
    size = db.size(member)
    if at < blob.HEADER:
        span = Span(0, min(size, blob.HEADER), member)
        return _exhibit(db, "blob file header", span, "not covered by a checksum", layout.BLOB_HEADER, 0, ())
    for record in _blob_records(db, member, Windowed(db.reader(member), db.source.sparing), blob.HEADER, size):
        if record.start <= at < record.end:
            span = Span(record.start, record.end, member)
            state = blob.STATES[record.state]
            shape = layout.BLOB_RECORD if record.state != blob.UNREAD else None
            if record.state == blob.UNREAD and size - record.start == blob.FOOTER:
                shape, state = layout.BLOB_FOOTER, "footer"
            return _exhibit(db, "blob record", span, state, shape, record.start, ())
    return None
