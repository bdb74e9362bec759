"""Bytes sixteen to a line, each field in the colour and under the letter that it has in the field table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspector.field import Field
from inspector.render.text import Block, Part, Style, Verbatim

PER_LINE = 16
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
COLOURS: tuple[Style, ...] = ("f0", "f1", "f2", "f3", "f4", "f5")


def colour(index: int) -> Style:
    return COLOURS[index % len(COLOURS)]


def letter(index: int) -> str:
    return LETTERS[index % len(LETTERS)]


def hexdump(data: bytes, base: int, fields: Sequence[Field], marks: bool) -> Iterator[Block]:
    """Lines of `data` that lies at `base`; with `marks` a line of letters under each, for where no colour is."""
    owner = _owners(data, base, fields)
    first = base - base % PER_LINE
    digits = max(8, len(f"{base + len(data):x}"))
    for line in range(first, base + len(data), PER_LINE):
        places = range(line, line + PER_LINE)
        inside = [base <= p < base + len(data) for p in places]
        own = [owner[p - base] if ok else None for p, ok in zip(places, inside, strict=True)]
        pairs = [f"{data[p - base]:02x}" if ok else "  " for p, ok in zip(places, inside, strict=True)]
        signs = [_sign(data[p - base]) if ok else " " for p, ok in zip(places, inside, strict=True)]
        yield Verbatim(((f"{line:0{digits}x}  ", "dim"), *_spaced(pairs, own), ("  ", ""), *_joined(signs, own)), 2)
        if marks and any(o is not None for o in own):
            letters = [2 * letter(o) if o is not None else "  " for o in own]
            yield Verbatim(((" " * (digits + 2), ""), ("".join(_gap(i) + x for i, x in enumerate(letters)), "")), 2)


def _owners(data: bytes, base: int, fields: Sequence[Field]) -> list[int | None]:
    owner: list[int | None] = [None] * len(data)
    for index, field in enumerate(fields):
        for at in range(max(field.start - base, 0), min(field.end - base, len(data))):
            owner[at] = index
    return owner


def _sign(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else "."


def _gap(index: int) -> str:
    return "" if index == 0 else "  " if index == PER_LINE // 2 else " "


def _style(owner: int | None) -> Style:
    return "" if owner is None else colour(owner)


def _spaced(pairs: Sequence[str], own: Sequence[int | None]) -> Iterator[Part]:
    for i, (pair, owner) in enumerate(zip(pairs, own, strict=True)):
        yield _gap(i), ""
        yield pair, _style(owner)


def _joined(signs: Sequence[str], own: Sequence[int | None]) -> Iterator[Part]:
    for sign, owner in zip(signs, own, strict=True):
        yield sign, _style(owner)
