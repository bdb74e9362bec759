"""Old peers in bytes that no slot claims: the tails of earlier, longer payloads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from inspector.formats.known_peers.payload import Peer, read_peer
from inspector.formats.known_peers.scale import Malformed

# compact length, then how an ed25519, a hashed or a random peer id begins
PEER_START = re.compile(rb"\x98\x00\x24\x08\x01\x12\x20|\x88(?:\x12|\x00)\x20")
LONGEST_ENTRY = 64 << 10  # an entry of 30 addresses of 150 bytes has under 5 KB
MAX_CARVED = 20_000


def carve(buf: bytes, base: int) -> Iterator[Peer]:
    """Entries whose id and addresses all parse, with offsets counted from `base`; linear in `buf`."""
    at, kept = 0, 0
    while kept < MAX_CARVED and (match := PEER_START.search(buf, at)):
        start = match.start()
        peer = read_peer(buf, start, min(len(buf), start + LONGEST_ENTRY))
        if isinstance(peer, Malformed) or not peer.addresses or peer.problem:
            at = start + 1
            continue
        kept += 1
        at = peer.end
        yield replace(peer, start=peer.start + base, end=peer.end + base)
