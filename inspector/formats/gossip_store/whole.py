"""What only the whole file tells: its version byte, its first record, its size."""

from __future__ import annotations

from collections.abc import Callable

from inspector.catalogue import later
from inspector.finding import Cause
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.causes import legal, missing, writer
from inspector.formats.gossip_store.walk import OK, Store
from inspector.span import Span

of_start = later("inspector.formats.gossip_store.mending", "of_start")  # only damage asks for it

_GONE = Cause("shifted", "certain", "a record verifies from byte 0 on: the version byte that stood before it is gone")


def whole_file(add: Callable[..., None], store: Store) -> None:
    """Add the findings about the file as a whole; `add` is Checker.add."""
    byte, at = store.version_byte, Span(0, min(1, store.size))
    if byte is None:
        why = Cause("truncated", "likely", "a store begins with a version byte; nothing is left of this one")
        add("empty-file", Span(0, 0), "the file is empty", lambda: (why, {}), None, "lost")
        return
    if store.version < versions.OLDEST_JUDGED:
        text = f"store version {store.version}: checksums are stored but cannot be judged; records are found by length"
        add("checksum-not-judged", Span(0, store.size), text, legal, None, "kept")
        return
    if store.headless:
        text = f"byte 0 begins a record: there is no version byte, and the records fit version {store.version}"
        add("version-unknown", at, text, lambda: (_GONE, {"byte": byte, "fits": store.version}), None, "kept")
    elif not store.version_at and (not 1 <= byte <= versions.NEWEST):
        newer = versions.NEWEST < byte <= 0x1F
        away = f"the records are of version {store.version}: "
        why = Cause("multi-bit", "possible", f"{away}more than one bit away from 0x{byte:02x}")
        if store.untold:
            why = Cause("unknown", "possible", f"byte 0 is 0x{byte:02x}, and no record holds")
        if newer:
            why = Cause("newer-version", "possible", f"byte 0 is 0x{byte:02x}")
        flipped = byte ^ store.version
        if store.guessed and not store.untold and flipped & (flipped - 1) == 0:
            why = Cause("bit-flip", "likely", f"{away}one bit away from 0x{byte:02x}")
        why, version = of_start(store, why)
        fits = "no record tells the version" if store.untold else f"the records fit version {version}"
        text = f"version byte 0x{byte:02x} (major {byte >> 5}, minor {byte & 31}); {fits}"
        add("version-unknown", at, text, lambda: (why, {"byte": byte, "fits": version}), None, "kept")
    elif store.guessed and not store.version_at:
        flipped = byte ^ store.version
        why = Cause("multi-bit", "possible", f"the records are of version {store.version}: more than one bit away")
        if flipped & (flipped - 1) == 0:
            why = Cause("bit-flip", "likely", f"one bit away from version {store.version}")
        why, version = of_start(store, why)
        text = f"the version byte says {byte}, the records are of version {version}"
        add("version-contradicted", at, text, lambda: (why, {"byte": byte, "fits": version}), None, "kept")
    first = store.facts.get("first")
    if versions.needs_uuid(store.version) and store.size > store.start and (not first or first[2:] != (4107, OK)):
        span = Span(store.start, min(store.size, store.start + 46))
        text = "the first record is not a uuid record that verifies"
        add("uuid-missing", span, text, lambda: (of_start(store, missing()[0])[0], {}), None, "kept")
    by = versions.judged_for(store.version, store.wishes)
    if store.size > 1 << 32 and by < versions.release("v24.11"):
        text = f"{store.size:,} bytes; {by} keeps offsets in 32 bits"
        add("offset-wrap", Span(1 << 32, store.size), text, writer, None, "kept")
