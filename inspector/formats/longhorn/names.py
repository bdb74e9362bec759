"""What a logical volume of Longhorn is, by its name. Source: longhorn-spdk-engine pkg/spdk/types.go."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

Role = Literal[
    "head",
    "snapshot",
    "system snapshot",
    "rebuilding",
    "expired",
    "cloning",
    "clone entrypoint",
    "backing image",
    "shard",
    "other",
]
HEAD = "volume-head"  # what the engine's API calls a head

_REPLICA = r"(?P<replica>.+-r-[a-zA-Z0-9]{8})"
_PATTERNS: tuple[tuple[Role, re.Pattern[str]], ...] = (
    ("backing image", re.compile(r"(?P<replica>bi-.+-disk-[0-9a-fA-F-]{36})(?P<rest>-temp-head)?\Z")),
    ("shard", re.compile(r"shard-(?P<replica>.+)-(?P<rest>\d+)\Z")),
    ("clone entrypoint", re.compile(_REPLICA + r"-clone-ep-(?P<rest>.+)\Z")),
    ("system snapshot", re.compile(_REPLICA + r"-snap-(?P<rest>rebuild-[a-zA-Z0-9]{8})\Z")),
    ("snapshot", re.compile(_REPLICA + r"-snap-(?P<rest>.+)\Z")),
    ("rebuilding", re.compile(_REPLICA + r"-rebuilding(?P<rest>)\Z")),
    ("expired", re.compile(_REPLICA + r"-expired-(?P<rest>[a-zA-Z0-9]{8})\Z")),
    ("cloning", re.compile(_REPLICA + r"-cloning(?P<rest>-tmp)?\Z")),
    ("head", re.compile(_REPLICA + r"(?P<rest>)\Z")),
)
MAX_NAME = 256


class Named(Struct, frozen=True):
    """`replica` is the part that names the replica, `rest` what follows: a snapshot's own name."""

    role: Role
    replica: str = ""
    rest: str = ""


def understand(name: str) -> Named:
    if len(name) <= MAX_NAME:
        for role, pattern in _PATTERNS:
            found = pattern.match(name)
            if found:
                return Named(role, found["replica"], found["rest"] or "")
    return Named("other")


def short(replica: str, name: str) -> str:
    """A name as the engine's API gives it: `volume-head`, or a snapshot without the replica's prefix."""
    if name in (replica, HEAD):
        return HEAD
    prefix = f"{replica}-snap-"
    return name[len(prefix) :] if name.startswith(prefix) else name
