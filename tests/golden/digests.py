"""What the golden tables write in place of much text: digests, and one way to write a value, a place, a step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from inspector.format import Edit
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
