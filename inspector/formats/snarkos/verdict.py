"""All checks of a ledger in their order, and what they add up to: the consistent prefix and the class of damage.

Classes: D rows are lost, B the tip is partly written, A the tip was not finalised, C derived rows are missing or
wrong, E the WAL ends early and the ledger before is whole, F the block_tree cache is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from inspector.counted import counted
from inspector.finding import Cause, Evidence, Finding, Tally
from inspector.formats.rocksdb.database import open_database
from inspector.formats.snarkos import block_tree, rules
from inspector.formats.snarkos.check_hashes import check_hashes
from inspector.formats.snarkos.check_heights import check_heights
from inspector.formats.snarkos.check_transactions import (
    check_parts,
    check_programs,
    check_rejected,
    check_transactions,
    check_transitions,
)
from inspector.formats.snarkos.doubts import settle
from inspector.formats.snarkos.judge import BLOCK_LOST, GONE, HALF_WRITTEN, NO_BYTES, Judge
from inspector.formats.snarkos.ledger import Ledger, entries, find_cut, lost_ranges, walked
from inspector.formats.snarkos.maps import KNOWN_IN_2024, MAPS, join, name_of, past
from inspector.formats.snarkos.names import network_name
from inspector.formats.snarkos.network import Network
from inspector.formats.snarkos.reader import read
from inspector.formats.snarkos.rows import Places
from inspector.span import Span

ORDER: Final = ("D", "B", "A", "C", "E", "F")
MAX_CHECKPOINTS: Final = 8  # the last ones by name, which is their order in time
MAPPING_MAPS: Final = (58, 59)
_TORN: Final = Cause("torn-write", "likely", "nothing behind the damaged record can be read")
_ARCHIVED: Final = Cause("unknown", "certain", "inspector wrote it with --archive")
_NEWER: Final = Cause("newer-version", "certain", "map numbers are append-only")


class Checkpoint(Struct, frozen=True):
    """A database inside the folder (--auto-db-checkpoints); `cls` its class of damage, None where it is whole."""

    path: str
    block_tip: int | None = None
    cls: str | None = None


class Verdict(Struct):
    """What is known about a ledger after its check."""

    judge: Judge
    networks: dict[int, int]  # network -> rows
    tree: block_tree.Tree | None = None
    mappings_lost: int = 0  # damaged blocks that may have held mapping values
    classes: list[str] = field(default_factory=list)
    short_keys: int = 0
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def best_checkpoint(self) -> Checkpoint | None:
        """The whole one with the most blocks."""
        whole = [c for c in self.checkpoints if c.cls is None and c.block_tip is not None]
        return max(whole, key=lambda c: c.block_tip or 0, default=None)

    @property
    def network(self) -> Network:
        return self.judge.network

    @property
    def blocks(self) -> int:
        """Heights from 0 to the highest one that the block store knows."""
        tip = self.network.block_tip
        return 0 if tip is None else tip + 1

    @property
    def prefix(self) -> int:
        """Whole blocks from 0 on."""
        first = self.judge.bad.first
        return self.blocks if first is None else min(first, self.blocks)

    @property
    def first_bad(self) -> int | None:
        return self.judge.bad.first

    @property
    def rollback(self) -> bool:
        """Whether the tip can be taken back: only it is wrong, and nothing is lost."""
        return bool({"A", "B"} & set(self.classes)) and not self.lossy

    @property
    def lossy(self) -> bool:
        """Whether anything is lost for good: rows that went with a block may all follow from others."""
        return self.judge.beyond_repair > 0 or self.mappings_lost > 0


def judge_ledger(ledger: Ledger, tally: Tally, tip: int | None = None, outermost: bool = True) -> Verdict:
    """Run every check once; findings go to `tally`. With `tip` everything above that height counts as unfinalised."""
    walked(ledger)
    ledger.cut = find_cut(ledger.db)
    networks, short = read(entries(ledger))
    main = max(networks.values(), key=lambda n: n.rows, default=None)
    if main is None:
        main = Network(0, Places())
    judge = Judge(main, tally, lost_ranges(ledger))
    judge.finalised(_finalised(judge) if tip is None else tip)
    verdict = Verdict(judge, {n.id: n.rows for n in networks.values()}, short_keys=short)
    judge.malformed = main.wrong_keys
    check_hashes(judge)
    check_heights(judge)
    check_transactions(judge)
    check_transitions(judge)
    check_parts(judge)
    check_programs(judge)
    check_rejected(judge)
    settle(judge, entries(ledger))
    if ledger.archive:
        evidence = {"block_tip": main.block_tip}
        judge.say(rules.ARCHIVE, None, "this is an archive, not a ledger for a node", evidence, _ARCHIVED, None)
    else:
        _current_round(judge)
    _malformed(judge)
    _mappings(judge, verdict)
    _maps(judge, verdict)
    _classify(ledger, verdict)
    if outermost:
        verdict.checkpoints = tuple(_checkpoints(ledger, bool(verdict.classes)))
    ledger.verdict = verdict
    return verdict


def _checkpoints(ledger: Ledger, look: bool) -> Iterator[Checkpoint]:
    """Databases inside the folder; looked into only where the ledger itself is damaged, because each costs a scan."""
    found = sorted({name.rpartition("/")[0] for name in ledger.db.files if name.endswith("/CURRENT")})
    for i, path in enumerate(found):
        if not look or i < len(found) - MAX_CHECKPOINTS:
            yield Checkpoint(path)
            continue
        with ledger.source.inside(path) as source:
            inside = Ledger(open_database(source, ledger.wishes.max_unit), ledger.wishes)
            inner = judge_ledger(inside, Tally(), outermost=False)
            yield Checkpoint(path, inner.network.block_tip, inner.classes[0] if inner.classes else None)


def _finalised(judge: Judge) -> int | None:
    """The last finalised height. Where later committees may be lost, nothing is taken for unfinalised."""
    network = judge.network
    if network.committee_tip is None:
        return None
    tip = network.committee_tip
    if judge.lost.over(judge.key(21, (tip + 1).to_bytes(4, "little"))):
        tip = max(tip, network.block_tip or 0)
    return max(tip, network.round_tip or 0)


def _malformed(judge: Judge) -> None:
    """Malformed rows are lost, but for those that follow from others and those that no block needs."""
    network = judge.network
    judge.beyond_repair += network.wrong_count - len(judge.settled)
    for wrong in network.wrong:
        saved = judge.settled.get(judge.key(wrong.map, wrong.key), "lost")
        evidence = {"map": name_of(wrong.map), "key": wrong.key.hex(), "why": wrong.why}
        message = f"{name_of(wrong.map)}, key {wrong.key[:40].hex()}: {wrong.why}"
        judge.say(rules.MALFORMED, wrong.place, message, evidence, GONE, saved)
    more = range(network.wrong_count - len(network.wrong))
    judge.tally.add_each(
        rules.MALFORMED, more, lambda _: Finding(rules.MALFORMED, NO_BYTES, "another", bytes_known=False)
    )


def _current_round(judge: Judge) -> None:
    """Map 19 holds the round of the last finalised block."""
    network = judge.network
    right = judge.finalised_round
    if judge.tip is None or right is None or network.current_round == right:
        return
    key = judge.key(19, b"\0")
    where = judge.lost.over(key)
    judge.put(19, b"\0", right.to_bytes(8, "little"))
    judge.derived += 1
    said = "missing" if network.current_round is None else f"{network.current_round}"
    message = f"the current round is {said}, block {judge.tip} is of round {right}"
    evidence = {"map": name_of(19), "stored": network.current_round, "computed": right}
    cause = BLOCK_LOST if where else GONE
    judge.say(rules.CURRENT_ROUND, where.span if where else None, message, evidence, cause, "corrected")


def _mappings(judge: Judge, verdict: Verdict) -> None:
    """Damaged blocks over the finalised values, of which nothing else tells."""
    later = (n for n in judge.network.counts if n >= KNOWN_IN_2024)  # nothing tells which rows these should have
    for number in (*MAPPING_MAPS, *sorted(later)):
        start, end = join(judge.network.id, number, b""), past(judge.network.id, number)
        for lost in judge.lost.found:
            if lost.after < end and (lost.up_to is None or lost.up_to >= start):
                verdict.mappings_lost += 1
                message = f"values of {name_of(number)} may have been in this block"
                judge.say(rules.MAPPINGS, lost.span, message, {"map": name_of(number)}, BLOCK_LOST, "lost")


def _maps(judge: Judge, verdict: Verdict) -> None:
    network = judge.network
    for number in sorted(network.counts):
        if number >= KNOWN_IN_2024:
            rows = network.counts[number]
            known = "known, not judged" if number in MAPS else "unknown, carried untouched"
            message = f"{name_of(number)}: {counted(rows, 'row')}, {known}"
            judge.say(rules.UNKNOWN_MAP, None, message, {"map": number, "rows": rows}, _NEWER, "kept")
    if len(verdict.networks) > 1 or verdict.short_keys:
        others = {network_name(n): rows for n, rows in sorted(verdict.networks.items()) if n != network.id}
        beside = [f"{counted(rows, 'row')} of {name}" for name, rows in others.items()]
        if verdict.short_keys:
            beside.append(f"{counted(verdict.short_keys, 'key')} too short for any network")
        # rows are not in the message: they grow, and a finding without bytes is named by its message
        told: Evidence = {"networks": sorted(verdict.networks), "rows": network.rows}
        message = f"beside the rows of {network_name(network.id)} stand {', '.join(beside)}"
        judge.say(rules.MIXED, None, message, told, GONE, "kept")


def _classify(ledger: Ledger, verdict: Verdict) -> None:
    judge = verdict.judge
    classes = set()
    if judge.lost_maps or judge.beyond_repair or verdict.mappings_lost:
        classes.add("D")
    if judge.tip_rows:
        classes.add("A" if not judge.tip_missing else "B")
        _say_tip(judge, whole=not judge.tip_missing)
    if judge.orphans and "D" not in classes:
        classes.add("B")
    if judge.derived:
        classes.add("C")
    if ledger.cut is not None:
        classes.add("E")
        _say_cut(ledger, judge)
    verdict.tree = block_tree.look(ledger.source, judge)
    if verdict.tree is not None and verdict.tree.stale:
        classes.add("F")
        _say_tree(judge, verdict.tree)
    verdict.classes = [name for name in ORDER if name in classes]


def _say_tip(judge: Judge, whole: bool) -> None:
    network, tip = judge.network, judge.tip
    assert tip is not None
    evidence = {"block_tip": network.block_tip, "committee_tip": tip, "rows": judge.tip_rows}
    if whole:
        message = f"block {tip + 1} is stored whole but was never finalised (the last finalised block is {tip})"
    else:
        rows, missing = counted(judge.tip_rows, "row is", "rows are"), counted(judge.tip_missing, "is", "are")
        message = f"block {tip + 1} is partly written: {rows} there, {missing} not"
        evidence["missing"] = judge.tip_missing
    rule = rules.UNFINALISED if whole else rules.PARTIAL_TIP
    judge.spoil((tip + 1).to_bytes(4, "big"))
    judge.say(rule, None, message, evidence, HALF_WRITTEN, "kept")


def _say_cut(ledger: Ledger, judge: Judge) -> None:
    cut = ledger.cut
    assert cut is not None
    span = Span(cut.start, cut.end, cut.member)
    tip = judge.network.block_tip
    where = f"the WAL is damaged at byte {cut.start}"
    if cut.number is not None:
        where = (
            f"the WAL gives sequence number {cut.number} twice, and the engine shows nothing from byte {cut.start} on"
        )
    if cut.torn:
        message = f"{where} and nothing follows: the ledger ends with block {tip}"
        judge.say(rules.TORN, span, message, {"offset": cut.start, "block_tip": tip}, _TORN, "kept")
        return
    behind = counted(cut.behind, "record that follows", "records that follow")
    message = f"{where}: the engine drops the {behind}, the ledger then ends with block {tip}"
    evidence = {"offset": cut.start, "records_behind": cut.behind, "block_tip": tip}
    judge.say(rules.WAL_HOLE, span, message, evidence, GONE, "kept")


def _say_tree(judge: Judge, tree: block_tree.Tree) -> None:
    message = "block_tree does not hold the state root of the last block: delete it, the node makes it again"
    span = Span(0, tree.size, block_tree.NAME)
    judge.say(rules.BLOCK_TREE, span, message, {"size": tree.size, "block_tip": judge.network.block_tip}, GONE, "kept")
