"""The time in the header of an announcement, which no signature covers: that of its channel's first update.

Source: gossipd/gossmap_manage.c:950. Where the checksum in the same header fails, one of the two is damaged or both.
An update that is still in the store can tell. Else a time as announcements of this store have them, and no later than
the channel's updates, is taken for sound: one time in 50 to 1,000 is such a time, whatever it was before, and it only
orders gossip.
"""

from __future__ import annotations

from inspector import syndromes
from inspector.crc32c import crc32c
from inspector.formats.gossip_store.known import Known


def right_time(unit: bytes, scid: int, known: Known) -> tuple[int, str]:
    """The time for the header of an announcement whose message is authentic, and what confirms it; "" if nothing."""
    found, stored, body = _u32(unit, 8), _u32(unit, 4), unit[12:]
    times = [_u32(known.body(at), 106) for at in known.index.updates(scid)]
    if found in times:
        return found, "its time is that of an update of its channel"
    for time in times:
        if crc32c(body, time) == stored:
            return time, "checksum and time are those of an update of its channel"
    other = _fitting(body, found, stored)
    first, last = known.times()
    fits = [time for time in (found, other) if first <= time <= min([last, *times])]
    if fits == [found]:
        return found, "its time is among those of the other announcements"
    if fits == [other]:
        return other, "the one time for which the checksum holds is among those of the other announcements"
    return found, ""


def _fitting(body: bytes, found: int, stored: int) -> int:
    """The one time for which the stored checksum would hold."""
    at, mask = next(syndromes.bursts(len(body), crc32c(body, found) ^ stored, 32, (0, 4)), (0, b""))
    return found ^ int.from_bytes(bytes(at) + mask, "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
