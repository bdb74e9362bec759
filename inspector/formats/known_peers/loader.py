"""What a Subspace node or farmer does with the file: a total function of the slots as it cuts them.

Source: subspace-networking/src/behavior/persistent_parameters.rs, `KnownPeersManager::new`, `init_file`.
"""

from __future__ import annotations

from msgspec import Struct

from inspector.format import Outcome
from inspector.formats.known_peers.payload import Generation
from inspector.formats.known_peers.slots import Slot

MAX_AGE = 24 * 3600  # seconds; older lists are not used (13e24be30, 2024-05-30)
PROGRAM = "subspace node or farmer"
RELEASES: dict[Generation, str] = {
    1: "2023-08-08 to 2023-11-21 (v1)",
    2: "2023-11-22 to 2024-05-15 (v2)",
    3: "since 2024-05-16 (v3)",
}


class Choice(Struct, frozen=True):
    """The slot a node loads and why; `slot` is None when it starts with an empty list."""

    slot: Slot | None
    why: str
    panics: bool = False


def choose(size: int, halves: tuple[Slot, Slot], generation: Generation) -> Choice:
    """The node reads both halves of the actual length; the newest good one wins, a tie goes to slot A."""
    if size == 0:
        return Choice(None, "an empty file is a new file")
    if size == 1:
        return Choice(None, "half of a 1-byte file is 0 bytes, which is no chunk size", panics=True)
    good = [s for s in halves if s.verdict == "good" and s.payload.generation == generation]
    if not good:
        return Choice(None, "no half of the file has a good digest")
    if len(good) == 1:
        return Choice(good[0], f"only slot {'AB'[good[0].index]} has a good digest")
    first, second = good
    if first.payload.timestamp == second.payload.timestamp:
        return Choice(first, "both times are equal and slot A is kept on a tie")
    newer = second if first.payload.timestamp < second.payload.timestamp else first
    return Choice(newer, f"slot {'AB'[newer.index]} has the later time")


def outcomes(size: int, halves: tuple[Slot, Slot], length: int, at: int | None) -> tuple[Outcome, ...]:
    """One outcome per generation of the node; `length` is what the file should have, `at` the asked time."""
    return tuple(_outcome(size, halves, length, at, generation) for generation in (3, 2, 1))


def _outcome(size: int, halves: tuple[Slot, Slot], length: int, at: int | None, generation: Generation) -> Outcome:
    choice = choose(size, halves, generation)
    release = RELEASES[generation]
    if choice.panics:
        return Outcome(PROGRAM, release, "panics at every start", choice.why)
    resized = size not in (0, length)
    tail = "; then resizes the file and copies the list into both slots without a digest" if resized else ""
    if choice.slot is None:
        quiet = "starts with an empty list, silently at the usual log level"
        return Outcome(PROGRAM, release, quiet + tail, _message(halves[0], generation) if size else "")
    payload = choice.slot.payload
    usable = sum(not p.problem for p in payload.peers)
    what = f"loads {usable} of {len(payload.peers)} peers from slot {'AB'[choice.slot.index]} ({choice.why})"
    # the limit on age came two weeks after v3; older builds load a list of any age
    if generation == 3 and at is not None and at - payload.timestamp > MAX_AGE:
        what = "ignores the list: it is older than 24 hours"
    return Outcome(PROGRAM, release, what + tail)


def _message(slot: Slot, generation: Generation) -> str:
    """The debug line for slot A, where it is of the node's own generation; nothing is printed at the level info."""
    if slot.verdict != "zero" and slot.payload.generation != generation:
        return ""
    zero_and_v2 = slot.verdict == "zero" and generation == 2  # a cache size of 0 is no NonZeroU64
    if slot.payload.error or zero_and_v2:
        return "Failed to decode encodable known peers (debug)"
    if len(slot.stored) < 32:
        return "Not enough bytes to decode checksum, file was likely corrupted (debug)"
    return "Hash doesn't match, possible disk corruption or file was just created, ignoring (debug)"
