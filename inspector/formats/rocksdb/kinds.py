"""The small integers of tiles: kinds of what lies in a database's files, and marks of what is wrong with it."""

from typing import Final

from inspector.formats.rocksdb.keys import TYPE_NAMES
from inspector.formats.rocksdb.table import BAD_CHECKSUM, BAD_STREAM, BEYOND, FOLDED, MALFORMED, OK, Role

DATA, INDEX, TOP_INDEX, FILTER, PROPERTIES, METAINDEX, RANGE_DELETES, DICTIONARY, OTHER_BLOCK, FOOTER = range(1, 11)
WAL_RECORD, MANIFEST_RECORD, BLOB_RECORD, BLOB_HEADER, BLOB_FOOTER = range(11, 16)
ENTRY: Final = 0x100
TRAILER, PREALLOCATED, STALE, CURRENT, TEXT, FOREIGN, LOST, PADDING = range(16, 24)

KINDS: Final = {
    DATA: "data_block",
    INDEX: "index_block",
    TOP_INDEX: "top_index_block",
    FILTER: "filter_block",
    PROPERTIES: "properties_block",
    METAINDEX: "metaindex_block",
    RANGE_DELETES: "range_deletes_block",
    DICTIONARY: "dictionary_block",
    OTHER_BLOCK: "other_block",
    FOOTER: "table_footer",
    WAL_RECORD: "wal_record",
    MANIFEST_RECORD: "manifest_record",
    BLOB_RECORD: "blob_record",
    BLOB_HEADER: "blob_header",
    BLOB_FOOTER: "blob_footer",
    TRAILER: "log_block_trailer",
    PREALLOCATED: "preallocated",
    STALE: "records_of_an_earlier_log",
    CURRENT: "current",
    TEXT: "text",
    FOREIGN: "foreign",
    LOST: "unread",
    PADDING: "padding",
    # entries, as `records` lists them
    **{ENTRY + kind: name for kind, name in TYPE_NAMES.items()},
    ENTRY + 0x40: "version_edit",
    ENTRY + 0x41: "blob",
    ENTRY + 0x42: "mark",
}
ROLE_KINDS: Final[dict[Role, int]] = {
    "data": DATA,
    "index": INDEX,
    "top-index": TOP_INDEX,
    "filter": FILTER,
    "properties": PROPERTIES,
    "metaindex": METAINDEX,
    "range-deletes": RANGE_DELETES,
    "dictionary": DICTIONARY,
    "footer": FOOTER,
    "other": OTHER_BLOCK,
}

SOUND, CHECKSUM, STREAM, SHAPE, ORDER, GONE, TORN, RELENGTH, FRAGMENT, CONTENT, UNCHECKED, SPOILT = range(12)
DAMAGED: Final = frozenset({CHECKSUM, STREAM, SHAPE, ORDER, RELENGTH, FRAGMENT, CONTENT})  # a torn tail is only short
MARK_NAMES: Final = {
    SOUND: "ok",
    CHECKSUM: "bad checksum",
    STREAM: "does not decompress",
    SHAPE: "malformed",
    ORDER: "keys out of order",
    GONE: "gap",
    TORN: "torn",
    RELENGTH: "length corrected",
    FRAGMENT: "fragments missing",
    CONTENT: "content malformed",
    UNCHECKED: "not checked",
    SPOILT: "not zeroes: no record fits here, and none is lost",
}
STATE_MARKS: Final = {
    OK: SOUND,
    BAD_CHECKSUM: CHECKSUM,
    BAD_STREAM: STREAM,
    MALFORMED: SHAPE,
    BEYOND: SHAPE,
    FOLDED: UNCHECKED,
}
