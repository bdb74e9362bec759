"""Repair: a folder that the engine opens, member by member, with every entry that could be proved.

Healthy members stay what they are. A damaged table or WAL is written again from what verifies. The MANIFEST is made
anew when the set or the size of files changed, or when it was damaged itself; CURRENT then follows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.counted import counted
from inspector.errors import RefusedError
from inspector.format import Edit, Plan, Wishes
from inspector.formats.rocksdb import (
    blob,
    blob_lists,
    folders,
    identity,
    keys,
    names,
    releases,
    stacked,
    unsealed,
    wals,
)
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.facts import BlobFacts, LogFacts, TableFacts
from inspector.formats.rocksdb.levels import settle
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.mending import mend
from inspector.formats.rocksdb.order import strangers
from inspector.formats.rocksdb.plan_file import cut, plan_file, table_needs_work
from inspector.formats.rocksdb.plan_file import refusal as refusal_of_file
from inspector.formats.rocksdb.reblob import BlobMender, lost_with
from inspector.formats.rocksdb.rewal import has_wrong_length, rewrite_wal, written_anew
from inspector.formats.rocksdb.rewrite import Rewriter, joined
from inspector.formats.rocksdb.strays import strays_of
from inspector.formats.rocksdb.superseded import Newer, left_out, superseded, undecided
from inspector.formats.rocksdb.table import Table
from inspector.formats.rocksdb.version import Family, Version
from inspector.formats.rocksdb.view import families, file_of, is_homeless
from inspector.formats.rocksdb.whole import NO_END, NO_LIST, end_is_missing, lost_list
from inspector.overlay import Overlay, corrected_edits
from inspector.span import Span

# immutable once they are written, so that source and output may share them by hard link
_SHARED: Final = frozenset({"table", "blob"})
# fields of a MANIFEST entry that do not hold for a table that was written again
_STALE_FIELDS: Final = frozenset({edits.CUSTOM_CHECKSUM, edits.CUSTOM_CHECKSUM_NAME, edits.CUSTOM_TAIL_SIZE})


def _empty_log(name: str) -> Edit:
    return Edit("added", None, b"", "derived", "a log without a record: it would be missed", out=name)


def plan(db: Database, wishes: Wishes) -> Plan:
    """The plan for a folder, or for one file of it, with every correction that these wishes allow."""
    mended = mend(db, wishes)
    made = _plan(mended.db)
    over = mended.db.source
    while over is not db.source and isinstance(over, Overlay):
        made.edits = corrected_edits(made.edits, over)
        over = over.below
    made.notes += mended.notes()
    return made


def refusal(db: Database) -> RefusedError | None:
    """Why nothing can be written from this source as it was read; None where a plan can be made."""
    if db.single:
        return refusal_of_file(db)
    unread = [] if db.trusted else [m for m in db.unlisted().values() if db.table(m).foreign]
    if not unread:
        refused = folders.refusal(db) if db.trusted else undecided(db)
        return refused or stacked.refusal(db) or releases.refusal(db)
    return RefusedError(
        f"{unread[0]} is {db.table(unread[0]).declined}: nothing but the lost MANIFEST says what is in it",
        "use RocksDB's own tools for this database",
    )


def _plan(db: Database) -> Plan:
    refused = refusal(db)
    if refused is not None:
        raise refused
    if db.single:
        return plan_file(db)
    planner = Planner(db)
    made = Plan(planner.edits(), db.source.size + (1 << 20), folder=True, notes=planner.notes)
    made.after = lambda source, output: (
        f"stop the program that uses {source}",
        f"mv {source} {source}.damaged && mv {output} {source}",
        f"start it; if anything is wrong: mv {source} {output} && mv {source}.damaged {source}",
    )
    return made


class Planner(Struct):
    """Decides member by member; the MANIFEST comes last, when the sizes of all tables are known."""

    db: Database
    notes: list[str] = field(default_factory=list)
    families: dict[int, Family] = field(default_factory=dict)
    changed: bool = False  # the MANIFEST must be made anew
    _family_of: dict[int, Family] = field(default_factory=dict)
    _mender: BlobMender | None = None
    _newest: int = 0
    _wals: dict[str, bool] = field(default_factory=dict)  # those that are written anew
    _strangers: frozenset[str] = frozenset()
    _replaced: dict[int, Newer] = field(default_factory=dict)

    def edits(self) -> Iterator[Edit]:
        """Edits of all members, each byte of the source once."""
        db = self.db
        version = db.version or Version(leveldb=db.leveldb)
        self.changed = not db.trusted
        for name in () if db.trusted else identity.part(db):
            self.notes.append(f"{name} has the number of a blob file, and no two files of a database have one")
        for family in families(db):
            files = {number: folders.flattened(file) for number, file in family.files.items()}
            self.families[family.id] = replace(family, files=files, blobs=dict(family.blobs))
        if any(True for _ in folders.listed(db)):
            self.changed = True
            self.notes.append(folders.FLATTENED)
        for family in () if db.trusted else self.families.values():
            here = family.files.keys() & db.tables.keys()  # a file that is listed may be gone
            homeless = frozenset(n for n in here if is_homeless(db.table(db.tables[n]).properties))
            self._replaced |= superseded(db, family, homeless)
        for family in self.families.values():
            for number in self._replaced.keys() & family.files.keys():
                del family.files[number]
        self._family_of = {n: f for f in self.families.values() for n in f.files}
        self._strangers = strangers(db)
        self._mender = BlobMender(db)
        self._wals = written_anew(db, self._mender, self._strangers)
        for member in db.source.members:
            kind = db.files[member.name].kind if member.name in db.files else "foreign"
            if kind in ("manifest", "current"):
                continue
            yield from self._member(member.name, member.size, kind)
        yield from self._missing()
        yield from self._blob_lists()
        yield from self._manifest(version)
        self._say(version)

    def _member(self, name: str, size: int, kind: names.Kind) -> Iterator[Edit]:
        whole = Span(0, size, name)
        if kind == "blob" and not (self._mender and self._mender.is_damaged(name) and self._mender.has_lost(name)):
            yield from self._blobs_gone(name, size)
        if kind == "blob" and name in self.db.strangers:
            yield Edit("dropped", whole, why="not the blob file that the MANIFEST lists", out=name)
        elif kind == "table":
            yield from self._table(name, size)
        elif name in self._strangers:
            why = "another WAL stands here: its sequence numbers do not follow those of the WALs before it"
            yield Edit("lost", whole, why=why, out=name, units=self._records(name))
            if self.db.files[name].number in {self.db.oldest_wal(), *(f.log_number for f in self.families.values())}:
                yield _empty_log(self._named(name))
        elif kind == "wal" and name in self._wals:
            written = False
            out = self._named(name)
            for edit in joined(rewrite_wal(self.db, name, out, self._wals[name], self._mender)):
                written = written or edit.action in ("kept", "corrected", "added")
                yield edit
            if not written:  # an empty one, or it would be missed
                yield _empty_log(out)
        elif kind == "blob" and self._mender and self._mender.is_damaged(name):
            yield from joined(self._mender.edits(name))
        elif kind == "options" and self._bad_options(name):
            yield Edit("dropped", whole, why="an OPTIONS file that cannot be read; the engine needs none", out=name)
        else:
            out = self._named(name) if kind in ("blob", "wal") else name
            yield Edit("kept", whole, out=out, whole=kind in _SHARED, units=self._units(name), why="healthy member")

    def _named(self, name: str) -> str:
        """The name of a table or blob file in the new folder: its own, where it stands under another's."""
        out = identity.own_name(self.db, name)
        if out != name:
            self.changed = True  # a new MANIFEST, so that no name is ever another's again
            self.notes.append(f"{name} is {out}, by what is in it, and gets its name")
        return out

    def _blobs_gone(self, name: str, size: int) -> Iterator[Edit]:
        """Values that the MANIFEST counts and of which nothing is in this blob file: it was cut between two of them."""
        number, facts = self.db.files[name].number, self.db.facts.get(name)
        listed = next((f.blobs[number] for f in self.families.values() if number in f.blobs), None)
        if listed is None or size - blob.HEADER >= listed.size:
            return
        here = facts.records + facts.bad if isinstance(facts, BlobFacts) else 0
        if listed.count > here:
            why = (
                f"{counted(listed.count - here, 'value', 'values')} that the MANIFEST counts: the file ends before them"
            )
            yield Edit("lost", Span(size, size, name), why=why, units=listed.count - here)

    def _units(self, name: str) -> int:
        facts = self.db.facts.get(name)
        return facts.good_blocks if isinstance(facts, TableFacts) else 0

    def _records(self, name: str) -> int:
        facts = self.db.facts.get(name)
        return facts.records if isinstance(facts, LogFacts) else 0

    def _bad_options(self, name: str) -> bool:
        data = self.db.source.read(0, 1 << 20, name)
        return b"[Version]" not in data or b"[DBOptions]" not in data or b"\0" in data

    def _table(self, name: str, size: int) -> Iterator[Edit]:
        db, number = self.db, self.db.files[name].number
        table = db.table(name)
        family = self._family_of.get(number)
        listed = family.files[number] if family else None
        changes = self._mender.changes(name) if self._mender else None
        if number in self._replaced:
            why = self._replaced[number].why
            self.notes.append(left_out(db, name, self._replaced[number]))
            yield Edit("dropped", Span(0, size, name), why=why, out=name, units=self._units(name))
            return
        sized = listed is None or listed.size == table.size
        out = self._named(name)
        if name in db.strangers and family is not None:
            self.changed = True
            del family.files[number]
            yield Edit("dropped", Span(0, size, name), why="not the table that the MANIFEST lists", out=name)
            return
        if table.foreign:
            self.notes.append(f"{name} is {table.declined}: it is carried over as it is")
            yield Edit("kept", Span(0, size, name), out=out, whole=True, proof="placed", why="not read, carried over")
            return
        if not table_needs_work(db, name, table) and not changes and sized and (size or db.trusted):
            if table.spare:
                yield from cut(table, name, out)
            else:
                why = "healthy member"
                yield Edit("kept", Span(0, size, name), out=out, whole=True, units=self._units(name), why=why)
            if family or not db.trusted:
                self._newest = max(self._newest, self._top(name))
            if family and listed and (mended := self._mended_listing(name, family, listed)):
                family.files[number] = mended
                self.changed = True
            return
        if family is None and db.trusted:
            why = "not listed: left over from an interrupted write, the engine deletes it"
            yield Edit("kept", Span(0, size, name), out=out, whole=True, proof="placed", why=why)
            return
        if family is None:
            why = "no entry of it can be read, and what listed it may be lost"
            yield Edit("lost", Span(0, size, name), why=why, units=-1, out=name)
            return
        self.changed = True
        owner, mender = (family.id, family.name, family.comparator), self._mender if changes else None
        yield from lost_with(changes or {}, name)
        writer = Rewriter(table, name, out, owner, mender, strays_of(db, name), unsealed.newest(db, name))
        yield from writer.edits()
        if end_is_missing(db, name, listed.size if listed else None):
            yield Edit("lost", Span(size, size, name), why=NO_END, units=-1)
        if not writer.blocks and not writer.ranges:
            del family.files[number]
            self.notes.append(f"nothing of {name} could be read: the new database does not list it")
            return
        if lost := writer.lost_ranges():
            self.notes.append(f"{name}: {lost} range deletes are lost; what they had deleted may appear again")
        self._newest = max(self._newest, writer.max_tag >> 8)
        family.files[number] = self._relisted(number, writer, table, listed)

    def _mended_listing(self, name: str, family: Family, listed: NewFile) -> NewFile | None:
        """The entry of a healthy table whose range or whole-file checksum in the MANIFEST is wrong; else None."""
        facts, order = self.db.facts.get(name), keys.order_of(family.comparator)
        smallest, largest, custom = listed.smallest, listed.largest, listed.custom
        if isinstance(facts, TableFacts) and order is not None and facts.first_key and facts.last_key:
            if order(facts.first_key[:-8]) < order(smallest[:-8]):
                smallest = facts.first_key
            if order(largest[:-8]) < order(facts.last_key[:-8]):
                largest = facts.last_key
        if name in self.db.bad_sums:
            custom = tuple((tag, body) for tag, body in custom if tag not in _STALE_FIELDS)
            self.notes.append(f"{name}: every block verifies, so the whole-file checksum is left out of the MANIFEST")
        mended = replace(listed, smallest=smallest, largest=largest, custom=custom)
        return mended if mended != listed else None

    def _top(self, name: str) -> int:
        facts = self.db.facts.get(name)
        return facts.max_tag >> 8 if isinstance(facts, TableFacts) else 0

    def _relisted(self, number: int, writer: Rewriter, table: Table, listed: NewFile | None) -> NewFile:
        """The MANIFEST entry of a table that was written again; its old key range still covers what is left."""
        if listed is None:
            found = file_of(table, number, writer.at)
            assert found is not None
            return found
        stale = _STALE_FIELDS if table.properties else _STALE_FIELDS | {edits.CUSTOM_UNIQUE_ID}
        custom = tuple((tag, body) for tag, body in listed.custom if tag not in stale)
        smallest, largest = listed.smallest, listed.largest
        order = keys.order_of(writer.family[2])
        if order and writer.first and writer.last:  # only where the old range is wrong does it change
            smallest = writer.first if order(writer.first[:-8]) < order(smallest[:-8]) else smallest
            largest = writer.last if order(largest[:-8]) < order(writer.last[:-8]) else largest
        return replace(listed, size=writer.at, custom=custom, smallest=smallest, largest=largest)

    def _missing(self) -> Iterator[Edit]:
        for family in self.families.values():
            for number in [n for n in family.files if n not in self.db.tables]:
                del family.files[number]
                self.changed = True
                why = f"table {number:06d} of column family {family.name} is missing: its entries are lost"
                self.notes.append(why)
                yield Edit("lost", Span(0, 0, names.table_name(number)), why=why, units=-1)
        for name in sorted(m for m in self.db.strangers | self.db.displaced if self.db.files[m].kind == "table"):
            why = f"{name} is another table than the one that the MANIFEST lists, whose entries are lost"
            self.notes.append(why)
            yield Edit("lost", Span(0, 0, name), why=why, units=-1)
        for name in sorted(self.db.unlisted().values()) if not self.db.trusted else ():
            if is_homeless(self.db.table(name).properties):
                what = f"{name} was made elsewhere and ingested: nothing tells into which column family, and when"
                self.notes.append(f"{what}; it is in default, as the oldest")
                yield Edit("lost", Span(0, 0, name), why=what, units=-1)
        for one in wals.gone(self.db):
            self.changed = True
            self.notes.append(one.message)
            yield Edit("lost", wals.where(self.db, one), why=one.message, units=-1)

    def _blob_lists(self) -> Iterator[Edit]:
        """Blob files as they are: missing ones leave the list, and those that hold values and are here join it."""
        known = {n for f in self.families.values() for n in f.blobs}
        for family, number in blob_lists.gone(self.db, self.families):
            del family.blobs[number]
            self.changed = True
            why = f"blob file {number:06d} of column family {family.name} is missing: its values are lost"
            self.notes.append(why)
            yield Edit("lost", Span(0, 0, names.blob_name(number)), why=why, units=-1)
        if self._mender is not None and blob_lists.take_in(self.db, self.families, self._mender, known):
            self.changed = True

    def _manifest(self, version: Version) -> Iterator[Edit]:
        db = self.db
        sources = [*db.manifests.values(), *(["CURRENT"] if "CURRENT" in db.files else [])]
        overlapping = sum(map(settle, self.families.values())) > 0  # each is settled, not only the first
        mended = any(has_wrong_length(db, name) for name in db.manifests.values())
        if self._newest > version.last_sequence or overlapping or mended:
            self.changed = True
        if not self.changed:
            for name in sorted(sources):
                yield Edit("kept", Span(0, db.size(name), name), out=name, why="healthy member")
            return
        for name in sorted(sources):
            if name in db.unread_manifests and db.size(name):
                yield Edit("lost", Span(0, db.size(name), name), why="no edit in it can be read", units=-1, out=name)
            elif name in db.foreign:
                yield Edit("dropped", Span(0, db.size(name), name), why=db.foreign[name].why, out=name)
            else:
                yield Edit("dropped", Span(0, db.size(name), name), why="made anew", out=name)
        if gone := lost_list(db):
            self.notes.append(f"{NO_LIST}; compare the number of entries with what you know of the database")
            yield Edit("lost", Span(0, 0, gone), why=NO_LIST, units=-1)
        if version.lacks and db.manifest:
            why = f"edits that every MANIFEST has: none here says {', '.join(version.lacks)}"
            yield Edit("lost", Span(db.size(db.manifest), db.size(db.manifest), db.manifest), why=why, units=-1)
        numbers = [what.number for what in db.files.values()]
        number = max([version.next_file, *(n + 1 for n in numbers)])
        version = replace(version, next_file=number + 1, last_sequence=max(version.last_sequence, self._newest))
        version.leveldb = db.leveldb
        name = names.manifest_name(number)
        blob_lists.name_oldest(db, self.families)
        body = snapshot(self.families.values(), version)
        yield Edit("added", None, body, "derived", "MANIFEST of what is here", out=name)
        yield Edit("added", None, f"{name}\n".encode(), "derived", "names the new MANIFEST", out="CURRENT")

    def _say(self, version: Version) -> None:
        db = self.db
        if self.changed and db.version is not None and not db.trusted and db.unlisted():
            self.notes.append("tables that no edit listed were taken in; what a lost edit had deleted may appear again")
        if self.changed and version.damaged and not lost_list(db):
            self.notes.append("a file that only a damaged edit named, and that is not here, is lost untold")
        for family in self.families.values():
            before = version.families[family.id].log_number if family.id in version.families else 0
            if any(before <= number < family.log_number for number in db.wals):
                whose = f"operations of column family {family.name}" if len(self.families) > 1 else "operations"
                upto = names.wal_name(family.log_number)
                self.notes.append(f"{whose} in WALs before {upto} are in tables, and are not replayed once more")
        if self._mender is not None and self._mender.moved:
            refer = counted(self._mender.moved, "entry refers", "entries refer")
            self.notes.append(f"{refer} to values that moved within their blob file: lost, and deletes now")
        for family in self.families.values():
            if keys.order_of(family.comparator) is None:
                what = f"column family {family.name}: only its program knows its comparator {family.comparator}"
                self.notes.append(f"{what}; the order of keys was not checked, and key ranges stay as they were")
        lost = [m for m, f in db.facts.items() if isinstance(f, TableFacts) and f.bad_blocks]
        if lost:
            self.notes.append(
                "where a block is lost an older value of the same key, in an older table, may become visible"
            )
        self.notes.append("the new folder is opened by the same releases as the source: no format version was changed")
