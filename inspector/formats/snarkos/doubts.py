"""A row and the one that leads back to it disagree, and nothing beside them proves either.

Which rows the others of their maps have decides: a number leads back to one thing only, so a row that names what
belongs to another is the wrong one. Else the row itself is believed, and what led back to it is written anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inspector.formats.snarkos import rules
from inspector.formats.snarkos.maps import join, name_of
from inspector.formats.snarkos.rows import Row
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.snarkos.judge import Judge

_UNPROVED: Final = "a row names it, another leads back to that row, and nothing proves which is right"


MOST: Final = 1 << 14  # doubts that are held


class Doubt(Struct, frozen=True):
    """`key` has `said` in map `forth`; map `reverse` leads to it from `have`, if from any. The payloads are ids.

    `back` is what `reverse` holds where it leads here. `alone`: the row in `forth` is nothing but that id.
    """

    forth: int
    reverse: int
    key: bytes
    said: Row
    have: Row | None
    height: bytes
    owner: bytes | None
    back: bytes
    alone: bool = True


def doubt(judge: Judge, one: Doubt) -> None:
    """Keep a doubt for the end; of too many the rows are told as they are, and nothing is written."""
    if len(judge.doubts) < MOST:
        judge.spoil(one.height)
        judge.doubts.append(one)
        return
    if one.have is None:
        _believe(judge, one)
        return
    message = f"{name_of(one.forth)} says {one.said.payload.hex()}, and {one.have.payload.hex()} leads back here"
    judge.wrong(rules.DERIVED_WRONG, one.forth, one.key, one.height, one.said.place, message)


def settle(judge: Judge, rows: Iterable[tuple[bytes, bytes, Span]]) -> None:
    """Decide every doubt; `rows` are the live ones again, read only where there is any doubt."""
    if not judge.doubts:
        return
    network = judge.network.id
    wanted = {join(network, one.reverse, one.said.payload): b"" for one in judge.doubts}
    for key, value, _ in rows:
        if key in wanted and key not in judge.malformed:
            wanted[key] = value
    loose = {fix.key for fix in judge.deletes if fix.key in wanted}  # they lead to what does not name them
    claims: dict[bytes, int] = {}
    for one in judge.doubts:
        key = join(network, one.reverse, one.said.payload)
        claims[key] = claims.get(key, 0) + 1
    for one in judge.doubts:
        key = join(network, one.reverse, one.said.payload)
        if (wanted[key] and key not in loose) or claims[key] > 1:
            _named_by_mistake(judge, one)
        else:
            _believe(judge, one)


def _named_by_mistake(judge: Judge, one: Doubt) -> None:
    message = f"{name_of(one.forth)} says {one.said.payload.hex()}, which is another's by the row that leads back"
    value = one.have.payload if one.alone and one.have else None
    rule = rules.MALFORMED if value is None else rules.DERIVED_WRONG
    judge.wrong(rule, one.forth, one.key, one.height, one.said.place, message, value)


def _believe(judge: Judge, one: Doubt) -> None:
    if one.have is None:
        judge.absent(one.reverse, one.said.payload, one.height, one.back, one.owner)
        return
    judge.disagreed += 1
    judge.orphan(one.reverse, one.have.payload, one.height, one.have.place, one.owner)
    judge.absent(one.reverse, one.said.payload, one.height, one.back, one.owner, _UNPROVED)
