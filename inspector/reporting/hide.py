"""What a report shows besides the formats' own words (log lines, names of files, the plan of a repair), made private.

Formats come behind a veil where a run redacts; this is for what reaches a report on other ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from inspector.format import Format

if TYPE_CHECKING:
    from inspector.redact import Redactor

# values of a message that are somebody's own, and the nouns of their pseudonyms
NOUNS = {"name": "volume", "peer": "peer", "blob": "", "hex": "bytes"}
_LEFT_OUT = frozenset({"hex", "why", "error", "cf"})  # free text of a program: it may hold anything
_DEEP = 32


class Hide(Struct, frozen=True):
    """Identity where nothing is redacted."""

    redactor: Redactor | None
    layers: tuple[Format, ...] = ()

    def words(self, text: str) -> str:
        """Running text with what is known to be private replaced."""
        if self.redactor is None or not text:
            return text
        from inspector.veil import Values

        for layer in self.layers:
            text = Values(self.redactor, layer.private).words(text)
        return self.redactor.text(text)

    def line(self, text: str) -> str:
        """A line of a log: nobody can tell what is in it, so it goes as a whole."""
        return text if self.redactor is None else ""

    def value(self, group: str, text: str) -> str:
        """A value out of a known message."""
        if self.redactor is None:
            return text
        if group in _LEFT_OUT:
            return "(private)"
        if group == "file":
            return self.file(PurePath(text).name)
        noun = NOUNS.get(group)
        return self.redactor.name(noun, text) if noun else self.words(text)

    def file(self, name: str) -> str:
        """The name of a file: those that the program itself gives are kept, part by part."""
        if self.redactor is None:
            return name
        return "/".join(self._part(part) for part in name.split("/"))

    def _part(self, part: str) -> str:
        assert self.redactor is not None
        known = any(fnmatchcase(part, pattern) for layer in self.layers for pattern in layer.private.files)
        return part if known or not part else self.redactor.known(part) or self.redactor.name("file", part)

    def resolve(self, name: str) -> str:
        """The true name behind a pseudonym."""
        return name if self.redactor is None else self.redactor.resolve(name)

    def all(self, value: Any, depth: int = 0) -> Any:
        """A part of the document with every text made private; names of files under their own rule."""
        if self.redactor is None or depth > _DEEP:
            return value
        if isinstance(value, str):
            return self.words(value)
        if isinstance(value, dict):
            return {k: self.file(v) if k == "file" and isinstance(v, str) else self.all(v, depth + 1)
                    for k, v in value.items()}  # fmt: skip
        if isinstance(value, list):
            return [self.all(one, depth + 1) for one in value]
        return value


def hiding(redactor: Redactor | None, layers: Iterable[Format]) -> Hide:
    return Hide(redactor, tuple(layers))
