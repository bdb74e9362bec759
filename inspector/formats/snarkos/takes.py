"""What is taken from a row of each map: its shape is judged, and the join gets the few bytes that it needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from inspector.formats.snarkos import values
from inspector.formats.snarkos.authority import read_authority
from inspector.formats.snarkos.layout import HEADER_SIZE
from inspector.formats.snarkos.maps import MAPS
from inspector.formats.snarkos.network import INPUT, OUTPUT, Network, Take, content_group
from inspector.formats.snarkos.reading import FIELD, Cursor, MalformedError, ids, whole

_KINDS: Final = frozenset(kind.to_bytes(4, "little") for kind in range(len(values.TRANSACTION_KINDS)))


def _id(raw: bytes, what: str) -> bytes:
    """A 32-byte id: its top byte tells almost every number that is no field element."""
    if len(raw) != FIELD:
        raise MalformedError(f"{what} has {len(raw)} bytes, not 32")
    if raw[31] >= 0x12:
        Cursor(raw).field(what)
    return raw


def _height(raw: bytes, what: str = "height") -> bytes:
    """A u32 as a group key, which must sort as the number does."""
    if len(raw) != 4:
        raise MalformedError(f"{what} has {len(raw)} bytes, not 4")
    return raw[::-1]


def _root(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    n.values.add(_id(value, "state root"), 2, place, _height(key))
    n.heights.add(key[::-1], 2, place, value)


def _reverse_root(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    n.values.add(_id(key, "state root"), 3, place, _height(value))


def _block_id(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    height = _height(key)
    n.values.add(_id(value, "block hash"), 4, place, height)
    n.heights.add(height, 4, place, value)
    n.block_tip = max(n.block_tip or 0, int.from_bytes(key, "little"))


def _reverse_id(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    n.values.add(_id(key, "block hash"), 5, place, _height(value))


def _sized(value: bytes, what: str) -> Cursor:
    """The inside of a value that is one size-encoded thing."""
    if len(value) < 8 or int.from_bytes(value[:8], "little") != len(value) - 8:
        raise MalformedError(f"{what} does not fill its {len(value)} bytes exactly")
    return Cursor(value, 8)


def _header(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    cursor = _sized(value, "header")
    values.header_bytes(cursor)
    cursor.done("header")
    n.values.add(_id(key, "block hash"), 6, place, value[8 : 8 + HEADER_SIZE])


def _authority(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    cursor = _sized(value, "authority")
    kind, certificates = read_authority(cursor)
    cursor.done("authority")
    rounds = b"".join(c.id + c.round.to_bytes(8, "little") for c in certificates)
    n.values.add(_id(key, "block hash"), 7, place, bytes([kind]) + rounds)


def _certificate(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    if len(value) != 12:
        raise MalformedError(f"a certificate's row has {len(value)} bytes, not 12")
    n.heights.add(value[3::-1], 8, place, _id(key, "certificate id") + value[4:])


def _ratifications(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    cursor = _sized(value, "ratifications")
    values.ratifications(cursor)
    n.values.add(_id(key, "block hash"), 9, place)


def _solutions(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    _sized(value, "solutions")
    n.values.add(_id(key, "block hash"), 10, place, b"".join(values.solution_ids(value[8:])))


def _solution_row(number: int) -> Take:
    def take(n: Network, key: bytes, value: bytes, place: bytes) -> None:
        if len(key) != 16 or key[:8] != b"\x08\0\0\0\0\0\0\0":
            raise MalformedError(f"a solution id of {len(key)} bytes is not a length of 8 and 8 bytes")
        n.heights.add(_height(value), number, place, key[8:])

    return take


def _aborted_solutions(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    found = whole(value, values.many(lambda c: c.sized("solution id"), 16, "solution ids"), "solution ids")
    if any(len(raw) != 8 for raw in found):
        raise MalformedError("a solution id is not 8 bytes")
    n.values.add(_id(key, "block hash"), 12, place, b"".join(found))


def _block_transactions(number: int) -> Take:
    def take(n: Network, key: bytes, value: bytes, place: bytes) -> None:
        n.values.add(_id(key, "block hash"), number, place, ids(value, "transaction ids"))

    return take


def _rejected_or_aborted(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    n.values.add(_id(value, "block hash"), 16, place, _id(key, "transaction id"))


def _confirmed(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    cursor = Cursor(value)
    block = cursor.field("block hash")
    inner = Cursor(cursor.sized("confirmed kind"))
    found = values.confirmed(inner)
    inner.done("confirmed kind")
    for _ in range(cursor.count(cursor.u64("number of operations"), 9, "finalize operations")):
        values.operation(Cursor(cursor.sized("finalize operation")))
    cursor.done("confirmed transaction")
    kind = values.CONFIRMED.index(found["kind"])
    content = content_group(inner.data[5:]) if kind >= 2 else b""  # kind u8 and index u32 stand before it
    n.values.add(block, 17, place, _id(key, "transaction id") + bytes([kind]) + content)
    n.transactions.add(key, 17, place, block)


def _rejected(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    cursor = _sized(value, "rejected transaction")
    values.rejected(cursor)
    n.rejected.add(content_group(value[8:]), 18, place, _id(key, "rejected id"))


def _current_round(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    if key != b"\0" or len(value) != 8:
        raise MalformedError("the current round is a u64 under the key 0")
    n.current_round = int.from_bytes(value, "little")


def _round(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    if len(key) != 8:
        raise MalformedError(f"a round has {len(key)} bytes, not 8")
    n.heights.add(_height(value), 20, place, key[::-1])
    n.round_tip = max(n.round_tip or 0, int.from_bytes(value, "little"))


def _committee(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    cursor = _sized(value, "committee")
    _, starting, _, _ = values.committee_fields(cursor)
    cursor.done("committee")
    n.heights.add(_height(key), 21, place, starting.to_bytes(8, "little"))
    n.committee_tip = max(n.committee_tip or 0, int.from_bytes(key, "little"))


def _program_of(key: bytes) -> bytes:
    """The program id at the head of a key, with its length."""
    cursor = Cursor(key)
    values.program_id(cursor)
    return key[: cursor.at]


def _deployment(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    program = _program_of(value)
    if program != value:
        raise MalformedError("bytes behind a program id")
    n.transactions.add(_id(key, "transaction id"), 22, place, value)


def _of_program(number: int) -> Take:
    def take(n: Network, key: bytes, value: bytes, place: bytes) -> None:
        n.programs.add(content_group(_program_of(key)), number, place, key)

    return take


def _program_transaction(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    program = _program_of(key)
    n.programs.add(content_group(program), 24, place, key)
    n.transactions.add(_id(value, "transaction id"), 24, place, key)


def _execution(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    if not value or value[-1] > 1:
        raise MalformedError("an execution ends with 0 or 1, whether it has a fee")
    n.transactions.add(_id(key, "transaction id"), 29, place, value[-1:] + ids(value[:-1], "transition ids"))


def _inclusion(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    cursor = Cursor(value)
    cursor.field("state root")
    if cursor.flag("proof"):
        cursor.sized("proof")
    cursor.done("inclusion")
    n.transactions.add(_id(key, "transaction id"), 31, place)


def _fee(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    cursor = Cursor(value)
    fee = cursor.field("fee transition")
    cursor.field("state root")
    if cursor.flag("proof"):
        cursor.sized("proof")
    cursor.done("fee")
    n.transactions.add(_id(key, "transaction id"), 32, place, fee)


def _kind(n: Network, key: bytes, value: bytes, place: bytes) -> None:
    if value not in _KINDS:
        whole(value, values.transaction_kind, "transaction kind")
    n.transactions.add(_id(key, "transaction id"), 51, place, value[:1])


def _of_transition(number: int, check: Callable[[bytes, str], bytes]) -> Take:
    """A map from a transition to something that the join needs."""
    name = MAPS[number].name

    def take(n: Network, key: bytes, value: bytes, place: bytes) -> None:
        n.transitions.add(_id(key, "transition id"), number, place, check(value, name))

    return take


def _back_to_transaction(number: int) -> Take:
    """30 and 33 lead a transition to its transaction; they stand in when the transaction's own row is lost."""

    def take(n: Network, key: bytes, value: bytes, place: bytes) -> None:
        n.transitions.add(_id(key, "transition id"), number, place, _id(value, "transaction id"))
        n.transactions.add(value, number, place, key)

    return take


def _to_transition(number: int) -> Take:
    """A reverse map: something to its transition."""
    name = MAPS[number].name

    def take(n: Network, key: bytes, value: bytes, place: bytes) -> None:
        n.transitions.add(_id(value, "transition id"), number, place, _id(key, name))

    return take


@lru_cache(maxsize=4096)  # most transitions are calls of a few functions
def _locator(raw: bytes, what: str) -> bytes:
    cursor = Cursor(raw)
    values.program_id(cursor)
    values.identifier(cursor)
    cursor.done(what)
    return b""


def _tag(value: bytes) -> bytes:
    return _id(value, "tag")


def _has_record(value: bytes) -> bytes:
    """Whether an output record is there in full, behind its checksum: then its nonce has a row of its own."""
    if len(value) < FIELD + 1 or value[FIELD] > 1:
        raise MalformedError(f"an output record of {len(value)} bytes has no checksum and option")
    return value[FIELD : FIELD + 1]


def _unread(_: bytes) -> bytes:
    return b""


def _part(side: bytes, number: int) -> Take:
    keep = {39: _tag, 47: _has_record}.get(number, _unread)
    name = MAPS[number].name

    def take(n: Network, key: bytes, value: bytes, place: bytes) -> None:
        n.parts.add(side + _id(key, name), number, place, keep(value))

    return take


def _to_part(side: bytes, number: int) -> Take:
    """A tag or nonce that leads to an input's serial number or an output's commitment."""
    name = MAPS[number].name

    def take(n: Network, key: bytes, value: bytes, place: bytes) -> None:
        n.parts.add(side + _id(value, name), number, place, _id(key, name))

    return take


TAKES: Final[dict[int, Take]] = {
    2: _root,
    3: _reverse_root,
    4: _block_id,
    5: _reverse_id,
    6: _header,
    7: _authority,
    8: _certificate,
    9: _ratifications,
    10: _solutions,
    11: _solution_row(11),
    12: _aborted_solutions,
    13: _solution_row(13),
    14: _block_transactions(14),
    15: _block_transactions(15),
    16: _rejected_or_aborted,
    17: _confirmed,
    18: _rejected,
    19: _current_round,
    20: _round,
    21: _committee,
    22: _deployment,
    **{n: _of_program(n) for n in (23, 25, 26, 27, 28)},
    24: _program_transaction,
    29: _execution,
    30: _back_to_transaction(30),
    31: _inclusion,
    32: _fee,
    33: _back_to_transaction(33),
    34: _of_transition(34, ids),
    35: _to_transition(35),
    **{n: _part(INPUT, n) for n in (36, 37, 38, 39, 41)},
    40: _to_part(INPUT, 40),
    42: _of_transition(42, ids),
    43: _to_transition(43),
    **{n: _part(OUTPUT, n) for n in (44, 45, 46, 47, 49, 50)},
    48: _to_part(OUTPUT, 48),
    51: _kind,
    52: _of_transition(52, _locator),
    53: _of_transition(53, _id),
    54: _to_transition(54),
    55: _of_transition(55, _id),
    56: _to_transition(56),
    57: _of_transition(57, _id),
}


def _sized_whole(value: bytes) -> bool:
    return len(value) >= 8 and int.from_bytes(value[:8], "little") == len(value) - 8


def _option_whole(value: bytes) -> bool:
    return value == b"\0" or (value[:1] == b"\1" and _sized_whole(value[1:]))


# values that no check needs, and whether they fill their bytes. How each is written was not seen of a real node: so a
# row is held only against the others of its map
SHAPES: Final[dict[int, Callable[[bytes], bool]]] = {
    23: lambda value: len(value) == 2,
    **dict.fromkeys((25, 26, 27, 28), _sized_whole),
    **dict.fromkeys((36, 37, 38, 44, 45, 46, 50), _option_whole),
    47: lambda value: _option_whole(value[FIELD:]),
}
