"""A database with other keys and values that is damaged in the same way: what verifies is written anew and sealed.

Keys get names in the order of the old ones, so that blocks, levels and ranges stay in order; values get filler of
their length. A damaged unit whose right bytes are proved is disguised as those, and the same number of bits is turned
again; any other becomes noise of the same shape whose checksum fails, or holds, as before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from inspector.composed import Part
from inspector.correct import flips
from inspector.disguise import noise
from inspector.errors import RefusedError
from inspector.format import Hide, Name
from inspector.formats.rocksdb import batch, blob, block, checksums, keys, log, properties
from inspector.formats.rocksdb.coding import MalformedError, put_prefixed, put_varint
from inspector.formats.rocksdb.database import Database, pairs_of
from inspector.formats.rocksdb.facts import BlobFacts, LogFacts, TableFacts
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.index import separators
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.mending import corrector_anew
from inspector.formats.rocksdb.shrink_log import steps
from inspector.formats.rocksdb.shrink_table import Shrinker
from inspector.formats.rocksdb.table import BAD_CHECKSUM, Table
from inspector.kernels.rocksdb import batch_sums
from inspector.span import Span
from inspector.windowed import Windowed

MOST: Final = 64 << 20  # bytes that are written anew in memory
UNPACKED: Final = 16 << 20  # bytes that compressed blocks may become, or four times what the files have
MOST_ENTRIES: Final = 5_000  # of all tables and logs, and one more
PER_ENTRY: Final = 64  # for each so many bytes of the files
_TOO_LARGE: Final = "it is too large to be written anew without what is private", "--no-redact keeps its bytes"
_M32: Final = 0xFFFFFFFF
_OWN: Final = (b"creating.", b"key.smallest", b"key.largest")  # properties that name hosts, sessions or keys
_LEFT_OUT: Final = frozenset({"options", "identity", "info-log", "lock", "temp", "foreign"})


def disguised(db: Database, name: Name, hide: Hide) -> dict[str, list[Part]]:
    """The parts of every file; raises RefusedError where one is of a kind that cannot be written anew."""
    if db.source.size > MOST:
        raise RefusedError(*_TOO_LARGE)
    return _Disguise(db, name).files()


def _entries(facts: object) -> int:
    """Entries of a table, values of a blob file, records of a log."""
    if isinstance(facts, LogFacts):
        return facts.records + facts.lost_records
    if isinstance(facts, TableFacts):
        return facts.entries
    return facts.records if isinstance(facts, BlobFacts) else 0


class _Disguise:
    def __init__(self, db: Database, name: Name) -> None:
        self.db, self.name = db, name
        self.left = max(UNPACKED, 4 * db.source.size)
        most = MOST_ENTRIES + db.source.size // PER_ENTRY
        if sum(map(_entries, db.facts.values())) > most:  # each has a key: found out before they are read
            raise RefusedError(*_TOO_LARGE)
        self.right = dict(self._right())
        found: list[bytes] = []
        for number, key in enumerate(self._all_keys()):
            if number >= most:
                raise RefusedError(*_TOO_LARGE)
            found.append(key)
        found = sorted(set(found))
        width = len(str(len(found)))
        for key in found:
            name("key", key.hex())  # so that it is looked for in what comes out
        self.keys = {key: b"key-%0*d" % (width, number) for number, key in enumerate(found)}

    def files(self) -> dict[str, list[Part]]:
        made: dict[str, list[Part]] = {}
        for member, what in self.db.files.items():
            if what.kind == "table":
                made[member] = list(self._table(member))
            elif what.kind == "wal":
                made[member] = list(self._log(member))
            elif what.kind == "blob":
                made[member] = list(self._blobs(member))
            elif what.kind == "current":
                made[member] = [Span(0, self.db.size(member), member)] if self.db.size(member) else []
            elif what.kind not in ("manifest", *_LEFT_OUT):
                raise RefusedError(f"a {what.kind} file cannot be written anew without what is private")
        sizes = {
            member: sum(len(p) if isinstance(p, bytes) else p.length for p in parts) for member, parts in made.items()
        }
        for member, what in self.db.files.items():
            if what.kind == "manifest":
                made[member] = [self._manifest(member, sizes)]
        return made

    def _right(self) -> Iterator[tuple[Span, tuple[bytes, int]]]:
        """The proved bytes of damaged units, and how many bits are wrong."""
        corrector = corrector_anew(self.db)
        for mark in self.db.damage:
            for fix in corrector.fixes(mark):
                if fix.span == mark.span:
                    yield mark.span, (fix.found.unit, flips(fix.found.patch))

    # -- keys ----------------------------------------------------------------------------------

    def _all_keys(self) -> Iterator[bytes]:
        for member, what in self.db.files.items():
            if what.kind == "table":
                yield from self._table_keys(member)
            elif what.kind == "wal":
                for step, _ in steps(self.db, member, what.number or None):
                    data = self._record(step, member)
                    for op in (_operations(data) or ()) if data is not None else ():
                        if isinstance(op, batch.Op):
                            yield op.key
                            if op.type == keys.RANGE_DELETE:
                                yield op.value
        for family, file in self.db.version.live_tables() if self.db.version else ():
            if keys.order_of(family.comparator) is not keys.order_of(keys.BYTEWISE):
                raise RefusedError(f"keys in the order of {family.comparator} cannot be given other names")
            yield from (file.smallest[:-8], file.largest[:-8])

    def _table_keys(self, member: str) -> Iterator[bytes]:
        table = self.db.table(member)
        for key, _ in separators(table):
            yield key if table.shape.user_keys else key[:-8]
        for role, handle in table.blocks():
            if role in ("data", "range-deletes"):
                for key, value in self._pairs(table, member, handle) or ():
                    yield key[:-8]
                    if role == "range-deletes":
                        yield value

    def _key(self, internal: bytes) -> bytes:
        return self.keys[internal[:-8]] + internal[-8:]

    # -- tables --------------------------------------------------------------------------------

    def _pairs(self, table: Table, member: str, handle: Handle) -> list[block.Pair] | None:
        """The entries of a block as it is, or as it was; None where nobody knows them."""
        loaded = table.load(handle)
        known = self.right.get(Span(handle.offset, handle.end, member))
        if not loaded.ok and known is not None:
            loaded = table.judge(handle, known[0])
        return pairs_of(loaded.content) or None if loaded.ok else None

    def _table(self, member: str) -> Iterator[Part]:
        db, table, facts = self.db, self.db.table(member), self.db.facts.get(member)
        if table.declined and not table.foreign and not table.data_blocks:
            yield noise(db.source.read(0, table.size, member), 0)  # nothing of a table is left in it
            return
        if not isinstance(facts, TableFacts) or table.leveldb or table.declined:
            raise RefusedError("a table of this kind cannot be written anew without what is private")
        bad = {mark.span.start for mark in db.damage if mark.span.member == member}
        if table.properties is not None:
            table.properties = properties.Properties(dict(self._properties(table.properties)))
        places = sorted(bad)  # as many as the table has blocks, and each block asks

        def hurt(start: int, end: int) -> bool:
            first = bisect_left(places, start)
            return first < len(places) and places[first] < end

        made = Shrinker(table, member, facts, hurt, 0, kept=facts.entries)
        names = {place.offset: key for key, place in table.meta.items()}
        ends = {h.offset: self.keys[key if table.shape.user_keys else key[:-8]] for key, h in separators(table)}
        done, index_kept = 0, False
        for role, handle in table.blocks():
            if handle.offset < done or handle.end > table.size:
                continue
            if hurt(done, handle.offset):
                yield made.take(noise(table.read(done, handle.offset - done), done))
            done = handle.end
            if role == "metaindex":
                made.directory = handle if handle.offset in bad else None
            elif role in ("data", "range-deletes") or (handle.offset in bad and role != "top-index"):
                at, body = made.at, self._block(table, member, handle, role in ("data", "range-deletes"), made.at)
                placed = Handle(at, len(body) - TRAILER)
                if role == "data":
                    last = ends.get(handle.offset) or (made.blocks[-1][0][:-8] if made.blocks else b"key")
                    made.blocks.append((last + b"\x01" + b"\xff" * 7, placed))
                    made.data_bytes += len(body)
                else:
                    made.meta[names.get(handle.offset, b"rocksdb.index")] = placed
                    index_kept = index_kept or role == "index"
                yield made.take(body)
        end = table.footer.start if table.footer else table.size
        if hurt(done, end):
            yield made.take(noise(table.read(done, end - done), done))
        if table.footer is not None:
            yield from made.tail(table.footer, index_kept)

    def _block(self, table: Table, member: str, handle: Handle, entries: bool, at: int) -> bytes:
        """A block with its trailer for offset `at`."""
        loaded = table.load(handle, compressed=entries)
        self.left -= len(loaded.content)
        if self.left < 0:
            raise RefusedError(*_TOO_LARGE)
        pairs = self._pairs(table, member, handle) if entries else None
        wrong = 0
        if pairs is None:
            raw = table.read(handle.offset, handle.size)
            body, kind = noise(raw, handle.offset), table.read(handle.offset + handle.size, 1)
            if loaded.state == BAD_CHECKSUM:
                wrong = (loaded.stored - loaded.computed) & _M32
        else:
            body, kind = block.build([(self._key(key), self._value(key, value)) for key, value in pairs]), b"\0"
        word = checksums.block_checksum(table.context.checksum, body + kind)
        word = (word + table.context.modifier(at) + wrong) & _M32 if table.context.checksum else 0
        if pairs is not None and not loaded.ok:
            body = _turned(body, self.right[Span(handle.offset, handle.end, member)][1])
        return body + kind + word.to_bytes(4, "little")

    def _value(self, key: bytes, value: bytes) -> bytes:
        if key[-8] == keys.BLOB_INDEX:
            return value  # numbers and places of files
        return self.keys[value] if key[-8] == keys.RANGE_DELETE else b"." * len(value)

    def _properties(self, known: properties.Properties) -> Iterator[tuple[bytes, bytes]]:
        for key, value in known.raw.items():
            inner = key.removeprefix(properties.PREFIX)
            if inner != key and inner.startswith(_OWN):
                yield key, self.name("database", value.decode("latin-1")).encode()
            elif inner != key:
                yield key, value

    def _blobs(self, member: str) -> Iterator[Part]:
        """A blob file with every byte at its place: tables name values by their offset."""
        read, size = self.db.reader(member), self.db.size(member)
        start, end = min(blob.HEADER, size), size
        try:
            blob.footer(read(max(start, size - blob.FOOTER), blob.FOOTER))
            end = size - blob.FOOTER
        except MalformedError:
            end = size  # never closed, or damaged: records go on to the end
        yield read(0, start)
        for record in blob.records(Windowed(read), start, end, self.db.gaps(member)):
            raw = read(record.start, record.end - record.start)
            keep = 0 if record.state == blob.UNREAD else blob.RECORD_HEADER
            body = noise(raw[keep:], record.start)
            if record.state == blob.GOOD:
                yield raw[: keep - 4] + checksums.masked_crc(body).to_bytes(4, "little") + body
            else:
                yield raw[:keep] + body
        if end < size:
            yield read(end, size - end)

    # -- logs ----------------------------------------------------------------------------------

    def _record(self, step: object, member: str) -> bytes | None:
        """The batch of a sound record, or of one whose right bytes are known."""
        if not isinstance(step, Span):
            return step.data  # type: ignore[attr-defined,no-any-return]
        known = self.right.get(step)
        if known is None or log.FRAGMENT.get(known[0][6]) != log.FULL:
            return None
        return known[0][log.header_size(known[0][6]) :]

    def _log(self, member: str) -> Iterator[Part]:
        number, at = self.db.files[member].number or None, 0
        for step, recyclable in steps(self.db, member, number):
            data = self._record(step, member)
            if data is None:
                assert isinstance(step, Span)
                raw = self.db.source.read(step.start, step.length, member)
                size = log.header_size(raw[6]) if len(raw) > 6 else len(raw)
                made = raw[:size] + noise(raw[size:], step.start)
            else:
                if isinstance(step, Span):
                    recyclable = log.header_size(self.right[step][0][6]) == log.RECYCLABLE_HEADER
                made = frame(self._batch(data), at, number if recyclable else None)
                if isinstance(step, Span):
                    made = self._wrong_again(made, step)
            at += len(made)
            yield made

    def _wrong_again(self, made: bytes, step: Span) -> bytes:
        right, count = self.right[step]
        there = self.db.source.read(step.start, len(right), step.member)
        head = bytes(a ^ b for a, b in zip(there[:7], right[:7], strict=True))
        if any(head):
            return bytes(a ^ b for a, b in zip(made[:7], head, strict=True)) + made[7:]
        return _turned(made, count)

    def _batch(self, data: bytes) -> bytes:
        found = _operations(data)
        if found is None:
            return data[: batch.HEADER] + noise(data[batch.HEADER :], len(data))
        out = bytearray(data[: batch.HEADER])
        for op in found:
            tag = data[op.at]
            if isinstance(op, batch.Mark):
                if tag == batch.COMMIT_WITH_TS:
                    raise RefusedError("a transaction's commit cannot be written anew without what is private")
                out += bytes([tag]) + (put_prefixed(b"." * len(op.id)) if op.end > op.at + 1 else b"")
                continue
            out.append(tag)
            out += put_varint(op.family) if op.family else b""
            out += put_prefixed(self.keys[op.key])
            if op.type not in (keys.DELETE, keys.SINGLE_DELETE):
                out += put_prefixed(self._value(op.key + bytes([op.type]) + bytes(7), op.value))
        return bytes(out)

    def _manifest(self, member: str, sizes: dict[str, int]) -> bytes:
        db = self.db
        if (
            member != db.manifest
            or db.version is None
            or not db.trusted
            or any(m.span.member == member for m in db.damage)
        ):
            raise RefusedError("a damaged MANIFEST cannot be written anew without what is private")
        families = []
        for family in db.version.families.values():
            files = {}
            for number, file in family.files.items():
                name = db.tables.get(number)
                size = file.size + (sizes[name] - db.size(name) if name is not None else 0)
                files[number] = replace(
                    file,
                    size=max(0, size),
                    smallest=self._key(file.smallest),
                    largest=self._key(file.largest),
                    custom=(),
                )
            families.append(replace(family, files=files, others=[]))
        known = db.version.db_id
        return snapshot(families, replace(db.version, db_id=self.name("database", known) if known else None))


def _operations(data: bytes) -> list[batch.Op | batch.Mark] | None:
    """What a batch does; None where it makes no sense, which of one that miscounts is seen without reading it."""
    if (sums := batch_sums(data)) and sums[0] != batch.header(data)[1]:
        return None
    try:
        return list(batch.operations(data))
    except MalformedError:
        return None


def _turned(body: bytes, count: int) -> bytes:
    """The same with `count` bits turned, side by side in its middle."""
    middle = len(body) // 2
    return bytes(b ^ (1 << 3 if middle <= i < middle + count else 0) for i, b in enumerate(body))
