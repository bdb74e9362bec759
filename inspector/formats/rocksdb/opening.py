"""Opening a block-based table as far as its bytes allow: footer, metaindex, properties, index, else by carving."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inspector.formats.rocksdb import block, checksums, codecs, properties
from inspector.formats.rocksdb import footer as footers
from inspector.formats.rocksdb.carve import Context, Read, expected
from inspector.formats.rocksdb.coding import MalformedError, u32
from inspector.formats.rocksdb.footer import TRAILER, Footer, Handle
from inspector.formats.rocksdb.index import read_index
from inspector.formats.rocksdb.table import BAD_CHECKSUM, OK, STATES, Loaded, Table, Trouble, role_of
from inspector.uniform import only_zeroes

if TYPE_CHECKING:
    from inspector.formats.rocksdb import displaced, guess, unsealed
else:  # of damaged tables only, and of those without checksums
    from inspector.postponed import Postponed

    displaced = Postponed("inspector.formats.rocksdb.displaced")
    guess = Postponed("inspector.formats.rocksdb.guess")
    unsealed = Postponed("inspector.formats.rocksdb.unsealed")

_PAGE = 1 << 16  # bytes that are read at once of zeroes behind a table, and twice as many each time
_PAGES = 4 << 20
_BEHIND = 4 << 20  # bytes at the end in which another footer is looked for than the one that is due there
_CANDIDATES = 64
_META = 1 << 20  # bytes of a metaindex that is checksummed for one of many candidates: it holds a dozen handles
_MAGICS = tuple(magic.to_bytes(8, "little") for magic in (footers.MAGIC, footers.LEGACY_MAGIC))
_SMALLEST = 8 + TRAILER  # a block without entries: one restart, and how many there are


def open_table(read: Read, size: int, leveldb: bool = False, search: bool = True) -> Table:
    """Open a table of `size` bytes, with `search` also blocks that no index names; damage never raises."""
    table = Table(read, size, leveldb)
    _read_footer(table)
    if table.declined:
        return table
    if table.footer:
        old = table.context
        table.context = Context(
            table.footer.checksum, table.footer.base, _framing(table), types=old.types, moves=old.moves
        )
        metaindex = table.load(table.footer.metaindex)
        if metaindex.ok or _placed(table.footer):
            table.tail.append(("metaindex", table.footer.metaindex))
            _read_meta(table, metaindex)
            read_index(table)
        else:
            if not table.troubles:
                table.troubles.append(Trouble("footer", table.footer.start, size, "its handles lead to no metaindex"))
            # nothing of it is proved: other bytes may lie before its magic, and the checksum type is one of them
            guessed = guess.guess_context(read, table.footer.start, leveldb)
            if isinstance(guessed, str):
                table.sought = guessed
            else:
                table.context = guessed
    if search and not table.whole_index and size >= _SMALLEST:
        from inspector.formats.rocksdb.patch import complete  # a table that needs no patching never loads it

        complete(table)
        _astray(table)
    if search and (table.footer is None or table.spare_is == "bytes" or not table.whole_index):
        from inspector.formats.rocksdb.rival import settled

        return settled(table, size)
    return table


def _astray(table: Table) -> None:
    """Note a footer whose index handle cuts into blocks that were found: a right one names a block or a gap."""
    handle = table.footer.index if table.footer else None
    if table.footer is None or handle is None:
        return
    at = bisect_right(table.offsets, handle.offset)
    near = [table.data_handle(i) for i in range(max(0, at - 1), min(at + 1, len(table.offsets)))]
    known = [h for _, h in table.tail if h != handle or table.load(h).ok] + near
    if handle in known or not any(h.offset < handle.end and handle.offset < h.end for h in known):
        return
    # what was read at a wrong handle is no index block that is wrong
    table.troubles = [t for t in table.troubles if t.loaded is None or t.loaded.handle != handle]
    table.tail = [(role, h) for role, h in table.tail if h != handle]
    if not any(t.role == "footer" for t in table.troubles):
        table.troubles.append(Trouble("footer", table.footer.start, table.size, "its index handle leads to no index"))


def _placed(footer: Footer) -> bool:
    """Whether a footer's handles can be right though what they name does not verify.

    Versions 6 and 7 protect them; before, one of the two blocks ends where the footer begins.
    """
    if footer.version >= 6:
        return True
    return footer.start in (footer.metaindex.end, footer.index.end if footer.index else -1)


def _framing(table: Table) -> int:
    assert table.footer
    return -1 if table.leveldb else table.footer.version


def _read_footer(table: Table) -> None:
    if _padded(table):
        return
    start = max(0, table.size - footers.SIZE)
    tail = table.read(start, footers.SIZE)
    try:
        table.footer = footers.decode(tail, table.size)
    except footers.OtherKindError as error:
        table.troubles.append(Trouble("footer", start, table.size, str(error)))
        table.declined, table.foreign = str(error), True
        return
    except MalformedError as error:
        if _followed(table):
            return
        table.troubles.append(Trouble("footer", start, table.size, str(error)))
        table.footer = _guess_footer(table, tail)
        return
    if (table.footer.problems or _apart(table.footer)) and _followed(table):
        return
    for problem in table.footer.problems:
        table.troubles.append(Trouble("footer", table.footer.start, table.size, problem))
    if (table.footer.problems or _apart(table.footer)) and not proves(table, table.footer):
        if found := displaced.moved_footer(table, tail):
            # a checksum over its own offset does not hold elsewhere, and handles lead beyond: nothing else is wrong
            table.footer, table.troubles = found, table.troubles[-1:]
        elif table.footer.problems:
            table.footer = _guess_footer(table, tail)
    elif table.footer.checksum == checksums.NONE and (sealed := _sealed(table, table.footer)):
        table.troubles.append(
            Trouble("footer", table.footer.start, table.size, "no checksum type, and blocks have one")
        )
        table.footer = sealed


def _padded(table: Table) -> bool:
    """Take in a footer with nothing but zeroes behind it, if it leads to the metaindex: no magic ends with a zero."""
    end = table.size
    if any(table.read(max(0, end - 1), 1)):
        return False
    page, content = _PAGE, b""
    while end and only_zeroes(content := table.read(max(0, end - page), min(page, end))):
        end, page = max(0, end - page), min(2 * page, _PAGES)
    end = max(0, end - page) + len(content.rstrip(b"\0")) if end else 0
    if end == table.size or not end:
        return False
    try:
        found = footers.decode(table.read(max(0, end - footers.SIZE), footers.SIZE), end)
    except MalformedError:
        return False
    if found.problems or not proves(table, found):
        return False
    table.footer, table.size, table.spare = found, end, table.size - end
    return True


def _followed(table: Table) -> bool:
    """Take in a footer with other bytes behind it, where it stands right behind the blocks that it names.

    Whatever was put behind a whole table (a line of a log, the rest of another file) leaves that as it was.
    """
    first = max(0, table.size - _BEHIND)
    data, tried = table.read(first, table.size - first), 0
    at = len(data)
    while (at := max(data.rfind(magic, 0, at) for magic in _MAGICS)) >= 0 and tried < _CANDIDATES:
        end, tried = first + at + 8, tried + 1
        at += 7  # a magic that ends one byte earlier
        try:
            found = footers.decode(table.read(max(0, end - footers.SIZE), footers.SIZE), end)
        except MalformedError:
            continue
        if end == table.size or found.problems or _apart(found) or found.metaindex.size > _META:
            continue
        if not proves(table, found):
            continue
        table.footer, table.size, table.spare, table.spare_is = found, end, table.size - end, "bytes"
        return True
    return False


def _apart(footer: Footer) -> bool:
    """Whether a footer stands elsewhere than behind the blocks that it names."""
    return footer.index is not None and footer.start != max(footer.metaindex.end, footer.index.end)


def _sealed(table: Table, footer: Footer) -> Footer | None:
    """The footer with the type of checksum that the metaindex carries; a table without checksums carries zeroes."""
    kinds = (checksums.XXH3, checksums.CRC32C, checksums.XXHASH64, checksums.XXHASH)
    return next((f for kind in kinds if proves(table, f := replace(footer, checksum=kind))), None)


def proves(table: Table, footer: Footer) -> bool:
    """Whether the metaindex block that this footer names verifies: no better proof is needed."""
    if footer.metaindex.end > table.size or footer.metaindex.size > codecs.MAX_BLOCK:
        return False
    raw = table.read(footer.metaindex.offset, footer.metaindex.size + TRAILER)
    if len(raw) < footer.metaindex.size + TRAILER:
        return False
    context = Context(footer.checksum, footer.base, footer.version)
    right = expected(context, memoryview(raw)[: footer.metaindex.size + 1], footer.metaindex.offset)
    if footer.checksum == checksums.NONE or right != u32(raw, footer.metaindex.size + 1):
        return False
    return _is_metaindex(raw[: footer.metaindex.size], footer.start)


def _is_metaindex(content: bytes, end: int) -> bool:
    """Whether every value is the handle of a block before `end`, and a name is known if there are any.

    Bytes of an index may spell a handle by chance, and a damaged footer may lead to an index, whose values are such.
    """
    try:
        pairs = block.entries(content)
        found = [(footers.read_handle(value, 0, len(value)), len(value)) for _, value in pairs]
    except MalformedError:
        return False
    named = not pairs or any(role_of(name) != "other" for name, _ in pairs)
    return named and all(at == size and handle.end <= end for (handle, at), size in found)


def _guess_footer(table: Table, tail: bytes) -> Footer | None:
    """The footer with its magic, version or checksum type taken as damaged, where the metaindex then verifies."""
    if len(tail) < footers.SIZE:
        return None
    magic = footers.MAGIC.to_bytes(8, "little")
    for version in (5, 6, 7, 4, 3, 2, 1):
        for kind in (checksums.XXH3, checksums.CRC32C, checksums.XXHASH64, checksums.XXHASH):
            trial = bytes([kind]) + tail[1:41] + version.to_bytes(4, "little") + magic
            try:
                footer = footers.decode(trial, table.size)
            except MalformedError:
                continue
            if proves(table, footer):
                return footer
    legacy = tail[:-8] + footers.LEGACY_MAGIC.to_bytes(8, "little")
    try:
        footer = footers.decode(legacy, table.size)
    except MalformedError:
        return None
    return footer if proves(table, footer) else None


def _read_meta(table: Table, loaded: Loaded) -> None:
    """Take in the metaindex: handles by name, properties, dictionary."""
    handle = loaded.handle
    try:
        if not loaded.ok:
            raise MalformedError(loaded.why or STATES[loaded.state])
        pairs = block.entries(loaded.content)
        table.meta = {name: footers.read_handle(value, 0, len(value))[0] for name, value in pairs}
    except MalformedError as error:
        table.troubles.append(Trouble("metaindex", handle.offset, min(handle.end, table.size), str(error), loaded))
        return
    if table.by:
        table.meta = {name: displaced.placed(table, place) for name, place in table.meta.items()}
    older = table.leveldb or (table.footer is not None and table.footer.legacy)  # may be LevelDB's, which has none
    if (table.bare or not older) and not any(role_of(name) == "properties" for name in table.meta):
        own = unsealed.properties_by_content(table)
        table.meta = {b"rocksdb.properties" if place == own else name: place for name, place in table.meta.items()}
        table.troubles.append(Trouble("metaindex", handle.offset, handle.end, "it names no properties", loaded))
    for name, place in table.meta.items():
        role = role_of(name)
        if place.end > table.size:
            table.troubles.append(Trouble(role, handle.offset, handle.end, f"handle beyond the file: {name!r}"))
            continue
        if role != "index":
            table.tail.append((role, place))
        if role == "properties":
            read_properties(table, place)
        elif role == "dictionary":
            read_dictionary(table, place)
    if not table.leveldb and table.footer and table.footer.legacy and b"rocksdb.properties" not in table.meta:
        table.leveldb = True  # RocksDB has always written properties into its tables
        table.context = Context(checksums.CRC32C, 0, -1, frozenset({0, 1, 2}))


def read_properties(table: Table, handle: Handle) -> None:
    """Take in the properties block; an ingested file's is retried with its global sequence number as written first."""
    loaded = table.load(handle)
    if loaded.state == BAD_CHECKSUM:
        raw = table.read(handle.offset, handle.size + TRAILER)
        at = properties.global_sequence_at(raw)
        if at is not None:
            zeroed = table.judge(handle, raw[:at] + bytes(8) + raw[at + 8 :])
            if zeroed.ok:
                loaded = Loaded(handle, OK, raw[: handle.size], zeroed.type, zeroed.stored, zeroed.computed)
    try:
        if not loaded.ok:
            raise MalformedError(loaded.why or STATES[loaded.state])
        table.properties = properties.parse(loaded.content)
        table.shape = table.properties.index_shape
        if types := properties.compression_types(table.properties):
            table.context = replace(table.context, types=types)
    except MalformedError as error:
        table.troubles.append(Trouble("properties", handle.offset, handle.end, str(error), loaded))


def read_dictionary(table: Table, handle: Handle) -> None:
    loaded = table.load(handle)
    if loaded.ok:
        old = table.context
        table.context = replace(old, dictionary=loaded.content)
    else:
        table.troubles.append(
            Trouble("dictionary", handle.offset, handle.end, loaded.why or STATES[loaded.state], loaded)
        )
