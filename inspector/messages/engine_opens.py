"""What RocksDB and LevelDB say when a database does not open: db/version_set.cc, db/wal_edit.cc, db/db_impl/db_impl_open.cc,
table/format.cc, env/fs_posix.cc; LevelDB's db/db_impl.cc, db/version_set.cc, table/format.cc. Most of them are held
against what the engines really print, on damaged databases."""

from __future__ import annotations

from inspector.messages.message import Message
from inspector.messages.rocksdb import COPY, SAVE, SCAN, said

_N = r"\d{1,19}"
_PATH = r"[^\s\"']{1,400}?"
_TABLE = rf"(?P<file>{_PATH}\.(?:sst|ldb))"
_CLOSED = "The database does not open."
_BOTH = "RocksDB or LevelDB"

MESSAGES: tuple[Message, ...] = (
    said(
        "missing-files",
        "LevelDB",
        "missing files; e.g.",
        rf"(?P<count>{_N}) missing files; e\.g\.: {_TABLE}",
        "{count} tables that the MANIFEST lists are not in the folder; one of them is {file}.",
        _CLOSED,
        file="file",
        whole=False,
    ),
    said(
        "not-a-table",
        "LevelDB",
        "not an sstable",
        rf"not an sstable \((?P<why>bad magic number)\)(?:: {_TABLE})?",
        "The last eight bytes of a table are not its magic number: its footer is damaged, cut off or zeroed.",
        "The table's keys cannot be read; opening and compactions fail where they are needed.",
        whole=False,
    ),
    said(
        "table-unreadable",
        "LevelDB",
        "Invalid argument",
        rf"IO error: {_TABLE}: Invalid argument",
        "{file} is shorter than the footer that every table ends with: it was never finished, or cut.",
        "The table's keys cannot be read; opening and compactions fail where they are needed.",
        file="file",
        whole=False,
    ),
    said(
        "current-points-nowhere",
        "LevelDB",
        "CURRENT points to a non-existent file",
        r"CURRENT points to a non-existent file: (?:NotFound: )?(?P<path>.{1,400}?): No such file",
        "CURRENT names {path}, which is not there: CURRENT is damaged, or the MANIFEST is gone.",
        _CLOSED,
        whole=False,
    ),
    said(
        "no-manifest",
        _BOTH,
        "No such file or directory",
        rf"(?P<path>(?:{_PATH}/)?MANIFEST-\d{{6,20}}): No such file or directory",
        "{path}, the list of all tables, is not there: it was deleted, or CURRENT names the wrong one.",
        _CLOSED,
        issues=("1554",),
        whole=False,
    ),
    said(
        "no-current",
        _BOTH,
        "CURRENT",
        rf"(?P<path>(?:{_PATH}/)?CURRENT): (?:No such file or directory|does not exist \(create_if_missing is false\))",
        "{path}, the small file that names the MANIFEST, is not there; or the path is not the database's.",
        "A program that may create a database makes an empty one over what is there: do not start it.",
        whole=False,
    ),
    said(
        "does-not-exist",
        _BOTH,
        "does not exist (create_if_missing is false)",
        rf"Invalid argument: (?P<path>{_PATH}): does not exist \(create_if_missing is false\)",
        "There is no CURRENT in {path}: it was deleted, or the path is not the database's.",
        "A program that may create a database makes an empty one over what is there: do not start it.",
        whole=False,
    ),
    said(
        "manifest-entries",
        "RocksDB",
        "entry in MANIFEST",
        r"Corruption: no (?P<what>[a-z_, ]{1,100}) entry in MANIFEST",
        "The MANIFEST ends before it says its {what}: it was cut short, or its first records are damaged.",
        _CLOSED,
        whole=False,
    ),
    said(
        "footer-checksum",
        "RocksDB",
        "Footer at ",
        rf"Footer at (?P<at>{_N}) checksum mismatch(?: in\s{{1,4}}{_TABLE})?",
        "The footer of {file}, which begins at byte {at}, does not match its checksum.",
        _CLOSED,
        "block",
        file="file",
        next_=(COPY, "inspector show {store} {file}@{at}", SCAN, SAVE),
        whole=False,
    ),
    said(
        "format-version",
        "RocksDB",
        "unsupported format_version",
        rf"Corrupt or unsupported format_version: (?P<version>{_N})(?: in\s{{1,4}}{_TABLE})?",
        "The footer of {file} says that its format is version {version}: 7 is the newest known, so the footer is damaged or "
        "the table is of a newer RocksDB.",
        _CLOSED,
        file="file",
        whole=False,
    ),
    said(
        "footer-version",
        "RocksDB",
        "Unknown Footer version",
        r"Unknown Footer version\. Maybe this file was created with newer",
        "A table says a format version that this release does not know: its footer is damaged or the table is newer.",
        _CLOSED,
        whole=False,
    ),
    said(
        "extended-magic",
        "RocksDB",
        "Bad extended magic number",
        rf"Bad extended magic number: (?P<found>0x[0-9A-Fa-f]{{1,16}})(?: in\s{{1,4}}{_TABLE})?",
        "The footer of {file} (format version 6 or newer) is damaged: a number inside it is {found}.",
        _CLOSED,
        file="file",
        whole=False,
    ),
    said(
        "input-too-short",
        "RocksDB",
        "too short to be an SST file",
        rf"Input is too short to be an SST file(?: in\s{{1,4}}{_TABLE})?",
        "{file} is shorter than the footer that every table ends with: it was never finished, or cut.",
        _CLOSED,
        file="file",
        whole=False,
    ),
    said(
        "properties",
        "RocksDB",
        "properties unsorted",
        r"Corruption: properties unsorted",
        "The properties block of some table does not stand in its order: it is damaged and has no checksum, or none was read.",
        _CLOSED,
        whole=False,
    ),
    said(
        "missing-wal",
        "RocksDB",
        "Missing WAL with log number",
        rf"Missing WAL with log number: (?P<number>{_N})",
        "The MANIFEST says that write-ahead log {number} was synced, and it is not in the folder: what it held and no table "
        "has is gone.",
        _CLOSED,
        issues=("10892",),
        whole=False,
    ),
    said(
        "wal-size",
        "RocksDB",
        "Size mismatch: WAL",
        rf"Size mismatch: WAL \(log number: (?P<number>{_N})\) in MANIFEST is (?P<want>{_N}) bytes\s?, but actually is "
        rf"(?P<have>{_N}) bytes",
        "Write-ahead log {number} has {have} bytes and the MANIFEST says that {want} were synced: it was cut.",
        _CLOSED,
        whole=False,
    ),
    said(
        "write-batch",
        _BOTH,
        "WriteBatch",
        r"Corruption: (?P<why>unknown WriteBatch tag|WriteBatch has wrong count|malformed WriteBatch|bad WriteBatch \w{1,30})",
        "A record of a write-ahead log verifies and cannot be decoded ({why}): it was damaged before it was written, or "
        "a newer program wrote it.",
        "The database does not open, or everything after that record is left out.",
        whole=False,
    ),
    said(
        "log-record",
        _BOTH,
        "Corruption: ",
        r"Corruption: (?P<why>bad record length|error in middle of record|missing start of fragmented record(?:\(\d\))?|"
        r"partial record without end(?:\(\d\))?|error reading trailing data|unknown record type \d{1,10}|checksum mismatch"
        r"(?=\s{0,4}(?:[\"'`]|$|The file \S{1,400}MANIFEST-)))",
        "A record of a write-ahead log or of the MANIFEST does not verify: {why}. This release does not say in which file.",
        _CLOSED,
        whole=False,
    ),
    said(
        "overlapping",
        "RocksDB",
        "overlapping ",
        r"VersionBuilder: L(?P<level>\d{1,2}) has overlapping ranges?",
        "Two tables of level {level} hold the same keys: the MANIFEST is damaged or of another moment than the tables.",
        _CLOSED,
        whole=False,
    ),
    said(
        "families-not-opened",
        "RocksDB",
        "olumn families not opened",
        r"Invalid argument: (?:You have to open all column families\. )?Column families not opened: (?P<names>.{1,200})",
        "The database has column families that the program does not know ({names}): a newer or another program wrote it. "
        "Nothing is damaged.",
        "The program does not start.",
        next_=(SCAN,),
        whole=False,
    ),
    said(
        "locked",
        _BOTH,
        "LOCK",
        rf"(?:While lock file: (?P<path>{_PATH}LOCK): Resource temporarily unavailable|"
        rf"lock hold by current process.{{0,120}}?(?P<own>{_PATH}LOCK): No locks available|"
        rf"IO error: lock (?P<held>{_PATH}LOCK): (?:already held by process|Resource temporarily unavailable))",
        "Another program, or the same one twice, has the database open. Nothing is damaged.",
        "This program does not start; the other one goes on.",
        next_=("fuser -v {store}/LOCK   # which program it is", SCAN),
        whole=False,
    ),
)
