"""What the golden tables write in place of much text: digests, and one way to write a value, a place, a step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from inspector.format import Edit, Stretch
from inspector.span import Span


def plain(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic", enc_hook=str).decode()


def digest(lines: Iterable[str], length: int = 8) -> str:
    found = hashlib.sha256()
    for line in lines:
        found.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return found.hexdigest()[:length]


def place(span: Span) -> str:
    return f"{span.member}@{span.start}-{span.end}"


def step(edit: Edit) -> str:
    data = f" = {len(edit.data)} bytes {hashlib.sha256(edit.data).hexdigest()[:12]}" if edit.data is not None else ""
    where = place(edit.origin) if edit.origin else "-"
    return f"{edit.action} {where}{data} ({edit.proof}, {edit.units}) {edit.out} {edit.at}"


class Tiles:
    """A digest of all tiles that come by, however they are cut into stretches: place, role, kind and mark of each."""

    def __init__(self) -> None:
        self.count, self.found = 0, hashlib.sha256()

    def seen(self, stretches: Iterable[Stretch]) -> Iterator[Stretch]:
        for one in stretches:
            ends = [*one.starts[1:], one.end]
            rows = zip(one.starts, ends, one.roles, one.kinds, one.marks, strict=True)
            name = one.member.encode()
            self.found.update(b"".join(b"%s %d-%d %d %d %d\n" % (name, *row) for row in rows))
            self.count += len(one)
            yield one

    def told(self) -> str:
        return f"{self.count} {self.found.hexdigest()[:8]}"
