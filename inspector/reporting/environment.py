"""Facts about the host that a maintainer asks for first: kernel, file system, sizes and ages of the store's files."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from inspector.format import Format
from inspector.source import SECRET_NAMES, Source

if TYPE_CHECKING:
    from inspector.reporting.hide import Hide

MAX_FILES = 1000
MAX_BESIDE = 10_000  # entries of the folder around a single file that are looked at
_OCTAL = re.compile(r"\\([0-7]{3})")
# mount options that say where something is, not how it behaves
_PLACES = ("lowerdir=", "upperdir=", "workdir=", "subvol=", "addr=", "clientaddr=", "mountaddr=", "username=")

Document = dict[str, Any]


def environment(source: Source, layers: Iterable[Format], at: int | None, hide: Hide) -> Document:
    """What the host tells; ages are seconds before `at`, or before the newest file of the store without it."""
    own, *beside = _files(source, layers) or [("", 0, 0)]
    # a single file goes under the name that the whole report calls it
    name = hide.file(own[0]) if source.kind == "folder" else PurePath(source.label).name
    files = [(name, *own[1:]), *((hide.file(name), size, mtime_ns) for name, size, mtime_ns in beside)]
    newest = max((mtime for _, _, mtime in files), default=0)
    now = at * 10**9 if at is not None else newest
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
        "file_system": file_system(source.path),
        "ages_before": "the time given with --at" if at is not None else "the newest of these files",
        "files": [
            {"name": name, "size": size, "modified": _stamp(mtime), "age_seconds": max(0, now - mtime) // 10**9}
            for name, size, mtime in files[:MAX_FILES]
        ],
        "files_total": len(files),
    }


def _files(source: Source, layers: Iterable[Format]) -> list[tuple[str, int, int]]:
    """The members of a folder; a single file and what lies beside it and is named like such a store."""
    if source.kind == "folder":
        return [(m.name, m.size, m.mtime_ns) for m in source.members]
    if source.path is None or source.kind != "file":
        return [(Path(source.label).name, source.size, m.mtime_ns) for m in source.members]
    own = source.path.absolute()
    found = [(own.name, source.size, source.members[0].mtime_ns)]
    patterns = [p for f in layers for p in f.names]
    with contextlib.suppress(OSError), os.scandir(own.parent) as entries:  # a folder that may not be listed
        for _, entry in zip(range(MAX_BESIDE), entries, strict=False):
            if entry.name == own.name or entry.name in SECRET_NAMES:
                continue
            if not entry.name.startswith(own.name) and not any(fnmatchcase(entry.name, p) for p in patterns):
                continue
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(info.st_mode):
                found.append((entry.name, info.st_size, info.st_mtime_ns))
    return [found[0], *sorted(found[1:])]


def _stamp(mtime_ns: int) -> str:
    return datetime.fromtimestamp(mtime_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_system(path: Path | None, table: str = "/proc/self/mountinfo") -> Document | None:
    """Type and options of the mount that holds `path`; None where the system does not tell."""
    if path is None:
        return None
    try:
        device = path.stat().st_dev
        lines = Path(table).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    wanted = f"{os.major(device)}:{os.minor(device)}"
    place = str(path.resolve())
    best: tuple[bool, int, list[str]] | None = None
    for line in lines:
        fields = line.split(" ")
        if "-" not in fields or len(fields) < 10:
            continue
        mount = _OCTAL.sub(lambda m: chr(int(m.group(1), 8)), fields[4])
        if place != mount and not place.startswith(mount.rstrip("/") + "/"):
            continue
        # of mounts over one another the last one counts; the device number decides between equal places
        rank = (fields[2] == wanted, len(mount), fields)
        if best is None or rank[:2] >= best[:2]:
            best = rank
    if best is None:
        return None
    fields = best[2]
    tail = fields[fields.index("-") + 1 :]
    options = [*fields[5].split(","), *(tail[2].split(",") if len(tail) > 2 else [])]
    told = [o for o in dict.fromkeys(options) if not o.startswith(_PLACES)]
    release = _module_release(tail[0])
    return {"type": tail[0], "options": ",".join(told)} | ({"release": release} if release else {})


def _module_release(kind: str) -> str:
    """The release of a file system that has its own (ZFS)."""
    with contextlib.suppress(OSError):
        return Path(f"/sys/module/{kind}/version").read_text().strip()[:60]
    return ""
