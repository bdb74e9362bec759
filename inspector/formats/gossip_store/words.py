"""What the store means to the operator of the node, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from inspector.catalogue import later
from inspector.counted import plural
from inspector.finding import Severity, Tally
from inspector.format import Answer, Outcome
from inspector.formats.gossip_store import loader, lone, versions
from inspector.formats.gossip_store.kinds import kind_name
from inspector.formats.gossip_store.walk import Store
from inspector.sanitize import quoted

if TYPE_CHECKING:
    from inspector.formats.gossip_store.exchanged import Exchange

channels_written_over = later("inspector.formats.gossip_store.over_start", "lost")  # only damage asks for it
NO_FUNDS = (
    "This file holds no funds: it is a cache of public gossip, and the network sends it again. Deleting it is safe and "
    "costs minutes to hours of poor routing; repairing it saves that."
)
LEAVE_ALONE = "Leave hsm_secret and lightningd.sqlite3 alone: they have nothing to do with this."
UNDOING = frozenset({"GSP003", "GSP004", "GSP005", "GSP006", "GSP012"})  # what corrections are looked for
# found in what is no damaged record or stretch and still listed by `records --damaged`
LISTED: Final = frozenset({"GSP007", "GSP008", "GSP025", "GSP026", "GSP031"})
LOSING = frozenset({"GSP003", "GSP004", "GSP005", "GSP006", "GSP007", "GSP008", "GSP012", "GSP017", "GSP033"})


def answer(store: Store, tally: Tally) -> Answer:
    by = versions.judged_for(store.version, store.wishes)
    facts: loader.Facts = store.facts["loader"]
    outcomes = loader.outcomes(facts, by)
    return Answer(
        version=str(told_version(store)),
        because=_because(store),
        words=tuple(_words(store, tally, outcomes)),
        summary=_summary(store, tally),
        loaders=outcomes,
        next=tuple(_next(store, tally)),
        ribbon=tuple(zip(*(store.ribbon[k::4] for k in range(4)), strict=True)),
    )


def _because(store: Store) -> str:
    if (moved := _first_page(store)) is not None:
        return f"by the version byte of the first page, which changed places and stands at {moved.froms[0]}"
    who = versions.written_by(store.version)
    if store.untold:
        return "a guess: the version byte is no version, and no record holds that would tell it"
    if store.guessed and store.version < versions.NEWEST - 1:
        return f"a guess: the records fit version {store.version}, written by {who}; the version byte does not say so"
    if store.guessed:
        return f"the records are of version {store.version}, written by {who}; the version byte does not say so"
    return f"written by {who}"


def _first_page(store: Store) -> Exchange | None:
    """The exchange that moved the first page, where the findings asked for exchanges."""
    return next((one for one in store.facts.get("exchanged", ()) if not one.first.start), None)


def told_version(store: Store) -> int:
    """The version that a repair writes: the one of the first page where that is put back, else as records are read."""
    moved = _first_page(store)
    return store.version if moved is None else moved.first.data[0]


def _words(store: Store, tally: Tally, outcomes: tuple[Outcome, ...]) -> list[str]:
    channels, nodes = store.facts["channels"] - store.facts["lone"], store.facts["nodes"]
    version = told_version(store)
    who = versions.written_by(version)
    if store.version_byte is None:
        return [
            "This gossip store is empty: even its version byte is gone. Nothing can be saved from it.",
            NO_FUNDS,
            LEAVE_ALONE,
        ]
    if version < versions.OLDEST_JUDGED:
        return [
            f"This is a gossip store of version {version} ({who}).",
            "Its checksums were not standard CRC-32C, so its records can be listed but not judged.",
            "Current releases do not load this version; lightningd makes a new store by itself.",
            NO_FUNDS,
        ]
    places = sum(n for (code, level), n in tally.counts.items() if code in LOSING and level is Severity.ERROR)
    choking = tally.severity_count(Severity.WARNING)
    whole = f"{channels:,} channel{'s' * (channels != 1)} and {nodes:,} node{'s' * (nodes != 1)} are whole"
    lines = []
    if not places and not choking:
        lines.append(f"This gossip store is healthy (version {version}, {who}): {whole}.")
        if store.size <= store.start:
            lines[0] = f"This gossip store is healthy and empty (version {version}, {who})."
        elif dead := tally.counts.get(("GSP003", Severity.NOTE), 0):
            lines[0] = _healthy_but_dead(f"version {version}, {who}", whole, dead)
        return lines + _signatures(store)
    if places:
        where = f"{places:,} place{'s' * (places != 1)}"
        lines.append(f"This gossip store (version {version}, {who}) is damaged in {where}; {whole}.")
        lines += _loss(store, tally)
    elif amounts := lone.words(store.facts["lone"], tally):
        lines.append(f"This gossip store (version {version}, {who}) lost a part of what it holds; {whole}.")
        lines.append(f"Lost: {amounts}. Everything else can be saved.")
    else:
        lines.append(f"Nothing is lost in this gossip store (version {version}, {who}): {whole}.")
    bad = [o for o in outcomes if o.outcome != loader.LOADS]
    if bad:
        said = f' ("{bad[0].message}")' if bad[0].message else ""
        lines.append(f"What {bad[0].program} {bad[0].release} does with it: {bad[0].outcome}{said}.")
        if bad[0].outcome == loader.CORRUPT:
            lines.append(
                "Copy the file away before lightningd is started again: there is one gossip_store.corrupt, and "
                "the next start overwrites it."
            )
        elif bad[0].outcome == loader.ABORT:
            lines.append("Stop the restart loop first; it ends only when this file is repaired or moved away.")
    lines += _signatures(store)
    lines += _known_bug(store, tally)
    lines += [NO_FUNDS, LEAVE_ALONE]
    return lines


def _healthy_but_dead(who: str, whole: str, dead: int) -> str:
    """Programs pass over deleted records, but whatever damaged one of them writes to the same disk as the others."""
    records, are = ("record", "is") if dead == 1 else ("records", "are")
    return (
        f"All that programs read of this gossip store ({who}) is healthy: {whole}. {dead:,} deleted {records}, which "
        f"they skip, {are} damaged: nothing in use is lost, but what did it can damage other bytes, too."
    )


def _loss(store: Store, tally: Tally) -> list[str]:
    """What the damage costs, in records by kind and in bytes where records cannot be counted, and what is undone."""
    lost, rest = Counter(store.facts["lost"]), store.facts["lost_bytes"]
    undone: Counter[str] = Counter()
    for finding in tally.findings():
        if finding.salvage == "corrected" and finding.rule.code in ("GSP003", "GSP004"):
            kind, flags = (int(str(finding.evidence[name])) for name in ("type", "flags"))
            undone[kind_name(kind)] += 1
            if not flags & versions.DELETED:
                lost -= Counter([kind_name(kind)])
        elif finding.salvage == "corrected":
            undone[f"stretch of {finding.span.length:,} bytes"] += 1
            rest -= finding.span.length
        elif "lost_bytes" in finding.evidence:
            rest -= finding.span.length - int(str(finding.evidence["lost_bytes"]))
    parts = [f"{count:,} {kind}" for kind, count in sorted(lost.items())]
    if rest:
        parts.append(f"{rest:,} bytes in which no record can be read")
    if amounts := lone.words(store.facts["lone"], tally):
        parts.append(amounts)
    if covered := channels_written_over(store):
        parts.append(f"{plural(covered, 'channel')} whose announcement was written over")
    if store.untold and not parts[1:]:
        return [
            f"Lost: {parts[0] if parts else 'all'}. Nothing is left to save; lightningd makes a new store by itself."
        ]
    loss = f"Lost: {', '.join(parts)}. Everything else can be saved." if parts else "Everything can be saved."
    waiting = sum(f.salvage == "lost" and f.evidence.get("correction") == "unique" for f in tally.findings())
    if parts and waiting:
        one = "1 damage has one correction that fits, and only the checksum vouches for it"
        many = f"{waiting:,} damages have one correction each that fits, and only the checksums vouch for them"
        loss += f" {one if waiting == 1 else many}: --accept unique writes it."
    if not undone:
        return [loss]
    looked_at = sum(finding.rule.code in UNDOING for finding in tally.findings())
    count = sum(n for (code, _), n in tally.counts.items() if code in UNDOING)
    if looked_at < count:
        whole = f"{undone.total():,} of the {looked_at:,} damages looked at here can be undone"
        return [f"{whole}; a repair looks at all {count:,}. Without that, lost: {', '.join(parts)}."]
    told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(undone.items()))
    return [f"Damage that a repair undoes: {told}.", loss]


def _signatures(store: Store) -> list[str]:
    told = store.facts.get("signatures")
    if not told:
        return []
    count = sum(told[state] for state in ("held", "failed", "absent", "unknown"))
    rest = [f"{told['failed']:,} do not"] if told["failed"] else []
    rest += [f"{told['absent']:,} are all zero"] if told["absent"] else []
    rest += [f"of {told['unknown']:,} the signer is not known"] if told["unknown"] else []
    return [f"Signatures: {told['held']:,} of {count:,} hold{''.join(f', {part}' for part in rest)}."]


def _known_bug(store: Store, tally: Tally) -> list[str]:
    codes = {code for code, _ in tally.counts}
    by = versions.release(store.wishes.release) if store.wishes.release else None
    lines = []
    version = store.version  # a store that no release with the bug can have written does not show it
    if "GSP026" in codes and version <= 7 and (by is None or by < versions.release("v0.7.2")):
        lines.append("A second store inside is a known fault of releases before v0.7.1 (lightning#2758).")
    if "GSP025" in codes and version <= 9 and (by is None or by < versions.release("v0.10.0")):
        lines.append(
            "A version byte at offset 1 is a known fault of releases before v0.10.0 (lightning#4453): upgrade first."
        )
    if "GSP017" in codes and (by is None or by < versions.release("v25.02")):
        lines.append(
            "Duplicate announcements make releases before v25.02 append without end (lightning#8035): upgrade first."
        )
    if "GSP033" in codes and version <= 14 and (by is None or by < versions.release("v25.02")):
        lines.append("Writes to offset 1 were reported before v25.02 (lightning#8053): upgrade first.")
    return lines


def _summary(store: Store, tally: Tally) -> dict[str, Any]:
    facts: loader.Facts = store.facts["loader"]
    first = min(
        (f.span.start for f in tally.findings() if f.level is not Severity.NOTE and f.rule.code.startswith("GSP")),
        default=None,
    )
    return {
        "store_version": store.version,
        "version_byte": store.version_byte,
        "written_by": versions.written_by(store.version),
        "live_channels": store.facts["channels"],
        "live_nodes": store.facts["nodes"],
        "signatures": store.facts.get("signatures"),
        "first_damage": first,
        "torn_at": facts.torn,
    }


def _next(store: Store, tally: Tally) -> list[str]:
    if store.version_byte is None or store.version < versions.OLDEST_JUDGED:
        return []
    if tally.severity_count(Severity.ERROR) or tally.severity_count(Severity.WARNING):
        first = next((f for f in tally.findings() if f.level is not Severity.NOTE), None)
        show = [f"inspector show {{path}} {first.span.start}"] if first else []
        # whole records that contradict each other, or the version byte, are none of them
        listed = store.facts["hurt"].count or any(code in LISTED for code, _ in tally.counts)
        records = "inspector records {path} --damaged" if listed else "inspector records {path}"
        return ["inspector repair {path} -o gossip_store.repaired", *show, records]
    dead = next((f for f in tally.findings() if f.rule.code == "GSP003"), None)  # a note: of a deleted record
    return [*([f"inspector show {{path}} {dead.span.start}"] if dead else []), "inspector records {path}"]


SCHEMA = {
    "type": "object",
    "properties": {
        "store_version": {"type": "integer", "description": "as the records are read"},
        "version_byte": {"type": ["integer", "null"], "description": "as it stands in the file"},
        "written_by": {"type": "string"},
        "live_channels": {"type": "integer"},
        "live_nodes": {"type": "integer"},
        "signatures": {
            "type": ["object", "null"],
            "description": "messages and signatures by state, with --verify-signatures",
            "properties": {
                "messages": {"type": "integer"},
                "held": {"type": "integer"},
                "failed": {"type": "integer"},
                "absent": {"type": "integer", "description": "all zero"},
                "unknown": {"type": "integer", "description": "no announcement tells the signer"},
            },
        },
        "first_damage": {"type": ["integer", "null"], "description": "offset of the first error or warning"},
        "torn_at": {"type": ["integer", "null"], "description": "offset of the record that is cut off at the end"},
    },
}


LEFT_BEHIND: Final = (".corrupt", ".tmp", ".compact")  # by a refusal, or by a rewrite that did not finish


def compare(stores: list[tuple[str, int, int, Store]]) -> tuple[str, ...]:
    """Ages and sizes of the stores of one folder, and what the names mean."""
    meaning = {
        "gossip_store": "the store in use",
        "gossip_store.corrupt": "what lightningd refused; the next refusal overwrites it",
        "gossip_store.tmp": "a rewrite that did not finish: the good beginning, in the new version",
        "gossip_store.compact": "a compaction that did not finish",
    }
    newest = max((mtime for _, _, mtime, _ in stores), default=0)
    lines = []
    for name, size, mtime, store in sorted(stores, key=lambda s: -s[2]):
        age = (newest - mtime) // 1_000_000_000
        when = "newest" if age <= 0 else f"{age:,} s older"
        what = meaning.get(name.rsplit("/", 1)[-1], "a copy")
        channels = store.facts.get("channels", 0) if store is not None else 0
        lines.append(f"{name}: {size:,} bytes, {when}, {channels:,} live channels; {what}")
    return (*lines, *_merges([name for name, *_ in stores]))


def _merges(names: list[str]) -> Iterator[str]:
    """What makes one store of those that lightningd leaves beside each other in the folder of one network."""
    folders: dict[str, list[str]] = {}
    for name in sorted(names):
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    for found in folders.values():
        if len(found) > 1 and any(name.endswith(LEFT_BEHIND) for name in found):
            copies = " ".join(map(quoted, found))
            yield f"all that any of them has alive, in one: inspector merge {copies} -o gossip_store.merged"
