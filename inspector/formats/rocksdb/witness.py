"""The engine as witness: RocksDB itself opens a copy in another process; its keys and values must equal our view."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from inspector.formats.rocksdb import codecs, keys, view
from inspector.formats.rocksdb.database import Database, open_database
from inspector.formats.rocksdb.names import classify
from inspector.output import take_away, witness_of
from inspector.source import open_source

TIMEOUT: Final = 3600.0
NEWEST_VERSION: Final = 7  # table format that the packaged engine reads
# runs in the other process; prints one JSON document
_SCRIPT: Final = """
import hashlib, json, sys
from rocksdict import AccessType, Options, Rdict
path = sys.argv[1]
names = Rdict.list_cf(path)
db = Rdict(path, Options(raw_mode=True), column_families={n: Options(raw_mode=True) for n in names},
           access_type=AccessType.read_only(False))
told = {}
for name in names:
    part = db if name == "default" else db.get_column_family(name)
    count, digest = 0, hashlib.sha256()
    for key, value in part.items():
        count += 1
        digest.update(len(key).to_bytes(4, "little") + len(value).to_bytes(8, "little"))
        digest.update(key)
        digest.update(value)
    told[name] = [count, digest.hexdigest()]
print(json.dumps(told))
"""


def digest_of(pairs: Iterable[tuple[bytes, bytes]]) -> tuple[int, str]:
    """Count and digest of keys and values in order, as the engine's process computes them."""
    count, digest = 0, hashlib.sha256()
    for key, value in pairs:
        count += 1
        digest.update(len(key).to_bytes(4, "little") + len(value).to_bytes(8, "little"))
        digest.update(key)
        digest.update(value)
    return count, digest.hexdigest()


def witness(folder: str) -> Mapping[str, Any]:
    """What the engine says about a repaired folder; `ran` False with the reason where it could not be asked."""
    if importlib.util.find_spec("rocksdict") is None:
        return {"ran": False, "why": "rocksdict is not installed (pip install 'store-inspector[engine]')"}
    with open_source(folder) as source:
        db = open_database(source)
        if why := _not_for_it(db):
            return {"ran": False, "why": why}
        mine = {}
        for family in view.families(db):
            doubts = view.Doubts()
            mine[family.name] = list(digest_of(view.plain_pairs(db, family, doubts)))
            if doubts.prepared:  # "WAL contains prepared transactions. Open with TransactionDB::Open()"
                return {"ran": False, "why": "its WALs hold prepared transactions, which only a TransactionDB opens"}
            if doubts.said:
                return {"ran": False, "why": "; ".join(doubts.said)}
        if db.room.refused:  # the engine reads them
            return {"ran": False, "why": f"what a block or value holds is not known here: {codecs.FOLDED_WHY}"}
    copy = witness_of(Path(folder))
    if copy.exists():
        take_away(copy, strict=True)
    try:
        copy.mkdir(mode=0o700)
        _copy(Path(folder), copy)
        return _compare(mine, str(copy))
    finally:
        take_away(copy)


def _not_for_it(db: Database) -> str:
    if db.leveldb:
        return "this is a LevelDB database, which RocksDB would convert"
    for family in view.families(db):
        if family.comparator != keys.BYTEWISE:
            return f"column family {family.name} has the comparator {family.comparator}, which only its program knows"
    if unread := next((m for m in db.tables.values() if db.table(m).foreign), None):
        return f"{unread} is {db.table(unread).declined}"
    newest = max((db.table(m).context.version for m in db.tables.values()), default=0)
    return f"table format {newest} is newer than the engine" if newest > NEWEST_VERSION else ""


def _copy(folder: Path, to: Path) -> None:
    """A copy that the engine may do with as it likes; immutable files are linked, never the others."""
    for entry in folder.iterdir():
        if not entry.is_file():
            continue
        if classify(entry.name).kind in ("table", "blob"):
            try:
                os.link(entry, to / entry.name)
                continue
            except OSError:  # no links here: copied below
                pass
        if entry.name != "LOCK":
            shutil.copyfile(entry, to / entry.name)


_STOPPED = (-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP)
# how Python, Rust, C++ and the loader say that memory, or threads, are short
_SHORT = ("MemoryError", "memory allocation of", "std::bad_alloc", "annot allocate memory", "failed to map segment")
_EMPTY: Final = "import sys; from rocksdict import Rdict; Rdict(sys.argv[1]).close()"


def _not_for_the_store(run: subprocess.CompletedProcess[str]) -> bool:
    """Whether the engine died instead of refusing: of its own exceptions it tells in words."""
    return run.returncode < 0 or any(words in run.stderr for words in _SHORT)


def _runs_here(beside: Path) -> bool:
    """Whether the engine can make an empty database in a process like that: else its death says nothing of a store."""
    empty = beside / "empty"
    command = [sys.executable, "-I", "-c", _EMPTY, str(empty)]
    try:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        take_away(empty)


def _compare(mine: dict[str, list[Any]], copy: str) -> Mapping[str, Any]:
    try:
        run = subprocess.run(
            [sys.executable, "-I", "-c", _SCRIPT, copy], capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"ran": False, "why": str(error)}
    if run.returncode in _STOPPED:  # the key press that ends this process reached the engine's first
        raise KeyboardInterrupt
    if run.returncode == -signal.SIGKILL:  # by who is short of memory: it says nothing about the store
        return {"ran": False, "why": "the engine's process was killed"}
    if run.returncode and _not_for_the_store(run) and not _runs_here(Path(copy)):
        return {"ran": False, "why": "the engine cannot run here: too little memory, or too few processes allowed"}
    if run.returncode:
        lines = run.stderr.strip().splitlines()
        ended = f"its process died of signal {-run.returncode}" if run.returncode < 0 else f"exit {run.returncode}"
        died = run.returncode < 0 and lines
        return {"ran": True, "ok": False, "why": f"{ended}: {lines[-1]}" if died else lines[-1] if lines else ended}
    theirs = json.loads(run.stdout.strip().splitlines()[-1])
    told = {"ran": True, "engine": "rocksdict", "families": {n: c for n, (c, _) in sorted(theirs.items())}}
    if theirs == mine:
        return {**told, "ok": True}
    differs = sorted(n for n in {*theirs, *mine} if theirs.get(n) != mine.get(n))
    counts = ", ".join(f"{n}: engine {theirs.get(n, [0])[0]}, inspector {mine.get(n, [0])[0]}" for n in differs)
    return {**told, "ok": False, "why": f"keys or values differ in {counts}"}
