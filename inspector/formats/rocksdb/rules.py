"""What can be wrong with a RocksDB or LevelDB database: codes never change meaning and are never reused.

`loader` quotes RocksDB 9.8.4 as measured; `loader.py` answers for a whole database.
"""

from __future__ import annotations

from inspector.finding import Rule, Severity

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
_STOPS = (
    "Opens. Iteration stops at that block with `Corruption: block checksum mismatch`; keys outside it can be read. "
)
_REFUSES = "Open fails: the table's footer, metaindex, properties and index are read when the database is opened."
_REPAIR_DB = "RepairDB moves the whole table to lost/. "
_REPAIR = "inspector repair DB -o NEWDB keeps every block that verifies."
_COPY = "Do not start the program on this folder; copy the folder first. "
_TABLE = "table/block_based/block_based_table_reader.cc"
_LOG = "db/log_reader.cc"

RULES: tuple[Rule, ...] = (
    Rule(
        "RDB001", "data-block-checksum", E, "a data block does not match its checksum",
        "The index, or the blocks around it, say where the block lies; its bytes are not those that were written. "
        "All its entries are untrusted. The message names the keys it covered.",
        _STOPS + _REPAIR_DB, _REPAIR, "table/format.cc VerifyBlockChecksum",
    ),
    Rule(
        "RDB002", "data-block-content", E, "a data block verifies but its content makes no sense",
        "The checksum holds, but the block does not decompress or its entries do not fit: it was written that way, "
        "a compression dictionary is lost, or another block (a part of the index, say) stands in its place.",
        "Opens; reading the block gives `Corruption: Corrupted compressed block contents` or `bad entry in block`.",
        _REPAIR, "table/block_based/block.cc",
    ),
    Rule(
        "RDB003", "index-block", W, "an index block is damaged; its data blocks were found without it",
        "The index only says where data blocks end. They lie back to back, so they are carved one after another.",
        _REFUSES + " " + _REPAIR_DB, _REPAIR, _TABLE,
    ),
    Rule(
        "RDB004", "table-metadata", W, "the metaindex or properties of a table are damaged",
        "Names and counts of the table; no entry is in them. What they say is found again from the blocks themselves.",
        _REFUSES + " " + _REPAIR_DB, _REPAIR, "table/meta_blocks.cc",
    ),
    Rule(
        "RDB005", "table-footer", W, "the footer of a table is damaged or missing",
        "The last 53 bytes name the checksum type and the metaindex. Both follow from the blocks themselves.",
        _REFUSES + " " + _REPAIR_DB, _REPAIR, "table/format.cc Footer::DecodeFrom",
    ),
    Rule(
        "RDB006", "filter-block", W, "a filter block is damaged",
        "Filters spare reads; no entry is in them.",
        "Opens; reads that ask the filter fail or go on without it, by release.", _REPAIR,
        "table/block_based/filter_policy.cc",
    ),
    Rule(
        "RDB007", "range-deletes-lost", E, "the block of range deletes of a table is damaged",
        "The ranges that this table deleted are not known: old values under them may appear again after a repair.",
        _REFUSES, _REPAIR + " It cannot know the ranges: compare with another copy.", _TABLE,
    ),
    Rule(
        "RDB008", "dictionary-lost", E, "the compression dictionary of a table is damaged",
        "Blocks that were compressed with it cannot be decompressed without it, though their checksums hold.",
        _REFUSES, "Look for another copy of this file; only blocks stored uncompressed can be saved.", _TABLE,
    ),
    Rule(
        "RDB009", "table-gap", E, "bytes of a table in which no block verifies",
        "Data blocks were due here, and the index that would tell where each ends is lost too.",
        _REFUSES + " " + _REPAIR_DB, _REPAIR, _TABLE,
    ),
    Rule(
        "RDB010", "table-truncated", E, "a table is shorter than the MANIFEST says",
        "Its end is missing, and with it the index and the footer. Every block that is left is found by carving.",
        "Open fails: `Corruption: Sst file size mismatch` or `file is too short`. " + _REPAIR_DB, _REPAIR,
        "db/version_builder.cc, table/format.cc",
    ),
    Rule(
        "RDB011", "table-missing", E, "a table that the MANIFEST lists is not there",
        "All its entries are gone from this folder.",
        "Open fails: `IO error: No such file or directory`.",
        "Look for it in backups, in lost/, and among deleted files, before anything writes to the disk.",
        "db/version_set.cc",
    ),
    Rule(
        "RDB012", "table-unlisted", W, "a table on disk that no edit of the MANIFEST lists",
        "With a damaged MANIFEST this is most likely live data. With a sound one it is left over from an "
        "interrupted flush or compaction, and only a note.",
        "A read-write open DELETES it, without a word.", _COPY + _REPAIR, "db/db_impl/db_impl_files.cc",
    ),
    Rule(
        "RDB013", "table-size", W, "a table is longer than it was written",
        "Bytes were added after its footer, or the MANIFEST entry is damaged.",
        "Open fails: `Corruption: Sst file size mismatch`.", _REPAIR, "db/version_set.cc",
    ),
    Rule(
        "RDB014", "file-checksum", E, "a table does not match the whole-file checksum in the MANIFEST",
        "The checksum was recorded when the file was written.",
        "Only seen with VerifyFileChecksums and when files are imported.", "Restore the file from a copy.",
        "db/version_edit.h kFileChecksum",
    ),
    Rule(
        "RDB015", "keys-out-of-order", E, "the keys of a table do not ascend",
        "The blocks verify, so they were written this way, or a block stands in the wrong place. Lookups miss keys.",
        "Opens. Iteration and lookups skip keys silently; a compaction ends with `Corruption: Compaction sees "
        "out-of-order keys`.",
        _REPAIR, "table/block_based/block_based_table_builder.cc",
    ),
    Rule(
        "RDB016", "key-outside-range", W, "a table holds keys outside the range that the MANIFEST gives it",
        "Lookups choose files by that range. Or the whole table is another one than the one that is listed: tables "
        "changed places, which a repair undoes, or one is of another time or database: a repair leaves it out.",
        "Opens. Keys outside the range cannot be looked up. Another table is refused: `Mismatch in unique ID`.",
        _REPAIR, "db/version_edit.h FileMetaData",
    ),
    Rule(
        "RDB017", "level-overlap", W, "two tables of a level below the first overlap",
        "Below level 0 each key lies in one file at most.",
        "Open fails with force_consistency_checks: `Corruption: L1 has overlapping ranges`.", _REPAIR,
        "db/version_builder.cc CheckConsistency",
    ),
    Rule(
        "RDB018", "sequence-above-last", W, "entries are newer than the database's last sequence number",
        "The MANIFEST's number is older than its tables: an edit is missing, or a table comes from another time.",
        "Opens; such entries are invisible until the number has passed them.", _REPAIR, "db/version_set.cc",
    ),
    Rule(
        "RDB019", "count-mismatch", W, "a table holds another number of entries than its properties say",
        "All its blocks verify, and yet their entries are not as many as were counted when it was written.",
        "Opens; a compaction may end with `Corruption: Compaction number of input keys`.", _REPAIR,
        "table/table_properties.cc",
    ),
    Rule(
        "RDB020", "wal-record-checksum", E, "a WAL record does not match its checksum",
        "What follows confirms where it ends, so exactly this record is lost.",
        "Point-in-time recovery, the default, drops this record and every later one WITHOUT A WORD; "
        "kAbsoluteConsistency refuses to open; kSkipAnyCorruptedRecords loses the rest of the 32 KiB block.",
        _COPY + _REPAIR, _LOG,
    ),
    Rule(
        "RDB021", "wal-gap", E, "bytes of a WAL in which no record verifies",
        "Records were due here; the stretch ends at the next one that verifies.",
        "As for a bad record: everything after it is dropped silently by default.", _COPY + _REPAIR, _LOG,
    ),
    Rule(
        "RDB022", "log-torn-tail", N, "the last record of a log is cut off",
        "A write that had not finished when the process or the machine stopped. It was never acknowledged as synced. "
        "Zeroes at the end are room that was made, or records that never reached the disk.",
        "Recovers without it.", "Nothing to do.", _LOG,
    ),
    Rule(
        "RDB023", "wal-batch-malformed", E, "a WAL record verifies but holds no sound write batch",
        "The checksum holds, so it was written this way, or by a newer release.",
        "Recovery stops there, or fails: `Corruption: unknown WriteBatch tag`.", _REPAIR, "db/write_batch.cc",
    ),
    Rule(
        "RDB024", "log-length-corrected", W, "the length field of a log record was wrong and could be restored",
        "The checksum does not cover the length, but only one length makes it hold.",
        "As for a bad record.", _COPY + _REPAIR, _LOG,
    ),
    Rule(
        "RDB025", "wal-sequence-jump", N, "sequence numbers jump between WAL records",
        "After damage the jump says how many operations are lost. Without damage it is legal: writes without WAL, "
        "ingested files and transactions use numbers up.",
        "Recovers.", "Nothing to do where no damage is near.", "db/db_impl/db_impl_open.cc",
    ),
    Rule(
        "RDB026", "manifest-damaged", E, "a record of the MANIFEST is damaged",
        "The set of live files cannot be taken from it with certainty; properties of the tables say the rest.",
        "Open fails: `Corruption: checksum mismatch`. If only the end is missing it opens with fewer files "
        "and DELETES the others.",
        _COPY + _REPAIR, "db/version_set.cc",
    ),
    Rule(
        "RDB027", "manifest-truncated", E, "the MANIFEST ends inside a record, or before all that it must say",
        "Edits after that are missing: tables on disk may be unlisted.",
        "Opens WITHOUT the lost edits, and a read-write open DELETES every table they would have listed.",
        _COPY + _REPAIR, "db/version_set.cc",
    ),
    Rule(
        "RDB028", "manifest-edit-malformed", E, "a MANIFEST record verifies but is no version edit that is known",
        "It was written this way, or by a newer release.",
        "Open fails: `Corruption: VersionEdit`.", _REPAIR, "db/version_edit.cc",
    ),
    Rule(
        "RDB029", "current-dangling", W, "CURRENT is missing, empty or does not lead to a MANIFEST",
        "CURRENT holds the MANIFEST's name and a line feed. It is replaced with each new MANIFEST.",
        "Open fails: `does not exist (create_if_missing is false)` or `Corruption: CURRENT file ...`, or `No such "
        "file or directory: MANIFEST`; with create_if_missing a missing CURRENT means a NEW DATABASE over the old one.",
        _COPY + _REPAIR, "db/version_set.cc GetCurrentManifestPath",
    ),
    Rule(
        "RDB030", "blob-record", E, "a blob record is damaged",
        "The value, or the key before it, does not match its checksum: this one value is lost.",
        "Opens; reading that key gives `Corruption: Blob CRC mismatch`. RepairDB breaks even healthy databases "
        "with blob files (facebook/rocksdb#13884).",
        _REPAIR, "db/blob/blob_log_format.h",
    ),
    Rule(
        "RDB031", "blob-missing", E, "tables refer to values in a blob file that is not there, not listed or too short",
        "The values of these keys are not in this folder, or not where the tables look for them: blob files, or "
        "records in one, changed places. Or the file is here, and no edit of the MANIFEST lists it.",
        "Opens. Reading such a key, and iteration where it comes to one, ends with `Invalid blob file number`, "
        "`Invalid blob offset` or, where the MANIFEST lists the file, `No such file or directory`. A read-write open "
        "DELETES a blob file that the MANIFEST does not list.",
        "Look for the file in backups. One that is here and not listed is listed by a repair. " + _REPAIR,
        "db/blob/blob_index.h, db/db_impl/db_impl_files.cc",
    ),
    Rule(
        "RDB032", "blob-frame", W, "the header or footer of a blob file is damaged",
        "Records carry their keys and their own checksums; none is lost.",
        "Reading any value of the file fails.", _REPAIR, "db/blob/blob_log_format.h",
    ),
    Rule(
        "RDB033", "options-unreadable", W, "the newest OPTIONS file cannot be read",
        "It only matters to programs that load their options from it.",
        "Opens; LoadLatestOptions fails.", "Delete it, or restore it; the database does not need it.",
        "options/options_parser.cc",
    ),
    Rule(
        "RDB034", "in-use", N, "another process has this database open",
        "What is read here may change while it is read: the newest entries may be in its memory only.",
        "The owner runs.", "Stop the program, or inspect a copy, and scan again.", "env/io_posix.cc LockOrUnlock",
    ),
    Rule(
        "RDB035", "table-not-read", N, "a table of a kind, or a size of block, that inspector does not read",
        "Plain and cuckoo tables have no checksums; a block above 64 MiB is not decoded, nor is one that "
        "would unpack to far more than real content does: its checksum is checked, and --max-unit gives it more room.",
        "Reads them.", "Use RocksDB's own sst_dump for these.", "table/plain, table/cuckoo",
    ),
    Rule(
        "RDB036", "wal-missing", E, "a WAL that must be here is not there, or shorter than it was synced",
        "The MANIFEST lists it, or keeps from it on, or the WAL behind it names it; or it ends inside a record, or in "
        "zeroes, and the log went on in another one, not with the number that was due. Operations that were "
        "acknowledged are gone; only a warning where nothing says that it held any.",
        "With track_and_verify_wals_in_manifest open fails: `Missing WAL`; without it the loss goes unnoticed, but for "
        "`SST file is ahead of WALs` where a column family was flushed since.",
        "Look for the file in backups and in a separate WAL folder (wal_dir).", "db/wal_edit.cc",
    ),
    Rule(
        "RDB037", "no-checksums", N, "a table was written without checksums",
        "Damage inside its blocks can only be noticed where it breaks their structure.",
        "Opens.", "Nothing to do.", "table/format.cc",
    ),
    Rule(
        "RDB038", "blob-gap", E, "bytes of a blob file in which no record verifies",
        "Blob records were due here; the stretch ends at the next one that verifies.",
        "Reading those keys fails.", _REPAIR, "db/blob/blob_log_format.h",
    ),
    Rule(
        "RDB039", "manifest-missing", E, "the MANIFEST in use cannot be read",
        "Column families, levels and the set of live tables are taken from the tables' own properties.",
        "Open fails.", _COPY + _REPAIR, "db/version_set.cc",
    ),
    Rule(
        "RDB040", "wal-sequence-back", E, "WAL records verify and have sequence numbers that were given before",
        "Numbers only rise along a WAL. Sound records of an earlier place, or of an earlier time, stand here: a stale "
        "or misdirected block that ends where records end. Or blocks changed places, or whole logs, whose records hold "
        "the number of their own: then a repair puts them back.",
        "Opens WITHOUT A WORD as the database was before the number that came back: it drops all that follows, and "
        "does not show what came before with a higher number. Records that changed places it takes where they stand; "
        "if the last one is not the newest, what it writes next gets numbers that are taken.",
        _COPY + _REPAIR, "db/db_impl/db_impl_open.cc, db/memtable.cc MemTable::Add",
    ),
    Rule(
        "RDB041", "manifest-edit-back", E, "an edit of the MANIFEST verifies and does not fit those before it",
        "Its numbers go back, or it adds or deletes what an edit before it did: sound records of an earlier place, or "
        "of an earlier time, stand here.",
        "Open fails where it adds a table that is there or deletes one that is not (`Corruption: VersionBuilder`); "
        "else it takes the numbers as they stand, and gives file and sequence numbers a second time.",
        _COPY + _REPAIR, "db/version_builder.cc, db/version_edit_handler.cc",
    ),
    Rule(
        "RDB042", "value-expires", W, "values that only the BlobDB of old reads: they expire, or lie in its blob_dir",
        "The stacked BlobDB (utilities/blob_db) put small values and a time into such entries, "
        "or the place of a large one. RocksDB with blob files writes neither, so another program wrote this, or what "
        "it wrote was wrong before it got its checksum. Where blob files in a folder inside (blob_dir) have the "
        "values, all is as that program has it: a note.",
        "Opens. Reading such a key, and iteration where it comes to one, ends with `Corruption: Unexpected TTL/inlined "
        "blob index`.",
        "Copy the folder first. " + _REPAIR + " It writes these as plain values, or as references without a time: "
        "then they never expire, and what had expired can be read again. Where values lie in a folder inside it "
        "refuses: open that with the program that wrote it.",
        "db/version_set.cc Version::GetBlob",
    ),
    Rule(
        "RDB043", "entry-type-unknown", E, "a table holds entries of a type that no known release writes",
        "The checksum holds: memory was damaged before it was made, or a release that is newer than inspector wrote "
        "these. What they mean is not known.",
        "Opens. Iteration that comes to one ends with `Corruption: In DBIter: Corrupted Key`.",
        "Where a newer release wrote the database, nothing is wrong: leave it to that. Else " + _REPAIR + " It leaves "
        "these entries out.",
        "db/dbformat.h IsExtendedValueType, db/db_iter.cc ParseKey",
    ),
    Rule(
        "RDB044", "log-trailer-not-zero", N, "the last bytes of a log's block are not the zeroes that a writer leaves",
        "No record begins in the last six bytes of a 32 KiB block: nothing is lost. Something changed them since they "
        "were written, and may have changed other bytes, too.",
        "Skips them without a look.", "Nothing to do for this log; check the disk and the memory.", _LOG,
    ),
)  # fmt: skip
BY_CODE = {rule.code: rule for rule in RULES}
