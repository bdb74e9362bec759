"""The operations of a WAL as lines of JSON, without an entry for each: one batch may hold hundreds of thousands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from inspector.format import Entry, Query
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.records import NO_FILTERS, VALUE_LIMIT, log_records, malformed, of_step, unread
from inspector.span import Span

MANY: Final = 1000  # lines of a block, and bytes of keys and values in it
MOST: Final = 1 << 20
LARGEST: Final = 1 << 64  # a number from here on is written as text, by the encoder


def lines(db: Database, query: Query, encode: Callable[[Any], bytes]) -> Iterator[bytes | Entry] | None:
    """Blocks of whole lines, and entries whose lines the caller writes; None where a filter or the file asks more."""
    only = db.source.members[0] if len(db.source.members) == 1 else None
    if only is None or only.name or query != NO_FILTERS or db.source.sparing:
        return None
    what = db.files.get(only.name)
    return _wal(db, what.number or None) if what and what.kind == "wal" else None


def _wal(db: Database, number: int | None) -> Iterator[bytes | Entry]:
    for record in log_records(db, "", number):
        span = Span(record.start, record.end)
        if odd := unread(record, span):
            yield odd
        else:
            yield from _batch(record.data, span)


def _batch(data: bytes, span: Span) -> Iterator[bytes | Entry]:
    """The operations of a batch at `span`, in order."""
    head, held, size, wrong = f'{{"start":{span.start},"end":{span.end},"kind":"', list[str](), 0, None
    try:
        for step in batch.alike(batch.operations(data)):
            if not isinstance(step, batch.Op) or step.sequence >= LARGEST:
                yield "".join(held).encode()
                held, size = [], 0
                yield of_step(step, span, NO_FILTERS)
                continue
            value = step.value
            held.append(
                f'{head}{keys.TYPE_NAMES[step.type]}","state":"ok","fields":{{"family":{step.family},'
                f'"key":"{step.key.hex()}","sequence":{step.sequence},"value":"{value[:VALUE_LIMIT].hex()}",'
                f'"value_length":{len(value)}}}}}\n'
            )
            size += len(step.key) + len(value)
            if len(held) >= MANY or size >= MOST:
                yield "".join(held).encode()
                held, size = [], 0
    except MalformedError as error:
        wrong = malformed(span, str(error))
    yield "".join(held).encode()
    if wrong is not None:
        yield wrong
