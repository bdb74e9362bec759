"""What keys and values of the maps hold, as plain JSON-ready values; wrong bytes are a MalformedError."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from inspector.formats.snarkos import authority
from inspector.formats.snarkos.layout import HEADER_FAST, HEADER_FIELDS, HEADER_SIZE, MEMBER_FAST
from inspector.formats.snarkos.names import (
    address_name,
    block_name,
    field_name,
    root_name,
    solution_name,
    transaction_name,
    transition_name,
)
from inspector.formats.snarkos.reading import Cursor, MalformedError

_IDENTIFIER: Final = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
Decoder = Callable[[Cursor], Any]
SOLUTION: Final = 80  # bytes: epoch hash 32, address 32, counter 8, target 8
OPAQUE_SHOWN: Final = 64  # bytes of a blob whose inside is not decoded here
CONFIRMED: Final = ("accepted_deploy", "accepted_execute", "rejected_deploy", "rejected_execute")
TRANSACTION_KINDS: Final = ("deploy", "execute", "fee")
OPERATIONS: Final = {  # finalize operations: name and size, the tag included
    0: ("initialize_mapping", 33),
    1: ("insert_key_value", 97),
    2: ("update_key_value", 97),
    3: ("remove_key_value", 65),
    4: ("replace_mapping", 33),
    5: ("remove_mapping", 33),
}


def number(size: int, signed: bool = False) -> Decoder:
    return lambda cursor: int.from_bytes(cursor.take(size, f"u{size * 8}"), "little", signed=signed)


u8, u16, u32, u64 = number(1), number(2), number(4), number(8)


def named(name: Callable[[bytes], str], what: str) -> Decoder:
    """A field element under the name its owner knows it by."""
    return lambda cursor: name(cursor.field(what))


field = named(field_name, "field")
block_hash = named(block_name, "block hash")
state_root = named(root_name, "state root")
transaction = named(transaction_name, "transaction id")
transition = named(transition_name, "transition id")
address = named(address_name, "address")


def nothing(_: Cursor) -> None:
    return None


def solution_id(cursor: Cursor) -> str:
    inner = cursor.sized("solution id")
    if len(inner) != 8:
        raise MalformedError(f"a solution id has {len(inner)} bytes, not 8")
    return solution_name(inner)


def many(item: Decoder, size: int, what: str) -> Decoder:
    """A bincode Vec; `size` is the least an item takes."""

    def read(cursor: Cursor) -> list[Any]:
        return [item(cursor) for _ in range(cursor.count(cursor.u64(f"number of {what}"), size, what))]

    return read


def option(item: Decoder) -> Decoder:
    return lambda cursor: item(cursor) if cursor.flag("option") else None


def both(**parts: Decoder) -> Decoder:
    """A tuple, its parts in order under their names."""
    return lambda cursor: {name: part(cursor) for name, part in parts.items()}


def blob(what: str) -> Decoder:
    """A size-encoded value that is carried and not taken apart."""

    def read(cursor: Cursor) -> dict[str, Any]:
        raw = cursor.sized(what)
        return {"bytes": len(raw), "hex": raw[:OPAQUE_SHOWN].hex() + ("…" if len(raw) > OPAQUE_SHOWN else "")}

    return read


def inside(read: Decoder, what: str) -> Decoder:
    """A size-encoded value that `read` must consume exactly."""

    def sized(cursor: Cursor) -> Any:
        inner = Cursor(cursor.sized(what))
        value = read(inner)
        inner.done(what)
        return value

    return sized


def text_of(raw: bytes, what: str) -> str:
    if not _IDENTIFIER.fullmatch(raw):
        raise MalformedError(f"{what} is not an identifier")
    return raw.decode("ascii")


def identifier(cursor: Cursor) -> str:
    """A name: u8 length and that many letters, digits and underscores; no outer length."""
    size = cursor.u8("length of a name")
    return text_of(cursor.take(size, "name"), "name")


program_id = inside(lambda cursor: f"{identifier(cursor)}.{identifier(cursor)}", "program id")


def header_bytes(cursor: Cursor) -> tuple[Any, ...]:
    """The header's fields in the order of its layout."""
    raw = cursor.take(HEADER_SIZE, "header")
    values: tuple[Any, ...] = HEADER_FAST.unpack(raw)
    if values[0] != 1 or values[7] != 1:
        raise MalformedError(f"header has version {values[0]}, its metadata {values[7]}")
    roots = Cursor(raw, 1)
    for name in HEADER_FIELDS[1:7]:
        roots.field(name)
    return values


def header(cursor: Cursor) -> dict[str, Any]:
    values = dict(zip(HEADER_FIELDS, header_bytes(cursor), strict=True))
    for name, value in values.items():
        if isinstance(value, bytes):
            values[name] = int.from_bytes(value, "little") if len(value) == 16 else value.hex()
    values["previous_state_root"] = root_name(bytes.fromhex(values["previous_state_root"]))
    return values


def authority_value(cursor: Cursor) -> dict[str, Any]:
    kind, certificates = authority.read_authority(cursor)
    if kind == authority.BEACON:
        return {"kind": "beacon"}
    return {"kind": "quorum", "certificates": [_certificate(c) for c in certificates]}


def _certificate(c: authority.Certificate) -> dict[str, Any]:
    return {
        "id": field_name(c.id),
        "author": address_name(c.author),
        "round": c.round,
        "timestamp": c.timestamp,
        "transmissions": [_transmission(kind, raw) for kind, raw, _ in c.transmissions],
        "previous": len(c.previous),
        "signatures": c.signatures,
    }


def _transmission(kind: str, raw: bytes) -> str:
    return {"solution": solution_name, "transaction": transaction_name}.get(kind, lambda _: "ratification")(raw)


def rest(cursor: Cursor) -> dict[str, Any]:
    """Everything that is left of a size-encoded value."""
    raw = cursor.take(cursor.left)
    return {"bytes": len(raw), "hex": raw[:OPAQUE_SHOWN].hex() + ("…" if len(raw) > OPAQUE_SHOWN else "")}


def ratifications(cursor: Cursor) -> dict[str, Any]:
    """Version, count, and the ratify objects, whose inside changes with the release."""
    cursor.version((1,), "ratifications")
    count = cursor.count(cursor.u32("number of ratifications"), 2, "ratifications")
    return {"count": count, "content": rest(cursor)}


def solution_ids(raw: bytes) -> list[bytes]:
    """The ids of the solutions in map 10's value; each solution is 80 bytes and its id a hash of the first 72.

    ledger/puzzle/src/solution_id/mod.rs: the first 8 bytes of SHA-256d over epoch hash [0, 8), address and counter.
    """
    cursor = Cursor(raw)
    cursor.version((1,), "solutions")
    if not cursor.flag("whether there are solutions"):
        cursor.done("solutions")
        return []
    found = []
    for _ in range(cursor.count(cursor.u8("number of solutions"), SOLUTION, "solutions")):
        epoch, who = cursor.field("epoch hash"), cursor.field("address")
        found.append(sha256(sha256(epoch[:8] + who + cursor.take(8, "counter")).digest()).digest()[:8])
        cursor.take(8, "target")
    cursor.done("solutions")
    return found


def solutions(cursor: Cursor) -> list[str]:
    return [solution_name(raw) for raw in solution_ids(cursor.take(cursor.left))]


def confirmed(cursor: Cursor) -> dict[str, Any]:
    kind = cursor.u8("confirmed kind")
    if kind >= len(CONFIRMED):
        raise MalformedError(f"a confirmed transaction has kind {kind}")
    found: dict[str, Any] = {"kind": CONFIRMED[kind], "index": cursor.u32("index")}
    if kind >= 2:
        found["rejected"] = rejected(cursor)
    return found


def rejected(cursor: Cursor) -> dict[str, Any]:
    kind = cursor.u8("rejected kind")
    if kind > 1:
        raise MalformedError(f"a rejected transaction has kind {kind}")
    return {"kind": ("deployment", "execution")[kind], "content": rest(cursor)}


def operation(cursor: Cursor) -> str:
    tag = cursor.u8("finalize operation")
    if tag not in OPERATIONS:
        raise MalformedError(f"a finalize operation has tag {tag}")
    name, _ = OPERATIONS[tag]
    size = cursor.left
    # releases before 2024 carried an index in two of them: 8 bytes more
    if size not in (OPERATIONS[tag][1] - 1, OPERATIONS[tag][1] + 7):
        raise MalformedError(f"{name} has {size + 1} bytes")
    cursor.take(size)
    return name


def transaction_kind(cursor: Cursor) -> str:
    kind = cursor.u32("transaction kind")
    if kind >= len(TRANSACTION_KINDS):
        raise MalformedError(f"a transaction has kind {kind}")
    return TRANSACTION_KINDS[kind]


def committee_fields(cursor: Cursor) -> tuple[bytes, int, list[tuple[bytes, int, int, int]], int]:
    """Id, starting round, members (address, stake, open, commission), total stake."""
    cursor.version((1, 2), "committee")
    name, starting = cursor.field("committee id"), cursor.u64("starting round")
    count = cursor.count(cursor.u16("members"), MEMBER_FAST.size, "members")
    members = list(MEMBER_FAST.iter_unpack(cursor.take(count * MEMBER_FAST.size, "members")))
    return name, starting, members, cursor.u64("total")


def committee(cursor: Cursor) -> dict[str, Any]:
    name, starting, found, total = committee_fields(cursor)
    members = [{"address": address_name(a), "stake": s, "open": bool(o), "commission": c} for a, s, o, c in found]
    return {"id": field_name(name), "starting_round": starting, "total_stake": total, "members": members}
