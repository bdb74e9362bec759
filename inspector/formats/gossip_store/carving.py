"""Carving: a gossip store made of records that verify anywhere in a source.

Reading order: hexed, joining, finds, proving, choosing, writing, then this.
"""

from __future__ import annotations

import heapq
import sqlite3
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from inspector.account import Progress
from inspector.carve import DUPLICATE, WRITTEN, Carver, CarveWishes, Found, Haul, Sums
from inspector.counted import plural
from inspector.errors import UsageError
from inspector.formats.gossip_store import choosing, joining, versions
from inspector.formats.gossip_store.conversion import TARGETS
from inspector.formats.gossip_store.finds import HEX_RECORD, JOINED, FoundTable
from inspector.formats.gossip_store.hexed import HexRun, hex_runs
from inspector.formats.gossip_store.kinds import KINDS, kind_name
from inspector.formats.gossip_store.outdated import Outdated
from inspector.formats.gossip_store.placing import steps
from inspector.formats.gossip_store.proving import prove
from inspector.formats.gossip_store.signed import UPDATE
from inspector.formats.gossip_store.writing import Reader, written_store
from inspector.kernels.carving import Finds, gossip_records
from inspector.kernels.gossip_tiles import LONGEST_RECORD
from inspector.scratch import kept_on_disk
from inspector.search import Area, Window, search

# random bytes that look like a record of a known type and length, per byte: 5 of 10^9 were counted, this is 15
PLAUSIBLE = 1.5e-8
OVERLAP = 2 * LONGEST_RECORD  # hex needs two bytes for one
# the first bytes of the chain hash: the hash of the genesis block as it is on disk (BOLT 0)
NETWORKS = {
    "bitcoin": "6fe28c0ab6f1b372",
    "testnet": "43497fd7f8269571",
    "signet": "f61eee3b63a380a4",
    "regtest": "06226e46111a0b59",
}
ENCODINGS = ("bytes", "hex", "hex message", "piece")


def hunt(area: Area, wishes: CarveWishes, progress: Progress | None) -> Haul:
    target = versions.NEWEST if wishes.to_version is None else wishes.to_version
    if target not in TARGETS:
        raise UsageError(f"store version {target} cannot be written", "--to-version takes 14, 15 or 16")
    if unknown := wishes.accept - {"anchored"}:
        raise UsageError(f"--accept {', '.join(sorted(unknown))} means nothing here", "carving gossip takes: anchored")
    chain = None if wishes.chain is None else parse_network(wishes.chain)
    with kept_on_disk(), ExitStack() as held:
        table = FoundTable()
        held.callback(table.db.close)
        if not wishes.verify_signatures:  # which may leave out the newest
            table.outdated = Outdated(area.source.read)
            held.callback(table.outdated.close)
        _collect(area, table, progress)
        chance = joining.expected(table.db)
        pieces = joining.joined(table.db, area.source)
        joined = table.add_joined(pieces, area.source.length(), chance <= joining.SURE)
        signatures: Counter[str] = Counter()
        reader = Reader(area.source, table.db)

        def judge(db: sqlite3.Connection) -> None:
            signatures.update(prove(db, reader.record, wishes.verify_signatures))

        networks = choosing.choose(table.db, wishes.accept, judge, chain)
        if table.outdated is not None:
            other = bool(networks) and next(iter(networks)) != table.outdated.chain
            table.outdated.settle(_outdated(table.db, other))
        haul = _haul(area, table.db, target, signatures, reader, table.outdated)
        if joined:
            haul.chance, haul.sums.pieces = haul.chance + chance, joined
            haul.notes.append(f"{plural(joined, 'record')} that a border of blocks cut put together from two places")
        if len(networks) > 1:
            told = ", ".join(f"{count:,} of {network_name(one)}" for one, count in networks.items())
            haul.notes.append(f"channels of several networks were found ({told}); the first is taken")
        held.pop_all()  # from here on the haul closes it
        return haul


def parse_network(text: str) -> int:
    """A network by its name or the first 16 digits or more of its chain hash, as the finds hold it."""
    digits = NETWORKS.get(text, text)
    if len(digits) < 16 or not all(c in "0123456789abcdefABCDEF" for c in digits[:64]):
        raise UsageError(
            f"--chain {text}: not a network", f"known: {', '.join(NETWORKS)}; or 16 digits of a chain hash"
        )
    return int.from_bytes(bytes.fromhex(digits[:16]), "big", signed=True)


def network_name(chain: int) -> str:
    digits = chain.to_bytes(8, "big", signed=True).hex()
    return next((name for name, known in NETWORKS.items() if known == digits), f"chain {digits}...")


def _collect(area: Area, table: FoundTable, progress: Progress | None) -> None:
    """All finds, in order. A window is looked at again where its first find begins inside the one before."""
    end, island = 0, None
    table.edges = joining.Edges(area.source, table.db)
    joining.tables(table.db)
    text = FoundTable(table.db, table.runs)
    for window, (finds, runs) in search(area, _look, OVERLAP, progress):
        if window.island != island:
            island = window.island
            table.island(island.start, island.end)
            text.island(island.start, island.end)
        first = min((at for at in (finds.starts[0] if len(finds) else -1, finds.suspect) if at >= 0), default=end)
        if first < end:
            at = min(end, window.stop) - window.start
            finds = gossip_records(window.data, at, window.stop - window.start, window.start)
        if len(finds):
            end = finds.starts[-1] + finds.sizes[-1]
        table.add(finds, window.data, window.start)
        for run in runs:
            text.add_hex(run, window.start)
    table.finish()
    text.finish()
    table.settle()


def _look(window: Window) -> tuple[Finds, list[HexRun]]:
    stop = window.stop - window.start
    return gossip_records(window.data, 0, stop, window.start), list(
        hex_runs(window.data, stop, window.start == window.island.start)
    )


def _outdated(db: sqlite3.Connection, other: bool) -> Callable[[int], str]:
    """What becomes of a channel's outdated updates; `other`: they are of a network that is not taken."""
    closed, written = (
        array("q", (scid for (scid,) in db.execute(f"SELECT scid FROM {table} ORDER BY scid")))
        for table in ("closed", "channel")
    )

    def has(column: array[int], scid: int) -> bool:
        i = bisect_left(column, scid)
        return i < len(column) and column[i] == scid

    def fate_of(scid: int) -> str:
        if other or has(closed, scid):
            return choosing.OTHER if other else choosing.CLOSED
        return choosing.OLDER if has(written, scid) else choosing.NO_CHANNEL

    return fate_of


def _haul(
    area: Area, db: sqlite3.Connection, target: int, signatures: Counter[str], reader: Reader, outdated: Outdated | None
) -> Haul:
    sums = _sums(db)
    units, sizes, completed = outdated.sums() if outdated is not None else (Counter[str](), Counter[str](), 0)
    for fate in units:
        sums.add(fate, units[fate], sizes[fate])
    if units:
        sums.found[kind_name(UPDATE)] += units.total()
    like = _looks_like(db, units.total(), completed)
    (size,) = db.execute("SELECT sum(size + (more > 0) * 22) FROM one WHERE fate = ?", (WRITTEN,)).fetchone()
    notes = []
    if like:
        notes.append(f"the records look like store version {like} ({versions.written_by(like)})")
    if signatures:
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(signatures.items()))
        notes.append(f"signatures checked: {told}")
    rivals = _rivals(db)
    if rivals:
        notes.append(f"{rivals:,} announcements were found with different amounts; the first proved one was taken")

    def close() -> None:
        db.close()
        if outdated is not None:
            outdated.close()

    haul = Haul(
        sums,
        lambda: _spans(db, outdated),
        lambda place: written_store(place, db, target, reader, sums),
        (size or 0) + 64,
        last=lambda count: _last(db, outdated, count),
        lost=choosing.LOST,
        chance=area.bytes * PLAUSIBLE / 2**32,
        because=f"{PLAUSIBLE} of random bytes look like a record, 1 of 2^32 of those has the right checksum",
        version=str(target),
        notes=notes,
        after=lambda output: steps("gossip_store", output),
        close=close,
    )
    if not sums.units[WRITTEN]:
        haul.empty = (
            "no record was found" if not sum(sums.found.values()) else "no channel that can be loaded was found"
        )
    return haul


def _sums(db: sqlite3.Connection) -> Sums:
    sums = Sums()
    for kind, units, amounts in db.execute(
        "SELECT kind, count(*), sum(more > 0) FROM found GROUP BY kind ORDER BY kind"
    ):
        sums.found[kind_name(kind)] += units
        if amounts:
            sums.found[kind_name(4101)] += amounts
    whole = (0, 0)
    for fate, units, size in db.execute(
        "SELECT fate, sum(1 + (more > 0)), sum(n + more) FROM one GROUP BY fate ORDER BY fate"
    ):
        if fate is None:
            raise AssertionError(f"{units} records have no fate")
        sums.add(fate, units, size)
        whole = (whole[0] + units, whole[1] + size)
    units, size = db.execute("SELECT sum(1 + (more > 0)), sum(n + more) FROM found").fetchone()
    if units and (units, size) != whole:
        sums.add(DUPLICATE, units - whole[0], size - whole[1])
    return sums


def _looks_like(db: sqlite3.Connection, more: int, more_completed: int) -> int:
    """The store version that most records tell: a uuid record, COMPLETED bits, old types; 0 without records."""
    sound = "FROM found WHERE mark = 0 AND enc = 0"
    total, completed = db.execute(f"SELECT count(*), sum(flags & {versions.COMPLETED} > 0) {sound}").fetchone()
    kinds = {kind for (kind,) in db.execute(f"SELECT DISTINCT kind {sound}")}
    total, completed = total + more, (completed or 0) + more_completed
    if not total:
        return 0
    if 4107 in kinds:
        return 16
    return 15 if completed * 2 > total else 12 if kinds & {4102, 4104} else 14


def _rivals(db: sqlite3.Connection) -> int:
    (count,) = db.execute(
        "SELECT count(*) FROM (SELECT digest FROM found WHERE kind = 256 AND more GROUP BY digest"
        " HAVING count(DISTINCT sat) > 1)"
    ).fetchone()
    return int(count)


def _spans(db: sqlite3.Connection, outdated: Outdated | None) -> Iterator[Found]:
    """Every find with its fate, in the order of the source; an amount by itself."""
    with kept_on_disk():
        if outdated is None:
            yield from _spans_of(db)
            return
        rest = (Found(at, at + n, KINDS[UPDATE], fate) for at, n, _, fate in outdated.fates())
        yield from heapq.merge(_spans_of(db), rest, key=lambda one: one.start)


def _last(db: sqlite3.Connection, outdated: Outdated | None, count: int) -> list[Found]:
    with kept_on_disk():
        found = list(_spans_of(db, f"DESC LIMIT {count}"))
        rest = outdated.last(count) if outdated is not None else ()
        found += [Found(at, at + n, KINDS[UPDATE], fate) for at, n, _, fate in rest]
        return sorted(found, key=lambda one: one.start)[-count:]


def _spans_of(db: sqlite3.Connection, order: str = "") -> Iterator[Found]:
    rows = f"kind, rank, digest FROM found WHERE enc != {JOINED}"
    pieces = (
        f"SELECT at, at + n AS stop, enc, kind AS what, NULL AS rest, {rows}"
        f" UNION ALL SELECT at + n, at + n + more, min(enc, {HEX_RECORD}), 4101, NULL, {rows} AND more"
        " UNION ALL SELECT start, stop, enc * (rest IS NOT NULL), part.kind, rest, found.kind, rank, digest"
        " FROM part JOIN found USING (at)"
    )
    query = (
        "SELECT f.at, f.stop, f.enc, f.what, f.rest,"
        " CASE WHEN f.kind = 4101 THEN ? WHEN f.rank = o.rank THEN o.fate ELSE ? END"
        # amounts by themselves may all be alike: a join of those would be their square
        f" FROM ({pieces}) AS f LEFT JOIN one AS o ON o.digest = CASE f.kind WHEN 4101 THEN NULL ELSE f.digest END"
        f" ORDER BY f.at {order}"
    )
    db.execute("CREATE INDEX IF NOT EXISTS one_digest ON one (digest)")
    for at, stop, enc, kind, rest, fate in db.execute(query, (choosing.ORPHAN_AMOUNT, DUPLICATE)):
        yield Found(at, stop, kind_name(kind), fate, ENCODINGS[enc], rest=rest)


CARVER = Carver(
    name="gossip-store",
    title="Core Lightning gossip records, also printed as hex in logs; made into one store",
    format="gossip-store",
    hunt=hunt,
    wishes=frozenset({"to_version", "accept", "verify_signatures", "chain"}),
)
