"""What RocksDB, LevelDB and their tools do with a database in a given state.

Measured with RocksDB 9.8.4 (rocksdict 0.3.29) and ldb 7.8.3 on the damage matrix of tests/formats/rocksdb.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from inspector.counted import counted
from inspector.format import Outcome

OPENS: Final = "opens"
REFUSES: Final = "refuses to open"
STOPS: Final = "opens; iteration stops there"
DROPS: Final = "opens; drops WAL operations silently"
DELETES: Final = "opens; deletes tables"
_NO_PATHS: Final = "without it the process dies: std::bad_alloc"  # 9.8.4, out of the bounds of its list of folders
UNKNOWN: Final = "not known"
EMPTY: Final = "makes a new, empty database over it where create_if_missing is set"


class Facts(Struct):
    """What the check saw, as far as it matters to the engine; None where nothing of that kind is wrong."""

    leveldb: bool = False
    release: str = ""  # that wrote OPTIONS
    format_versions: set[int] = field(default_factory=set)
    closed: str = ""  # a member that the engine would read and that could not be opened here
    current_bad: str = ""
    wal: str = ""  # one that lies in the folder: RocksDB makes no new database beside it
    manifest_bad: bool = False
    manifest_malformed: bool = False  # a record before any damaged one verifies and is no edit
    manifest_refused: str = ""  # an edit of an earlier place or time that cannot be carried out
    manifest_torn: bool = False
    manifest_none: bool = False
    manifest_blank: bool = False  # it is there
    manifest_lacks: tuple[str, ...] = ()  # of version.NEEDED
    manifest_foreign: str = ""  # it is another database's and lists tables
    stranger: str = ""  # another table than the listed one, by its size or identity
    missing: str = ""
    afar: bool = False  # tables are listed in other folders (db_paths)
    missing_afar: str = ""  # the first of them where none of this folder's own is missing
    wrong_size: str = ""
    unopenable: str = ""  # table whose footer, metaindex, properties or index is damaged
    overlap: bool = False
    bad_data: str = ""  # member@offset of the first bad data block
    bad_value: str = ""  # what the engine says to the first entry whose value it does not read
    wal_bad: str = ""
    wal_dropped: int = 0
    unlisted: tuple[str, ...] = ()
    damaged_tables: int = 0
    entries_in_damaged: int = 0


def outcomes(f: Facts) -> tuple[Outcome, ...]:
    """The engine opened for writing with default options, opened read-only, and the repair tools."""
    program = "LevelDB" if f.leveldb else "RocksDB"
    release = f.release or ("1.23" if f.leveldb else "9.8.4")
    write = _open(f)
    rows = [Outcome(program, release, *write)]
    if write[0].startswith(DELETES):
        rows.append(Outcome(f"{program} (read-only)", release, OPENS, "without the entries of the unlisted tables"))
    rows.append(Outcome(f"{program} RepairDB, ldb repair", release, *_repair(f)))
    if not f.leveldb and f.format_versions & {6, 7}:
        rows.append(
            Outcome("ldb, sst_dump", "7.8.3", REFUSES, "format version 6 and 7 are unknown to it; its repair moves "
                    "every healthy table to lost/")
        )  # fmt: skip
    if not f.leveldb and f.format_versions & {0, 1}:
        rows.append(Outcome("RocksDB", "11.0 and later", REFUSES, "format versions below 2 are no longer read"))
    return tuple(rows)


def _open(f: Facts) -> tuple[str, str]:
    """The first thing on the way of an open that goes wrong decides (db/db_impl/db_impl_open.cc, Recover)."""
    if f.closed:
        return UNKNOWN, f"{f.closed} could not be opened here; who may open it decides what comes next"
    if f.current_bad:
        if "missing" in f.current_bad and f.wal and not f.leveldb:
            made = f"Corruption: While creating a new Db, wal_dir contains existing log file: {f.wal}"
            return REFUSES, f"Invalid argument: ... does not exist (create_if_missing is false); if it is set: {made}"
        if "missing" in f.current_bad:
            return EMPTY, "Invalid argument: ... does not exist (create_if_missing is false)"
        return REFUSES, _dangling(f)
    if f.manifest_blank:
        return REFUSES, "Corruption: no log_file_number, next_file_number, last_sequence entry in MANIFEST"
    if f.manifest_none:
        return REFUSES, "IO error: No such file or directory: MANIFEST"
    if f.manifest_foreign:
        return REFUSES, f"Corruption, or No such file or directory: the tables of {f.manifest_foreign} are not here"
    if f.manifest_malformed:
        return REFUSES, "Corruption: VersionEdit"
    if f.manifest_bad:
        return REFUSES, "Corruption: checksum mismatch"
    if f.manifest_lacks:
        return REFUSES, f"Corruption: {_lacks(f)}"
    if f.manifest_refused:
        return REFUSES, f"an edit of {f.manifest_refused}"
    if f.missing_afar:
        return f"{OPENS} where db_paths is given and holds {f.missing_afar}", _NO_PATHS
    if f.missing:
        return REFUSES, f"IO error: No such file or directory: {f.missing}"
    if f.stranger and not f.leveldb:
        return REFUSES, f"Corruption: Bad table magic number, or Mismatch in unique ID on table file: {f.stranger}"
    if f.wrong_size:
        return REFUSES, f"Corruption: Sst file size mismatch: {f.wrong_size}"
    if f.overlap:
        return REFUSES, "Corruption: L1 has overlapping ranges"
    if f.unopenable and not f.leveldb:
        return REFUSES, f"Corruption: block checksum mismatch or bad table magic number in {f.unopenable}"
    if f.unlisted and f.manifest_torn:
        return f"{DELETES}: {', '.join(f.unlisted[:8])}", ""
    if f.bad_data:
        return STOPS, f"Corruption: block checksum mismatch at {f.bad_data}"
    if f.bad_value:
        return STOPS, f.bad_value
    if f.wal_bad:
        return DROPS, f"{counted(f.wal_dropped, 'operation')} from {f.wal_bad} on"
    return (f"{OPENS} where db_paths is given", _NO_PATHS) if f.afar else (OPENS, "")


def _dangling(f: Facts) -> str:
    """What a CURRENT that is here and leads nowhere is refused with."""
    if "line feed" in f.current_bad:
        return "Corruption: CURRENT file does not end with newline"
    if f.leveldb:
        return "Corruption: CURRENT points to a non-existent file"
    if "not there" in f.current_bad:
        return "IO error: No such file or directory: MANIFEST"
    return "Corruption: CURRENT file corrupted"


def _lacks(f: Facts) -> str:
    """LevelDB asks in another order and names the first (db/version_set.cc, Recover)."""
    if f.leveldb:
        asked = {"next_file": "meta-nextfile", "log_number": "meta-lognumber", "last_sequence": "last-sequence-number"}
        return f"no {next(word for name, word in asked.items() if name in f.manifest_lacks)} entry in descriptor"
    said = {"log_number": "log_file_number", "next_file": "next_file_number", "last_sequence": "last_sequence"}
    return f"no {', '.join(said[name] for name in f.manifest_lacks)} entry in MANIFEST"


def _repair(f: Facts) -> tuple[str, str]:
    if f.closed:
        return UNKNOWN, f"{f.closed} could not be opened here"
    if f.damaged_tables and not f.leveldb:
        readable = counted(f.entries_in_damaged, "entry that can be read is", "entries that can be read are")
        return f"moves {counted(f.damaged_tables, 'damaged table')} to lost/", f"{readable} lost with them"
    if f.wal_bad:
        return "skips to the next 32 KiB block of the WAL", ""
    return "rebuilds the MANIFEST; puts every table into level 0", ""


def of_unlisted(f: Facts) -> str:
    """What an open for writing does to tables that hold data and that no MANIFEST lists."""
    outcome, _ = _open(f)
    held = "Tables that the MANIFEST does not list hold data"
    if outcome == UNKNOWN:
        return f"{held}; a read-write open that succeeds deletes them."
    if outcome == EMPTY:
        return f"{held}; an open with create_if_missing makes an empty database and deletes them."
    if outcome == REFUSES:
        return (
            f"{held}; as it is the engine does not open the folder and they stay, an open that succeeds deletes them."
        )
    return f"{held}; a read-write open deletes them."
