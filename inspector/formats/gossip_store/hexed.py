"""Records printed as hex: CLN's logs show whole records and messages that it refuses (gossip_store.c:549, connectd
gossip_store.c:163, gossmap.c:878), dump-gossipstore prints messages.

With a record's header the checksum proves it. A message alone is proved by its signatures, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from inspector.formats.gossip_store.kinds import LEAST
from inspector.formats.gossip_store.signed import SIGNED
from inspector.formats.gossip_store.structure import plausible
from inspector.kernels.carving import Finds, gossip_records, hex_places


class HexRun(Struct, frozen=True):
    """Digits [start, start + 2 * len(raw)) of a window and what they spell."""

    start: int
    raw: bytes
    finds: Finds  # offsets in `raw`
    message: int  # bytes of a signed message without its header that `raw` begins with, 0 where it does not


def hex_runs(data: bytes, stop: int, first: bool) -> Iterator[HexRun]:
    """Runs of digits that spell records beginning in [0, stop), or a message; linear in the window.

    `first` says that nothing comes before the window; else a run at its start goes on from the one before.
    """
    for begin, end in hex_places(data, stop):
        yield from _spelled(data, begin, end, stop, begin > 0 or first)


def _spelled(data: bytes, begin: int, end: int, stop: int, whole: bool) -> Iterator[HexRun]:
    for start in (begin, begin + 1) if (end - begin) % 2 or not whole else (begin,):
        raw = bytes.fromhex(data[start : end - (end - start) % 2].decode("ascii"))
        finds = gossip_records(raw, 0, (stop - start + 1) // 2, 0)
        # with a false length gossipd prints a message and the records behind it
        message = _message(raw[: finds.starts[0]] if len(finds) else raw) if whole else 0
        if len(finds) or message:
            yield HexRun(start, raw, finds, message)
            return


def _message(raw: bytes) -> int:
    """The length of the signed message that these bytes are, or 0."""
    kind = raw[0] << 8 | raw[1] if len(raw) >= 2 else 0
    if kind not in SIGNED or not 130 <= len(raw) <= 0xFFFF or (kind != 258 and len(raw) < LEAST[kind]):
        return 0
    return len(raw) if plausible(kind, raw, len(raw), 16) else 0
