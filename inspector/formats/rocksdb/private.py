"""Keys and values are private; files, levels, sizes, sequence numbers and column families are not."""

from __future__ import annotations

from typing import Final

from inspector.private import CONTENT, DIGEST, Private

_NUMBER: Final = "[0-9][0-9][0-9][0-9][0-9][0-9]*"
FILES: Final = (
    *(f"{_NUMBER}.{suffix}" for suffix in ("sst", "ldb", "log", "blob", "dbtmp")),
    *("CURRENT", "IDENTITY", "LOCK", "LOG", "LOG.old*", "MANIFEST-*", "OPTIONS-*"),
)
PRIVATE: Final = Private(
    fields={
        "key": "key",
        "smallest": "key",
        "largest": "key",
        "after_key": "key",
        "up_to_key": "key",
        "value": CONTENT,
        "id": CONTENT,
        "db_id": "database",
        "crc": DIGEST,
        "checksum": DIGEST,
        "blob_crc": DIGEST,
        "stored": DIGEST,
        "computed": DIGEST,
    },
    # as check.show_key prints them: quoted text, or hexadecimal
    texts=(
        (r"'(?:[^'\\]|\\.)*'…?|\"(?:[^\"\\]|\\.)*\"…?|(?<=keys after )0x[0-9a-f]+…?", "key"),
        (r"(?<=up to )0x[0-9a-f]+…?|(?<=entries, )0x[0-9a-f]+…?|(?<= to )0x[0-9a-f]+…?", "key"),
    ),
    public=frozenset({"?"}),
    files=FILES,
)
