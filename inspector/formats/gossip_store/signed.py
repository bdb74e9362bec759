"""Which bytes of a gossip message are signed, by whom, and whether the signatures hold.

Source: BOLT 7. A signature covers the double SHA-256 of everything behind the signature fields, so neither the
type nor the signatures themselves are signed.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from inspector import signatures

Signer = Callable[[int, int], bytes | None]  # scid, direction -> node id; None where no announcement tells

ANNOUNCEMENT, NODE, UPDATE = 256, 257, 258
SIGNED = frozenset({ANNOUNCEMENT, NODE, UPDATE})
MESSAGE = {ANNOUNCEMENT: 258, NODE: 66, UPDATE: 66}  # where the signed part of a body begins
_UNSIGNED = bytes(64)


class Judgement(Struct, frozen=True):
    """What each of a message's signatures is: "held", "failed", "absent" (all zero) or "unknown" (no key for it)."""

    which: tuple[str, ...]

    @property
    def all_hold(self) -> bool:
        return bool(self.which) and set(self.which) == {"held"}

    @property
    def failed(self) -> bool:
        return "failed" in self.which


NOT_SIGNED = Judgement(())


def kind_of(body: bytes) -> int:
    return body[0] << 8 | body[1] if len(body) >= 2 else 0


def own_time(body: bytes) -> int | None:
    """The time that the record's header repeats; 0 for CLN's own records, None for announcements.

    An announcement's header has the time of its channel's first update (gossipd/gossmap_manage.c:950), which is not
    in the message. Held by every record of every real store looked at.
    """
    kind = kind_of(body)
    if kind == UPDATE and len(body) >= 110:
        return int.from_bytes(body[106:110], "big")
    if kind == NODE and len(body) >= 68:
        at = 68 + (body[66] << 8 | body[67])
        return int.from_bytes(body[at : at + 4], "big") if len(body) >= at + 4 else None
    return None if kind in SIGNED else 0


def signers(body: bytes, signer: Signer) -> tuple[bytes | None, ...]:
    """The key of each signature in the order of the signatures; () where the message has none or is too short."""
    kind = kind_of(body)
    if kind == ANNOUNCEMENT and len(body) >= 260:
        at = 300 + (body[258] << 8 | body[259])
        keys = [body[at + 33 * k : at + 33 * k + 33] for k in range(4)]
        return tuple(keys) if len(keys[3]) == 33 else ()
    if kind == NODE and len(body) >= 68:
        at = 72 + (body[66] << 8 | body[67])
        return (body[at : at + 33],) if len(body) >= at + 33 else ()
    if kind == UPDATE and len(body) >= 130:
        return (signer(int.from_bytes(body[98:106], "big"), body[111] & 1),)
    return ()


def judge(body: bytes, signer: Signer) -> Judgement:
    """Check every signature of a message; NOT_SIGNED for anything else. Any bytes are answered."""
    keys = signers(body, signer)
    if not keys:
        return NOT_SIGNED
    digest = signatures.double_sha256(memoryview(body)[MESSAGE[kind_of(body)] :])
    states = []
    for k, key in enumerate(keys):
        signature = body[2 + 64 * k : 66 + 64 * k]
        if signature == _UNSIGNED:
            states.append("absent")
        elif key is None:
            states.append("unknown")
        else:
            states.append("held" if signatures.holds(key, digest, signature) else "failed")
    return Judgement(tuple(states))
