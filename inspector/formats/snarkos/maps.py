"""The maps of a ledger: number, name, and how keys and values are decoded.

Source: store/src/helpers/rocksdb/internal/id.rs (numbers; append-only, 0-59 stable since 2023) and the storage
traits of store/src/{block,program,transaction,transition} (types).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from inspector.formats.snarkos import plaintext
from inspector.formats.snarkos import values as v
from inspector.formats.snarkos.reading import Cursor, MalformedError
from inspector.formats.snarkos.values import Decoder

PREFIX: Final = 4  # network u16, map u16
KNOWN_IN_2024: Final = 60


class Map(Struct, frozen=True):
    """One map of the store; `since` is the year in which snarkVM began to write it."""

    id: int
    name: str
    key: Decoder
    value: Decoder
    since: int = 2023


_hash, _root, _tx, _au, _field = v.block_hash, v.state_root, v.transaction, v.transition, v.field
_edition = v.both(program=v.program_id, edition=v.u16)
_function = v.both(program=v.program_id, function=v.identifier, edition=v.u16)
_proof = v.option(v.blob("proof"))
_plaintext = v.option(plaintext.or_carried(plaintext.plaintext, "plaintext"))
_ciphertext = v.option(v.blob("ciphertext"))
_ids = v.many(_field, 32, "ids")
_mapping_own = plaintext.or_carried(plaintext.plaintext, "key")
_record = v.both(checksum=_field, record=v.option(v.blob("record")))


def _mapping_key(cursor: Cursor) -> dict[str, object]:
    """A nested key: u32 length of (program, mapping), those two, then the mapping's own key."""
    size = cursor.u32("length of the mapping's name")
    inner = Cursor(cursor.take(size, "mapping"))
    program, mapping = v.program_id(inner), v.identifier(inner)
    inner.done("mapping")
    return {"program": program, "mapping": mapping, "key": _mapping_own(cursor)}


_TABLE: Final[tuple[tuple[str, Decoder, Decoder], ...]] = (
    ("bft.transmission", v.rest, v.rest),
    ("bft.aborted_transmission", v.rest, v.rest),
    ("block.state_root", v.u32, _root),
    ("block.reverse_state_root", _root, v.u32),
    ("block.id", v.u32, _hash),
    ("block.reverse_id", _hash, v.u32),
    ("block.header", _hash, v.inside(v.header, "header")),
    ("block.authority", _hash, v.inside(v.authority_value, "authority")),
    ("block.certificate", _field, v.both(height=v.u32, round=v.u64)),
    ("block.ratifications", _hash, v.inside(plaintext.ratifications, "ratifications")),
    ("block.solutions", _hash, v.inside(v.solutions, "solutions")),
    ("block.solution", v.solution_id, v.u32),
    ("block.aborted_solutions", _hash, v.many(v.solution_id, 16, "solution ids")),
    ("block.aborted_solution", v.solution_id, v.u32),
    ("block.transactions", _hash, v.many(_tx, 32, "transaction ids")),
    ("block.aborted_transactions", _hash, v.many(_tx, 32, "transaction ids")),
    ("block.rejected_or_aborted", _tx, _hash),
    (
        "block.confirmed_transaction",
        _tx,
        v.both(
            block=_hash,
            confirmed=v.inside(v.confirmed, "confirmed kind"),
            operations=v.many(v.inside(v.operation, "finalize operation"), 9, "finalize operations"),
        ),
    ),
    ("block.rejected", _field, v.inside(v.rejected, "rejected transaction")),
    ("committee.current_round", v.u8, v.u64),
    ("committee.round_to_height", v.u64, v.u32),
    ("committee.committee", v.u32, v.inside(v.committee, "committee")),
    ("deployment.id", _tx, v.program_id),
    ("deployment.edition", v.program_id, v.u16),
    ("deployment.reverse_id", _edition, _tx),
    ("deployment.owner", _edition, v.blob("owner")),
    ("deployment.program", _edition, v.blob("program")),
    ("deployment.verifying_key", _function, v.blob("verifying key")),
    ("deployment.certificate", _function, v.blob("certificate")),
    ("execution.id", _tx, v.both(transitions=v.many(_au, 32, "transition ids"), has_fee=lambda c: c.flag("fee"))),
    ("execution.reverse_id", _au, _tx),
    ("execution.inclusion", _tx, v.both(state_root=_root, proof=_proof)),
    ("fee.fee", _tx, v.both(transition=_au, state_root=_root, proof=_proof)),
    ("fee.reverse_fee", _au, _tx),
    ("input.id", _au, _ids),
    ("input.reverse_id", _field, _au),
    ("input.constant", _field, _plaintext),
    ("input.public", _field, _plaintext),
    ("input.private", _field, _ciphertext),
    ("input.record", _field, _field),
    ("input.record_tag", _field, _field),
    ("input.external_record", _field, v.nothing),
    ("output.id", _au, _ids),
    ("output.reverse_id", _field, _au),
    ("output.constant", _field, _plaintext),
    ("output.public", _field, _plaintext),
    ("output.private", _field, _ciphertext),
    ("output.record", _field, _record),
    ("output.record_nonce", _field, _field),
    ("output.external_record", _field, v.nothing),
    ("output.future", _field, v.option(v.blob("future"))),
    ("transaction.id", _tx, v.transaction_kind),
    ("transition.locator", _au, v.both(program=v.program_id, function=v.identifier)),
    ("transition.tpk", _au, _field),
    ("transition.reverse_tpk", _field, _au),
    ("transition.tcm", _au, _field),
    ("transition.reverse_tcm", _field, _au),
    ("transition.scm", _au, _field),
    ("program.id", v.program_id, v.many(v.identifier, 2, "mapping names")),
    ("program.key_value", _mapping_key, plaintext.or_carried(plaintext.value, "value")),
)
# what these hold differs between releases, so nothing inside them is judged
_LATER: Final = ("output.record_sender", "deployment.id_edition", "deployment.checksum")

MAPS: Final[dict[int, Map]] = {i: Map(i, *row) for i, row in enumerate(_TABLE)} | {
    KNOWN_IN_2024 + i: Map(KNOWN_IN_2024 + i, name, v.rest, v.rest, 2025) for i, name in enumerate(_LATER)
}
assert len(_TABLE) == KNOWN_IN_2024


def name_of(number: int) -> str:
    """The map's name, or its number where no release of 2024 had it."""
    known = MAPS.get(number)
    return known.name if known else f"map {number}"


def split(key: bytes) -> tuple[int, int, bytes]:
    """Network, map and the map's own key; MalformedError for a key that is too short."""
    if len(key) < PREFIX:
        raise MalformedError(f"a key of {len(key)} bytes has no network and map")
    return key[0] | key[1] << 8, key[2] | key[3] << 8, key[PREFIX:]


def join(network: int, number: int, key: bytes) -> bytes:
    return network.to_bytes(2, "little") + number.to_bytes(2, "little") + key


def past(network: int, number: int) -> bytes:
    """The smallest key behind all rows of a map: both numbers are little-endian, so it is no key of the next map."""
    prefix = join(network, number, b"").rstrip(b"\xff")
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b"\xff" * 5


def decode_key(number: int, key: bytes) -> object:
    return _decode(MAPS[number].key, key, f"key of {MAPS[number].name}")


def decode_value(number: int, value: bytes) -> object:
    return _decode(MAPS[number].value, value, f"value of {MAPS[number].name}")


def _decode(decoder: Decoder, data: bytes, what: str) -> object:
    cursor = Cursor(data)
    found = decoder(cursor)
    cursor.done(what)
    return found
