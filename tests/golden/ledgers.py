"""What inspector makes of ledgers of seven blocks whose rows were changed, a line for each change.

Each map's rows at other heights, several rows of one block, and a last block of which some maps were written: what is
found by rule, the answer, what a repair and an archive would write. `python -m tests.golden.told` writes it anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random

from msgspec import Struct

from inspector import formats
from inspector.errors import InspectorError
from inspector.format import Wishes
from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.version import Family, Version
from inspector.inspect import OUR_BUG, inspect
from inspector.render import documents
from inspector.repair import repair
from tests.builders.rocksdb_table import Shape, table
from tests.builders.snarkos import Block, Rows, ledger, state
from tests.builders.snarkos_wal import DB_ID, WAL, write_wal
from tests.contract.corpus import memory
from tests.golden.digests import digest, place, plain, step

PATH = Path(__file__).with_name("snarkos.ledgers.txt")
FORMATS = formats.all_formats()
BLOCKS = 7  # solutions, aborted ones, deployments, rejected transactions: each height that has one of them
KEEP = 2000
SEVERAL = 60  # changes of several rows at once
OTHERS = 2  # changes of each map's rows besides another byte


class Change(Struct, frozen=True):
    """What the WAL of a ledger holds, a batch for each block, and other files."""

    words: str
    blocks: list[Rows]
    files: dict[str, bytes] = {}


def line(words: str, members: dict[str, bytes], archived: bool) -> str:
    with memory(members) as source:
        report = inspect(source, FORMATS, Wishes(), "snarkos", KEEP)
        found = sorted(report.tally.findings(), key=lambda f: (f.span, f.rule.code, f.message))
        assert not [f for f in found if f.rule is OUR_BUG], words
        told = [plain(documents.scan(report, 0)), *(f"{place(f.span)} {plain(f.evidence)} {f.message}" for f in found)]
        counts = sorted(Counter(f.rule.code for f in found).items())
        codes = " ".join(f"{code}*{n}" if n > 1 else code for code, n in counts)
        answer = report.answer.summary if report.answer else {}
        first = f"{'/'.join(answer['classes']) or 'whole'} {answer['consistent_prefix']} {answer['first_bad_height']}"
        parts = [first, codes, f"said {digest(told)}"]
        for word, wanted in (("repair", Wishes()), ("archive", Wishes(archive=True)))[: 1 + archived]:
            try:
                done = repair(source, FORMATS, None, wanted, forced="snarkos", dry_run=True, keep=KEEP)
            except InspectorError as error:
                parts.append(f"no {word} {digest([str(error)])}")
                continue
            steps = [f"{step(edit)} {edit.why}" for edit in done.changes]
            parts.append(f"{word} {digest([*steps, *done.notes, plain([done.bytes, done.records, done.code])])}")
        return f"{words}: {'; '.join(parts)}"


def _whole() -> list[Block]:
    return ledger(BLOCKS)


def rows_of_maps() -> Iterator[Change]:
    """A row of each map is gone, cut, longer, another's, or has another byte: at the heights that have one in turn."""
    whole = [block.rows() for block in _whole()]
    by_map: dict[int, list[tuple[int, bytes]]] = {}
    for height, rows in enumerate(whole):
        for key in rows:
            by_map.setdefault(key[2], []).append((height, key))
    for number, able in sorted(by_map.items()):
        rng = Random(f"ledgers/{number}")
        ways = ["gone", "longer", "another's", "shorter", "moved"]
        for way in [*rng.sample(ways, OTHERS), "other"]:
            height, key = rng.choice(able)
            blocks = [dict(rows) for rows in whole]
            _change(rng, blocks[height], key, way, [whole[h][k] for h, k in able])
            if blocks[height] != whole[height]:
                yield Change(f"map {number} of block {height} {way}", blocks)


def ends() -> Iterator[Change]:
    """The WAL is cut within its last blocks, a row of a reverse map is gone or none, and a cache of roots is there."""
    blocks = [dict(block.rows()) for block in _whole()]
    reverse = next(key for key in blocks[2] if key[2] == 5)
    for gone in (False, True):
        if gone:
            del blocks[2][reverse]
        log = write_wal(blocks)[WAL]
        for cut in (1, 3000, 12_000, 30_000):
            tree = {} if cut == 3000 else {"block_tree": bytes(cut % 7) + _whole()[cut % 5].root + bytes(9)}
            words = f"cut by {cut}{', a row of map 5 gone' if gone else ''}{', a block tree' if tree else ''}"
            yield Change(words, blocks, {WAL: log[:-cut], **tree})


def _change(rng: Random, rows: Rows, key: bytes, way: str, values: list[bytes]) -> None:
    value = rows.pop(key)
    at = rng.randrange(max(1, len(value)))
    if way == "longer":
        rows[key] = value + b"\0"
    elif way == "shorter":
        rows[key] = value[:at]
    elif way == "another's":
        rows[key] = rng.choice(values)
    elif way == "moved":
        rows[key[:-1] + bytes([key[-1] ^ 1])] = value
    elif way == "other":
        rows[key] = value[:at] + bytes(b ^ 1 << rng.randrange(8) for b in value[at : at + 1]) + value[at + 1 :]


def kinds() -> Iterator[Change]:
    """Inputs and outputs of every kind, alone and beside a row of another map; of the last block also not finalised."""
    for instead, others in ((37, (36, 38, 39, 41)), (50, (44, 45, 46, 47, 49))):
        for number in others:
            for beside in (False, True):
                blocks = [dict(block.rows()) for block in _whole()]
                for height in (2, 6):
                    for key, value in list(blocks[height].items()):
                        if key[2] == instead:
                            blocks[height][key[:2] + bytes([number]) + key[3:]] = value.ljust(33, b"\0")
                            if not beside:
                                del blocks[height][key]
                words = f"map {number} {'beside' if beside else 'in place of'} {instead}"
                yield Change(words, blocks)
                if not beside:
                    last = {key: value for key, value in blocks[6].items() if key[2] not in (19, 20, 21)}
                    yield Change(f"{words}, not finalised", [*blocks[:6], last])


def several() -> Iterator[Change]:
    """Of one block all rows of some maps are gone or have another byte, or all but those."""
    for seed in range(SEVERAL):
        rng = Random(f"several/{seed}")
        blocks = [dict(block.rows()) for block in _whole()]
        height = rng.randrange(BLOCKS)
        maps = sorted({key[2] for key in blocks[height]})
        chosen = set(rng.sample(maps, rng.choice((2, 3, 5, len(maps) - 2, len(maps) - 1))))
        for key in list(blocks[height]):
            if key[2] in chosen:
                _change(rng, blocks[height], key, "gone" if seed % 3 else rng.choice(("gone", "other")), [])
        kept = [m for m in maps if m not in chosen]
        words = f"only {kept}" if len(kept) < 3 else f"not {sorted(chosen)}"
        yield Change(f"block {height}, seed {seed}: {words}", blocks)


def tips() -> Iterator[Change]:
    """The last block was not finalised, or was while one of its maps is not there or is there alone."""
    for count in (4, 6, 7):
        blocks = ledger(count)
        before, last = [block.rows() for block in blocks[:-1]], blocks[-1]
        maps = sorted({key[2] for key in last.insert})
        yield Change(f"block {count - 1} not finalised", [*before, last.insert])
        for number in maps if count == 7 else maps[count % 3 :: 3]:
            alone = {key: value for key, value in last.insert.items() if key[2] == number}
            others = {key: value for key, value in last.insert.items() if key[2] != number}
            yield Change(f"block {count - 1} not finalised: map {number} alone", [*before, alone])
            yield Change(f"block {count - 1} not finalised: without map {number}", [*before, others])


def tables() -> Iterator[Change]:
    """All rows lie in one table of small blocks, and one of these is damaged; a row of another map is gone, too."""
    rows = sorted(state(_whole()).items())
    for seed in range(3):
        gone = Random(f"tables/{seed}").randrange(len(rows)) if seed else len(rows)
        left = [(keys.internal(key, n + 1, keys.PUT), value) for n, (key, value) in enumerate(rows) if n != gone]
        built = table(left, Shape(block_size=1000, interval=16))
        new = NewFile(6, 2, len(built.data), built.smallest, built.largest, 1, len(rows))
        family = Family(0, "default", log_number=4, files={2: new})
        version = Version(next_file=9, last_sequence=len(rows), db_id=DB_ID)
        manifest = snapshot([family], version)
        for number, handle in enumerate(built.blocks):
            if number % 3 == seed:
                hurt = bytearray(built.data)
                hurt[handle.offset + 9 : handle.end] = bytes(handle.end - handle.offset - 9)
                files = {"MANIFEST-000003": manifest, "000002.sst": bytes(hurt)}
                yield Change(f"table {seed}, block {number} zeroed", [], files)


FAMILIES: dict[str, Callable[[], Iterator[Change]]] = {
    "rows": rows_of_maps, "kinds": kinds, "several": several, "ends": ends, "tips": tips, "tables": tables,
}  # fmt: skip
PARTS = 6  # of each family: a test for each


@cache
def _changes(family: str) -> list[Change]:
    return list(FAMILIES[family]())


def lines_of(family: str, part: int) -> Iterator[str]:
    for change in _changes(family)[part::PARTS]:
        yield line(change.words, {**write_wal(change.blocks), **change.files}, family == "several")


def lines() -> Iterator[str]:
    for family in FAMILIES:
        for part in range(PARTS):
            yield f"# {family} {part}"
            yield from lines_of(family, part)
