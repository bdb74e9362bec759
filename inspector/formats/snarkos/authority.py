"""Who vouched for a block: a beacon's signature, or a subdag of certificates (narwhal/batch-*/src/bytes.rs)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from inspector.formats.snarkos.reading import FIELD, SIGNATURE, Cursor, MalformedError

BEACON, QUORUM = 0, 1
_MIN_CERTIFICATE: Final = 1 + 1 + 32 + 32 + 8 + 8 + 32 + 4 + 2 + 128 + 2
_TRANSMISSIONS: Final = {0: "ratification", 1: "solution", 2: "transaction"}


class Certificate(Struct, frozen=True):
    """A batch certificate; its id is the batch id. Transmissions are (kind, id, checksum)."""

    id: bytes
    author: bytes
    round: int
    timestamp: int
    committee: bytes
    transmissions: tuple[tuple[str, bytes, bytes], ...]
    previous: tuple[bytes, ...]
    signatures: int


def kind_of(cursor: Cursor) -> int:
    """BEACON or QUORUM; the cursor then stands at the signature or the subdag."""
    kind = cursor.u8("authority")
    if kind not in (BEACON, QUORUM):
        raise MalformedError(f"authority has kind {kind}")
    return kind


def read_authority(cursor: Cursor) -> tuple[int, list[Certificate]]:
    """The kind, and the certificates of a quorum in the order of the subdag."""
    if kind_of(cursor) == BEACON:
        cursor.take(SIGNATURE, "beacon signature")
        return BEACON, []
    return QUORUM, list(_subdag(cursor))


def _subdag(cursor: Cursor) -> Iterator[Certificate]:
    cursor.version((1,), "subdag")
    rounds = cursor.count(cursor.u32("number of rounds"), 10, "rounds")
    for _ in range(rounds):
        number = cursor.u64("round")
        for _ in range(cursor.count(cursor.u16("number of certificates"), _MIN_CERTIFICATE, "certificates")):
            certificate = read_certificate(cursor)
            if certificate.round != number:
                raise MalformedError(f"a certificate of round {certificate.round} lies in round {number}")
            yield certificate


def read_certificate(cursor: Cursor) -> Certificate:
    cursor.version((1,), "certificate")
    cursor.version((1,), "batch header")
    batch, author = cursor.field("batch id"), cursor.field("author")
    number, timestamp, committee = cursor.u64("round"), cursor.i64("timestamp"), cursor.field("committee id")
    sent = tuple(_transmission(cursor) for _ in range(cursor.count(cursor.u32("transmissions"), 1, "transmissions")))
    count = cursor.count(cursor.u16("previous certificates"), FIELD, "previous certificates")
    previous = tuple(cursor.field("previous certificate id") for _ in range(count))
    cursor.take(SIGNATURE, "author's signature")
    signatures = cursor.count(cursor.u16("signatures"), SIGNATURE, "signatures")
    cursor.take(signatures * SIGNATURE, "signatures")
    return Certificate(batch, author, number, timestamp, committee, sent, previous, signatures)


def _transmission(cursor: Cursor) -> tuple[str, bytes, bytes]:
    kind = cursor.u8("transmission kind")
    if kind not in _TRANSMISSIONS:
        raise MalformedError(f"a transmission has kind {kind}")
    if kind == 0:
        return "ratification", b"", b""
    name = cursor.take(8, "solution id") if kind == 1 else cursor.field("transaction id")
    return _TRANSMISSIONS[kind], name, cursor.take(16, "checksum")
