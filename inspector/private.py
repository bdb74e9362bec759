"""What of a format's output is somebody's own: the declaration that `--redact` acts on.

Layouts say the same of bytes (`Layout.private`); this says it of records, items, evidence and running text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field

DIGEST: Final = "digest"  # a checksum of private bytes: left out, because it confirms a guess
CONTENT: Final = "content"  # bytes or text that nobody needs to tell apart: its length and entropy
ITEM: Final = "item id"  # in `fields`: what an item itself is called by
# states of units whose bytes are known to be what was written; bytes of any other state are private
SOUND: Final = frozenset(
    (
        *("ok", "good", "sealed", "corrected", "bad checksum, corrected", "footer", "not covered by a checksum"),
        *("not judged", "old", "zero", "root", "continuation", "extent page", "stray", "free", "in use", "not read"),
        *("second store begins", "unknown map"),
    )
)
SOUND_STARTS: Final = ("masks are ", "end of ")


class Private(Struct, frozen=True):
    """Field names count at any depth of a record, item, exhibit, evidence or summary.

    `fields` gives each private field the noun of its pseudonym (volume-3, key-12), or DIGEST or CONTENT.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()  # records that are private as a whole
    inside: Mapping[str, str] = field(default_factory=dict)  # nouns of their fields; the other ones are left out
    marks: frozenset[str] = frozenset()  # words that are taken out of lists and notes
    bits: Mapping[str, int] = field(default_factory=dict)  # bits that are cleared in fields that are numbers
    texts: tuple[tuple[str, str], ...] = ()  # regular expressions of private things in running text, and their nouns
    public: frozenset[str] = frozenset()  # values of private fields that the program itself gives
    files: tuple[str, ...] = ()  # patterns of file names that the program itself gives; others are private
    originals: Callable[[Any], Iterable[tuple[str, str]]] | None = None  # state -> (noun, what text may name)


NOTHING: Final = Private()


def from_items(
    items: Callable[[Any], Iterable[Any]], fields: Mapping[str, str]
) -> Callable[[Any], Iterator[tuple[str, str]]]:
    """What the private fields of a format's items hold, for `Private.originals`."""

    def originals(state: Any) -> Iterator[tuple[str, str]]:
        for item in items(state):
            if ITEM in fields:
                yield fields[ITEM], item.id
            yield from _strings(item.fields, fields, "")

    return originals


def _strings(value: Any, fields: Mapping[str, str], noun: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _strings(inner, fields, fields.get(str(name), noun))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner, fields, noun)
    elif isinstance(value, str) and noun and noun not in (DIGEST, CONTENT):
        yield noun, value


def sound(state: str) -> bool:
    """Whether the bytes of a unit in this state are known to be what was written."""
    return state in SOUND or state.startswith(SOUND_STARTS)
