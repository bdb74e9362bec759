"""Which table a file is by what it says of itself, and which one the MANIFEST lists under its number.

Since RocksDB 7.4 the MANIFEST holds an identity of each table, made of three properties of it: the database, the run
of the engine and the file number that it was written with (table/unique_id.cc GetSstInternalUniqueId). The engine
refuses a table with another one. Where there is none, a table is known by its size and its first and last key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inspector.formats.rocksdb import blob, names
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.facts import BlobFacts, Refers, TableFacts
from inspector.formats.rocksdb.names import FileName
from inspector.formats.rocksdb.properties import Properties

if TYPE_CHECKING:
    import xxhash
else:
    from inspector.postponed import Postponed

    xxhash = Postponed("xxhash")

_LOW: Final = (1 << 62) - 1  # of a session's number, which its last 12 digits hold; two bits are in the digit before
_M64: Final = (1 << 64) - 1
_NONE: Final = bytes(16)
Identity = bytes | tuple[int, bytes, bytes]


class Misplaced(Struct, frozen=True):
    """A table or blob file under another number; `home` is its own, None where the MANIFEST does not list it."""

    member: str
    number: int
    home: int | None
    twin: bool = False  # it is also where it belongs


def unique_id(found: Properties) -> bytes:
    """The identity that the engine gives a table with these properties, whatever they lack."""
    session, database = found.text("creating.session.identity") or "", found.text("creating.db.identity") or ""
    upper, lower = _session(session)
    mixed = xxhash.xxh3_128_intdigest(database.encode(), seed=upper) >> 64
    number = found.number("original.file.number") or 0
    return lower.to_bytes(8, "little") + (mixed ^ number & _M64).to_bytes(8, "little")


def _session(told: str) -> tuple[int, int]:
    """The two numbers in a session's name; a hash where it is none."""
    high, low = told[:-12], told[-12:]
    if 13 <= len(told) <= 24 and told.isascii() and told.isalnum() and int(high, 36) <= _M64:
        upper = int(high, 36)
        return upper >> 2, int(low, 36) & _LOW | upper << 62 & _M64
    mixed = xxhash.xxh3_128_intdigest(told.encode("utf-8", "backslashreplace"))
    upper, lower = mixed >> 64, mixed & _M64
    return upper, lower or upper | 1


def settle(db: Database) -> list[Misplaced]:
    """Give tables that stand under each other's names their own numbers; all that stand in a wrong place.

    Those of them that belong nowhere, or are where they belong as well, become `db.strangers`. Where edits of the
    MANIFEST are lost a table that belongs nowhere may be one that they listed: it is taken in as any unlisted one,
    unless it names another database.
    """
    if db.single or db.version is None:
        return []
    listed = {file.number: file for _, file in db.version.live_tables()}
    homes = {_listed(file): number for number, file in listed.items()}
    wrong = {m: n for n, m in db.tables.items() if n in listed and _is_other(db, listed[n], m, homes)}
    found: list[Misplaced] = []
    for member, number in sorted(wrong.items()):
        home = _home(db, member, homes)
        there = db.tables.get(home) if home is not None else None
        found.append(Misplaced(member, number, home, there is not None and there not in wrong))
    missing = listed.keys() - db.tables.keys() - {one.home for one in found}
    for number, member in sorted(db.tables.items()):
        home = _home(db, member, homes) if missing and number not in listed else None
        if home in missing:  # it was given a number that no list has
            found.append(Misplaced(member, number, home, False))
            missing.remove(home)
    _move(db, db.tables, found)
    if db.lost_edits and found:
        from inspector.formats.rocksdb.lost_edits import any_of

        db.lost_edits = any_of(db)  # what it was told by may be one of these
    if found and not db.trusted:
        _take_in(db, found, {_owner(db, m) for n, m in db.tables.items() if n in listed and n not in wrong.values()})
    return found


def _home(db: Database, member: str, homes: dict[Identity, int]) -> int | None:
    """The number under which a table is listed, by what is in it."""
    return next((homes[own] for own in _own(db, member) if own in homes), None)


def part(db: Database) -> list[str]:
    """Give tables that have a blob file's number another one; their names in the source.

    One counter gives all numbers, and the engine's cache tells open files apart by nothing else. A table knows the
    number that it was written with.
    """
    version, found = db.version, [db.tables[number] for number in sorted(db.tables.keys() & db.blobs.keys())]
    taken = {what.number for what in db.files.values()} | {version.next_file - 1 if version else 0}
    taken |= {file.number for _, file in version.live_tables()} if version else set()
    for member in found:
        stated = db.table(member).properties
        own = stated.number("original.file.number") if stated else None
        number = own if own and own not in taken else max(taken) + 1
        taken.add(number)
        del db.tables[db.files[member].number]
        db.tables[number], db.files[member] = member, FileName("table", number)
        db.forget(member)
    return found


def _take_in(db: Database, found: list[Misplaced], known: set[str]) -> None:
    """Take tables of this database that stand where others are listed from the list: they are unlisted ones."""
    assert db.version
    known |= {db.version.db_id or ""} - {""}
    own = [one for one in found if one.home is None and (not known or _owner(db, one.member) in known)]
    db.displaced = {one.member for one in own}
    db.strangers -= db.displaced
    for one in own:
        for family in db.version.families.values():
            family.files.pop(one.number, None)
        db.forget(one.member)


def _owner(db: Database, member: str) -> str:
    """The database that a table says it was written in; empty where it does not say."""
    found = db.table(member).properties
    return (found.text("creating.db.identity") if found is not None else None) or ""


def _move(db: Database, held: dict[int, str], found: list[Misplaced]) -> None:
    """Give each its own number, where no other one has it."""
    moved: dict[int | None, Misplaced] = {one.home: one for one in reversed(found) if one.home and not one.twin}
    for one in moved.values():
        del held[one.number]
    for home, one in moved.items():
        held[home or 0], db.files[one.member] = one.member, FileName(db.files[one.member].kind, home or 0)
        db.forget(one.member)  # an ingested table has its sequence number from the entry of its own number
    db.strangers |= {one.member for one in found if moved.get(one.home) is not one}


def own_name(db: Database, member: str) -> str:
    """The name that a file has by its number: of one that was found under another's name it is not `member`."""
    number = db.files[member].number
    return member if names.classify(member).number == number else f"{number:06d}.{member.rpartition('.')[2]}"


def _is_other(db: Database, file: NewFile, member: str, homes: dict[Identity, int]) -> bool:
    """Whether this is certainly not the table that is listed: a damaged one may well have other ends."""
    own, due = _own(db, member), _listed(file)
    if isinstance(due, bytes):
        return any(isinstance(one, bytes) and one != due for one in own)
    return due not in own and (any(one in homes for one in own) or _is_anothers(db, file, member))


def _is_anothers(db: Database, file: NewFile, member: str) -> bool:
    """Whether a table of LevelDB is whole and of another size than the one that is listed: no damage makes that."""
    table, facts = db.table(member), db.facts.get(member)
    whole = table.leveldb and isinstance(facts, TableFacts) and not facts.bad_blocks and table.whole
    return whole and table.size != file.size


def _listed(file: NewFile) -> Identity:
    stated = file.field(edits.CUSTOM_UNIQUE_ID)
    return stated if stated and stated != _NONE else (file.size, file.smallest, file.largest)


def _own(db: Database, member: str) -> list[Identity]:
    facts = db.facts.get(member)
    if not isinstance(facts, TableFacts):
        return []
    own: list[Identity] = [facts.identity] if facts.identity else []
    return [*own, (facts.size, facts.first_key, facts.last_key)] if facts.first_key and facts.last_key else own


def settle_blobs(db: Database) -> list[Misplaced]:
    """The same for blob files, by the keys of the values that are looked for in them.

    One that belongs nowhere and is not what the MANIFEST counts is no blob file of the database any more.
    """
    if db.single or not db.trusted or db.version is None:
        return []
    listed = {n: (b.count, b.size) for f in db.version.families.values() for n, b in f.blobs.items()}
    own = {n: m for n, m in db.blobs.items() if n in listed}
    doubted = {n: m for n, m in own.items() if _measure(db, m) and not _holds(db, n, m)}
    found: list[Misplaced] = []
    for number, member in sorted(doubted.items()):
        home = next((n for n in listed if n != number and _samples(db, n) and _holds(db, n, member)), None)
        if home is not None or _measure(db, member) != listed[number]:
            found.append(Misplaced(member, number, home, home in own and home not in doubted))
    _move(db, db.blobs, found)
    for one in found:
        if one.member in db.strangers:
            del db.blobs[one.number]
    return found


def _measure(db: Database, member: str) -> tuple[int, int] | None:
    """Records of a blob file that is whole, and their bytes; None of any other."""
    facts = db.facts.get(member)
    if not isinstance(facts, BlobFacts) or facts.bad or facts.gaps or facts.header_why or facts.footer_why:
        return None
    if facts.footer_count is None or facts.footer_count != facts.records:
        return None
    return facts.records, db.size(member) - blob.HEADER - blob.FOOTER


def _samples(db: Database, number: int) -> list[tuple[bytes, int, int]]:
    """References to a blob file for which nothing was found in it.

    Those of a table that was left over say nothing of it: a repair keeps them when their values are lost.
    """
    tables = ((m, f.astray[number]) for m, f in db.facts.items() if isinstance(f, Refers) and number in f.astray)
    live = (one for m, one in tables if not (db.trusted and db.is_unlisted(db.files[m].number)))
    return [sample for one in live for sample in one.samples]


def _holds(db: Database, number: int, member: str) -> bool:
    return all(blob.stands(db.reader(member), *sample) for sample in _samples(db, number))


def astray(db: Database, facts: Refers) -> dict[int, int]:
    """References of a table to values of other keys, by the number of a blob file that is whole and its own."""
    return {
        number: one.count - one.outside
        for number, one in facts.astray.items()
        if (member := db.blobs.get(number))
        and _measure(db, member)
        and not _holds(db, number, member)
        and one.count > one.outside
    }
