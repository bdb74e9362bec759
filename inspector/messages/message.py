"""One known message of a program: how it is recognised, what it means in bytes, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct, field

# what the number in a message is the offset of
Convention = Literal[
    "",  # the message names no byte
    "header",  # of a record's header
    "body",  # of a record's body, which follows its header
    "inside",  # of some byte of a record
    "unread",  # of the first byte that the program could not digest
    "block",  # of a block of the named file
    "page",  # number of a metadata page, not a byte
]


class Message(Struct, frozen=True):
    """`pattern` is matched where `needle` stands; its groups are the values. `meaning` may name groups in braces."""

    id: str
    program: str
    formats: frozenset[str]
    needle: str
    pattern: re.Pattern[str]
    meaning: str
    effect: str  # what the program does after it
    convention: Convention = ""
    at: str = ""  # group with the offset
    size: str = ""  # group with what the program took for the size of the store
    file: str = ""  # group with the name of a file of the store
    releases: str = ""
    issues: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    item: str = ""  # group with what names an item of the store
    item_id: str = ""  # how the store's format spells its id, with groups in braces
    whole: bool = True  # the message begins where its program's own text begins; False: anywhere in the line


class Said(Struct, frozen=True):
    """A message found in a line, with its values; `time` is RFC 3339 in UTC."""

    message: Message
    values: Mapping[str, str] = field(default_factory=dict)
    time: str | None = None

    @property
    def at(self) -> int | None:
        """The number that the message names, as it prints it."""
        text = self.values.get(self.message.at, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    @property
    def size(self) -> int | None:
        text = self.values.get(self.message.size, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    def meaning(self) -> str:
        return filled(self.message.meaning, self.values)


def family(
    prefix: str, formats: frozenset[str], repository: str, commands: tuple[str, ...] = ()
) -> Callable[..., Message]:
    """How the entries of one table are made: what they share, and the numbers of issues without their repository."""

    def said(
        name: str,
        program: str,
        needle: str,
        pattern: str,
        meaning: str,
        effect: str,
        convention: Convention = "",
        *,
        size: str = "",
        file: str = "",
        releases: str = "",
        issues: tuple[str, ...] = (),
        next_: tuple[str, ...] = commands,
        item: str = "",
        item_id: str = "",
        whole: bool = True,
    ) -> Message:
        at = "at" if convention else ""
        full = tuple(i if "/" in i else f"{repository}#{i}" for i in issues)
        return Message(
            f"{prefix}-{name}",
            program,
            formats,
            needle,
            re.compile(pattern),
            meaning,
            effect,
            convention,
            at,
            size,
            file,
            releases,
            full,
            next_,
            item,
            item_id,
            whole,
        )

    return said


_BRACES = re.compile(r"\{(\w+)\}")


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with the values of a line; what a line left out reads as "?"."""
    return _BRACES.sub(lambda m: values.get(m.group(1)) or "?", template)
