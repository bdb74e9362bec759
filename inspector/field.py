"""A field as it is shown. It stands apart from the layouts that find it: they import construct."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Privacy = Literal["public", "private", "secret"]


class Field(Struct, frozen=True):
    """A field found in bytes: [start, end) in the member, its value, and how to show it."""

    name: str
    start: int
    end: int
    value: Any
    text: str
    meaning: str = ""
    privacy: Privacy = "public"
