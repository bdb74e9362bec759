"""What comes back of 42,000 keys: `python -m benchmarks.damage_rocksdb [CODEC] [FORMAT_VERSION] [CHECKSUM]`.

Four tables of 10,000 keys and a WAL of 2,000, written by RocksDB, damaged in every way of the tests and some more.
For each: the keys that blocks and records hold that verify, those in our repair without corrections, with the proved
ones, with those too that only the checksum speaks for; and what RocksDB's own RepairDB keeps.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from inspector import formats
from inspector.errors import InspectorError
from inspector.format import Wishes
from inspector.repair import repair
from inspector.source import open_source
from tests.formats.rocksdb.engines import Recipe, make
from tests.formats.rocksdb.test_engine import ROWS, Healthy, Row, xor

FORMATS = formats.all_formats()
WAYS = (Wishes(no_correct=True), Wishes(), Wishes(accept=frozenset({"unique"})))
_COUNT = """
import sys
from rocksdict import AccessType, Options, Rdict
path = sys.argv[1]
Rdict.repair(path, Options(raw_mode=True))
db = Rdict(path, Options(raw_mode=True), access_type=AccessType.read_only(False))
print(sum(1 for _ in db.keys()))
"""


def _noise(path: Path, at: int, count: int, seed: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(Random(seed).randbytes(count))


def _chosen(found: list[tuple[int, int, int]], count: int) -> list[tuple[int, int, int]]:
    return sorted(Random(7).sample(found[1:-1], count))


def _each(where: str, count: int, hurt: Callable[[Path, int, int], None]) -> Callable[[Healthy, Path], None]:
    def damage(h: Healthy, folder: Path) -> None:
        found, name = (h.blocks, h.sst) if where == "blocks" else (h.records, h.log)
        for n, (low, high, _) in enumerate(_chosen(found, count)):
            hurt(folder / name, Random(n).randrange(low + 12, high - 5), n)

    return damage


def _lost(where: str, count: int) -> Callable[[Healthy], int]:
    return lambda h: sum(n for *_, n in _chosen(h.blocks if where == "blocks" else h.records, count))


def _two_bits(path: Path, at: int, n: int) -> None:
    xor(path, at, 1, 1 << n)
    xor(path, at - 9, 1, 2)


MORE: list[Row] = [
    ("one bit in each of 3 random blocks", _each("blocks", 3, lambda p, at, n: xor(p, at, 1, 1 << n)),
     _lost("blocks", 3), set()),
    ("two bits in each of 3 random blocks",
     _each("blocks", 3, _two_bits),
     _lost("blocks", 3), set()),
    ("4 random bytes in each of 3 random blocks", _each("blocks", 3, lambda p, at, n: _noise(p, at, 4, n)),
     _lost("blocks", 3), set()),
    ("one bit in each of 5 random WAL records", _each("records", 5, lambda p, at, n: xor(p, at, 1, 1 << n)),
     _lost("records", 5), set()),
    ("4 random bytes in each of 5 random WAL records", _each("records", 5, lambda p, at, n: _noise(p, at, 4, n)),
     _lost("records", 5), set()),
]  # fmt: skip


def recovered(folder: Path, out: Path, wishes: Wishes) -> str:
    """Keys that the engine reads in our repair."""
    try:
        with open_source(str(folder)) as source:
            done = repair(source, FORMATS, str(out), wishes)
    except InspectorError as error:
        return f"refused: {error}"
    told = done.verified["engine"]
    return f"{sum(told['families'].values()):,}" if told.get("ok") else f"engine: {told.get('why')}"


def repair_db(folder: Path, copy: Path) -> str:
    shutil.copytree(folder, copy)
    run = subprocess.run([sys.executable, "-c", _COUNT, str(copy)], capture_output=True, text=True, check=False)
    return f"{int(run.stdout):,}" if run.returncode == 0 else "fails"


def main(recipe: Recipe) -> int:
    right = True
    print(f"{recipe.codec}, format version {recipe.version}, {recipe.checksum}, blocks of {recipe.block} bytes\n")
    print(
        "| damage | readable | repair --no-correct | repair | --accept unique | RepairDB |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        whole = make(base / "whole", recipe)
        for i, (title, damage, lost, _) in enumerate([*ROWS, *MORE]):
            folder = base / f"db{i}"
            shutil.copytree(whole, folder)
            healthy = Healthy(folder)
            damage(healthy, folder)
            readable = healthy.total - lost(healthy)
            ours = [recovered(folder, base / f"out{i}-{k}", wishes) for k, wishes in enumerate(WAYS)]
            theirs = repair_db(folder, base / f"theirs{i}")
            right &= ours[0] == f"{readable:,}" and all(_number(one) >= readable for one in ours)
            print(f"| {title} | {readable:,} | {' | '.join(ours)} | {theirs} |", flush=True)
            for path in base.iterdir():
                if path != whole:
                    shutil.rmtree(path)
    return 0 if right else 1


def _number(text: str) -> int:
    return int(text.replace(",", "")) if text[:1].isdigit() else -1


if __name__ == "__main__":
    codec, version, checksum = sys.argv[1:4] if len(sys.argv) > 3 else ("lz4", "5", "xxh3")
    sys.exit(main(Recipe(codec, int(version), checksum, tables=4, keys=10_000, wal=2_000, block=4096)))
