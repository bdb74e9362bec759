"""Gossip is what the whole network has; channels that were never announced are private, and the operator's marks.

Who is at the ends of such a channel is left out, not renamed: a name that also stood in the public records of that
node would be told by its alias and its other channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from inspector.format import Query
from inspector.formats.gossip_store import versions
from inspector.private import DIGEST, Private

if TYPE_CHECKING:
    from inspector.formats.gossip_store.walk import Store

# types 3503, 4100, 4102 and 4104 of store versions up to 12
KINDS: Final = frozenset({"local_add_channel", "old_local_add_channel", "private_update", "private_channel"})
LAST_WITH_PRIVATE: Final = 12
_INSIDE: Final = {"scid": "channel"}


def originals(store: Store) -> Iterator[tuple[str, str]]:
    """The unannounced channels; other records may name them, too."""
    if store.version <= LAST_WITH_PRIVATE:
        from inspector.formats.gossip_store.records import records

        for entry in records(store, Query(kinds=KINDS)):
            yield from _named(entry.fields)


def _named(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _named(value)
        elif name in _INSIDE and isinstance(value, str):
            yield _INSIDE[name], value


PRIVATE: Final = Private(
    fields={"stored": DIGEST, "computed": DIGEST},
    kinds=KINDS,
    inside=_INSIDE,
    marks=frozenset({"PUSH"}),
    bits={"flags": versions.PUSH},
    files=("gossip_store", "gossip_store.corrupt", "gossip_store.tmp", "gossip_store.compact", "gossip_store.old"),
    originals=originals,
)
