"""What a MANIFEST says the database is: column families, levels, files, numbers, replayed from its edits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec import Struct, field

from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.edit import WAL_DELETE, BlobFile, Edit, NewFile, decode
from inspector.formats.rocksdb.keys import BYTEWISE
from inspector.formats.rocksdb.log import BAD, STATES, TORN, UNREAD, LogReader, Read, Sound
from inspector.formats.rocksdb.logical import BROKEN, FATES, WHOLE, Assembler, Record

MAX_EDITS_KEPT: Final = 100
MAX_MALFORMED: Final = 10_000
NEEDED: Final = ("log_number", "next_file", "last_sequence")  # an engine opens no database whose MANIFEST says less


class Family(Struct):
    """One column family; `files` by number, with their level inside."""

    id: int
    name: str
    comparator: str = BYTEWISE
    log_number: int = 0
    files: dict[int, NewFile] = field(default_factory=dict)
    blobs: dict[int, BlobFile] = field(default_factory=dict)
    garbage: dict[int, tuple[int, int]] = field(default_factory=dict)  # blob file -> count, bytes
    others: list[tuple[int, bytes]] = field(default_factory=list)
    assumed: bool = False  # no edit that survived added it

    def levels(self) -> dict[int, list[NewFile]]:
        """Files by level; level 0 newest first, deeper levels by smallest key."""
        found: dict[int, list[NewFile]] = {}
        for file in self.files.values():
            found.setdefault(file.level, []).append(file)
        for level, files in found.items():
            if level == 0:
                files.sort(key=lambda f: (-f.largest_sequence, -f.number))
            else:
                files.sort(key=lambda f: f.smallest)
        return dict(sorted(found.items()))


class Stale(Struct, frozen=True):
    """An edit at [start, end) that verifies and does not fit those before it; `refused` where the engine refuses it."""

    start: int
    end: int
    why: str
    refused: bool


class Version(Struct):
    """The state after all edits that could be read; `faults` are MANIFEST bytes and what is wrong with them."""

    families: dict[int, Family] = field(default_factory=dict)
    dropped: dict[int, str] = field(default_factory=dict)
    db_id: str | None = None
    next_file: int = 0
    last_sequence: int = 0
    prev_log: int = 0
    min_log_to_keep: int = 0
    max_family: int = 0
    edits: int = 0
    leveldb: bool = True  # until an edit has a tag that only RocksDB writes, or where files beside it tell
    wal_sizes: dict[int, int] = field(default_factory=dict)
    flushed: int = 0  # the highest sequence number of any table that an edit added; compactions set theirs to 0
    given: set[str] = field(default_factory=set)  # of `NEEDED`, by any edit
    removed: set[int] = field(default_factory=set)  # file numbers that an edit deleted and none added again
    faults: list[tuple[int, int, str]] = field(default_factory=list)
    fault_count: int = 0
    malformed_at: dict[int, str] = field(default_factory=dict)  # of the faults records that hold and are no edits
    malformed_count: int = 0
    stale: list[Stale] = field(default_factory=list)  # of the faults those that verify
    stale_count: int = 0
    _left_out: list[Edit] = field(default_factory=list)
    replayed: int = 0  # bytes of the MANIFEST

    def family(self, number: int) -> Family:
        if number not in self.families:
            name = "default" if number == 0 else f"cf-{number}"
            self.families[number] = Family(number, name, assumed=number != 0)
        return self.families[number]

    def fault(self, start: int, end: int, why: str) -> None:
        self.fault_count += 1
        if len(self.faults) < MAX_EDITS_KEPT:
            self.faults.append((start, end, why))

    def live_tables(self) -> Iterator[tuple[Family, NewFile]]:
        for family in self.families.values():
            for file in family.files.values():
                yield family, file

    def malformed(self, start: int, end: int, why: str) -> None:
        """Take in a record that holds and is no edit."""
        self.fault(start, end, why)
        self.malformed_count += 1
        if len(self.malformed_at) < MAX_MALFORMED:
            self.malformed_at[start] = why

    @property
    def lacks(self) -> tuple[str, ...]:
        """What no edit says though each was read: the MANIFEST ends too early (db/version_edit_handler.cc)."""
        return tuple(name for name in NEEDED if name not in self.given) if self.edits and not self.damaged else ()

    @property
    def damaged(self) -> bool:
        return bool(self.fault_count)

    def apply(self, edit: Edit) -> None:
        """One edit; the engine's VersionBuilder refuses what does not fit, this takes it as it comes."""
        self.edits += 1
        if len(self.given) < len(NEEDED):
            self.given.update(name for name in NEEDED if getattr(edit, name) is not None)
        if (value := edit.next_file) is not None and value > self.next_file:
            self.next_file = value
        if (value := edit.last_sequence) is not None and value > self.last_sequence:
            self.last_sequence = value
        if (value := edit.min_log_to_keep) is not None and value > self.min_log_to_keep:
            self.min_log_to_keep = value
        if (value := edit.max_family) is not None and value > self.max_family:
            self.max_family = value
        if edit.prev_log is not None:
            self.prev_log = edit.prev_log
        if edit.db_id is not None:
            self.db_id = edit.db_id
        if edit.wals:
            self.wal_sizes.update({number: size for number, size in edit.wals if size is not None})
        if edit.drop_family:
            gone = self.families.pop(edit.family, None)
            self.dropped[edit.family] = gone.name if gone else ""
            return
        family = self.family(edit.family)
        if edit.add_family is not None:
            family.name, family.assumed = edit.add_family, False
        if edit.comparator is not None:
            family.comparator = edit.comparator
        if edit.log_number is not None:
            family.log_number = max(family.log_number, edit.log_number)
        for _, number in edit.deleted:
            family.files.pop(number, None)
            self.removed.add(number)
        for new in edit.added:
            family.files[new.number] = new
            self.flushed = max(self.flushed, new.largest_sequence)
            self.removed.discard(new.number)
        if edit.blobs or edit.garbage or edit.others:
            self._blobs(family, edit)

    def take(self, edit: Edit, start: int, end: int) -> None:
        """Apply an edit; one whose numbers go back is told, and left out where what it does was done before."""
        back = ""
        if (value := edit.next_file) and value < self.next_file:
            back = "next_file"
        elif (value := edit.last_sequence) and value < self.last_sequence:
            back = "last_sequence"
        done, refused = self._done(edit)
        if not back and (not done or self.fault_count > self.stale_count):  # what misfits may hang on a lost edit
            self.apply(edit)
            return
        if not done:
            done = f"{back.replace('_', ' ')} goes back from {self._due(back)} to {getattr(edit, back)}"
            self.apply(edit)
        elif len(self._left_out) < MAX_EDITS_KEPT:
            self._left_out.append(edit)
        self.fault(start, end, done)
        self.stale_count += 1
        if len(self.stale) < MAX_EDITS_KEPT:
            self.stale.append(Stale(start, end, done, refused))

    def again(self) -> None:
        """Apply what was left out and fits behind later edits: those changed places."""
        for edit in self._left_out:
            if not self._done(edit)[0]:
                self.apply(edit)
        self._left_out.clear()

    def _due(self, name: str) -> int:
        found: int = getattr(self, name)
        return found

    def _done(self, edit: Edit) -> tuple[str, bool]:
        """Why what an edit does cannot be done here, and whether the engine says so (db/version_builder.cc)."""
        if not edit.deleted and not edit.added:
            return "", False
        family = self.families.get(edit.family)
        files = family.files if family else {}
        gone = next((at for at in edit.deleted if at[1] not in files or files[at[1]].level != at[0]), None)
        if gone is not None:
            return f"it deletes table {gone[1]:06d} from level {gone[0]}, where none is", not self.leveldb
        deleted = {number for _, number in edit.deleted} if edit.deleted else ()
        for new in edit.added:
            if new.number in files and new.number not in deleted:
                return f"it adds table {new.number:06d}, which is there", not self.leveldb
            if new.number in self.removed and new.number not in deleted:
                return f"it adds table {new.number:06d}, which an edit before deleted", True
        return "", False

    def _blobs(self, family: Family, edit: Edit) -> None:
        for blob in edit.blobs:
            family.blobs[blob.number] = blob
        for waste in edit.garbage:
            count, size = family.garbage.get(waste.number, (0, 0))
            family.garbage[waste.number] = count + waste.count, size + waste.size
            known = family.blobs.get(waste.number)
            if known and known.count <= count + waste.count:  # all garbage: the file is obsolete
                del family.blobs[waste.number]
                self.removed.add(waste.number)
        # with a deletion of WALs in it the engine passes over all else that an edit says; it is of no use in a snapshot
        kept = [one for one in edit.others if one[0] != WAL_DELETE]
        family.others.extend(kept[: 64 - len(family.others)])


def _newer(edit: Edit) -> bool:
    """Whether an edit has a tag that only RocksDB writes."""
    if edit.db_id or edit.remaining is not None or edit.family or edit.max_family or edit.others:
        return True
    return any(new.custom for new in edit.added)


def replay(read: Read, size: int, version: Version | None = None) -> Version:
    """The version that a MANIFEST of `size` bytes gives; every fault is kept with its bytes."""
    version = version or Version()
    group: list[tuple[Edit, int, int]] = []

    def records() -> Iterator[Record]:
        for batch in LogReader(read, size).batches():
            if not isinstance(batch, Sound):
                if batch[0].state in (BAD, UNREAD, TORN):
                    version.fault(batch[0].start, batch[0].end, STATES[batch[0].state])
                yield from assembler.feed(batch)
            elif batch.empty and assembler.idle and not group:
                version.edits += len(batch)  # they say nothing; there may be a hundred thousand of them
            else:
                yield from sound(batch)
        yield from assembler.end()

    def sound(batch: Sound) -> Iterator[Record]:
        for row in assembler.rows(batch):
            if row.first == row.stop:
                yield from assembler.broken_off()
            elif not row.astray:
                yield from assembler.feed(batch.part(row.first, row.stop))
            else:
                for first, stop in islice(assembler.lost(batch, row), MAX_EDITS_KEPT):
                    version.fault(batch.starts[first], batch.end_of(stop), FATES[BROKEN])
                version.fault_count += max(0, assembler.lost_count(batch, row) - MAX_EDITS_KEPT)
                group.clear()

    assembler = Assembler()
    for record in records():
        if record.fate != WHOLE:
            version.fault(record.start, record.end, FATES[record.fate])
            group.clear()
            continue
        if not record.data and not group:
            version.edits += 1
            continue
        try:
            edit = decode(record.data, typed=not version.leveldb)
        except MalformedError as error:
            version.malformed(record.start, record.end, str(error))
            continue
        if version.leveldb and _newer(edit):
            version.leveldb = False
        if edit.remaining is None:
            for waiting in group:  # the rest of its group was lost; what is here did happen
                version.take(*waiting)
            group.clear()
            version.take(edit, record.start, record.end)
            continue
        group.append((edit, record.start, record.end))
        if edit.remaining == 0:
            for waiting in group:
                version.take(*waiting)
            group.clear()
    version.again()
    version.replayed = size
    if group:
        version.fault(size, size, f"an atomic group of edits is not complete: {len(group)} are here")
    return version
