"""What speaks for a channel's capacity, which nobody signs: an update that allows as much, or a round number.

A flipped bit changes a number by a power of two, which is never a multiple of 10,000: so a round amount notices every
flip. 79 % of the channels of the public network have a round capacity (February 2026), 8 % more an update that names
it (LND's default maximum is 99 % of the capacity).
"""

from __future__ import annotations

from inspector.formats.gossip_store.known import Known

AMOUNT = 4101
SUPPLY = 2_100_000_000_000_000  # satoshis there will ever be
ROUND = 10_000  # satoshis; of random numbers one in 10,000 is round, of zeroed stretches one in 625


def possible(body: bytes) -> bool:
    """Whether a channel can hold as much."""
    return int.from_bytes(body[2:10], "big") <= SUPPLY


def spoken_for(body: bytes, scid: int, known: Known) -> str:
    """What confirms the amount as a whole, in words; "" where nothing does. `scid` is 0 where it is not known."""
    satoshis = int.from_bytes(body[2:10], "big")
    if not ROUND <= satoshis <= SUPPLY:
        return ""
    if satoshis % ROUND == 0:
        return f"{satoshis:,} sat is a round amount"
    most = {_most(known.body(at)) for at in known.index.updates(scid)} if scid else set()
    if most & {1000 * satoshis, 990 * satoshis, 1000 * (satoshis - satoshis // 100)}:
        return f"an update of its channel allows payments up to the {satoshis:,} sat"
    return ""


def notices(body: bytes, at: int, mask: int, scid: int, known: Known) -> str:
    """What confirms the changed byte `at` of a corrected amount, and would not confirm the byte as it was found."""
    found = body[:at] + bytes([body[at] ^ mask]) + body[at + 1 :]
    if not possible(found):
        return "it was more than all bitcoin there will ever be"
    because = spoken_for(body, scid, known)
    return "" if spoken_for(found, scid, known) else because


def _most(update: bytes) -> int:
    """htlc_maximum_msat of an update, -1 where it has none."""
    return int.from_bytes(update[130:138], "big") if len(update) >= 138 else -1
