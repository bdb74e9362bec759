"""Plaintexts and values of programs as Aleo writes them; what does not fit their bytes exactly is carried as it is.

Source: console/program/src/data/{literal,plaintext,value}/bytes.rs. Literals have a u16 tag since 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from inspector.formats.snarkos.names import address_name, bech32m, field_name
from inspector.formats.snarkos.reading import FIELD, SIGNATURE, Cursor, MalformedError
from inspector.formats.snarkos.values import Decoder, identifier, rest
from inspector.sanitize import clean_bytes

MAX_DEPTH: Final = 32  # Network::MAX_DATA_DEPTH
MAX_ELEMENTS: Final = 1 << 12  # of an array that is decoded; the network allows 32, later 512
LITERAL, STRUCT, ARRAY = range(3)
PLAINTEXT: Final = 0  # variant of a value; records and futures are the others


def _integer(bits: int, signed: bool) -> Decoder:
    name = f"{'i' if signed else 'u'}{bits}"
    return lambda c: f"{int.from_bytes(c.take(bits // 8, name), 'little', signed=signed)}{name}"


def _boolean(cursor: Cursor) -> bool:
    return cursor.flag("boolean")


def _text(cursor: Cursor) -> str:
    return clean_bytes(cursor.take(cursor.u16("length of a string"), "string"))


_LITERALS: Final[tuple[Decoder, ...]] = (
    lambda c: address_name(c.field("address")),
    _boolean,
    lambda c: field_name(c.field("field")),
    lambda c: f"{int.from_bytes(c.field('group'), 'little')}group",
    *(_integer(bits, True) for bits in (8, 16, 32, 64, 128)),
    *(_integer(bits, False) for bits in (8, 16, 32, 64, 128)),
    lambda c: f"{int.from_bytes(c.take(FIELD, 'scalar'), 'little')}scalar",
    lambda c: bech32m("sign", c.take(SIGNATURE, "signature")),
    _text,
)


def plaintext(cursor: Cursor, depth: int = 0) -> Any:
    """A literal as text, a struct as an object, an array as a list."""
    if depth > MAX_DEPTH:
        raise MalformedError("a plaintext is too deep")
    kind = cursor.u8("plaintext")
    if kind == LITERAL:
        number = cursor.u16("literal")
        if number >= len(_LITERALS):
            raise MalformedError(f"a literal of kind {number}")
        return _LITERALS[number](cursor)
    if kind == STRUCT:
        members = cursor.count(cursor.u8("members"), 4, "members")
        return {identifier(cursor): _sized(cursor, depth) for _ in range(members)}
    if kind == ARRAY:
        elements = cursor.count(cursor.u32("elements"), 3, "elements")
        if elements > MAX_ELEMENTS:
            raise MalformedError(f"an array of {elements} elements")
        return [_sized(cursor, depth) for _ in range(elements)]
    raise MalformedError(f"a plaintext of kind {kind}")


def _sized(cursor: Cursor, depth: int) -> Any:
    inner = Cursor(cursor.take(cursor.u16("length of a plaintext"), "plaintext"))
    found = plaintext(inner, depth + 1)
    inner.done("plaintext")
    return found


def value(cursor: Cursor) -> Any:
    """What a mapping holds; records and futures are carried."""
    kind = cursor.u8("value")
    if kind != PLAINTEXT:
        raise MalformedError(f"a value of kind {kind}")
    return plaintext(cursor)


def ratify(cursor: Cursor) -> Any:
    """A reward; the genesis ratification differs between releases."""
    cursor.version((1,), "ratification")
    kind = cursor.u8("ratification")
    if kind not in (1, 2):
        raise MalformedError(f"a ratification of kind {kind}")
    return {("block_reward", "puzzle_reward")[kind - 1]: cursor.u64("amount")}


def or_carried(read: Callable[[Cursor], Any], what: str) -> Decoder:
    """A size-encoded value, decoded where `read` consumes it exactly, else its length and first bytes."""

    def sized(cursor: Cursor) -> Any:
        raw = cursor.sized(what)
        inner = Cursor(raw)
        try:
            found = read(inner)
            inner.done(what)
        except MalformedError:  # a newer release's, or damage that its block's checksum tells
            return rest(Cursor(raw))
        return found

    return sized


def ratifications(cursor: Cursor) -> dict[str, Any]:
    """Version, count, and the rewards; all are carried if one of them is of another kind."""
    cursor.version((1,), "ratifications")
    count = cursor.count(cursor.u32("number of ratifications"), 2, "ratifications")
    start = cursor.at
    try:
        found = [ratify(cursor) for _ in range(count)]
        cursor.done("ratifications")
    except MalformedError:  # the genesis ratification, or a newer one
        cursor.at = start
        return {"count": count, "content": rest(cursor)}
    return {"count": count, "content": found}
