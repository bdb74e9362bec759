"""`piece_cache.bin`: elements of 1,048,712 bytes whose pieces look random and pack well."""

from __future__ import annotations

import hashlib

from blake3 import blake3

from inspector.formats.piece_cache.layout import ELEMENT

EMPTY = bytes(ELEMENT)


def element(index: int) -> bytes:
    """A piece with its digest: 251 pseudo-random bytes over and over (a prime, so that pages differ)."""
    unit = b"".join(hashlib.sha256(b"%d/%d" % (index, i)).digest() for i in range(8))[:251]
    length = ELEMENT - 8 - 32
    body = index.to_bytes(8, "little") + (unit * (length // len(unit) + 1))[:length]
    return body + blake3(body).digest()
