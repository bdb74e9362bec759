"""Where the fixed bytes of a slot lie; lists between them are SCALE encoded and read by `payload`."""

from __future__ import annotations

import construct as c

from inspector.layout import Layout

_TIME = "time of writing, unix seconds"
HEAD_V1 = Layout("known-peers-head-v1", "slot head until 2023-11", c.Struct("timestamp" / c.Int64ul * _TIME))
HEAD_V2 = Layout(
    "known-peers-head-v2",
    "slot head from 2023-11 to 2024-05",
    c.Struct(
        "cache_size" / c.Int64ul * "most peers this list may hold; 0 is refused",
        "timestamp" / c.Int64ul * _TIME,
    ),
)
HEAD_V3 = Layout(
    "known-peers-head-v3",
    "slot head since 2024-05",
    c.Struct("cache_size" / c.Int32ul * "most peers this list may hold", "timestamp" / c.Int64ul * _TIME),
)
SEAL = Layout(
    "known-peers-seal",
    "digest behind the payload",
    c.Struct("digest" / c.Bytes(32) * "BLAKE3-256 of the payload, no key and no context"),
)
HEADS = {1: HEAD_V1, 2: HEAD_V2, 3: HEAD_V3}
LAYOUTS = (HEAD_V3, HEAD_V2, HEAD_V1, SEAL)
