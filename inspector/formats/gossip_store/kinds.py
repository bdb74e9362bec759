"""What a scan needs of the layouts, without construct: record types, their names, the least they need, the header."""

from __future__ import annotations

import struct

# the first two body bytes; 4096-4100 only exist in store versions 1 to 3
KINDS: dict[int, str] = {
    256: "channel_announcement",
    257: "node_announcement",
    258: "channel_update",
    3503: "local_add_channel",
    4096: "old_channel_announcement",
    4097: "old_channel_update",
    4098: "old_node_announcement",
    4099: "old_channel_delete",
    4100: "old_local_add_channel",
    4101: "channel_amount",
    4102: "private_update",
    4103: "delete_chan",
    4104: "private_channel",
    4105: "ended",
    4106: "chan_dying",
    4107: "uuid",
}

# the fewest body bytes each type needs, type included; a shorter one makes a reader run past its end
LEAST = {256: 432, 257: 142, 258: 138, 3503: 53, 4096: 12, 4097: 4, 4098: 4, 4099: 10, 4100: 4}
LEAST |= {4101: 10, 4102: 4, 4103: 10, 4104: 12, 4105: 10, 4106: 14, 4107: 34}

# the fast path of layout.HEADER and layout.OLD_HEADER; a test holds them equal
SEALED_HEADER = struct.Struct(">HHLL")
OLD_SEALED_HEADER = struct.Struct(">LL")


def kind_name(kind: int) -> str:
    return KINDS.get(kind) or f"unknown_{kind}"


def scid(value: int) -> str:
    """A short channel id as CLN prints it: block x transaction x output."""
    return f"{value >> 40}x{value >> 16 & 0xFFFFFF}x{value & 0xFFFF}"


def parse_scid(text: str) -> int | None:
    parts = text.replace(":", "x").split("x")
    if len(parts) == 3 and all(p.isdigit() for p in parts):
        block, tx, out = (int(p) for p in parts)
        if block < 1 << 24 and tx < 1 << 24 and out < 1 << 16:
            return block << 40 | tx << 16 | out
    return None
