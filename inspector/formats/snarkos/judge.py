"""Where the checks put what they find: findings, bad heights, what was lost, and what would set it right."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from msgspec import Struct, field

from inspector.finding import Cause, Evidence, Finding, Rule, Salvage, Severity, Tally
from inspector.formats.snarkos import rules
from inspector.formats.snarkos.doubts import Doubt
from inspector.formats.snarkos.fixes import Fixes
from inspector.formats.snarkos.maps import join, name_of, past
from inspector.formats.snarkos.names import transaction_name
from inspector.formats.snarkos.network import UNKNOWN_HEIGHT, Network
from inspector.span import Span, merged

MAX_HEIGHTS: Final = 1 << 18
FOLLOWS: Final = "it follows from other rows"
NO_BYTES: Final = Span(0, 0)
HALF_WRITTEN: Final = Cause("software-rule-violation", "likely", "the process ended between two writes of one block")
STALE: Final = Cause("software-rule-violation", "possible", "an older row was left, or a newer one was not written")
GONE: Final = Cause("unknown", "possible", "no damaged table block covers the key")
BLOCK_LOST: Final = Cause("unknown", "certain", "its table block cannot be used; see the finding on that block")


class LostRange(Struct, frozen=True):
    """User keys in (after, up_to] may have lain in the damaged block at `span`; None is open.

    `sealed`: the block verifies, and its keys are out of order.
    """

    after: bytes
    up_to: bytes | None
    span: Span
    sealed: bool = False


class LostRanges:
    """Asks whether a key may have been in a damaged block."""

    def __init__(self, found: list[LostRange]) -> None:
        self.found = sorted(found, key=lambda r: r.after)
        self._starts = [r.after for r in self.found]

    def __bool__(self) -> bool:
        return bool(self.found)

    def within(self, start: bytes, end: bytes) -> LostRange | None:
        """A range that overlaps the keys in [start, end)."""
        return next((r for r in self.found if r.after < end and (r.up_to is None or r.up_to >= start)), None)

    def over(self, key: bytes) -> LostRange | None:
        """A range over the key; levels overlap, so a few earlier ones are looked at too."""
        i = bisect_left(self._starts, key)
        for candidate in reversed(self.found[max(0, i - 64) : i]):
            if candidate.up_to is None or key <= candidate.up_to:
                return candidate
        return None


class Heights(Struct):
    """Heights that are not whole: exact up to a limit, then only the first and the count."""

    first: int | None = None
    single: set[int] = field(default_factory=set)
    runs: list[tuple[int, int]] = field(default_factory=list)  # half-open
    more: bool = False

    def add(self, start: int, end: int | None = None) -> None:
        self.first = start if self.first is None else min(self.first, start)
        if end is not None and end - start > 1:
            if len(self.runs) < MAX_HEIGHTS:
                self.runs.append((start, end))
            else:
                self.more = True
        elif len(self.single) < MAX_HEIGHTS:
            self.single.add(start)
        elif start not in self.single:
            self.more = True

    def ranges(self) -> list[tuple[int, int]]:
        """Half-open, sorted, joined where they touch."""
        return merged([*self.runs, *((h, h + 1) for h in self.single)])


class Judge(Struct):
    """Collects for one network. `tip` is the last finalised height: rows of later ones were never finalised."""

    network: Network
    tally: Tally
    lost: LostRanges
    tip: int | None = None
    bad: Heights = field(default_factory=Heights)
    lost_heights: Heights = field(default_factory=Heights)
    lost_transactions: set[bytes] = field(default_factory=set)
    lost_maps: Counter[int] = field(default_factory=Counter)
    tip_rows: int = 0  # rows of blocks that were not finalised
    tip_missing: int = 0  # and of theirs, those that are not there
    orphans: int = 0
    derived: int = 0
    beyond_repair: int = 0  # errors that no row of this ledger can set right
    finalised_round: int | None = None  # of the header at the last finalised height
    last_root: bytes | None = None  # state root of the highest block
    puts: Fixes = field(default_factory=Fixes)  # they come after the deletes: a row in both is written
    deletes: Fixes = field(default_factory=Fixes)
    malformed: set[bytes] = field(default_factory=set)  # keys of rows that have a finding for their shape
    # those of them that are written again ("corrected") or deleted
    settled: dict[bytes, Salvage | None] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    disagreed: int = 0  # rows against their reverse, where nothing proves either
    obstacle: str = ""  # why rows cannot be set right though they are known
    _tip_key: bytes = UNKNOWN_HEIGHT  # the tip as a group key

    def finalised(self, tip: int | None) -> None:
        """Rows of later heights than `tip` were never finalised; None where nothing tells."""
        self.tip = tip
        self._tip_key = UNKNOWN_HEIGHT if tip is None else tip.to_bytes(4, "big")

    def unfinalised(self, height: bytes) -> bool:
        """Whether a height, as a group key, lies behind the last finalised block."""
        return height > self._tip_key and height != UNKNOWN_HEIGHT

    def key(self, number: int, key: bytes) -> bytes:
        return join(self.network.id, number, key)

    def put(self, number: int, key: bytes, value: bytes) -> None:
        self.puts.add(self._settle(number, key, "corrected"), value)

    def delete(self, number: int, key: bytes) -> None:
        self.deletes.add(self._settle(number, key), None)

    def _settle(self, number: int, key: bytes, how: Salvage | None = None) -> bytes:
        whole = self.key(number, key)
        if whole in self.malformed:
            self.settled[whole] = how or self.settled.get(whole)  # of both, writing comes last
        return whole

    def absent(
        self,
        number: int,
        key: bytes,
        height: bytes,
        value: bytes | None = None,
        transaction: bytes | None = None,
        how: str = FOLLOWS,
    ) -> None:
        """A row that should be there is not; `value` is what follows from other rows, if anything does."""
        if self.key(number, key) in self.malformed:
            self._instead(number, key, height, value)
            return
        where = self.lost.over(self.key(number, key))
        tip = self.unfinalised(height)
        if tip:
            self.tip_missing += 1
        elif value is not None:
            self.derived += 1
            self.put(number, key, value)
        self.spoil(height)
        if where is not None:
            self._lost(number, height, transaction, value is None and not tip)
        elif value is None and not tip:
            self.beyond_repair += 1
        rule = rules.LOST if where else rules.DERIVED_MISSING if value is not None else rules.MISSING
        severity = Severity.WARNING if tip else None
        salvage: Salvage | None = None if tip else "corrected" if value is not None else "lost"
        cause = BLOCK_LOST if where else HALF_WRITTEN if tip else GONE
        tail = " (its block was never finalised)" if tip else f" ({how})" if value else ""
        message = f"{_at(height)}{name_of(number)} has no row {key.hex()}{tail}"
        span = where.span if where else NO_BYTES
        self._put(rule, span, message, number, key, height, transaction, cause, salvage, severity, where is not None)

    def _instead(self, number: int, key: bytes, height: bytes, value: bytes | None) -> None:
        """What becomes of a malformed row, which has its own finding, where a missing one would be written."""
        if self.unfinalised(height):
            self.of_tip(number, key)
        elif value is not None:
            self.derived += 1
            self.put(number, key, value)
        self.spoil(height)

    def nameless(self, number: int, height: bytes, transaction: bytes | None, what: str) -> None:
        """A row is not there whose key nothing tells: only its map and its block are known."""
        where = self.lost.within(self.key(number, b""), past(self.network.id, number))
        self.spoil(height)
        if self.unfinalised(height):
            self.tip_missing += 1
            return
        if where is not None:
            self._lost(number, height, transaction, True)
        else:
            self.beyond_repair += 1
        rule, cause = (rules.LOST, BLOCK_LOST) if where else (rules.MISSING, GONE)
        message = f"{_at(height)}{name_of(number)} has no row for {what}"
        span = where.span if where else NO_BYTES
        self._put(rule, span, message, number, b"", height, transaction, cause, "lost", None, where is not None)

    def wrong(
        self, rule: Rule, number: int, key: bytes, height: bytes, place: bytes, message: str, value: bytes | None = None
    ) -> None:
        """A row says something that cannot be; with `value` it is written anew."""
        if value is not None:
            self.derived += 1
            self.put(number, key, value)
        elif not self.unfinalised(height):
            self.beyond_repair += 1
        self.spoil(height)
        self._at_row(rule, number, key, height, place, message, STALE, "corrected" if value is not None else "lost")

    def broken(self, number: int, key: bytes, height: bytes) -> None:
        """The block of a malformed row is not whole; the row has its own finding."""
        self.spoil(height)
        if not self.unfinalised(height):
            self.beyond_repair += 1

    def orphan(self, number: int, key: bytes, height: bytes, place: bytes, transaction: bytes | None = None) -> None:
        """A row that no block claims; the row of a block that was never finalised is not one."""
        self.delete(number, key)
        if self.unfinalised(height):
            self.tip_rows += 1
            return
        self.orphans += 1
        severity = Severity.NOTE if self.lost else None
        message = f"{_at(height)}{name_of(number)} has a row {key.hex()} that no block claims"
        cause = HALF_WRITTEN if not self.lost else BLOCK_LOST
        self._at_row(rules.ORPHAN, number, key, height, place, message, cause, "kept", severity, transaction)

    def of_tip(self, number: int, key: bytes) -> None:
        """A row of a block that was never finalised."""
        if self.settled and self.key(number, key) in self.settled:
            return  # told once already
        self.tip_rows += 1
        self.delete(number, key)

    def spoil(self, height: bytes, end: int | None = None) -> None:
        if height != UNKNOWN_HEIGHT:
            self.bad.add(int.from_bytes(height, "big"), end)

    def _lost(self, number: int, height: bytes, transaction: bytes | None, for_good: bool) -> None:
        self.lost_maps[number] += 1
        self.beyond_repair += for_good
        if height != UNKNOWN_HEIGHT:
            self.lost_heights.add(int.from_bytes(height, "big"))
        if transaction is not None and len(self.lost_transactions) < MAX_HEIGHTS:
            self.lost_transactions.add(transaction)

    def _at_row(
        self,
        rule: Rule,
        number: int,
        key: bytes,
        height: bytes,
        place: bytes,
        message: str,
        cause: Cause,
        salvage: Salvage,
        severity: Severity | None = None,
        transaction: bytes | None = None,
    ) -> None:
        span = self.network.places.unpack(place)
        known = span is not None
        self._put(rule, span or NO_BYTES, message, number, key, height, transaction, cause, salvage, severity, known)

    def _put(
        self,
        rule: Rule,
        span: Span,
        message: str,
        number: int,
        key: bytes,
        height: bytes,
        transaction: bytes | None,
        cause: Cause,
        salvage: Salvage | None,
        severity: Severity | None,
        known: bool,
    ) -> None:
        def make() -> Finding:
            evidence: dict[str, int | str | float | bool | list[int] | list[str] | None] = {
                "height": None if height == UNKNOWN_HEIGHT else int.from_bytes(height, "big"),
                "map": name_of(number),
                "key": key.hex(),
            }
            if transaction is not None:
                evidence["transaction"] = transaction_name(transaction)
            return Finding(rule, span, message, evidence, cause, salvage, severity, known)

        self.tally.add(rule, make, severity)

    def say(
        self, rule: Rule, span: Span | None, message: str, evidence: Evidence, cause: Cause, salvage: Salvage | None
    ) -> None:
        """A finding about more than one row."""
        found = Finding(rule, span or NO_BYTES, message, evidence, cause, salvage, bytes_known=span is not None)
        self.tally.put(found)


def _at(height: bytes) -> str:
    return "" if height == UNKNOWN_HEIGHT else f"block {int.from_bytes(height, 'big')}: "
