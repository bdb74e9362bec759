"""Repair: the lower format's plan for the folder, and one new WAL that deletes and writes rows.

Tables stay what they are and may be shared by hard link, so the cost is that of the damage. The new WAL's sequence
numbers follow the last ones, so its operations win over everything before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final

from msgspec.structs import replace

from inspector.counted import counted
from inspector.errors import RefusedError
from inspector.finding import Tally
from inspector.format import Edit, Plan, Wishes
from inspector.formats.rocksdb import batch, keys, log, names, view
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import TableFacts
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.plan import plan as plan_folder
from inspector.formats.snarkos import block_tree
from inspector.formats.snarkos.fixes import Fix, Fixes
from inspector.formats.snarkos.ledger import ARCHIVE_LABEL, Cut, Ledger, corrected, entries
from inspector.formats.snarkos.verdict import Verdict, judge_ledger
from inspector.span import Span

BATCH: Final = 4096  # operations per WAL record
EXPERIMENTAL: Final = "experimental: no real node has been started from a ledger repaired this way yet"
# what only a running ledger has: the current round, and mappings, which have no versions
_NOT_IN_ARCHIVES: Final = frozenset({19, 58, 59})


def plan(ledger: Ledger, wishes: Wishes) -> Plan:
    """Roll the tip back, rebuild derived rows, cut the WAL; or an archive. Refused where rows are lost for good."""
    made = plan_folder(ledger.db, wishes)
    if (seen := corrected(ledger, wishes, repair=True)) is not ledger:
        judge_ledger(seen, Tally())  # these wishes may allow other corrections than those of the scan
        ledger = seen
    verdict = ledger.verdict or judge_ledger(ledger, Tally())
    if wishes.archive:
        return _archive(ledger, verdict, made)
    if verdict.lossy:
        raise RefusedError(
            f"rows are lost that nothing in this ledger can rebuild (blocks 0 to {verdict.prefix - 1} are whole)"
            if verdict.prefix
            else "rows are lost that nothing in this ledger can rebuild, and block 0 is not whole",
            "take a checkpoint or snapshot, or resync; --archive keeps the whole blocks, --format rocksdb every row",
        )
    if verdict.judge.obstacle:
        raise RefusedError(verdict.judge.obstacle, "take a checkpoint or a snapshot, or resync")
    fixes = (verdict.judge.deletes, verdict.judge.puts)
    stale = bool(verdict.tree and (verdict.tree.stale or verdict.rollback))
    # a torn end is what every power loss leaves: alone it is no reason to change anything
    cut = ledger.cut if ledger.cut and (not ledger.cut.torn or any(f.count for f in fixes)) else None
    made.edits = chain(_members(ledger, made.edits, stale, cut), _wal(ledger.db, chain(*fixes)))
    made.estimate += sum(f.count for f in fixes) * 200
    made.notes += _notes(verdict, stale, cut)
    made.after = _after
    return made


def _members(ledger: Ledger, edits: Iterable[Edit], drop_tree: bool, cut: Cut | None) -> Iterator[Edit]:
    """The lower plan's edits, with the WAL cut where the engine stops and a stale cache left out."""
    cut_from: dict[str, int] = {}
    if cut is not None:
        live = [name for _, name in ledger.db.live_wals()]
        at = live.index(cut.member)
        cut_from = {cut.member: cut.start} | dict.fromkeys(live[at + 1 :], 0)
    for edit in edits:
        origin = edit.origin
        if origin is None:
            yield edit
        elif origin.member in cut_from:
            yield from _cut(ledger.db, edit, origin, cut_from[origin.member])
        elif drop_tree and origin.member == block_tree.NAME:
            yield Edit("dropped", origin, why="a cache that the node makes again", out=edit.out)
        elif "/" in origin.member and names.classify(origin.member.rpartition("/")[2]).kind == "table":
            yield replace(edit, whole=edit.action == "kept")  # a checkpoint's tables are as immutable as the store's
        else:
            yield edit


def _cut(db: Database, edit: Edit, origin: Span, at: int) -> Iterator[Edit]:
    """The part of an edit before `at`; what is behind it is dropped, or lost where it was."""
    why = "from a damaged WAL record on: the engine would not replay it"
    if origin.end <= at or (origin.start >= at and edit.action == "lost"):
        yield edit
    elif origin.start >= at:
        yield Edit("dropped", origin, why=why, units=edit.units, out=edit.out, proof="none")
    else:
        if at > origin.start:
            yield replace(edit, origin=Span(origin.start, at, origin.member), whole=False)
        yield Edit(
            "dropped", Span(at, origin.end, origin.member), None, "none", why, _pieces(db, origin.member, at), edit.out
        )


def _pieces(db: Database, member: str, at: int) -> int:
    """Physical records of a WAL from `at` on."""
    number = db.files[member].number or None
    units = (log.GOOD, log.BAD, log.TORN, log.RELENGTH)
    pieces = log.LogReader(db.reader(member), db.size(member), number).pieces()
    return sum(piece.start >= at and piece.state in units for piece in pieces)


def _wal(db: Database, fixes: Iterable[Fix]) -> Iterator[Edit]:
    """A new WAL with the fixes, in the order given; nothing where there are none."""
    source = iter(fixes)
    numbers = [what.number for what in db.files.values()]
    # the lower plan may take the next number for a new MANIFEST
    number = max([db.version.next_file if db.version else 0, *(n + 1 for n in numbers)]) + 1
    name, at, sequence = names.wal_name(number), 0, last_sequence(db) + 1
    while chunk := list(islice(source, BATCH)):
        ops = [(0, keys.DELETE if f.value is None else keys.PUT, f.key, f.value or b"") for f in chunk]
        data = frame(batch.encode(sequence, ops), at)
        at, sequence = at + len(data), sequence + len(ops)
        deletes = sum(f.value is None for f in chunk)
        why = f"deletes {deletes} rows, writes {len(chunk) - deletes}"
        yield Edit("added", None, data, "derived", why, len(chunk), name)


def last_sequence(db: Database) -> int:
    """The highest sequence number of tables, MANIFEST and the WALs as far as they count."""
    found = db.version.last_sequence if db.version else 0
    for facts in db.facts.values():
        if isinstance(facts, TableFacts):
            found = max(found, facts.max_tag >> 8)
    for _, op in view.wal_operations(db, view.Doubts()):
        found = max(found, op.entry.sequence)
    return found


def _notes(verdict: Verdict, stale: bool, cut: Cut | None) -> list[str]:
    judge, notes = verdict.judge, []
    if judge.tip_rows and judge.tip is not None:
        notes.append(f"rolled back block {judge.tip + 1}: its rows are deleted in all maps; the node fetches it again")
    elif judge.orphans:
        notes.append(f"deleted {counted(judge.orphans, 'row that belongs', 'rows that belong')} to no block")
    if judge.derived:
        notes.append(
            f"wrote {counted(judge.derived, 'row')} of reverse maps and indexes again, from the rows they follow from"
        )
    if judge.disagreed:
        rows = counted(judge.disagreed, "row that leads back", "rows that lead back")
        notes.append(f"took the transitions' word against {rows}: nothing in the ledger proves which is right")
    if cut is not None:
        notes.append(f"cut the WAL {cut.member} at byte {cut.start}, where the engine would stop")
    if stale:
        notes.append("left out block_tree: the node makes it again")
    if notes:
        notes.append("a node will start at the last finalised block and go on syncing from there")
        notes.append(EXPERIMENTAL)
    return notes


def _after(source: str, output: str) -> tuple[str, ...]:
    return (
        "stop snarkOS and whatever restarts it",
        f"mv {source} {source}.damaged && mv {output} {source}",
        "leave the node-data folder and the proposal cache alone: without them a validator may sign twice",
        "start as a client first and watch it pass the last height; start as a validator only then",
        f"to go back, stop it and: mv {source} {output} && mv {source}.damaged {source}",
    )


def _archive(ledger: Ledger, verdict: Verdict, made: Plan) -> Plan:
    """Only rows of the whole blocks from 0 on, and a label that says what this is not."""
    prefix = verdict.prefix
    if not prefix:
        raise RefusedError("block 0 is not whole: there is nothing to archive", "--format rocksdb keeps every row")
    again = judge_ledger(ledger, Tally(), prefix - 1).judge
    ledger.verdict = verdict
    unversioned = Fixes()
    for key, _, _ in entries(ledger):
        if key[2:4] and key[2] in _NOT_IN_ARCHIVES and not key[3]:
            unversioned.add(key, None)
    fixes = (again.deletes, unversioned)
    label = (
        f"inspector wrote this archive. It holds blocks 0 to {prefix - 1} of a damaged snarkOS ledger, whole, without\n"
        "program mappings: those have no versions and cannot be brought to an earlier height. It is not a ledger that\n"
        "a node can run on.\n"
    )
    text = Edit("added", None, label.encode(), "derived", "says what this is not", out=ARCHIVE_LABEL)
    lost = (
        [Edit("lost", Span(0, 0, ""), why=f"blocks from {prefix} on, not all whole", units=-1)] if verdict.lossy else []
    )
    made.edits = chain(_members(ledger, made.edits, True, ledger.cut), _wal(ledger.db, chain(*fixes)), [text], lost)
    made.estimate += sum(f.count for f in fixes) * 200 + 1024
    made.notes += [
        f"an archive of blocks 0 to {prefix - 1}: not bootable, because program mappings have no versions",
        "do not start a node on it",
    ]
    made.after = lambda source, output: ("keep the damaged ledger until the node has synced again",)
    return made
