"""Options that several commands share, and the values they become."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Struct

from inspector.cli import declare
from inspector.errors import UsageError

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.format import Wishes

PathArgument = Annotated[str, declare.Argument(metavar="PATH", help="File, folder, block device, or - for stdin.")]
Json = Annotated[bool, declare.Option("--json", help="Print one JSON document.")]
FormatName = Annotated[
    str | None,
    declare.Option(
        "--format", metavar="NAME", help="Take the source for this format, without detection.", values="formats"
    ),
]
Release = Annotated[
    str | None,
    declare.Option("--for", metavar="RELEASE", help="Judge for this release of the original program (v24.11.1)."),
]
Accept = Annotated[
    list[str] | None,
    declare.Option(
        "--accept",
        metavar="PROOF",
        help="Also take what has only a weaker proof: unique, anchored, unsealed, name.",
        values="proofs",
    ),
]
ClusterSize = Annotated[
    int | None, declare.Option("--cluster-size", min=1, metavar="BYTES", help="Where several geometries fit.")
]
Lost = Annotated[bool, declare.Option("--lost", help="Also items that are deleted or lost but still recoverable.")]
Checksums = Annotated[bool, declare.Option("--checksums", help="Also read the content and hold it to its checksums.")]
Against = Annotated[
    list[str] | None,
    declare.Option("--against", metavar="FILE", help="What a running system says: RPC JSON, log, bundle (repeatable)."),
]
Logs = Annotated[
    list[str] | None,
    declare.Option("--log", metavar="FILE", help="Log of the program, also gzip: tied to the bytes (repeatable)."),
]
At = Annotated[
    str | None,
    declare.Option("--at", metavar="TIME", help="The time to judge by: unix seconds or 2025-01-31T12:00:00Z."),
]

MaxUnit = Annotated[
    str | None,
    declare.Option("--max-unit", metavar="BYTES", help="Larger units are checksummed in a stream and not decoded."),
]
Thresholds = Annotated[
    list[str] | None,
    declare.Option(
        "--threshold", metavar="NAME=VALUE", help="Judge by this limit instead of the format's (repeatable)."
    ),
]

MapFile = Annotated[
    str | None,
    declare.Option("--mapfile", metavar="FILE", help="The ddrescue mapfile of PATH: what was never read is unknown."),
]
VerifySignatures = Annotated[
    bool, declare.Option("--verify-signatures", help="Check the signatures of sound records, too.")
]
NoCorrect = Annotated[bool, declare.Option("--no-correct", help="Do not undo damage: leave damaged records out.")]
Jobs = Annotated[
    int | None, declare.Option("--jobs", min=1, metavar="N", help="Threads to use; every core where that is worth it.")
]

# a wish of the contract -> the option that makes it
WISH_OPTIONS = {
    "release": "--for",
    "at": "--at",
    "accept": "--accept",
    "compact": "--compact",
    "to_version": "--to-version",
    "touch": "--touch",
    "lost": "--lost",
    "archive": "--archive",
    "checksums": "--checksums",
    "cluster_size": "--cluster-size",
    "against": "--against",
    "max_unit": "--max-unit",
    "thresholds": "--threshold",
    "verify_signatures": "--verify-signatures",
    "no_correct": "--no-correct",
    "jobs": "--jobs",
}
FILTER_OPTIONS = {
    "kinds": "--kind",
    "flags": "--flag",
    "damaged": "--damaged",
    "deleted": "--deleted/--live",
    "start": "--from",
    "end": "--to",
    "member": "--member",
    "scid": "--scid",
    "node": "--node",
    "text": "--text",
    "value_limit": "--value-limit",
    "dump": "--dump",
}


def wished(wishes: Wishes) -> list[str]:
    """The names of the wishes that differ from their defaults."""
    return changed(wishes, WISH_OPTIONS)


def changed(value: Struct, names: Iterable[str]) -> list[str]:
    defaults = type(value)()
    present = set(value.__struct_fields__)
    return [name for name in names if name in present and getattr(value, name) != getattr(defaults, name)]


def refuse_unknown(asked: list[str], understood: frozenset[str], formats: Formats, name: str, what: str) -> None:
    """An option that the format does not know is a usage error that names the formats that do."""
    options = WISH_OPTIONS if what == "wishes" else FILTER_OPTIONS
    for one in asked:
        if one not in understood:
            who = [f.name for f in formats if one in getattr(f, what)]
            known = f"formats that do: {', '.join(who)}" if who else "no format does"
            raise UsageError(f"{name} does not understand {options[one]}", known)


def number(text: str, what: str) -> int:
    """A count or offset: decimal, 0x hexadecimal, with _ or , between digits."""
    plain = text.strip().replace(",", "").replace("_", "")
    if re.fullmatch(r"\d{1,20}|0[xX][0-9a-fA-F]{1,16}", plain):
        return int(plain, 16) if plain[:2] in ("0x", "0X") else int(plain)
    raise UsageError(f"{what}: not a number: {text}", "decimal, or hexadecimal with 0x")


def max_unit(text: str | None) -> int:
    """Bytes of --max-unit, or what the contract has as default."""
    from inspector.format import Wishes

    return Wishes().max_unit if text is None else number(text, "--max-unit")


def limits(texts: list[str] | None) -> dict[str, float]:
    """The values of --threshold by name."""
    found = {}
    for text in texts or ():
        name, given, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            given = ""
        if not given or not name:
            raise UsageError(f"--threshold: not NAME=VALUE: {text}")
    return found


def moment(text: str | None) -> int | None:
    """Unix seconds of --at; a time without a zone is UTC."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,12}", text):
        return int(text)
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at: not a time: {text}", "unix seconds, or 2025-01-31T12:00:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
