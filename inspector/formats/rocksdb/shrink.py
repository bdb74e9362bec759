"""Smaller databases, tables and logs that may show the same as this one, smallest first; the caller tries them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from inspector.composed import Composition, Part
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.shrink_log import shrunk_log, shrunk_to_blocks
from inspector.formats.rocksdb.shrink_table import Needed, shrunk
from inspector.formats.rocksdb.version import Family
from inspector.span import Span

_SUMS = frozenset({edits.CUSTOM_CHECKSUM, edits.CUSTOM_CHECKSUM_NAME})


def excerpts(db: Database, points: Sequence[Span], context: int) -> Iterator[Composition]:
    """`points` are where findings lie; spans of whole members count for nothing."""
    if db.single:
        needed = _needed(db, "", points)
        blocks = shrunk_to_blocks(db, "", needed) if db.files[""].kind == "wal" else None
        yield from ({"": parts} for parts in (_smaller(db, "", needed, context), blocks) if parts is not None)
        return
    hurt = {point.member for point in points}
    tables = {name for name in hurt if name in db.files and db.files[name].kind == "table"}
    logs = {name for name in hurt if name in db.files and db.files[name].kind == "wal"}
    others = [name for name in sorted(hurt - tables - logs) if name in db.files]
    small = {name: parts for name in sorted(tables | logs)
             if (parts := _smaller(db, name, _needed(db, name, points), context)) is not None}  # fmt: skip
    for shrink in (True, False):
        if db.manifest is not None and db.manifest not in hurt and db.trusted:
            made = _with_new_manifest(db, tables, logs, small if shrink else {})
            for name in others:
                made.setdefault(name, _whole(db, name))
            yield made
    yield from _fewer_files(db, hurt)


def _needed(db: Database, member: str, points: Sequence[Span]) -> Needed:
    size = db.size(member)
    inside = sorted((p.start, max(p.end, p.start + 1)) for p in points if p.member == member and p.length < size)
    starts, reach, ends = [start for start, _ in inside], 0, []
    for _, end in inside:
        reach = max(reach, end)
        ends.append(reach)

    def needed(start: int, end: int) -> bool:
        last = bisect_left(starts, end) - 1
        return last >= 0 and ends[last] > start

    return needed


def _smaller(db: Database, member: str, needed: Needed, context: int) -> list[Part] | None:
    kind = db.files[member].kind
    if kind == "table":
        return shrunk(db, member, needed, context)
    return shrunk_log(db, member, needed, context) if kind == "wal" else None


def _whole(db: Database, member: str) -> list[Part]:
    size = db.size(member)
    return [Span(0, size, member)] if size else []


def _with_new_manifest(
    db: Database, tables: set[str], logs: set[str], small: dict[str, list[Part]]
) -> dict[str, list[Part]]:
    """The files with findings, and a MANIFEST that lists no others."""
    assert db.version is not None
    assert db.manifest is not None
    made: dict[str, list[Part]] = {name: small.get(name) or _whole(db, name) for name in sorted(tables | logs)}
    sizes = {name: sum(len(p) if isinstance(p, bytes) else p.length for p in parts) for name, parts in made.items()}
    families: list[Family] = []
    for family in db.version.families.values():
        files = {}
        for number, file in family.files.items():
            name = db.tables.get(number)
            if name in made:
                new = file.size + sizes[name] - db.size(name)  # a table longer or shorter than listed stays so
                custom = tuple(one for one in file.custom if name not in small or one[0] not in _SUMS)
                files[number] = replace(file, size=max(0, new), custom=custom)
        blobs = {n: one for n, one in family.blobs.items() if db.blobs.get(n) in made}
        families.append(replace(family, files=files, blobs=blobs, garbage={}))
    made[db.manifest] = [snapshot(families, db.version)]
    if "CURRENT" in db.files:
        made["CURRENT"] = _whole(db, "CURRENT")
    return made


def _fewer_files(db: Database, hurt: set[str]) -> Iterator[Composition]:
    """Without the files that nothing names: logs of the program, left-overs, foreign ones."""

    def left(wanted: Callable[[str], bool]) -> Composition:
        return {name: _whole(db, name) for name in db.files if name in hurt or wanted(name)}

    needed = {"table", "wal", "manifest", "current", "blob"}
    listed = set(db.tables.values()) - set(db.unlisted().values() if db.version else ())
    yield left(lambda name: db.files[name].kind in needed and (db.files[name].kind != "table" or name in listed))
    yield left(lambda name: db.files[name].kind in needed)
