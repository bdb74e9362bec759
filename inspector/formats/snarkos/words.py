"""The ledger's answer in its operator's words: what happened, what is lost, what to do now."""

from __future__ import annotations

from shlex import quote
from typing import Any, Final

from inspector.counted import counted
from inspector.finding import Tally
from inspector.format import Answer
from inspector.formats.rocksdb.loader import outcomes as of_engine
from inspector.formats.rocksdb.words import gather
from inspector.formats.snarkos import loader
from inspector.formats.snarkos.compare import siblings
from inspector.formats.snarkos.ledger import Ledger
from inspector.formats.snarkos.maps import KNOWN_IN_2024, name_of
from inspector.formats.snarkos.names import network_name, transaction_name
from inspector.formats.snarkos.verdict import Verdict

LISTED: Final = 1000  # ranges and transactions in the summary; the counts are exact

SCHEMA: Final = {
    "type": "object",
    "properties": {
        "network": {"type": "string"},
        "network_id": {"type": "integer"},
        "generation": {"type": "string", "description": "2024, or later where maps above 59 have rows"},
        "rows": {"type": "integer"},
        "maps": {"type": "object", "additionalProperties": {"type": "integer"}},
        "unknown_maps": {"type": "array", "items": {"type": "integer"}},
        "block_tip": {"type": ["integer", "null"], "description": "highest height of map 4"},
        "committee_tip": {"type": ["integer", "null"], "description": "highest height of map 21"},
        "current_round": {"type": ["integer", "null"]},
        "consistent_prefix": {"type": "integer", "description": "whole blocks from height 0 on"},
        "first_bad_height": {"type": ["integer", "null"]},
        "bad_heights": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "classes": {"type": "array", "items": {"type": "string"}},
        "class": {"type": ["string", "null"]},
        "lost": {
            "type": "object",
            "properties": {
                "rows": {"type": "integer", "description": "at least: not those whose every mention is lost too"},
                "heights": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
                "transactions": {"type": "array", "items": {"type": "string"}},
                "transactions_total": {"type": "integer"},
                "maps": {"type": "object", "additionalProperties": {"type": "integer"}},
                "mapping_blocks": {"type": "integer", "description": "damaged blocks over program mappings"},
            },
        },
        "checkpoints": {
            "type": "array",
            "description": "databases inside the folder; looked into when the ledger is damaged",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "block_tip": {"type": ["integer", "null"]},
                    "class": {"type": ["string", "null"], "description": "null: whole, or not looked into"},
                },
            },
        },
        "beside": {
            "type": "array",
            "description": "databases next to a damaged ledger that are called checkpoints; not looked into",
            "items": {"type": "string"},
        },
        "archive": {"type": "boolean"},
    },
}


def answer(ledger: Ledger, tally: Tally) -> Answer:
    verdict = ledger.verdict
    assert verdict is not None
    summary = summarise(ledger, verdict)
    network = network_name(verdict.network.id)
    version = f"snarkVM ledger, {network}, storage of {summary['generation']}"
    because = f"{verdict.network.rows} rows in {len(verdict.network.counts)} maps of {network}"
    met = facts(ledger, verdict, tally)
    words = _words(ledger, verdict, summary)
    if shut := loader.shut(met):
        words.insert(0, f"RocksDB {shut}: the node does not get to the rows.")
    following = _next(verdict, summary["beside"], bool(shut))
    return Answer(version, because, tuple(words), summary, loader.outcomes(met), following)


def summarise(ledger: Ledger, verdict: Verdict) -> dict[str, Any]:
    network, judge = verdict.network, verdict.judge
    lost = sorted(judge.lost_transactions)
    later = [n for n in sorted(network.counts) if n >= KNOWN_IN_2024]
    first = verdict.first_bad
    return {
        "network": network_name(network.id),
        "network_id": network.id,
        "generation": "2025 or later" if later else "2023 or 2024",
        "rows": network.rows,
        "maps": {name_of(n): network.counts[n] for n in sorted(network.counts)},
        "unknown_maps": [n for n in later if name_of(n).startswith("map ")],
        "block_tip": network.block_tip,
        "committee_tip": network.committee_tip,
        "current_round": network.current_round,
        "consistent_prefix": verdict.prefix,
        "first_bad_height": first,
        "bad_heights": [[a, b - 1] for a, b in judge.bad.ranges()[:LISTED]],
        "classes": verdict.classes,
        "class": verdict.classes[0] if verdict.classes else None,
        "lost": {
            "rows": judge.lost_maps.total(),
            "heights": [[a, b - 1] for a, b in judge.lost_heights.ranges()[:LISTED]],
            "transactions": [transaction_name(t) for t in lost[:LISTED]],
            "transactions_total": len(lost),
            "maps": {name_of(n): judge.lost_maps[n] for n in sorted(judge.lost_maps)},
            "mapping_blocks": verdict.mappings_lost,
        },
        "checkpoints": [{"path": c.path, "block_tip": c.block_tip, "class": c.cls} for c in verdict.checkpoints],
        "beside": siblings(ledger) if verdict.classes else [],
        "archive": ledger.archive,
    }


def facts(ledger: Ledger, verdict: Verdict, tally: Tally) -> loader.Facts:
    """`tally` with the findings of the engine's files in it: a node that cannot open them reads no row."""
    judge, network = verdict.judge, verdict.network
    opened = of_engine(gather(ledger.db, tally))[0]
    tip = network.block_tip
    return loader.Facts(
        block_tip=tip,
        finalised=judge.tip,
        id_gap=network.counts[4] != verdict.blocks,
        tip_broken=tip is not None and "B" in verdict.classes and judge.tip_rows > 0,
        rows_lost=verdict.lossy,
        corrupt_blocks=not all(lost.sealed for lost in judge.lost.found),
        round_missing=network.current_round is None,
        wal_cut=ledger.cut is not None,
        tree_stale=verdict.tree is not None and verdict.tree.stale,
        archive=ledger.archive,
        engine=(opened.outcome, opened.message),
    )


def _words(ledger: Ledger, verdict: Verdict, summary: dict[str, Any]) -> list[str]:
    judge, tip = verdict.judge, verdict.judge.tip
    words = [_one(name, ledger, verdict, summary) for name in verdict.classes]
    if ledger.archive:
        words.append("This is an archive that inspector wrote. It is not a ledger that a node can run on.")
    if not verdict.classes:
        words.append(f"All {verdict.blocks} blocks are whole, and the last one is finalised.")
    elif verdict.lossy:
        words.append(f"Blocks 0 to {verdict.prefix - 1} are whole." if verdict.prefix else "Not even block 0 is whole.")
        if ledger.unseen:
            words.append(
                f"{ledger.unseen} places are damaged, and a scan looks for corrections only where they are few: a "
                "repair looks at all of them, and may bring these rows back (repair --dry-run tells)."
            )
        words.append("No funds are at risk: the network has every block. This node must get them back from it.")
    elif verdict.rollback:
        words.append("No funds are at risk and nothing is lost for good: the network has the block.")
    if verdict.rollback and tip is not None and not judge.obstacle:
        words.append("Stop a service that restarts the node until the repaired copy is in place.")
    if verdict.classes and summary["beside"]:
        words.append(f"Beside it lie {', '.join(summary['beside'])}, which were not looked into.")
    if verdict.classes and verdict.checkpoints:
        words.append(_checkpoint_words(verdict))
    if verdict.classes:
        words.append(
            "Do not delete the node-data folder or the proposal cache: they keep a validator from signing twice."
        )
    return words


def _checkpoint_words(verdict: Verdict) -> str:
    best = verdict.best_checkpoint
    if best is None:
        return f"None of the {len(verdict.checkpoints)} checkpoints inside is whole."
    return f"The checkpoint {best.path} is whole up to block {best.block_tip}: a whole one beats a repair."


def _one(name: str, ledger: Ledger, verdict: Verdict, summary: dict[str, Any]) -> str:
    judge, tip = verdict.judge, verdict.judge.tip
    if name == "A":
        return f"The last block ({_next_height(tip)}) was stored but never finalised; a repair removes this one block."
    if name == "B":
        if not judge.tip_rows:
            rows = counted(judge.orphans, "row belongs", "rows belong")
            return f"{rows} to no block: a block was half written; a repair removes what is there of it."
        return f"The last block ({_next_height(tip)}) was half written; a repair removes what is there of it."
    if name == "C":
        rows = counted(judge.derived, "row is", "rows are")
        return f"Of reverse maps and indexes, which follow from other rows, {rows} missing or wrong."
    if name == "D":
        return _lost_words(verdict, summary)
    if name == "E":
        cut = ledger.cut
        behind = f"; {cut.behind} WAL records behind the damage are dropped" if cut and cut.behind else ""
        return f"The WAL ends early: the ledger stops at block {verdict.network.block_tip} and is whole{behind}."
    return "The block_tree cache is stale: delete that file (only that file), the node makes it again."


def _next_height(tip: int | None) -> int | str:
    return "?" if tip is None else tip + 1


def _lost_words(verdict: Verdict, summary: dict[str, Any]) -> str:
    lost = summary["lost"]
    parts = []
    if lost["heights"]:
        heights = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in lost["heights"][:8])
        more = " ..." if len(lost["heights"]) > 8 else ""
        parts.append(f"rows of blocks {heights}{more}")
    if lost["transactions_total"]:
        parts.append(f"{lost['transactions_total']} transactions touched")
    if verdict.mappings_lost:
        parts.append("program mapping values, of which no other copy is here")
    if not parts:
        parts.append(f"blocks from {summary['first_bad_height']} on")
    return f"Data is lost: {'; '.join(parts)}."


def _next(verdict: Verdict, beside: list[str], shut: bool) -> tuple[str, ...]:
    """What to run; `shut` where the engine does not open the folder, whatever its rows are."""
    if not verdict.classes and not shut:
        return ()
    best = verdict.best_checkpoint
    found = []
    if best:
        found.append(f"inspector scan {{path}}/{quote(best.path)}   # a whole checkpoint: use it instead of a repair")
    if beside:
        paths = " ".join(f"{{path}}/../{quote(name)}" for name in beside)
        found.append(f"inspector scan {{path}} {paths}   # which of them is the newest whole one")
    if (verdict.lossy and not verdict.prefix) or (not verdict.lossy and verdict.judge.obstacle):
        rows = "every row that can be read, for looking at: not a ledger that a node can run on"
        found.append(f"inspector repair {{path}} -o {{path}}.rows --format rocksdb   # {rows}")
    elif verdict.lossy:
        found.append("inspector repair {path} -o {path}.archive --archive   # whole blocks only, not bootable")
    elif verdict.classes == ["F"]:
        found.append("mv {path}/block_tree {path}.block_tree   # a cache that the node makes again; stop snarkOS first")
    else:
        found.append("inspector repair {path} -o {path}.repaired")
    return tuple(found)
