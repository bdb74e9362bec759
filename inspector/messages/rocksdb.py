"""RocksDB and LevelDB: statuses that begin with Corruption, lines of the info LOG. table/block_based/reader_common.cc,
table/format.cc, db/log_reader.cc, db/version_set.cc, db/db_impl, logging/event_logger.cc."""

from __future__ import annotations

from inspector.messages.message import Message, family

SCAN = "inspector scan {store}"
SAVE = "inspector repair {store} -o DB.repaired"
COPY = "cp -a {store} DB.copy   # before any program opens it: a read-write open may delete tables"
said = family("rocksdb", frozenset({"rocksdb"}), "facebook/rocksdb", (COPY, SCAN, SAVE))
_N = r"\d{1,19}"
_NAME = r"(?P<file>(?:[^\s\"',]{0,400}/)?[A-Za-z0-9_.-]{1,100}?\.(?:sst|ldb|log|blob))"
_FILE = rf"\s{{1,4}}{_NAME}"

MESSAGES: tuple[Message, ...] = (
    said(
        "block-checksum",
        "RocksDB",
        "block checksum mismatch: ",
        rf"block checksum mismatch: (?:stored(?:\(context removed\))? ?= ?(?P<stored>{_N})(?:\(context removed\))?, computed ?= ?"
        rf"(?P<computed>{_N})(?:, type ?= ?(?P<type>\d{{1,3}}))?|expected (?P<expected>{_N}), got (?P<got>{_N}))"
        rf"\s{{1,4}}in{_FILE} offset (?P<at>{_N}) size (?P<size>{_N})",
        "In {file} the block of {size} bytes at byte {at} (and its 5-byte trailer) does not match its checksum. One block "
        "is usually some thirty keys; the rest of the file is most likely whole.",
        "Reads of those keys fail; once a compaction meets the block, all writes fail.",
        "block",
        file="file",
        issues=("2882", "5251", "6838", "7033", "3509", "starcoinorg/starcoin#3730"),
        next_=(COPY, "inspector show {store} {file}@{at}", SCAN, SAVE),
        whole=False,
    ),
    said(
        "block-checksum-bare",
        "RocksDB or LevelDB",
        "orruption: block checksum mismatch",
        r"Corruption: block checksum mismatch(?::?\s{0,4}[\"'`]{0,3}\s*$|: [^\s:]{1,400}\.(?:ldb|sst)|(?=[\"']))",
        "A block of some table does not match its checksum; this release does not say which one.",
        "Reads of those keys fail; a compaction that meets the block stops all writes.",
        issues=("osquery/osquery#3570",),
        whole=False,
    ),
    said(
        "sst-size",
        "RocksDB",
        "Sst file size mismatch",
        rf"Sst file size mismatch: (?P<file>\S{{1,400}}?\.(?:sst|ldb))\. (?:Size recorded in manifest|Expected) "
        rf"(?P<want>{_N}), actual size (?P<have>{_N})",
        "{file} has {have} bytes and the MANIFEST says {want}: it was cut short or written further.",
        "The database does not open.",
        file="file",
        whole=False,
    ),
    said(
        "bad-magic",
        "RocksDB",
        "ad table magic number",
        rf"[Bb]ad table magic number: expected (?P<want>{_N}|0x[0-9a-f]{{1,16}}), found (?P<found>{_N}|0x[0-9a-f]{{1,16}})"
        rf"(?: in{_FILE})?",
        "The last eight bytes of {file} are not the magic number of a table: the footer is damaged, cut off or zeroed.",
        "The database does not open, or the table's keys cannot be read.",
        file="file",
        whole=False,
    ),
    said(
        "file-too-short",
        "RocksDB",
        "to be an sstable",
        rf"file is too short \((?P<have>{_N}) bytes\) to be an sstable(?::{_FILE})?",
        "The table has {have} bytes, fewer than its footer needs: it was never finished, or cut.",
        "The database does not open.",
        file="file",
        whole=False,
    ),
    said(
        "truncated-block",
        "RocksDB",
        "truncated block read from",
        rf"truncated block read from{_FILE} offset (?P<at>{_N}), expected (?P<want>{_N}) bytes, got (?P<got>{_N})",
        "{file} ends inside the block at byte {at}: {got} of {want} bytes are there.",
        "Reads of those keys fail.",
        "block",
        file="file",
        next_=(COPY, "inspector show {store} {file}@{at}", SCAN, SAVE),
        whole=False,
    ),
    said(
        "compressed-contents",
        "RocksDB",
        "orrupted compressed block contents",
        r"Corruption: [Cc]orrupted compressed block contents(?:: (?P<codec>\w{1,20}))?",
        "A block matched its checksum or had none, and does not decompress ({codec}).",
        "Reads of those keys fail.",
        issues=("ProvableHQ/snarkOS#1636",),
        whole=False,
    ),
    said(
        "manifest-missing-file",
        "RocksDB",
        "CURRENT",
        r"Corruption: CURRENT file (?:does not end with newline|corrupted)",
        "CURRENT, the small file that names the MANIFEST, is damaged or empty.",
        "The database does not open.",
        whole=False,
    ),
    said(
        "version-edit",
        "RocksDB",
        "VersionEdit",
        r"Corruption: (?:.{0,60}?: )?VersionEdit(?:: (?P<what>.{1,60}))?",
        "A record of the MANIFEST cannot be decoded ({what}).",
        "The database does not open.",
        whole=False,
    ),
    said(
        "no-meta-lognumber",
        "RocksDB",
        "entry in descriptor",
        r"Corruption: no meta-(?P<what>nextfile|lognumber|last-sequence-number|logfile number) entry in descriptor",
        "The MANIFEST ends before it says its {what}: it was cut short.",
        "The database does not open.",
        whole=False,
    ),
    said(
        "log-checksum",
        "RocksDB",
        "hecksum mismatch",
        rf"(?:(?P<file>\d{{6,20}}\.log|MANIFEST-\d{{6,20}}): )?dropping (?P<bytes>{_N}) bytes; (?:Corruption: )?"
        rf"(?P<why>checksum mismatch|missing start of fragmented record(?:\(\d\))?|error in middle of record|"
        rf"bad record length|partial record without end(?:\(\d\))?|error reading trailing data|unknown record type \d+)",
        "While replaying {file}, {bytes} bytes were dropped: {why}. A bad checksum drops the rest of its 32 KiB block.",
        "With the usual point-in-time recovery everything after it is left out, without a further word.",
        file="file",
        whole=False,
    ),
    said(
        "log-dropping",
        "RocksDB",
        "dropping ",
        rf"(?:(?P<file>\d{{6,20}}\.log|MANIFEST-\d{{6,20}}): )dropping (?P<bytes>{_N}) bytes; (?P<why>Corruption: .{{1,100}})",
        "While replaying {file}, {bytes} bytes were dropped: {why}.",
        "With the usual point-in-time recovery everything after it is left out, without a further word.",
        file="file",
        whole=False,
    ),
    said(
        "wal-checksum",
        "RocksDB",
        "in log file",
        r"Corruption: (?P<why>checksum mismatch|missing start of fragmented record\(\d\)|error in middle of record|"
        r"truncated record body|.{1,60}?) in log file (?P<file>\S{1,400}?\.log)",
        "{file}, a write-ahead log, has a record that does not verify: {why}.",
        "The database does not open, or everything after it is left out.",
        file="file",
        whole=False,
    ),
    said(
        "sst-ahead",
        "RocksDB",
        "ahead of WALs",
        r"Corruption: SST file is ahead of WALs(?: in CF (?P<cf>\S{1,100}))?",
        "A table holds newer entries than the write-ahead logs do: a log was lost or cut by a damaged record.",
        "The database does not open.",
        whole=False,
    ),
    said(
        "no-such-table",
        "RocksDB",
        "No such file or directory",
        rf"IO error: (?:No such file or directory: )?.{{0,60}}?{_NAME}: No such file or directory",
        "A table that the MANIFEST lists is missing.",
        "The database does not open.",
        file="file",
        whole=False,
    ),
    said(
        "event-deleted",
        "RocksDB",
        '"table_file_deletion"',
        rf'EVENT_LOG_v1 \{{.{{0,200}}?"event": "table_file_deletion", "file_number": (?P<number>{_N})',
        "Table {number} was removed by the database itself: it is not missing, it was no longer needed.",
        "Nothing.",
        next_=(SCAN,),
        whole=False,
    ),
    said(
        "event-created",
        "RocksDB",
        '"table_file_creation"',
        rf'EVENT_LOG_v1 \{{.{{0,200}}?"event": "table_file_creation", .{{0,60}}?"file_number": (?P<number>{_N}), '
        rf'"file_size": (?P<have>{_N})',
        "Table {number} was written with {have} bytes.",
        "Nothing: hold the size against the file's.",
        next_=(SCAN,),
        whole=False,
    ),
    said(
        "background-error",
        "RocksDB",
        "ackground",
        r"(?:Waiting after background (?P<what>compaction|flush) error|Compaction error): (?P<why>(?:Corruption|IO error).{0,200})",
        "A background job met damage: {why}.",
        "All writes are refused until the database is opened again.",
        whole=False,
    ),
)
