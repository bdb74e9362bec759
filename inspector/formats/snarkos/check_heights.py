"""Second join: everything that speaks of one height, in order of height, each block beside its predecessor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from inspector.finding import Cause
from inspector.formats.snarkos import rules
from inspector.formats.snarkos.check_hashes import NEEDED
from inspector.formats.snarkos.doubts import Doubt, doubt
from inspector.formats.snarkos.judge import GONE, Judge
from inspector.formats.snarkos.layout import HEADER_FAST, HEIGHT, NETWORK, ROOT_BEFORE, ROUND, TIMESTAMP
from inspector.formats.snarkos.maps import name_of
from inspector.formats.snarkos.names import block_name
from inspector.formats.snarkos.network import BLOCK, BROKEN, ONE_WAY, joined
from inspector.formats.snarkos.rows import NOWHERE, Row

MAX_ROUNDS: Final = 1 << 12  # rounds without a block that are checked one by one
_FORK: Final = Cause("software-rule-violation", "possible", "two blocks were stored for one height")


class Header(Struct, frozen=True):
    """The fields of a header that tie it to its neighbours."""

    root_before: bytes
    network: int
    round: int
    height: int
    timestamp: int
    place: bytes


class Height(Struct):
    """The rows of one height, by map, and what the first join knows of its block."""

    key: bytes  # big-endian
    rows: dict[int, list[Row]] = field(default_factory=dict)
    block: bytes | None = None  # the hash
    place: bytes = NOWHERE
    header: Header | None = None

    @property
    def number(self) -> int:
        return int.from_bytes(self.key, "big")

    def one(self, tag: int) -> Row | None:
        found = self.rows.get(tag)
        return found[0] if found else None


def check_heights(judge: Judge) -> None:
    """Maps 2, 4, 8, 11, 13, 20, 21 against the blocks, the chain of roots, and heights without a gap."""
    before: Height | None = None
    expected = 0
    for key, rows, more in judge.network.heights.groups():
        judge.orphans += more
        now = _gather(judge, key, rows)
        if now.block is None and _stray(judge, now):
            continue
        if now.block is None and not now.rows.keys() & {2, 3, 4, 2 | BROKEN, 4 | BROKEN}:
            continue  # only the committee store has this height: a gap, or finalised ahead of the blocks
        if now.number > expected:
            _back(judge, before)
            _gap(judge, expected, now.number)
            before = None
        expected = now.number + 1
        _identity(judge, now)
        _root(judge, before, now)
        if now.header is not None:
            _header(judge, before, now, now.header)
        _repeated(judge, now)
        _rounds(judge, before, now)
        _committee(judge, now)
        if now.header is not None and now.number == judge.tip:
            judge.finalised_round = now.header.round
        judge.last_root = rows[0].payload if (rows := now.rows.get(2, [])) else None
        before = now
    _back(judge, before)
    if before is not None:
        if judge.tip is None or before.number >= judge.tip:
            _rounds(judge, before, None)
        if before.one(2) is None and not judge.unfinalised(before.key):
            back = before.one(3)
            _root_from(judge, before, back.payload if back else None)
    if judge.tip is not None and expected <= judge.tip:
        judge.spoil(expected.to_bytes(4, "big"), judge.tip + 1)
        message = f"committees go up to height {judge.tip}, blocks only to {expected - 1}"
        evidence = {"block_tip": expected - 1, "committee_tip": judge.tip}
        judge.beyond_repair += 1
        judge.say(rules.AHEAD, None, message, evidence, GONE, "lost")


def _gather(judge: Judge, key: bytes, rows: Iterable[Row]) -> Height:
    found = Height(key)
    blocks: list[Row] = []
    for row in rows:
        if row.tag == BLOCK:
            blocks.append(row)
        else:
            found.rows.setdefault(row.tag, []).append(row)
    # of two blocks that claim one height the whole one counts, then the one that map 4 names
    own = found.one(4)
    blocks.sort(key=lambda row: (not row.payload[32], own is None or row.payload[:32] != own.payload))
    if blocks:
        payload = blocks[0].payload
        found.block, found.place = payload[:32], blocks[0].place
        if len(payload) > 33:
            v = HEADER_FAST.unpack(payload[33:])
            found.header = Header(v[ROOT_BEFORE], v[NETWORK], v[ROUND], v[HEIGHT], v[TIMESTAMP], blocks[0].place)
    for other in blocks[1:]:
        if judge.unfinalised(key):
            continue
        judge.spoil(key)
        judge.beyond_repair += 1
        message = f"block {found.number}: {block_name(other.payload[:32])} claims this height too"
        span = judge.network.places.unpack(other.place)
        judge.say(rules.ORPHAN, span, message, {"height": found.number, "map": "block.header"}, _FORK, "kept")
    return found


def _stray(judge: Judge, now: Height) -> bool:
    """Rows of a height that has no block: left-overs behind the tip, or a block lost altogether."""
    if judge.unfinalised(now.key):
        for row in now.rows.get(20, []):
            judge.of_tip(20, row.payload[::-1])
        for _ in now.rows.get(21, []):
            judge.of_tip(21, now.key[::-1])
    finalised = judge.tip is not None and now.number <= judge.tip
    if finalised or (judge.tip is None and (now.rows.keys() & {2, 4, 21})):
        return False
    maps = ((2, lambda r: now.key[::-1]), (4, lambda r: now.key[::-1]), (8, lambda r: r.payload[:32]),
            (11, _solution), (13, _solution), (3, lambda r: r.payload))  # fmt: skip
    for number, key_of in maps:
        for row in now.rows.get(number, []):
            judge.orphan(number, key_of(row), now.key, row.place)
    judge.spoil(now.key)
    judge.tip_missing += 1
    return True


def _solution(row: Row) -> bytes:
    return b"\x08\0\0\0\0\0\0\0" + row.payload


def _gap(judge: Judge, start: int, end: int) -> None:
    judge.spoil(start.to_bytes(4, "big"), end)
    judge.beyond_repair += 1
    words = f"block {start} has" if end == start + 1 else f"blocks {start} to {end - 1} have"
    evidence = {"first": start, "last": end - 1, "count": end - start}
    judge.say(rules.HEIGHT_GAP, None, f"{words} no row in any map", evidence, GONE, "lost")


def _identity(judge: Judge, now: Height) -> None:
    """Map 4 names the block's hash."""
    own = now.one(4)
    tip = judge.unfinalised(now.key)
    if tip:
        for number in (2, 4, 21):
            for _ in (*now.rows.get(number, ()), *now.rows.get(number | BROKEN, ())):
                judge.of_tip(number, now.key[::-1])
        for row in now.rows.get(3, []):
            judge.of_tip(3, row.payload)
        judge.tip_missing += not now.rows.keys() & {2, 2 | BROKEN}
    if own is None:
        judge.absent(4, now.key[::-1], now.key, now.block)
    elif now.block is not None and own.payload != now.block and not tip:
        message = f"block {now.number}: id says {block_name(own.payload)}, the block here is {block_name(now.block)}"
        judge.wrong(rules.DERIVED_WRONG, 4, now.key[::-1], now.key, own.place, message, now.block)
    elif now.block is None:
        for number in NEEDED:
            judge.absent(number, own.payload, now.key)


def _root(judge: Judge, before: Height | None, now: Height) -> None:
    """The root of the block before is the one that this header repeats; a missing one follows from it."""
    if before is None:
        return
    stored, header = before.one(2), now.header
    if stored is None and not judge.unfinalised(before.key):
        back = [row.payload for row in before.rows.get(3, [])]
        known = header.root_before if header else back[0] if back else None
        _root_from(judge, before, known)
    elif stored is not None and header is not None and stored.payload != header.root_before:
        if any(row.payload == header.root_before for row in before.rows.get(3, [])):
            message = f"block {before.number}: state_root differs from the reverse map and from the next header"
            key = before.key[::-1]
            judge.wrong(rules.DERIVED_WRONG, 2, key, before.key, stored.place, message, header.root_before)
            _back(judge, before, header.root_before)
            return
        message = f"block {now.number}: previous_state_root is not the state root of block {before.number}"
        judge.wrong(rules.CHAIN, 6, now.block or b"", now.key, header.place, message)
    _back(judge, before)


def _back(judge: Judge, height: Height | None, root: bytes | None = None) -> None:
    """One row leads back from the state root of a height, and none from another; `root` where its own is wrong."""
    own = height.one(2) if height else None
    if height is None or own is None or judge.unfinalised(height.key):
        return
    right = own.payload if root is None else root
    for row in height.rows.get(3, []):
        if row.payload != right:
            judge.orphan(3, row.payload, height.key, row.place)
    for row in height.rows.get(ONE_WAY, []):
        if row.payload == right:
            judge.absent(3, row.payload, height.key, height.key[::-1])


def _root_from(judge: Judge, height: Height, root: bytes | None) -> None:
    """State root of a height, from the reverse map or the next header."""
    judge.absent(2, height.key[::-1], height.key, root)
    if root is None:
        judge.nameless(3, height.key, None, "its state root")
    elif not any(row.payload == root for row in height.rows.get(3, [])):
        judge.absent(3, root, height.key, height.key[::-1])


def _header(judge: Judge, before: Height | None, now: Height, header: Header) -> None:
    faults = []
    if header.height != now.number:
        faults.append(f"its height is {header.height}")
    if header.network != judge.network.id:
        faults.append(f"its network is {header.network}")
    last = before.header if before else None
    if last is not None and header.round <= last.round:
        faults.append(f"its round {header.round} is not above {last.round}")
    if last is not None and header.timestamp < last.timestamp:
        faults.append(f"its timestamp {header.timestamp} is before {last.timestamp}")
    if faults:
        message = f"block {now.number}: the header does not fit: {', '.join(faults)}"
        judge.wrong(rules.HEADER, 6, now.block or b"", now.key, header.place, message)


def _repeated(judge: Judge, now: Height) -> None:
    """Certificates (8), solutions (11) and aborted solutions (13) repeat what the block's own rows say."""
    authority = now.one(7)
    said = None
    if authority is not None:
        said = {part[:32]: part[32:] for part in joined(authority.payload[1:], 40)}
    _compare(judge, now, (7, 8), {row.payload[:32]: row for row in now.rows.get(8, [])}, said)
    for source, number in ((10, 11), (12, 13)):
        own = now.one(source)
        wanted = {_wide(raw): b"" for raw in joined(own.payload, 8)} if own is not None else None
        _compare(judge, now, (source, number), {_wide(row.payload): row for row in now.rows.get(number, [])}, wanted)


def _wide(raw: bytes) -> bytes:
    return b"\x08\0\0\0\0\0\0\0" + raw


def _compare(
    judge: Judge, now: Height, maps: tuple[int, int], have: dict[bytes, Row], said: dict[bytes, bytes] | None
) -> None:
    """`said` maps each key to what its value holds behind the height; None where the source row is not there."""
    tip, (source, number) = judge.unfinalised(now.key), maps
    if said is not None and not tip and (lacking := said.keys() - have) and (over := have.keys() - said):
        _disagree(judge, now, maps, {key: said[key] for key in sorted(lacking)}, {key: have[key] for key in over})
        have, said = (
            {key: row for key, row in have.items() if key in said},
            {key: tail for key, tail in said.items() if key in have},
        )
    for key, row in have.items():
        if tip:
            judge.of_tip(number, key)
        elif said is not None and key not in said:
            judge.orphan(number, key, now.key, row.place)
        elif said is not None and number == 8 and row.payload[32:] != said[key]:
            message = f"block {now.number}: a certificate's round differs from the one in its subdag"
            judge.wrong(rules.DERIVED_WRONG, 8, key, now.key, row.place, message, now.key[::-1] + said[key])
    for key, tail in (said or {}).items():
        if key in have:
            continue
        own, back = now.one(source), now.key[::-1] + tail
        if tip or own is None:
            judge.absent(number, key, now.key, back)
        else:  # unless it leads to another block, which names it as well
            doubt(judge, Doubt(source, number, now.block or b"", own._replace(payload=key), None, now.key, None, back))


def _disagree(
    judge: Judge, now: Height, maps: tuple[int, int], lacking: dict[bytes, bytes], over: dict[bytes, Row]
) -> None:
    """A block's row names others than those that lead to it: one for one it may be believed, else it is another's."""
    source, number = maps
    own, hash_ = now.one(source), now.block or b""
    assert own is not None
    if len(lacking) == len(over) == 1:
        ((key, tail),) = lacking.items()
        ((other, row),) = over.items()
        said, have = own._replace(payload=key), row._replace(payload=other)
        doubt(judge, Doubt(source, number, hash_, said, have, now.key, None, now.key[::-1] + tail, alone=False))
        return
    message = f"block {now.number}: {name_of(source)} names {len(lacking)} that do not lead here, and not {len(over)}"
    judge.wrong(rules.MALFORMED, source, hash_, now.key, own.place, f"{message} that do")


def _rounds(judge: Judge, before: Height | None, now: Height | None) -> None:
    """Rounds from a block's own up to the next block's belong to it (committee.rs, insert: rounds are caught up)."""
    if before is None or before.header is None or judge.unfinalised(before.key):
        if before is not None and judge.unfinalised(before.key):
            for row in before.rows.get(20, []):
                judge.of_tip(20, row.payload[::-1])
        return
    first = before.header.round
    last = first
    if now is not None and now.header is not None and not judge.unfinalised(now.key):
        last = max(first, now.header.round - 1)
    elif now is not None and not judge.unfinalised(now.key):
        return  # the next block's round is not known
    have = {int.from_bytes(row.payload, "big"): row for row in before.rows.get(20, [])}
    for number in range(first, min(last, first + MAX_ROUNDS) + 1):
        if number not in have:
            judge.absent(20, number.to_bytes(8, "little"), before.key, before.key[::-1])
    for number, row in have.items():
        if not first <= number <= last:
            judge.orphan(20, number.to_bytes(8, "little"), before.key, row.place)


def _committee(judge: Judge, now: Height) -> None:
    if judge.unfinalised(now.key) or judge.tip is None:
        return
    own = now.one(21)
    if own is None:
        if 21 | BROKEN in now.rows:
            judge.broken(21, now.key[::-1], now.key)
        else:
            judge.absent(21, now.key[::-1], now.key)
        return
    starting = int.from_bytes(own.payload, "little")
    if now.header is not None and starting != now.header.round:
        message = f"block {now.number}: its committee starts in round {starting}, the block is of {now.header.round}"
        judge.wrong(rules.COMMITTEE, 21, now.key[::-1], now.key, own.place, message)
