"""Where bytes lie in the files of a database; what is coded in varints is decoded by the modules beside this one."""

from __future__ import annotations

import construct as c

from inspector.formats.rocksdb import checksums, codecs
from inspector.formats.rocksdb.keys import TYPE_NAMES
from inspector.layout import Layout


def _hex32(value: int) -> str:
    return f"{value:08x}"


_CRC = "crc" / c.Int32ul * "masked CRC-32C of everything after the length"
_LENGTH = "length" / c.Int16ul * "length of the payload, bytes; not covered by the checksum"
_TYPE = "type" / c.Int8ul * "1 full, 2 first, 3 middle, 4 last; 5-8 recyclable; 9 compression, 10/11 timestamp sizes"
_LOG_TYPES = {1: "full", 2: "first", 3: "middle", 4: "last", 5: "full (recyclable)", 6: "first (recyclable)"}

LOG_HEADER = Layout(
    "log_record",
    "record of a WAL or MANIFEST (db/log_format.h)",
    c.Struct(_CRC, _LENGTH, _TYPE),
    show={"crc": _hex32, "type": lambda v: f"{v} {_LOG_TYPES.get(v, '')}".strip()},
)
RECYCLABLE_HEADER = Layout(
    "recyclable_log_record",
    "record of a WAL whose file is used again (db/log_format.h)",
    c.Struct(_CRC, _LENGTH, _TYPE, "log_number" / c.Int32ul * "low half of the log's number; an older one is stale"),
    show={"crc": _hex32},
)
BATCH_HEADER = Layout(
    "write_batch",
    "head of a WAL record's content (db/write_batch.cc)",
    c.Struct(
        "sequence" / c.Int64ul * "sequence number of the first operation",
        "count" / c.Int32ul * "number of operations",
    ),
)
BLOCK_TRAILER = Layout(
    "block_trailer",
    "after every block of a table (table/format.h)",
    c.Struct(
        "type" / c.Int8ul * "compression: 0 none, 1 snappy, 2 zlib (LevelDB: zstd), 3 bzip2, 4 lz4, 5 lz4hc, 7 zstd",
        "checksum" / c.Int32ul * "of payload and type, in the footer's kind; from version 6 on mixed with the offset",
    ),
    show={"type": lambda v: f"{v} {codecs.NAMES.get(v, '')}".strip(), "checksum": _hex32},
)
INTERNAL_KEY_TAIL = Layout(
    "internal_key_tail",
    "the last 8 bytes of every key in a table (db/dbformat.h)",
    c.Struct(
        "type" / c.Int8ul * "what the entry is",
        "sequence" / c.Bytes(7) * "sequence number, little-endian",
    ),
    show={
        "type": lambda v: f"{v} {TYPE_NAMES.get(v, '')}".strip(),
        "sequence": lambda v: str(int.from_bytes(v, "little")),
    },
)
FOOTER_LEGACY = Layout(
    "table_footer_legacy",
    "last 48 bytes of a LevelDB table, and of RocksDB's format version 0",
    c.Struct(
        "handles" / c.Bytes(40) * "metaindex and index handle, each offset and size as varints; zero padded",
        "magic" / c.Int64ul * "db4775248b80fb57",
    ),
    show={"magic": lambda v: f"{v:016x}"},
)
FOOTER = Layout(
    "table_footer",
    "last 53 bytes of a table, format versions 1 to 5 (table/format.cc)",
    c.Struct(
        "checksum_type" / c.Int8ul * "0 none, 1 CRC-32C, 2 xxHash, 3 xxHash64, 4 XXH3",
        "handles" / c.Bytes(40) * "metaindex and index handle, each offset and size as varints; zero padded",
        "version" / c.Int32ul * "format version",
        "magic" / c.Int64ul * "88e241b785f4cff7",
    ),
    show={
        "checksum_type": lambda v: f"{v} {checksums.NAMES.get(v, '')}".strip(),
        "magic": lambda v: f"{v:016x}",
    },
)
FOOTER_CONTEXT = Layout(
    "table_footer_context",
    "last 53 bytes of a table, format versions 6 and 7 (table/format.cc)",
    c.Struct(
        "checksum_type" / c.Int8ul * "0 none, 1 CRC-32C, 2 xxHash, 3 xxHash64, 4 XXH3",
        "extended_magic" / c.Bytes(4) * "3e 00 7a 00",
        "footer_checksum" / c.Int32ul * "of these 53 bytes with this field zero",
        "base_context_checksum" / c.Int32ul * "mixed with each block's offset into its checksum",
        "metaindex_size" / c.Int32ul * "bytes; the metaindex ends 5 bytes before the footer",
        "reserved" / c.Bytes(24) * "zero",
        "version" / c.Int32ul * "format version",
        "magic" / c.Int64ul * "88e241b785f4cff7",
    ),
    show={"footer_checksum": _hex32, "base_context_checksum": _hex32, "magic": lambda v: f"{v:016x}"},
)
BLOB_HEADER = Layout(
    "blob_header",
    "first 30 bytes of a blob file (db/blob/blob_log_format.h)",
    c.Struct(
        "magic" / c.Int32ul * "00248f37",
        "version" / c.Int32ul * "1",
        "column_family" / c.Int32ul * "id of the column family",
        "flags" / c.Int8ul * "bit 0: has expiration times",
        "compression" / c.Int8ul * "as in a block trailer",
        "expiration_low" / c.Int64ul * "seconds since 1970; 0 without expiration",
        "expiration_high" / c.Int64ul * "seconds since 1970; 0 without expiration",
    ),
    show={"magic": _hex32},
)
BLOB_RECORD = Layout(
    "blob_record",
    "one value of a blob file; key and value follow (db/blob/blob_log_format.h)",
    c.Struct(
        "key_length" / c.Int64ul * "bytes",
        "value_length" / c.Int64ul * "bytes as stored",
        "expiration" / c.Int64ul * "seconds since 1970; 0 for never",
        "header_crc" / c.Int32ul * "masked CRC-32C of the 24 bytes before it",
        "blob_crc" / c.Int32ul * "masked CRC-32C of key and value",
    ),
    show={"header_crc": _hex32, "blob_crc": _hex32},
)
BLOB_FOOTER = Layout(
    "blob_footer",
    "last 32 bytes of a blob file that was closed",
    c.Struct(
        "magic" / c.Int32ul * "00248f37",
        "count" / c.Int64ul * "records",
        "expiration_low" / c.Int64ul * "seconds since 1970",
        "expiration_high" / c.Int64ul * "seconds since 1970",
        "crc" / c.Int32ul * "masked CRC-32C of the 28 bytes before it",
    ),
    show={"magic": _hex32, "crc": _hex32},
)
LAYOUTS: tuple[Layout, ...] = (
    LOG_HEADER,
    RECYCLABLE_HEADER,
    BATCH_HEADER,
    BLOCK_TRAILER,
    INTERNAL_KEY_TAIL,
    FOOTER_LEGACY,
    FOOTER,
    FOOTER_CONTEXT,
    BLOB_HEADER,
    BLOB_RECORD,
    BLOB_FOOTER,
)
