"""Files given beside a store (--against): read whole, unpacked from gzip, and as UTF-8 where they are UTF-16."""

from __future__ import annotations

import codecs
import zlib

from inspector.errors import UsageError
from inspector.packings import most_of
from inspector.source import open_source

MAX_DOCUMENT = 512 << 20  # bytes of one file as it is
_GZIP = b"\x1f\x8b\x08"
# the marks of the longer ones begin like those of the shorter
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)


def documents_of(paths: list[str] | None) -> tuple[tuple[str, bytes], ...]:
    """The files given with --against, by the names they were given."""
    return tuple((path, _read(path)) for path in paths or ())


def _read(path: str) -> bytes:
    with open_source(path) as source:
        if source.kind == "folder" or source.size > MAX_DOCUMENT:
            raise UsageError(f"{path}: --against takes a file of at most {MAX_DOCUMENT >> 20} MiB")
        data = source.read(0, source.size)
    if data.startswith(_GZIP):
        data = unpacked(path, data)
    for mark, encoding in _MARKS:
        if data.startswith(mark):  # PowerShell's > writes such; an odd last byte is the end of a copy that stopped
            return data[len(mark) :].decode(encoding, "replace").encode()
    return data


def unpacked(path: str, data: bytes) -> bytes:
    """All gzip members; raises UsageError where they are damaged or cut: half a document would be held for a whole."""
    found = bytearray()
    most = min(MAX_DOCUMENT, most_of(len(data)))
    while data.startswith(_GZIP):
        member = zlib.decompressobj(wbits=31)
        try:
            found += member.decompress(data, most + 1 - len(found))
        except zlib.error as error:
            raise UsageError(f"{path}: gzip that does not unpack: {error}", "copy it again, or gzip -dc it") from error
        if len(found) > most or (member.unconsumed_tail and not member.eof):
            raise UsageError(
                f"{path}: it unpacks to more than {most >> 20} MiB, which is much for its size", "gzip -dc it first"
            )
        if not member.eof:
            raise UsageError(f"{path}: gzip that ends too early", "copy it again")
        data = member.unused_data
    return bytes(found)
