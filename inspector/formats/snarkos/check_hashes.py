"""First join: what hangs on one block hash, or on one state root, and which height it belongs to."""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import Struct, field

from inspector.formats.snarkos import rules
from inspector.formats.snarkos.doubts import Doubt, doubt
from inspector.formats.snarkos.judge import Judge
from inspector.formats.snarkos.layout import HEADER_FAST, HEIGHT
from inspector.formats.snarkos.network import BLOCK, BROKEN, CLAIMED, LED, ONE_WAY, UNKNOWN_HEIGHT, joined
from inspector.formats.snarkos.rows import NOWHERE, Row

# maps that every block has one row of under its hash (get_block fails without any of them)
NEEDED: Final = (6, 7, 9, 10, 12, 14, 15)
REJECTED: Final = (2, 3)  # confirmed kinds


class Hash(Struct):
    """The rows of one hash, by map."""

    key: bytes
    one: dict[int, Row] = field(default_factory=dict)
    heights: list[Row] = field(default_factory=list)  # of map 4
    elsewhere: dict[bytes, Row] = field(default_factory=dict)  # of map 16
    confirmed: dict[bytes, Row] = field(default_factory=dict)  # of map 17
    broken: set[int] = field(default_factory=set)
    roots: list[Row] = field(default_factory=list)  # of map 2


def check_hashes(judge: Judge) -> None:
    """Sort out every 32-byte value that maps 2-7, 9, 10, 12 and 14-17 speak of."""
    for key, rows, more in judge.network.values.groups():
        found = Hash(key)
        for row in rows:
            if row.tag & BROKEN:
                found.broken.add(row.tag & ~BROKEN)
            elif row.tag == 4:
                found.heights.append(row)
            elif row.tag == 2:
                found.roots.append(row)
            elif row.tag == 16:
                found.elsewhere[row.payload] = row
            elif row.tag == 17:
                found.confirmed[row.payload[:32]] = row
            else:
                found.one[row.tag] = row
        judge.orphans += more
        if found.roots or 3 in found.one:
            _root(judge, found)
        if found.heights or found.broken or found.elsewhere or found.confirmed or found.one.keys() - {3}:
            _block(judge, found)


def _root(judge: Judge, found: Hash) -> None:
    """A state root and its height say the same both ways; a root known in one way only waits for its height."""
    back = found.one.get(3)
    if not found.roots:
        assert back is not None
        judge.network.heights.add(back.payload, 3, back.place, found.key)
        return
    height = found.roots[0].payload
    if back is not None and any(row.payload == back.payload for row in found.roots):
        height = back.payload
    elif judge.unfinalised(height):
        judge.tip_missing += back is None
    elif back is None:
        judge.network.heights.add(height, ONE_WAY, found.roots[0].place, found.key)
    else:
        said = int.from_bytes(back.payload, "big")
        message = f"block {int.from_bytes(height, 'big')}: reverse_state_root says that its root is of block {said}"
        judge.wrong(rules.DERIVED_WRONG, 3, found.key, height, back.place, message, height[::-1])
    if judge.unfinalised(height) and back is not None:
        judge.of_tip(3, found.key)


def _block(judge: Judge, found: Hash) -> None:
    height = _height_of(found)
    if height is None:
        _nobody(judge, found)
        return
    if not found.one.keys() - {3} and not found.broken and not found.confirmed and not found.elsewhere:
        return  # only map 4 speaks of this hash: the height itself tells whether its block has another one
    _report_height(judge, found, height)
    missing = [number for number in NEEDED if number not in found.one and number not in found.broken]
    for number in missing:
        judge.absent(number, found.key, height)
    for number in found.broken & set(NEEDED):
        judge.broken(number, found.key, height)
    if judge.unfinalised(height):
        for number in found.one.keys() - {3}:
            judge.of_tip(number, found.key)
        for number in found.broken:
            judge.of_tip(number, found.key)
    header = found.one.get(6)
    whole = bytes([not missing and not found.broken])
    judge.network.heights.add(
        height, BLOCK, header.place if header else NOWHERE, found.key + whole + (header.payload if header else b"")
    )
    for number in (7, 10, 12):  # what the height's own maps must repeat
        if number in found.one:
            row = found.one[number]
            judge.network.heights.add(height, number, row.place, row.payload)
    _transactions(judge, found, height)
    _elsewhere(judge, found, height)


def _height_of(found: Hash) -> bytes | None:
    """The height that most rows give this hash; the header decides when they disagree."""
    votes: Counter[bytes] = Counter(row.payload for row in found.heights)
    if 5 in found.one:
        votes[found.one[5].payload] += 1
    header = found.one.get(6)
    own = HEADER_FAST.unpack(header.payload)[HEIGHT].to_bytes(4, "big") if header else None
    if own is not None:
        votes[own] += 1
    if not votes:
        return None
    best = max(votes.values())
    winners = sorted(height for height, count in votes.items() if count == best)
    return own if own in winners else winners[0]


def _report_height(judge: Judge, found: Hash, height: bytes) -> None:
    """Maps 4 and 5 say the same height for this hash."""
    number = int.from_bytes(height, "big")
    back = found.one.get(5)
    if back is None:
        judge.absent(5, found.key, height, height[::-1])
    elif back.payload != height:
        said = int.from_bytes(back.payload, "big")
        message = f"block {number}: reverse_id says that its hash is of block {said}"
        judge.wrong(rules.DERIVED_WRONG, 5, found.key, height, back.place, message, height[::-1])


def _nobody(judge: Judge, found: Hash) -> None:
    """Rows under a hash that no height knows."""
    for number in found.broken:
        judge.orphan(number, found.key, UNKNOWN_HEIGHT, NOWHERE)
    for number, row in found.one.items():
        if number != 3:
            judge.orphan(number, found.key, UNKNOWN_HEIGHT, row.place)
    for transaction, row in found.elsewhere.items():
        judge.orphan(16, transaction, UNKNOWN_HEIGHT, row.place)
    listed = set(joined(found.one[14].payload)) if 14 in found.one else set()
    for transaction, row in found.confirmed.items():
        judge.orphan(17, transaction, UNKNOWN_HEIGHT, row.place, transaction)
    for transaction in listed | found.confirmed.keys():
        judge.network.transactions.add(transaction, CLAIMED, NOWHERE, UNKNOWN_HEIGHT)


def _transactions(judge: Judge, found: Hash, height: bytes) -> None:
    """The block's list (14) and the transactions that name the block (17) are the same."""
    tip = judge.unfinalised(height)
    listed = list(joined(found.one[14].payload)) if 14 in found.one else None
    for transaction in listed or ():
        judge.network.transactions.add(transaction, CLAIMED, found.one[14].place, height)
    known = set(listed or ())
    gaps = bytes([not known <= found.confirmed.keys()])
    for transaction, row in found.confirmed.items():
        if len(row.payload) > 33:
            judge.network.rejected.add(row.payload[33:], CLAIMED, row.place, height + transaction)
        if tip:
            judge.of_tip(17, transaction)
        if transaction in known:
            continue
        if listed is not None and not tip:  # whether another block lists it, and what it has beside, decides
            judge.network.transactions.add(transaction, LED, row.place, height + gaps + found.key)
        else:
            judge.network.transactions.add(transaction, CLAIMED, row.place, height)


def _elsewhere(judge: Judge, found: Hash, height: bytes) -> None:
    """Map 16 leads every aborted id (15) and every rejected transaction's former id to the block."""
    tip = judge.unfinalised(height)
    aborted = set(joined(found.one[15].payload)) if 15 in found.one else None
    for transaction in aborted or ():
        if transaction in found.elsewhere:
            continue
        if tip:
            judge.absent(16, transaction, height, found.key)
        else:  # unless it leads to another block, which names it as well
            said = found.one[15]._replace(payload=transaction)
            doubt(judge, Doubt(15, 16, found.key, said, None, height, None, found.key))
    if tip:
        for transaction in found.elsewhere:
            judge.of_tip(16, transaction)
        return
    if aborted is None or 14 not in found.one:
        return
    # the former id of a rejected transaction is a hash of its content, so only the count can be compared
    rejected = sum(row.payload[32] in REJECTED for row in found.confirmed.values())
    others = [t for t in found.elsewhere if t not in aborted]
    if not rejected:
        for transaction in others:
            judge.orphan(16, transaction, height, found.elsewhere[transaction].place)
    for _ in range(rejected - len(others)):
        judge.nameless(16, height, None, "a rejected transaction's former id")
