"""The properties block of a table: what its writer counted (table/table_properties.cc)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from inspector.formats.rocksdb.block import IndexShape, entries
from inspector.formats.rocksdb.coding import MalformedError, put_varint, u32, u64, varint

PREFIX: Final = b"rocksdb."
INDEX_TYPE: Final = b"rocksdb.block.based.table.index.type"
EXTERNAL_VERSION: Final = b"rocksdb.external_sst_file.version"
GLOBAL_SEQUENCE: Final = b"rocksdb.external_sst_file.global_seqno"
TWO_LEVEL: Final = 2
WITH_FIRST_KEY: Final = 3


class Properties(Struct, frozen=True):
    """Raw name-value pairs, and the readings that this tool needs; absent numbers are None."""

    raw: Mapping[bytes, bytes] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        body = self.raw.get(PREFIX + name.encode())
        if body is None:
            return None
        try:
            return varint(body, 0, len(body))[0]
        except MalformedError:
            return None

    def text(self, name: str) -> str | None:
        body = self.raw.get(PREFIX + name.encode())
        return None if body is None else body.decode("utf-8", "backslashreplace")

    @property
    def index_type(self) -> int:
        body = self.raw.get(INDEX_TYPE, b"")
        return u32(body, 0) if len(body) == 4 else 0

    @property
    def index_shape(self) -> IndexShape:
        return IndexShape(
            bool(self.number("index.value.is.delta.encoded")),
            bool(self.number("index.key.is.user.key")),
            self.index_type == WITH_FIRST_KEY,
        )

    @property
    def global_sequence(self) -> int | None:
        """The sequence number of every entry of an ingested file, or None for other files."""
        body = self.raw.get(GLOBAL_SEQUENCE, b"")
        return u64(body, 0) if len(body) == 8 else None

    @property
    def external(self) -> bool:
        return EXTERNAL_VERSION in self.raw


def parse(data: bytes) -> Properties:
    """The properties of a decoded block; later duplicates do not replace earlier names."""
    raw: dict[bytes, bytes] = {}
    for key, value in entries(data):
        raw.setdefault(key, value)
    if not any(key.startswith(PREFIX) for key in raw):
        raise MalformedError("a properties block without a property")
    return Properties(raw)


_CODECS: Final = {
    "NoCompression": 0,
    "Snappy": 1,
    "Zlib": 2,
    "BZip2": 3,
    "LZ4": 4,
    "LZ4HC": 5,
    "ZSTD": 7,
}


def compression_types(found: Properties) -> frozenset[int]:
    """The compression types that a table's blocks may have, from its properties; empty where they do not tell.

    From format version 7 on the property reads "manager;hex types;" (table/table_properties.h).
    """
    text = found.text("compression") or ""
    if ";" not in text:
        return frozenset({0, _CODECS[text]}) if text in _CODECS else frozenset()
    try:
        types = {int(text.split(";")[1][i : i + 2], 16) for i in range(0, len(text.split(";")[1]), 2)}
    except ValueError:
        return frozenset()
    return frozenset({0, *types}) if types <= set(_CODECS.values()) else frozenset()


def number(value: int) -> bytes:
    """A numeric property as it is stored."""
    return put_varint(value)


def global_sequence_at(data: bytes) -> int | None:
    """Where in an undecoded properties block the global sequence number lies; some releases wrote it in place."""
    at = data.find(GLOBAL_SEQUENCE[len(PREFIX) :])
    if at < 0:
        return None
    at += len(GLOBAL_SEQUENCE) - len(PREFIX)
    return at if at + 8 <= len(data) else None
