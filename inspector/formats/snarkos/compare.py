"""Several ledgers of one command, as a ledger and its checkpoints: which whole one is the newest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from inspector.formats.snarkos.ledger import Ledger
from inspector.formats.snarkos.names import network_name
from inspector.formats.snarkos.verdict import Verdict

NAMED: Final = 8  # ledgers told one by one
LOOKED_AT: Final = 256  # entries of the folder that holds the ledger

_SIMPLE: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*")
Found = tuple[str, Ledger, Verdict]


def together(ledgers: list[tuple[str, Ledger]]) -> tuple[str, ...]:
    """For each network the newest whole ledger, and what is wrong with those that hold more blocks."""
    judged = [(label, ledger, ledger.verdict) for label, ledger in ledgers if ledger.verdict is not None]
    if len(judged) < 2:
        return ()
    words: list[str] = []
    for network in sorted({verdict.network.id for _, _, verdict in judged}):
        words += _network(network, [found for found in judged if found[2].network.id == network])
    return tuple(words)


def _network(network: int, found: list[Found]) -> Iterator[str]:
    name = network_name(network)
    whole = [f for f in found if not f[2].classes and not f[1].archive and f[2].blocks]
    others = sorted((f for f in found if f not in whole), key=lambda f: -f[2].prefix)
    if not whole:
        yield f"{name}: none of the {len(found)} ledgers is whole."
    else:
        best = max(whole, key=lambda f: f[2].blocks)
        twins = [f[0] for f in whole if f[2].blocks == best[2].blocks and f is not best]
        same = f", as is {', '.join(twins[:NAMED])}" if twins else ""
        count = f"{len(whole)} of {len(found)} ledgers are whole"
        yield f"{name}: {best[0]} is the newest whole one, up to block {best[2].blocks - 1}{same} ({count})."
        if others and others[0][2].prefix > best[2].blocks:
            more = others[0][2].prefix - best[2].blocks
            yield f"{others[0][0]} has {more} more whole blocks behind it: a repair keeps them, a checkpoint does not."
    for label, ledger, verdict in others[:NAMED]:
        what = "an archive" if ledger.archive else f"class {', '.join(verdict.classes)}" if verdict.classes else "empty"
        yield f"{label}: {what}, {verdict.prefix} whole blocks from 0."
    if len(others) > NAMED:
        yield f"{len(others) - NAMED} more are not whole."


def siblings(ledger: Ledger) -> list[str]:
    """Databases beside the ledger whose names say that they are checkpoints, by their paths from its parent folder.

    They are not looked into. Names that a shell would not take as they are are left out.
    """
    path = ledger.source.path
    if path is None or not path.is_dir():
        return []
    here = path.resolve()
    try:
        beside = sorted(islice(here.parent.iterdir(), LOOKED_AT))
    except OSError:  # a folder that may be entered and not listed: nothing is known of what lies there
        return []
    named = [other for other in beside if other != here and "checkpoint" in other.name.lower()]
    found = [folder for other in named for folder in _databases(other)]
    names = [folder.relative_to(here.parent).as_posix() for folder in found]
    return [name for name in names if _SIMPLE.fullmatch(name)][-NAMED:]


def _databases(folder: Path) -> list[Path]:
    """The folder itself if it is a database, else those right inside it."""
    try:
        if (folder / "CURRENT").is_file():
            return [folder]
        inside = sorted(islice(folder.iterdir(), LOOKED_AT)) if folder.is_dir() else []
        return [one for one in inside if (one / "CURRENT").is_file()]
    except OSError:  # as above
        return []
