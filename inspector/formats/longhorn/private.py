"""What is private in the store below, and the parts of names that Longhorn's engine uses by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inspector.formats.longhorn.names import HEAD
from inspector.formats.longhorn.state import State
from inspector.formats.spdk_blobstore.private import FIELDS as BELOW
from inspector.formats.spdk_blobstore.private import PRIVATE as STORE
from inspector.private import CONTENT, Private

FIELDS: Final = BELOW | {
    "replica": "replica",
    "snapshot": "snapshot",
    "snapshots": "snapshot",
    "chain": "snapshot",
    "leftovers": "volume",
    "parent": "volume",
    "disk": "volume",
    "memory": "volume",
    "specified": "volume",
    "log": CONTENT,
    "error": CONTENT,
    "against": "path",
}


def originals(state: State) -> Iterator[tuple[str, str]]:
    assert STORE.originals is not None
    for what in state.named.values():
        if what.replica:
            yield "replica", what.replica
        if what.rest:
            yield "snapshot", what.rest
    yield from STORE.originals(state.lower)


PRIVATE: Final = Private(fields=FIELDS, public=frozenset({HEAD}), originals=originals)
