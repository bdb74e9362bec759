"""A database folder, or one file of it, opened without the engine: what is there, what should be, and its entries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final

from msgspec import Struct, field

from inspector.format import Wishes
from inspector.formats.rocksdb import batch, blob, block, codecs, names
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.coding import MalformedError, u32
from inspector.formats.rocksdb.facts import Mark
from inspector.formats.rocksdb.footer import LEGACY_MAGIC, MAGIC, OTHER_TABLES
from inspector.formats.rocksdb.log import BLOCK, GOOD, LogReader, Read
from inspector.formats.rocksdb.logical import WHOLE, Assembler
from inspector.formats.rocksdb.names import FileName
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.stacked import blobs_inside
from inspector.formats.rocksdb.table import Table
from inspector.formats.rocksdb.version import Version, replay
from inspector.kernels.rocksdb import batch_sums
from inspector.source import Source
from inspector.windowed import Windowed

OPEN_TABLES: Final = 64
OPEN_SMALL, OPEN_BYTES = 512, 16 << 20  # so many where all of them together are no larger: each pass reads every table
_LOG_HEAD: Final = 4096
_GLANCE: Final = 32 << 10
MOST_BROKEN: Final = 2048  # records without an end, of which 16 MiB hold a quarter as many in blocks
FEW: Final = 1000  # operations of a batch that tell what it is
_TELLING: Final = 32 << 10  # bytes of an edit that tell what it is
_REACH: Final = 16 << 20  # of a log whose first record is looked for


class Foreign(Struct, frozen=True):
    """Why a MANIFEST is another database's, and how many tables it lists."""

    why: str
    tables: int


class Database(Struct):
    """What `open` found. `files` are the members by name; numbers lead to member names by kind."""

    source: Source
    single: bool  # one file, not a folder
    files: dict[str, FileName]
    tables: dict[int, str] = field(default_factory=dict)
    wals: dict[int, str] = field(default_factory=dict)
    blobs: dict[int, str] = field(default_factory=dict)
    manifests: dict[int, str] = field(default_factory=dict)
    current: str | None = None  # the MANIFEST that CURRENT names, whether it exists or not
    manifest: str | None = None  # the MANIFEST that was read
    manifest_because: str = ""
    version: Version | None = None
    leveldb: bool = False
    max_unit: int = 64 << 20
    facts: dict[str, object] = field(default_factory=dict)  # filled by the walk, one per member
    wal_ends: dict[str, int] = field(default_factory=dict)  # where an upper format wants a WAL to end
    bad_sums: set[str] = field(default_factory=set)  # tables that differ from their whole-file checksum
    foreign: dict[str, Foreign] = field(default_factory=dict)  # MANIFESTs of other databases, and what shows it
    strangers: set[str] = field(default_factory=set)  # tables and blob files that are not those which are listed
    displaced: set[str] = field(default_factory=set)  # tables in the place of listed ones, taken in all the same
    bad_tails: dict[str, int] = field(default_factory=dict)  # tables -> bad blocks but data blocks, and gaps
    wishes: Wishes = field(default_factory=Wishes)
    damage: list[Mark] = field(default_factory=list)  # tiles that are not sound, as many as are tried for correction
    damage_count: int = 0
    corrector: Any = None  # of `mending`, made when the first damaged tile asks
    newest: int | None = None  # sequence number that the MANIFEST knows, once it was asked for
    lost_edits: bool = False  # a table on disk is newer than everything that MANIFEST and WALs know
    room: codecs.Room = field(default_factory=codecs.Room)
    stacked: dict[int, str] = field(default_factory=dict)  # blob files in a folder inside, as a BlobDB has them
    _gaps: dict[str, blob.Gaps] = field(default_factory=dict)
    _glances: dict[str, Windowed] = field(default_factory=dict)
    _open: OrderedDict[str, Table] = field(default_factory=OrderedDict)
    _open_bytes: int = 0  # of the tables that are open

    def __post_init__(self) -> None:
        self.room.left = self.max_unit // 2 + codecs.SPARE_RATIO * self.source.size

    def gaps(self, member: str) -> blob.Gaps:
        """What walks know of a blob file's damage."""
        return self._gaps.setdefault(member, {})

    def unpacked(self, raw: bytes, compression: int, at: int, member: str, limit: int | None = None) -> bytes:
        """A blob's value as the application wrote it; MalformedError where it is not to be had, or not worth it."""
        if not self.room.fits(codecs.beyond(compression, raw, blob.VERSION), at, member):
            raise MalformedError(codecs.FOLDED_WHY)
        return blob.plain(raw, compression, limit or self.max_unit)

    def reader(self, member: str) -> Read:
        """Reads of one member."""

        def read(at: int, n: int) -> bytes:
            return self.source.read(at, n, member)

        return read

    def glances(self, member: str) -> Read:
        """Short reads here and there of a member, in about its order."""
        if member not in self._glances:
            if len(self._glances) >= OPEN_TABLES:
                self._glances.clear()
            self._glances[member] = Windowed(self.reader(member), chunk=_GLANCE)
        return self._glances[member]

    def size(self, member: str) -> int:
        return self.source.length(member)

    def table(self, member: str) -> Table:
        """The table in this member, opened as far as it goes; a few stay open."""
        if member in self._open:
            self._open.move_to_end(member)
            return self._open[member]
        table = open_table(self.reader(member), self.size(member), self.leveldb)
        table.forced = self._forced_sequence(member, table)
        table.sparing = self.source.sparing
        table.room, table.member = self.room, member
        self._open[member] = table
        self._open_bytes += self.size(member)
        while len(self._open) > OPEN_SMALL or (len(self._open) > OPEN_TABLES and self._open_bytes > OPEN_BYTES):
            self.forget(next(iter(self._open)))
        return table

    def forget(self, member: str) -> None:
        """Open a table anew when it is asked for again."""
        if self._open.pop(member, None) is not None:
            self._open_bytes -= self.size(member)

    def _forced_sequence(self, member: str, table: Table) -> int | None:
        """The sequence number that an ingested table was given: until RocksDB 5.16 written into it, since then not.

        The MANIFEST has it as smallest and largest number, and the table's own entries have 0
        (GetGlobalSequenceNumber in table/block_based/block_based_table_reader.cc).
        """
        own = table.properties.global_sequence if table.properties and table.properties.external else None
        what = self.files.get(member)
        if own or what is None or self.version is None:
            return own
        listed = (f.files[what.number] for f in self.version.families.values() if what.number in f.files)
        file = next(listed, None)
        return file.largest_sequence if file and file.smallest_sequence == file.largest_sequence else own

    @property
    def trusted(self) -> bool:
        """Whether the file set can be taken from the MANIFEST."""
        version = self.version  # zeroes are no damage to a log; a MANIFEST of nothing else lists nothing
        if version is None or not version.edits or version.damaged or version.lacks:
            return False
        return self.manifest == self.current and not self.lost_edits

    @property
    def is_last(self) -> bool:
        """Whether none came after the MANIFEST that was read: one that is begun gets a number yet to be given.

        Where CURRENT names a number that was given before, or none, CURRENT is what is damaged.
        """
        if self.version is None or not self.version.edits:
            return False
        return (
            self.current in (None, self.manifest) or names.classify(self.current or "").number < self.version.next_file
        )

    @property
    def unread_manifests(self) -> frozenset[str]:
        """Those of which no edit can be read, and that told which files there are."""
        if self.version is None or not self.version.edits:
            return frozenset(self.manifests.values()) - self.foreign.keys()
        lost = self.current if self.current in self.files and self.manifest != self.current else None
        return frozenset({lost} if lost is not None else ()) - self.foreign.keys()

    def unlisted(self) -> dict[int, str]:
        """Tables on disk that no column family of the MANIFEST lists."""
        if self.version is None:
            return dict(self.tables)
        listed = {file.number for _, file in self.version.live_tables()}
        return {number: name for number, name in self.tables.items() if number not in listed}

    def is_unlisted(self, number: int) -> bool:
        """Whether this is one of them, for whoever asks of each of thousands."""
        families = self.version.families.values() if self.version else ()
        return number in self.tables and not any(number in family.files for family in families)

    def is_live(self, member: str) -> bool:
        """Whether this is one of `live_wals`."""
        number = self.files[member].number
        return self.wals.get(number) == member and number >= self.oldest_wal() and not member.startswith("archive/")

    def live_wals(self) -> list[tuple[int, str]]:
        """WALs that the engine replays on open, oldest first."""
        oldest = self.oldest_wal()
        return [(n, name) for n, name in sorted(self.wals.items()) if n >= oldest and not name.startswith("archive/")]

    def oldest_wal(self) -> int:
        if self.version is None or not self.version.families:
            return 0
        numbers = [f.log_number for f in self.version.families.values()]
        return max(min(numbers), self.version.min_log_to_keep)


def open_database(source: Source, max_unit: int = 64 << 20) -> Database:
    """Find out what each member is, choose the MANIFEST and replay it."""
    single = source.kind != "folder" and not (source.kind == "memory" and source.member("") is None)
    if single:
        return _open_single(source, max_unit)
    files = {m.name: names.classify(m.name) for m in source.members if not m.secret}
    database = Database(source, False, files, max_unit=max_unit)
    by_kind = {
        "table": database.tables,
        "wal": database.wals,
        "blob": database.blobs,
        "manifest": database.manifests,
    }
    for name, what in files.items():
        if what.kind in by_kind:
            by_kind[what.kind].setdefault(what.number, name)
    if "CURRENT" in files:
        database.current = names.current_target(source.read(0, 64, "CURRENT"))
    from inspector.formats.rocksdb import foreign, log_names, lost_edits  # they ask the database that is opened here

    _choose_manifest(database)
    database.leveldb = _is_leveldb(database)
    while other := foreign.told(database):
        database.foreign[database.manifest or ""] = other
        for member in list(database.tables.values()):
            database.forget(member)  # an ingested table has its sequence number from the MANIFEST
        _choose_manifest(database)
    database.leveldb = _is_leveldb(database)
    log_names.settle(database)
    database.lost_edits = lost_edits.any_of(database)
    lists = database.version.families.values() if database.version else ()
    database.stacked = blobs_inside(files, {number for family in lists for number in family.blobs})
    return database


def newest_in(table: Table) -> int:
    """The highest sequence number among a table's entries, from its properties or its blocks."""
    stated = table.properties.number("key.largest.seqno") if table.properties else None
    if stated is not None:
        return stated
    newest = 0
    for _, _, content in good_blocks(table):
        for key, _ in pairs_of(content):
            newest = max(newest, int.from_bytes(key[-7:], "little"))
    return newest


def _open_single(source: Source, max_unit: int) -> Database:
    found, leveldb = source.told_by_name(partial(_alone, sniff(source.read, source.length(""))))
    database = Database(source, True, {"": found}, max_unit=max_unit)
    place = {"table": database.tables, "wal": database.wals, "blob": database.blobs, "manifest": database.manifests}
    if found.kind in place:
        place[found.kind][found.number] = ""
    if found.kind == "manifest":
        database.manifest, database.manifest_because = "", "it is the file itself"
        database.version = replay(database.reader(""), source.length(""))
    database.leveldb = leveldb
    return database


def _alone(sniffed: names.Kind | None, name: str) -> tuple[FileName, bool]:
    """What a single file is that looks so by its bytes, and whether it is called as only LevelDB calls its tables."""
    what = names.classify_alone(name)
    # opened though nothing verifies: it is what its name says, else a table, the one kind that is searched throughout
    kind = sniffed or (what.kind if what.kind != "foreign" else "table")
    if kind == "wal" and what.kind == "manifest":
        kind = "manifest"
    kind = kind if kind in ("table", "wal", "manifest", "blob") else what.kind
    return FileName(kind, what.number), name.endswith(".ldb")


def sniff(read: Read, size: int) -> names.Kind | None:
    """What a file is by its bytes: a table by its magic, a blob file, or a log of which a record verifies."""
    tail = read(max(0, size - 8), 8)
    if len(tail) == 8 and int.from_bytes(tail, "little") in (MAGIC, LEGACY_MAGIC, *OTHER_TABLES):
        return "table"
    head = read(0, blob.HEADER)
    if len(head) == blob.HEADER and u32(head, 0) == blob.MAGIC:
        return "blob"
    for reach in (1 << 18, _REACH):  # a first batch may be large
        records = islice(Assembler().records(LogReader(read, min(size, reach)).pieces()), MOST_BROKEN)
        if kind := _kind_of_log(record.data for record in records if record.fate == WHOLE):
            return kind
        if not _first_verifies(read, size):
            break
    # nothing protects a blob file's own header; its first record has a checksum over its lengths
    found = blob.record_at(read, blob.HEADER, size)
    return "blob" if found and found.state == blob.GOOD else None


def _kind_of_log(records: Iterable[bytes]) -> names.Kind | None:
    """By the first record that is a batch or says anything as an edit; a WAL where none does; None without a record."""
    kind: names.Kind | None = None
    for data in records:
        if _is_batch(data):
            return "wal"
        if _is_edit(data):
            return "manifest"
        kind = "wal"
    return kind


def _is_edit(data: bytes) -> bool:
    """Whether its first fields make sense and say anything; the check asks all of them."""
    try:
        return edits.decode(data, reach=_TELLING) != edits.Edit()
    except MalformedError:
        return False


def _first_verifies(read: Read, size: int) -> bool:
    """Whether a log's first physical record verifies, though it may be only the beginning of a logical one."""
    first = next(LogReader(read, min(size, BLOCK)).pieces(), None)
    return first is not None and first.state == GOOD


def _is_batch(data: bytes) -> bool:
    """Whether its first operations make sense; the check asks all of them."""
    if sums := batch_sums(data):
        return sums[0] == batch.header(data)[1]
    try:
        for _ in islice(batch.operations(data), FEW):
            pass
    except MalformedError:
        return False
    return True


def _choose_manifest(database: Database) -> None:
    """CURRENT's MANIFEST where it exists; else the one with the most edits that can be read."""
    known = _has_rocksdb_files(database)
    database.version, database.manifest = None, None
    if database.current in database.files and database.current not in (None, *database.foreign):
        assert database.current is not None
        database.manifest, database.manifest_because = database.current, "CURRENT names it"
        read, size = database.reader(database.current), database.size(database.current)
        database.version = replay(read, size, Version(leveldb=not known))
        if database.version.edits:
            return
    best: tuple[int, int] = (0, -1)
    for number, name in sorted(database.manifests.items())[-8:]:
        if name in database.foreign:
            continue
        version = replay(database.reader(name), database.size(name), Version(leveldb=not known))
        # a younger MANIFEST begins with a snapshot of everything: any edit of it is worth more than an older file
        if version.edits and (1, number) > best:
            best = (1, number)
            database.version, database.manifest = version, name
            database.manifest_because = "CURRENT does not lead to a MANIFEST that can be read; this is the youngest"


def _has_rocksdb_files(database: Database) -> bool:
    """Whether files are there that LevelDB has not."""
    return any(what.kind in ("options", "identity", "blob") for what in database.files.values())


def _is_leveldb(database: Database) -> bool:
    if _has_rocksdb_files(database):
        return False
    if any(name.endswith(".ldb") for name in database.tables.values()):  # RocksDB takes them as well
        return True
    if database.version is not None and database.version.edits > 0:
        return database.version.leveldb
    # no edit to be read: a table of RocksDB has properties, its info log begins with its version, and every run of it
    # leaves an OPTIONS file; what LevelDB leaves besides is CURRENT, LOCK and LOG
    logs = (name for name, what in database.files.items() if what.kind == "info-log")
    if database.tables or any(b"RocksDB" in database.source.read(0, _LOG_HEAD, name) for name in logs):
        return False
    return any(what.kind == "info-log" for what in database.files.values())


def good_blocks(table: Table) -> Iterator[tuple[int, int, bytes]]:
    """Offset, end and content of every data block that verifies, in file order."""
    read = Windowed(table.read, table.sparing)
    for i in range(table.data_blocks):
        handle = table.data_handle(i)
        loaded = table.judge(handle, read(handle.offset, handle.end - handle.offset))
        if loaded.ok and table.holds("data", loaded.content):
            yield handle.offset, handle.end, loaded.content


def pairs_of(content: bytes) -> list[block.Pair]:
    """Entries of a data block whose keys are internal keys; none where the block is malformed."""
    try:
        pairs = block.entries(content)
    except MalformedError:
        return []
    return pairs if all(len(key) >= 8 for key, _ in pairs) else []
