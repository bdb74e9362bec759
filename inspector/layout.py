"""Where bytes lie: one construct declaration per structure, and what is derived from it.

From a Layout come the field table of the docs, the annotated hexdump, the writer and the `struct.Struct` of
the fast path. A layout describes and never judges: any bytes long enough parse, and build back to the same bytes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import construct as c
from msgspec import Struct, field
from msgspec.structs import force_setattr

from inspector.field import Field, Privacy

MAX_FIELDS = 4096  # of one exhibit; a structure from a hostile file may repeat without end


class Row(Struct, frozen=True):
    """One line of a field table; `at` and `size` are None where they depend on the bytes."""

    name: str
    at: int | None
    size: int | None
    type: str
    meaning: str
    privacy: Privacy


class _Step(Struct, frozen=True):
    """Fields of fixed place in one struct, or (without `fixed`) one field of bytes whose length `length` tells."""

    names: tuple[str, ...]
    fixed: struct.Struct | None = None
    length: Any = None  # context -> bytes; None: up to the end


class Layout(Struct, frozen=True):
    """A named construct.Struct; every field carries its meaning and unit as docs (`* "..."`)."""

    name: str
    title: str
    struct: Any
    private: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()
    show: Mapping[str, Any] = field(default_factory=dict)  # field name -> value -> text
    _steps: tuple[_Step, ...] | None = None  # made from `struct`

    def __post_init__(self) -> None:
        force_setattr(self, "_steps", _steps_of(self.struct))

    def privacy(self, name: str) -> Privacy:
        return "secret" if name in self.secret else "private" if name in self.private else "public"

    def rows(self) -> Iterator[Row]:
        at: int | None = 0
        for sub in self.struct.subcons:
            size = _size(sub)
            yield Row(sub.name, at, size, _type(sub), sub.docs, self.privacy(sub.name))
            at = None if at is None or size is None else at + size

    def parse(self, data: bytes) -> dict[str, Any] | None:
        """The values by name, or None when the bytes are too few."""
        if self._steps is not None:
            return _run(self._steps, data)
        try:
            return {k: v for k, v in self.struct.parse(data).items() if not k.startswith("_")}
        except c.ConstructError:
            return None

    def build(self, values: Mapping[str, Any]) -> bytes:
        return bytes(self.struct.build(dict(values)))

    def fields(self, data: bytes, base: int = 0) -> list[Field]:
        """Each field with its place, as far as the bytes go; what is left over is one field named `rest`."""
        stream = io.BytesIO(data)
        context = c.Container(_=None, _params=None, _root=None, _parsing=True, _building=False, _sizing=False)
        context._io, context._index = stream, None
        found: list[Field] = []
        for sub in self.struct.subcons:
            start = stream.tell()
            if len(found) >= MAX_FIELDS:
                break
            try:
                value = sub._parsereport(stream, context, sub.name or "")
            except (c.ConstructError, OverflowError, MemoryError):
                stream.seek(start)
                break
            if sub.name:
                context[sub.name] = value
                text = self.show[sub.name](value) if sub.name in self.show else _text(value)
                found.append(
                    Field(sub.name, base + start, base + stream.tell(), value, text, sub.docs, self.privacy(sub.name))
                )
        at = stream.tell()
        if at < len(data):
            rest = data[at:]
            found.append(Field("rest", base + at, base + len(data), rest, _text(rest), "bytes that no field claims"))
        return found

    def fast(self) -> struct.Struct:
        """The same fixed-size fields as a struct.Struct; raises ValueError for a layout that has none."""
        codes, orders = "", set()
        for sub in self.struct.subcons:
            core = _core(sub)
            if isinstance(core, c.FormatField):
                orders.add(core.fmtstr[0])
                codes += core.fmtstr[1:]
            elif isinstance(core, c.Bytes) and isinstance(core.length, int):
                codes += f"{core.length}s"
            else:
                raise ValueError(f"{self.name}.{sub.name} has no fixed place")
        if len(orders) > 1:
            raise ValueError(f"{self.name} mixes byte orders")
        return struct.Struct((orders or {"<"}).pop() + codes)


def _steps_of(layout: Any) -> tuple[_Step, ...] | None:
    """The same reading without construct's interpreter, or None where a field is more than a number or bytes."""
    steps: list[_Step] = []
    names: tuple[str, ...] = ()
    codes = order = ""
    for sub in layout.subcons:
        core = sub
        while isinstance(core, c.Renamed):  # a name and its docs are two layers
            core = core.subcon
        if isinstance(core, c.FormatField) and (not order or core.fmtstr[0] == order):
            order, codes, names = core.fmtstr[0], codes + core.fmtstr[1:], (*names, sub.name)
        elif isinstance(core, c.Bytes) and isinstance(core.length, int):
            codes, names = f"{codes}{core.length}s", (*names, sub.name)
        elif isinstance(core, c.Bytes) or core is c.GreedyBytes:
            if names:
                steps.append(_Step(names, struct.Struct((order or "<") + codes)))
            steps.append(_Step((sub.name,), length=core.length if isinstance(core, c.Bytes) else None))
            codes, names, order = "", (), ""
        else:
            return None
    if names:
        steps.append(_Step(names, struct.Struct((order or "<") + codes)))
    return tuple(steps)


def _run(steps: tuple[_Step, ...], data: bytes) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    at = 0
    for step in steps:
        if step.fixed is not None:
            if at + step.fixed.size > len(data):
                return None
            found.update(zip(step.names, step.fixed.unpack_from(data, at), strict=True))
            at += step.fixed.size
            continue
        size = len(data) - at if step.length is None else step.length(found)
        if at + size > len(data):
            return None
        found[step.names[0]] = bytes(data[at : at + size])
        at += size
    return found


def _core(sub: Any) -> Any:
    while isinstance(sub, c.Renamed | c.Enum):
        sub = sub.subcon
    return sub


def _size(sub: Any) -> int | None:
    try:
        return int(sub.sizeof())
    except c.ConstructError:
        return None


_ORDER = {">": "be", "<": "le", "=": ""}
_WIDTH = {"B": "u8", "b": "i8", "H": "u16", "h": "i16", "L": "u32", "l": "i32", "Q": "u64", "q": "i64", "I": "u32"}


def _type(sub: Any) -> str:
    core = _core(sub)
    if isinstance(core, c.FormatField):
        order, code = core.fmtstr[0], core.fmtstr[1:]
        width = _WIDTH.get(code, str(code))
        return width if width.endswith("8") else f"{width}{_ORDER[order]}"
    size = _size(sub)
    return f"bytes[{size}]" if size is not None else "bytes"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value[:64].hex() + ("…" if len(value) > 64 else "")
    if isinstance(value, c.Container):
        return "{" + ", ".join(f"{k}={_text(v)}" for k, v in value.items() if not k.startswith("_")) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(v) for v in value[:16]) + (", …" if len(value) > 16 else "") + "]"
    return str(value)
