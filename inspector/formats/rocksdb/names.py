"""What a file of a database folder is, from its name (file/filename.cc, ParseFileName)."""

import re
from typing import Final, Literal

from msgspec import Struct

Kind = Literal[
    "table", "wal", "blob", "manifest", "current", "identity", "options", "lock", "info-log", "temp", "lost", "foreign"
]

_NUMBERED: Final[tuple[tuple[str, Kind], ...]] = (  # compiled when they are first used
    (r"(\d{1,20})\.(?:sst|ldb)", "table"),
    (r"(?:archive/)?(\d{1,20})\.log", "wal"),
    (r"(\d{1,20})\.blob", "blob"),
    (r"MANIFEST-(\d{1,20})", "manifest"),
    (r"OPTIONS-(\d{1,20})", "options"),
    (r"(\d{1,20})\.dbtmp", "temp"),
    (r"OPTIONS-(\d{1,20})\.dbtmp", "temp"),
)
_PLAIN: Final[dict[str, Kind]] = {"CURRENT": "current", "IDENTITY": "identity", "LOCK": "lock", "LOG": "info-log"}


class FileName(Struct, frozen=True):
    """A member's kind and the number that orders it among all files of its database; 0 where it has none."""

    kind: Kind
    number: int = 0


def classify(name: str) -> FileName:
    """The kind of one member by its path relative to the folder; what the engine would not name is foreign."""
    if plain := _PLAIN.get(name):
        return FileName(plain)
    if name.startswith("lost/"):
        return FileName("lost")
    if name.startswith("LOG.old."):
        return FileName("info-log")
    for pattern, kind in _NUMBERED:
        if found := re.fullmatch(pattern, name):
            number = int(found[1])
            return FileName(kind, number) if number < 1 << 64 else FileName("foreign")
    return FileName("foreign")


_SUFFIXES: Final[dict[str, Kind]] = {".sst": "table", ".ldb": "table", ".blob": "blob"}


def classify_alone(name: str) -> FileName:
    """The kind of a file that stands alone: people rename what they send, so the ending is enough for some."""
    found = classify(name)
    if found.kind != "foreign":
        return found
    kind = next((k for suffix, k in _SUFFIXES.items() if name.endswith(suffix)), None)
    if name.upper().startswith("MANIFEST"):
        kind = "manifest"
    return FileName(kind) if kind else found


def table_name(number: int, extension: str = "sst") -> str:
    return f"{number:06d}.{extension}"


def wal_name(number: int) -> str:
    return f"{number:06d}.log"


def blob_name(number: int) -> str:
    return f"{number:06d}.blob"


def manifest_name(number: int) -> str:
    return f"MANIFEST-{number:06d}"


def current_target(data: bytes) -> str | None:
    """The MANIFEST that CURRENT names, or None; a name with a path in it never leads anywhere."""
    text = data.decode("ascii", "replace")
    if not text.endswith("\n"):
        return None
    name = text[:-1]
    return name if classify(name).kind == "manifest" else None
