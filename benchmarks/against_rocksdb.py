"""sst_dump, ldb, RocksDB and LevelDB as readers and repairers of damaged files (`benchmarks.against`)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random

from benchmarks.against import Facts, Harmed, Said, Subject, Tool

PATIENCE = 120
_SCANNED = re.compile(r"^'([0-9A-F]*)' seq:\d+, type:\d+ => ([0-9A-F]*)\s*$", re.MULTILINE)
_RAW = re.compile(r"^  HEX    ([0-9A-F]*): ([0-9A-F]*)\s*$", re.MULTILINE)
_PUT = re.compile(r"PUT\(0\) : 0x([0-9A-F]*) : 0x([0-9A-F]*)")
_FILE = re.compile(r"^ (\d+):(\d+)\[", re.MULTILINE)

# what an engine gets of a folder, from both ends: each stops where it meets damage
_ENGINE = """
import json, sys
engine, repair, path = sys.argv[1:]
pairs, said = {}, []
def ends(step):
    try:
        for key, value in step:
            pairs[bytes(key).hex()] = bytes(value).hex()
    except Exception as error:
        said.append(str(error))
try:
    if engine == "rocksdb":
        import rocksdict as r
        options = r.Options(raw_mode=True)
        options.create_if_missing(False)
        if repair == "1":
            r.Rdict.repair(path, options)
        db = r.Rdict(path, options, access_type=r.AccessType.read_only(False))
        ends(db.items())
        ends(db.items(backwards=True))
    else:
        import plyvel
        if repair == "1":
            plyvel.repair_db(path)
        db = plyvel.DB(path, paranoid_checks=repair == "0")
        ends(db.iterator(verify_checksums=True))
        ends(db.iterator(verify_checksums=True, reverse=True))
except Exception as error:
    said.append(str(error))
json.dump([pairs, said], sys.stdout)
"""


def _run(*words: str) -> tuple[int, str]:
    done = subprocess.run(words, capture_output=True, timeout=PATIENCE, check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def _pairs(pattern: re.Pattern[str], text: str) -> Facts:
    return frozenset((key.upper(), value.upper()) for key, value in pattern.findall(text))


def scanned(path: Path) -> Facts:
    return _pairs(_SCANNED, _run("sst_dump", f"--file={path}", "--command=scan", "--output_hex")[1])


def _sst_dump(harmed: Harmed) -> Said:
    """All four ways of asking; the best of each."""
    said, worst, facts = [], 0, scanned(harmed.path)
    for command in ("verify", "check", "scan", "raw"):
        code, words = _run("sst_dump", f"--file={harmed.path}", f"--command={command}", "--verify_checksum")
        said += [line for line in words.splitlines() if not line.startswith("'") and "=>" not in line]
        worst = worst or code
    raw = harmed.path.with_name(f"{harmed.path.stem}_dump.txt")
    if raw.exists():
        facts |= _pairs(_RAW, raw.read_text(errors="replace").partition("Data Block #")[2])  # before it: the index
    return Said("\n".join(line for line in said if "options.env" not in line), worst, facts)


def puts(path: Path) -> Facts:
    return _pairs(_PUT, _dump_wal(path)[1])


def _dump_wal(path: Path) -> tuple[int, str]:
    return _run("ldb", "dump_wal", f"--walfile={path}", "--print_value", "--header")


def _ldb_wal(harmed: Harmed) -> Said:
    code, words = _dump_wal(harmed.path)
    told = "\n".join(line for line in words.splitlines() if not line[:1].isdigit())
    return Said(told, code, _pairs(_PUT, words))


def versions(path: Path) -> Facts:
    return frozenset(_FILE.findall(_run("ldb", "manifest_dump", f"--path={path}")[1]))


def _ldb_manifest(harmed: Harmed) -> Said:
    code, words = _run("ldb", "manifest_dump", f"--path={harmed.path}")
    return Said(words, code, frozenset(_FILE.findall(words)))


def _engine(engine: str, repair: bool, path: Path) -> Said:
    words = [sys.executable, "-c", _ENGINE, engine, str(int(repair)), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:  # it crashed
        return Said(f"failed: {done.stderr[-300:]}", done.returncode, frozenset())
    pairs, said = json.loads(done.stdout)
    return Said("\n".join(said), int(bool(said)), frozenset(pairs.items()))


def _of_engine(engine: str, path: Path) -> Facts:
    """Of a copy, because to open it may change it."""
    copy = path.with_name(f"{path.name}.read")
    shutil.copytree(path, copy)
    try:
        facts = _engine(engine, False, copy).facts
    finally:
        shutil.rmtree(copy)
    return facts or frozenset()


def _ask_engine(engine: str, repair: bool, harmed: Harmed) -> Said:
    return _engine(engine, repair, harmed.path)


def _check(harmed: Harmed) -> Said:
    code, words = _run("ldb", f"--db={harmed.path}", "--ignore_unknown_options", "checkconsistency")
    return Said(words, code)


def subjects(folder: Path, seed: int) -> Iterator[Subject | str]:
    if find_spec("rocksdict") is None:
        yield "RocksDB's files are left out: rocksdict is not installed, which writes them"
        return
    from tests.formats.rocksdb.engines import Recipe, make

    rng = Random(seed)
    tools = {name: shutil.which(name) for name in ("sst_dump", "ldb")}
    for codec, checksum in (("lz4", "xxh3"), ("none", "crc32c"), ("zstd", "xxhash64")):
        base = folder / f"{codec}-{checksum}"
        base.mkdir()
        recipe = Recipe(codec, 5, checksum, tables=8, keys=600, wal=800, block=rng.choice((1024, 4096)))
        whole = make(base / "db", recipe)
        if tools["sst_dump"]:
            yield Subject(
                f"table ({codec}, {checksum})", _largest(whole, "*.sst"), (Tool("sst_dump", _sst_dump),), scanned
            )
        else:
            yield "tables alone are left out: sst_dump is not installed"
        if tools["ldb"] and codec == "lz4":
            yield Subject("WAL", _largest(whole, "*.log"), (Tool("ldb dump_wal", _ldb_wal),), puts)
            yield Subject(
                "MANIFEST", _largest(whole, "MANIFEST-*"), (Tool("ldb manifest_dump", _ldb_manifest),), versions
            )
        ask = partial(partial, _ask_engine, "rocksdb")
        engine = (Tool("RocksDB opens and reads it", ask(False)), Tool("RepairDB, then reads it", ask(True)))
        check = (Tool("ldb checkconsistency", _check),) if tools["ldb"] else ()
        if codec != "zstd":
            read = partial(_of_engine, "rocksdb")
            files = _data_files(whole)
            yield Subject(f"RocksDB folder ({codec})", whole, (*check, *engine), read, "rocksdb", members=files)
    yield from _leveldb(folder / "leveldb", rng)


def _largest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: (path.stat().st_size, path.name))


def _data_files(folder: Path) -> tuple[str, ...]:
    """Of these one is damaged, each as likely as any other: what is lost with the others is only words."""
    names = ("*.sst", "*.ldb", "*.log", "MANIFEST-*", "CURRENT")
    found = (path for name in names for path in folder.glob(name))
    return tuple(sorted(path.name for path in found if path.stat().st_size > 1))


def _leveldb(folder: Path, rng: Random) -> Iterator[Subject | str]:
    if find_spec("plyvel") is None:
        yield "LevelDB folders are left out: plyvel is not installed, which writes them"
        return
    import plyvel

    db = plyvel.DB(str(folder), create_if_missing=True, write_buffer_size=1 << 16)
    ever = set[object]()
    for number in range(3000):
        key, value = b"key-%05d" % number, b"value %d " % number + rng.randbytes(20) + b"." * 30
        db.put(key, value)
        ever.add((key.hex(), value.hex()))
    for number in range(0, 3000, 11):
        db.delete(b"key-%05d" % number)
    db.close()
    ask = partial(partial, _ask_engine, "leveldb")
    tools = (Tool("LevelDB opens and reads it", ask(False)), Tool("RepairDB, then reads it", ask(True)))
    read = partial(_of_engine, "leveldb")
    yield Subject("LevelDB folder", folder, tools, read, "rocksdb", frozenset(ever), _data_files(folder))
