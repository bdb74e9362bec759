"""What a running system says about its volumes: JSON of SPDK's RPCs and Longhorn's API, logs, a support bundle.

Everything here was attached by a user: sizes and counts are bounded, unknown shapes are passed over and counted.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from inspector.errors import UsageError
from inspector.packings import most_of

MAX_MEMBER = 64 << 20
MAX_BUNDLE = 512 << 20
MAX_MEMBERS = 20_000
MAX_JSON = 16 << 20  # bytes of one document, and how many lists and objects: each takes 60 bytes and more
MAX_NESTED = 500_000  # in one; a bundle may have as many, and one more for every four of its own bytes
MAX_LINE = 1 << 16  # bytes of a line that are looked at, and then the next as many
_BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError)
MAX_LINES = 1000  # of one kind, kept from logs
_EXISTS = re.compile(r"lvs_verify_lvol_name.{0,80}?name (\S{1,256}) already exists")
_CODE = re.compile(r"(?:code\W{1,4}-17\b|File exists)")
# the engine's own line, where SPDK's is not in the log: the call and its parameters, or the step that it was made for
_CREATE = re.compile(r"bdev_lvol_create\b|[Pp]repare head\b")
_HEAD = re.compile(r"(?<![\w.-])([\w.-]{1,200}-r-[a-zA-Z0-9]{8})(?![\w.-])")
_CREATE_SPAN = 1000  # characters from there on, in which the head's name and then the answer stand
_NAME = re.compile(r"\b([\w.-]{1,200}-r-[a-zA-Z0-9]{8})\b")


class Lvol(Struct, frozen=True):
    """A logical volume as a running program knows it; None where it does not say."""

    name: str
    where: str
    uuid: str | None = None
    parent: str | None = None
    children: tuple[str, ...] | None = None
    size: int | None = None
    tells_parent: bool = False
    store: str | None = None


class ReplicaSaid(Struct, frozen=True):
    """Longhorn's replica object; names are short ones (`volume-head`, a snapshot's own name)."""

    name: str
    where: str
    store_uuid: str | None
    spec_size: int | None
    head: dict[str, Any] | None
    snapshots: dict[str, dict[str, Any]]
    state: str = ""
    error: str = ""


class Memory(Struct):
    """Everything that was given with --against."""

    lvols: dict[str, Lvol] = field(default_factory=dict)
    replicas: list[ReplicaSaid] = field(default_factory=list)
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)  # lvstore uuid -> what it says
    exists: dict[str, str] = field(default_factory=dict)  # head that could not be created -> the log line
    created: dict[str, str] = field(default_factory=dict)  # the same as the engine itself tells it
    refused: list[str] = field(default_factory=list)  # log lines with code -17
    lists_all: bool = False  # a full list of lvols was given: what it lacks is not in memory
    files: list[str] = field(default_factory=list)
    understood: int = 0  # entries and lines that were one of these, also where another document said the same


def read(given: tuple[tuple[str, bytes], ...]) -> Memory:
    """All documents together; raises UsageError for one that holds nothing that is understood."""
    memory = Memory()
    for label, data in given:
        before = memory.understood
        for name, part in _parts(label, data):
            _take(memory, name, part)
        if memory.understood == before and not _looks_like_log(data):
            raise UsageError(
                f"{label}: not an RPC answer, a replica object, a log or a support bundle",
                "save the output of rpc.py bdev_get_bdevs, bdev_lvol_get_lvols or bdev_lvol_get_lvstores",
            )
        memory.files.append(label)
    return memory


def _looks_like_log(data: bytes) -> bool:
    head = data[:65536]
    return data[:2] == b"PK" or b"level=" in head or b"*NOTICE*" in head or b"*ERROR*" in head


def _parts(label: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The file itself, or the members of a zip that may matter; bounded in number and bytes."""
    if data[:2] != b"PK":
        yield label, data
        return
    left, nested = MAX_BUNDLE, MAX_NESTED + len(data) // 4
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            found = [i for i in bundle.infolist()[:MAX_MEMBERS] if i.filename.endswith((".log", ".json", ".txt"))]
            if sum(min(info.file_size, MAX_MEMBER) for info in found) > most_of(len(data)):
                raise _unreal(label)
            for info in found:
                if not left:
                    return
                with bundle.open(info) as member:
                    part = member.read(min(MAX_MEMBER, left))
                left -= len(part)
                nested -= _nested(part)
                if nested < 0:
                    raise _unreal(label)
                yield f"{label}:{info.filename}", part
    except (*_BROKEN, OSError) as error:
        raise UsageError(f"{label}: the support bundle cannot be read: {error}") from error


def _unreal(label: str) -> UsageError:
    what = f"{label}: the support bundle unpacks to more than is taken for real"
    return UsageError(what, "unpack it, and give the files that matter one by one")


def _nested(data: bytes) -> int:
    return data.count(b"[") + data.count(b"{")


def _take(memory: Memory, label: str, data: bytes) -> None:
    begins = data[:MAX_LINE].lstrip()[:1] in (b"{", b"[")
    if begins and len(data) <= MAX_JSON and _nested(data) <= MAX_NESTED:
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            document = None  # a log may start with a bracket: it is read by lines
        if document is not None:
            _document(memory, label, document)
            return
    lines = io.BytesIO(data)
    while line := lines.readline(MAX_LINE):
        _line(memory, label, line.decode("utf-8", "replace"))


def _document(memory: Memory, label: str, document: Any) -> None:
    """A bare RPC answer, an object with several of them by name, a JSON-RPC envelope, or replica objects."""
    if isinstance(document, dict):
        if "result" in document and "jsonrpc" in document:
            document = document["result"]
        elif _is_replica(document):
            memory.replicas.append(_replica(label, document))
            memory.understood += 1
            return
        else:
            for value in list(document.values())[:MAX_MEMBERS]:
                _entries(memory, label, value if isinstance(value, list) else [value])
            return
    _entries(memory, label, document if isinstance(document, list) else [])


def _entries(memory: Memory, label: str, entries: list[Any]) -> None:
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        if _is_replica(entry):
            memory.replicas.append(_replica(label, entry))
            memory.understood += 1
        elif isinstance(_inner(entry, "driver_specific", "lvol"), dict):
            _put(memory, _bdev(label, entry))
        elif "alias" in entry and isinstance(entry.get("lvs"), dict):
            _put(memory, _lvol(label, entry))
        elif "total_data_clusters" in entry and isinstance(entry.get("uuid"), str):
            memory.stores[entry["uuid"]] = entry
            memory.understood += 1


def _put(memory: Memory, found: Lvol | None) -> None:
    memory.lists_all = True
    memory.understood += 1
    if found is not None and (found.name not in memory.lvols or found.tells_parent):
        memory.lvols[found.name] = found


def _inner(entry: dict[str, Any], *keys: str) -> Any:
    at: Any = entry
    for key in keys:
        at = at.get(key) if isinstance(at, dict) else None
    return at


def _bdev(label: str, entry: dict[str, Any]) -> Lvol | None:
    """Source of the fields: spdk module/bdev/lvol/vbdev_lvol.c, vbdev_lvol_dump_info_json."""
    aliases = entry.get("aliases")
    alias = next((a for a in aliases if isinstance(a, str)), "") if isinstance(aliases, list) else ""
    name = alias.rpartition("/")[2]
    lvol = entry["driver_specific"]["lvol"]
    if not name:
        return None
    count, size = entry.get("num_blocks"), entry.get("block_size")
    clones = lvol.get("clones")
    return Lvol(
        name,
        label,
        _text(entry.get("uuid")) or _text(entry.get("name")),
        _text(lvol.get("base_snapshot")),
        tuple(c for c in clones if isinstance(c, str)) if isinstance(clones, list) else (),
        count * size if isinstance(count, int) and isinstance(size, int) else None,
        True,
        _text(lvol.get("lvol_store_uuid")),
    )


def _lvol(label: str, entry: dict[str, Any]) -> Lvol | None:
    name = _text(entry.get("name")) or str(entry["alias"]).rpartition("/")[2]
    return Lvol(name, label, _text(entry.get("uuid")), store=_text(_inner(entry, "lvs", "uuid")))


def _is_replica(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("snapshots"), dict) and "name" in entry and ("spec_size" in entry or "head" in entry)


def _replica(label: str, entry: dict[str, Any]) -> ReplicaSaid:
    """Source of the fields: longhorn-spdk-engine pkg/api/types.go."""
    head = entry.get("head")
    snapshots = {k: v for k, v in entry["snapshots"].items() if isinstance(v, dict)}
    return ReplicaSaid(
        str(entry.get("name")),
        label,
        _text(entry.get("lvs_uuid")),
        number(entry.get("spec_size")),
        head if isinstance(head, dict) and head else None,
        snapshots,
        str(entry.get("state") or ""),
        str(entry.get("error_msg") or ""),
    )


def number(value: Any) -> int | None:
    """An integer that JSON may carry as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 25 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _line(memory: Memory, label: str, line: str) -> None:
    found = _EXISTS.search(line)
    if found and len(memory.exists) < MAX_LINES:
        memory.understood += 1
        memory.exists.setdefault(found[1].rpartition("/")[2], f"{label}: {line.strip()[:400]}")
    elif _CODE.search(line) and _NAME.search(line) and len(memory.refused) < MAX_LINES:
        memory.understood += 1
        told = f"{label}: {line.strip()[:400]}"
        memory.refused.append(told)
        if name := _created(line):
            memory.created.setdefault(name, told)


def _created(line: str) -> str | None:
    """The head that a line says could not be created because it exists."""
    begins = _CREATE.search(line)
    if not begins:
        return None
    said = line[begins.end() : begins.end() + _CREATE_SPAN]
    head = _HEAD.search(said)
    return head[1] if head and _CODE.search(said, head.end()) else None
