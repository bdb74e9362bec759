"""Third to sixth join: transactions, their transitions, those transitions' inputs and outputs, and programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from inspector.formats.snarkos import rules
from inspector.formats.snarkos.doubts import Doubt, doubt
from inspector.formats.snarkos.judge import Judge
from inspector.formats.snarkos.names import transaction_name, transition_name
from inspector.formats.snarkos.network import (
    BACK,
    BROKEN,
    CLAIMED,
    INPUT,
    LED,
    OUTPUT,
    UNKNOWN_HEIGHT,
    content_group,
    joined,
)
from inspector.formats.snarkos.not_named import not_in_block, not_listed, not_named
from inspector.formats.snarkos.rows import NOWHERE, Row

DEPLOY, EXECUTE, FEE = range(3)
_STORE: Final = {DEPLOY: 22, EXECUTE: 29, FEE: 32}  # the map that holds a transaction of this kind
_INPUTS: Final = frozenset({36, 37, 38, 39, 41})
_OUTPUTS: Final = frozenset({44, 45, 46, 47, 49, 50})
_LONE: Final = (_INPUTS - {39}, _OUTPUTS - {47})  # by side: rows that need no other row beside them
_BUILT_IN: Final = b"\x0d\0\0\0\0\0\0\0\x07credits\x04aleo"  # a program id, behind its length
_ONE_EACH: Final = (52, 53, 55, 34, 42)  # maps that every transition has one row of
_REVERSE: Final = ((53, 54), (55, 56))  # what a transition has -> the map that leads back from it
_LISTED: Final = ((34, 35, INPUT), (42, 43, OUTPUT))


def _by_map(rows: Iterable[Row]) -> tuple[bytes, dict[int, list[Row]]]:
    """The height that claims these rows, and the rows by map; malformed ones under their map with BROKEN."""
    height = UNKNOWN_HEIGHT
    found: dict[int, list[Row]] = {}
    for row in rows:
        if row.tag == CLAIMED:
            height = min(height, row.payload[:4])
        found.setdefault(row.tag, []).append(row)
    return height, found


def check_transactions(judge: Judge) -> None:
    """Every listed transaction is confirmed in its block, has a kind and the rows of that kind."""
    for key, rows, more in judge.network.transactions.groups():
        judge.orphans += more
        height, found = _by_map(rows)
        for row in found.pop(LED, []) if LED in found else ():
            height = not_in_block(judge, key, height, row, bool(found.keys() & {22, 29, 32, 51}))
        if height == UNKNOWN_HEIGHT:
            _orphan_transaction(judge, key, found)
        else:
            _transaction(judge, key, height, found)


def _orphan_transaction(judge: Judge, key: bytes, found: dict[int, list[Row]]) -> None:
    for number in (22, 29, 31, 32, 51):
        for row in found.get(number, []):
            judge.orphan(number, key, UNKNOWN_HEIGHT, row.place, key)
        if number | BROKEN in found:
            judge.orphan(number, key, UNKNOWN_HEIGHT, found[number | BROKEN][0].place, key)
    for row in found.get(24, []):
        judge.orphan(24, row.payload, UNKNOWN_HEIGHT, row.place, key)
    _hand_on(judge, key, UNKNOWN_HEIGHT, found)


def _kind(found: dict[int, list[Row]]) -> int | None:
    """The kind that a transaction's own rows tell."""
    if 51 in found:
        return found[51][0].payload[0]
    return next((kind for kind, number in _STORE.items() if number in found or number | BROKEN in found), None)


def _transaction(judge: Judge, key: bytes, height: bytes, found: dict[int, list[Row]]) -> None:
    kind = _kind(found)
    if 17 not in found and 17 | BROKEN not in found:
        judge.absent(17, key, height, None, key)
    if 51 not in found:
        sure = kind is not None and (kind != FEE or not judge.lost)  # a fee beside a lost row may be any kind's
        judge.absent(51, key, height, kind.to_bytes(4, "little") if sure and kind is not None else None, key)
    needed = {_STORE[kind]} if kind is not None else set()
    if kind == EXECUTE:
        needed.add(31)
        if 29 in found and found[29][0].payload[:1] == b"\1":
            needed.add(32)
    elif kind == DEPLOY:
        needed.add(32)
        _deployment(judge, key, height, found)
    for number in sorted(needed):
        if number in found:
            continue
        if number | BROKEN in found:
            judge.broken(number, key, height)
        else:
            judge.absent(number, key, height, None, key)
    if judge.unfinalised(height):
        for number in (22, 29, 31, 32, 51):
            if number in found or number | BROKEN in found:
                judge.of_tip(number, key)
        if 17 | BROKEN in found:  # a whole one names its block, and goes with that
            judge.of_tip(17, key)
        for row in found.get(24, []):
            judge.of_tip(24, row.payload)
    _hand_on(judge, key, height, found)


def _deployment(judge: Judge, key: bytes, height: bytes, found: dict[int, list[Row]]) -> None:
    for row in found.get(22, []):
        back = [r.payload for r in found.get(24, [])]
        if not any(payload[:-2] == row.payload for payload in back):
            judge.absent(24, row.payload + b"\0\0", height, None, key)


def _hand_on(judge: Judge, key: bytes, height: bytes, found: dict[int, list[Row]]) -> None:
    """Claim the transitions and the program of a transaction."""
    executed = [t for row in found.get(29, []) for t in joined(row.payload[1:])]
    fees = [row.payload for row in found.get(32, [])]
    for number, back, kind, named in ((29, 30, b"\1", executed), (32, 33, b"\0", fees)):
        for transition in named:
            judge.network.transitions.add(transition, CLAIMED, NOWHERE, height + kind + key)
        leading = found.get(back, [])
        if height == UNKNOWN_HEIGHT or (len(leading) == 1 and leading[0].payload in named):
            continue
        tag = LED if number in found else BACK
        more = {row.payload for row in leading}.difference(named)
        if tag == LED and len(leading) - len(more) == len(set(named)):
            continue  # all that it names lead back: others are left over from elsewhere
        for row in leading:
            if row.payload in more:
                judge.network.transitions.add(row.payload, tag, row.place, height + kind + key)
    # of a block that was half written the way back may be all that is there
    deployed = [row.payload for row in found.get(22, [])] or [row.payload[:-2] for row in found.get(24, [])]
    for program in deployed:
        judge.network.programs.add(content_group(program), CLAIMED, NOWHERE, height + key + program)


def check_transitions(judge: Judge) -> None:
    """Every transition has its rows, leads back to its transaction, and is led back to by what it names."""
    with_scm = judge.network.counts[57] > 0  # written since 2024
    for key, rows, more in judge.network.transitions.groups():
        judge.orphans += more
        height, found = _by_map(rows)
        if BACK in found or LED in found:
            back, led = found.pop(BACK, []), found.pop(LED, [])
            # that alone leads back is left over, or stands under a wrong key
            if height == UNKNOWN_HEIGHT and (back or found.keys() - {30, 33}):
                found[CLAIMED] = back or led
                height = min(row.payload[:4] for row in found[CLAIMED])
                if not back:
                    not_named(judge, key, height, led[0])
        if height == UNKNOWN_HEIGHT:
            _orphan_transition(judge, key, found)
        else:
            _transition(judge, key, height, found, with_scm)


def _owner(found: dict[int, list[Row]]) -> tuple[bytes, int]:
    """The transaction that claims a transition and the map that leads back: 30 from executions, 33 from fees."""
    claim, *others = found[CLAIMED]
    if others:  # the one that the transition leads back to: the others name it by mistake
        led = {row.payload for number in (30, 33) for row in found.get(number, ())}
        claim = min(found[CLAIMED], key=lambda row: (row.payload[5:] not in led, row.payload))
    return claim.payload[5:], 30 if claim.payload[4] else 33


def _orphan_transition(judge: Judge, key: bytes, found: dict[int, list[Row]]) -> None:
    owner = _owner(found)[0] if CLAIMED in found else None
    for number in (30, 33, 34, 42, 52, 53, 55, 57):
        for row in [*found.get(number, []), *found.get(number | BROKEN, [])]:
            judge.orphan(number, key, UNKNOWN_HEIGHT, row.place, owner)
    for number in (35, 43, 54, 56):
        for row in found.get(number, []):
            judge.orphan(number, row.payload, UNKNOWN_HEIGHT, row.place, owner)
    for number, _, side in _LISTED:
        for row in found.get(number, []):
            for part in joined(row.payload):
                judge.network.parts.add(side + part, CLAIMED, row.place, UNKNOWN_HEIGHT + (owner or bytes(32)))


def _transition(judge: Judge, key: bytes, height: bytes, found: dict[int, list[Row]], with_scm: bool) -> None:
    owner, back = _owner(found)
    tip = judge.unfinalised(height)
    if not tip and _all_there(found, owner, back, with_scm):
        for forth, _, side in _LISTED:
            for part in joined(found[forth][0].payload):
                judge.network.parts.add(side + part, CLAIMED, NOWHERE, height + owner)
        return
    rows = found.get(back, [])
    if not rows:
        judge.absent(back, key, height, owner, owner)
    elif rows[0].payload != owner:
        said = transaction_name(rows[0].payload)
        message = f"{transition_name(key)} leads back to {said}, {transaction_name(owner)} claims it"
        judge.wrong(rules.DERIVED_WRONG, back, key, height, rows[0].place, message, owner)
    for number in (*_ONE_EACH, *((57,) if with_scm else ())):
        if number | BROKEN in found:
            judge.broken(number, key, height)
        elif number not in found:
            judge.absent(number, key, height, None, owner)
    for forth, reverse in _REVERSE:
        rows = found.get(forth, [])
        named, have = {row.payload for row in rows}, found.get(reverse, [])
        if not tip and len(rows) == len(have) == 1 and rows[0].payload != have[0].payload:
            doubt(judge, Doubt(forth, reverse, key, rows[0], have[0], height, owner, key))
            continue
        _reverse(judge, reverse, key, height, owner, named if forth in found else None, have)
    for forth, reverse, side in _LISTED:
        listed = {part for row in found.get(forth, []) for part in joined(row.payload)}
        have = found.get(reverse, [])
        _reverse(judge, reverse, key, height, owner, listed if forth in found else None, have, side)
        for part in listed | ({row.payload for row in have} if forth not in found else set()):
            judge.network.parts.add(side + part, CLAIMED, NOWHERE, height + owner)
    if tip:
        for number in (30, 33, 34, 42, 52, 53, 55, 57):
            if number in found or number | BROKEN in found:
                judge.of_tip(number, key)


def _all_there(found: dict[int, list[Row]], owner: bytes, back: int, with_scm: bool) -> bool:
    """The usual case, told with little work: one row of each map, and all of them agree."""
    one = {number: rows[0].payload for number, rows in found.items() if len(rows) == 1}
    if one.get(back) != owner or len(one) < len(found) - 2 or (with_scm and 57 not in one):
        return False
    if any(number not in one for number in _ONE_EACH) or any(number & BROKEN for number in found):
        return False
    if any(one[forth] != one.get(reverse) for forth, reverse in _REVERSE):
        return False
    return all(
        one[forth] == b"".join(row.payload for row in found.get(reverse, ()))
        or sorted(joined(one[forth])) == [row.payload for row in found.get(reverse, ())]
        for forth, reverse, _ in _LISTED
    )


def _reverse(
    judge: Judge,
    number: int,
    key: bytes,
    height: bytes,
    owner: bytes,
    said: set[bytes] | None,
    have: list[Row],
    side: bytes | None = None,
) -> None:
    """The keys of a reverse map that lead to a transition are the ones it names; None where its own row is gone.

    `side` of those that have rows of their own.
    """
    tip = judge.unfinalised(height)
    lacking = sorted((said or set()).difference(row.payload for row in have))
    for row in have:
        if tip:
            judge.of_tip(number, row.payload)
        elif said is not None and row.payload not in said:
            if side is None or not lacking:  # all that it names lead back: others are left over
                judge.orphan(number, row.payload, height, row.place, owner)
            else:  # whether it has a row of its own decides
                judge.network.parts.add(side + row.payload, LED, row.place, height + key + owner)
    for part in lacking:
        judge.absent(number, part, height, key, owner)


def check_parts(judge: Judge) -> None:
    """Every input and output id has exactly one row among the maps of its side."""
    for group, rows, more in judge.network.parts.groups():
        judge.orphans += more
        if len(rows) == 2 and rows[1].tag == CLAIMED and rows[0].tag in _LONE[group[0]]:
            height = rows[1].payload[:4]
            if height != UNKNOWN_HEIGHT and not judge.unfinalised(height):
                continue  # nearly all there are
        side, key = group[:1], group[1:]
        height, found = _by_map(rows)
        owner = found[CLAIMED][0].payload[4:] if CLAIMED in found else None
        kinds = sorted(found.keys() & (_INPUTS if side == INPUT else _OUTPUTS))
        led = found.pop(LED, [])
        if height == UNKNOWN_HEIGHT and led:
            not_listed(judge, side, key, led[0], bool(kinds))
            continue
        if height == UNKNOWN_HEIGHT:
            _drop_part(judge, key, height, found, owner)
            continue
        if not kinds:
            _absent_part(judge, side, key, height, owner)
        elif 39 in kinds and 40 not in found:
            judge.absent(40, found[39][0].payload, height, key, owner)
        elif 39 in kinds and not any(row.payload == found[39][0].payload for row in found[40]):
            doubt(judge, Doubt(39, 40, key, found[39][0], found[40][0], height, owner, key))
        elif 47 in kinds and found[47][0].payload == b"\1" and 48 not in found:
            judge.nameless(48, height, owner, f"the nonce of {key.hex()}")
        elif len(kinds) > 1:
            message = f"{key.hex()} is {' and '.join(str(k) for k in kinds)}: an id has one kind"
            judge.wrong(rules.MALFORMED, kinds[1], key, height, found[kinds[1]][0].place, message)
        if judge.unfinalised(height):
            _drop_part(judge, key, height, found, owner)


def _absent_part(judge: Judge, side: bytes, key: bytes, height: bytes, owner: bytes | None) -> None:
    """Which of the maps held it is not known: one that is in use and whose damaged block covers the key."""
    maps = sorted(_INPUTS if side == INPUT else _OUTPUTS, key=lambda n: (not judge.network.counts[n], n))
    number = next((n for n in maps if judge.lost.over(judge.key(n, key))), 37 if side == INPUT else 45)
    judge.absent(number, key, height, None, owner)


def _drop_part(judge: Judge, key: bytes, height: bytes, found: dict[int, list[Row]], owner: bytes | None) -> None:
    tip = judge.unfinalised(height)
    for number, rows in found.items():
        if number == CLAIMED:
            continue
        for row in rows:
            own = row.payload if number in (40, 48) else key
            if tip:
                judge.of_tip(number, own)
            else:
                judge.orphan(number, own, height, row.place, owner)


def check_programs(judge: Judge) -> None:
    """Every deployed program has its edition, owner and source."""
    for _, rows, more in judge.network.programs.groups():
        judge.orphans += more
        claims = [row for row in rows if row.tag == CLAIMED]
        others = [row for row in rows if row.tag != CLAIMED]
        height = min((row.payload[:4] for row in claims), default=UNKNOWN_HEIGHT)
        owner = claims[0].payload[4:36] if claims else None
        if height != UNKNOWN_HEIGHT:
            _program(judge, height, owner, claims[0].payload[36:], others)
        elif not claims and all(row.payload.startswith(_BUILT_IN) for row in others):
            continue  # it has rows and no deployment
        tip = judge.unfinalised(height)
        if tip and sum(row.tag == 24 for row in others) > 1:
            judge.obstacle = "the last block deploys a later edition of a program, whose earlier edition is not known"
        for row in others if tip or height == UNKNOWN_HEIGHT else ():
            if row.tag != 24 and tip:
                judge.of_tip(row.tag, row.payload)
            elif row.tag != 24:
                judge.orphan(row.tag, row.payload, height, row.place, owner)


def _program(judge: Judge, height: bytes, owner: bytes | None, program: bytes, others: list[Row]) -> None:
    """The rows of a program that a block deploys."""
    have = {row.tag for row in others}
    for number, tail in ((23, b""), (25, b"\0\0"), (26, b"\0\0")):
        if number not in have:
            judge.absent(number, program + tail, height, None, owner)
    if not have & {27, 28}:  # a program without functions cannot be deployed
        for number in (27, 28):
            judge.nameless(number, height, owner, "the functions of its program")
    for number, twin in ((27, 28), (28, 27)):  # every function has a verifying key and a certificate
        pairs = {row.payload for row in others if row.tag == twin}
        for lacking in sorted(pairs - {row.payload for row in others if row.tag == number}):
            judge.absent(number, lacking, height, None, owner)


def check_rejected(judge: Judge) -> None:
    """What a rejected transaction wanted to do is stored under an id of its own; map 17 repeats the content."""
    for _, rows, more in judge.network.rejected.groups():
        judge.orphans += more
        height, found = _by_map(rows)
        stored = found.get(18, [])
        owner = found[CLAIMED][0].payload[4:] if CLAIMED in found else None
        if height == UNKNOWN_HEIGHT:
            for row in stored:
                judge.orphan(18, row.payload, height, row.place, owner)
        elif not stored:
            judge.absent(18, b"", height, None, owner)  # its key is a hash that cannot be computed here
        elif judge.unfinalised(height):
            for row in stored:
                judge.of_tip(18, row.payload)
