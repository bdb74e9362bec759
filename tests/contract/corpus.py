"""What the promises are tried on: each format's samples from disk, and those samples damaged again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from inspector import formats
from inspector.format import Format, Wishes
from inspector.source import MemorySource, Source, open_source
from tests import damage

SAMPLES = Path(__file__).parents[2] / "samples"


@dataclass(frozen=True, slots=True)
class Case:
    """One sample on disk: a file, or a folder that is one store; or one that was made, and has no file."""

    format: Format
    path: Path
    made: Mapping[str, bytes] | None = None

    def open(self) -> Source:
        return open_source(str(self.path))

    def members(self) -> dict[str, bytes]:
        if self.made is not None:
            return dict(self.made)
        if self.path.is_file():
            return {"": self.path.read_bytes()}
        files = sorted(p for p in self.path.rglob("*") if p.is_file())
        return {str(p.relative_to(self.path)): p.read_bytes() for p in files}


def wishes_of(case: Case) -> Wishes:
    """What shows most of a sample: checksums where the format has them, and the document beside it."""
    beside = case.path.with_suffix(".against")
    against = ((beside.name, beside.read_bytes()),) if beside.exists() else ()
    return Wishes(checksums="checksums" in bottom_of(case.format).wishes, against=against)


def folder_of(form: Format) -> Path:
    return SAMPLES / form.name.replace("-", "_")


def cases() -> list[Case]:
    """Every entry of samples/FORMAT except documentation and scripts."""
    return [
        Case(form, path)
        for form in formats.all_formats()
        if folder_of(form).is_dir()
        for path in sorted(folder_of(form).iterdir())
        if path.suffix not in (".md", ".py", ".against") and path.name != "__pycache__"
    ]


def case_id(case: Case) -> str:
    return f"{case.format.name}/{case.path.name}"


def memory(members: dict[str, bytes]) -> MemorySource:
    return MemorySource(members[""] if set(members) == {""} else members, "sample")


def bottom_of(form: Format) -> Format:
    by_name = {f.name: f for f in formats.all_formats()}
    while form.on is not None:
        form = by_name[form.on]
    return form


def damaged_again(case: Case, count: int, seed: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """`count` seeded damages of one member each, with words for the failure message."""
    rng = Random(f"{case.path.name}/{seed}")
    members = case.members()
    names = [name for name, data in members.items() if len(data) > 16]
    for _ in range(count if names else 0):
        name = rng.choice(names)
        words, data = _hurt(members[name], rng)
        yield f"{name or case.path.name}: {words}", {**members, name: data}


def _hurt(data: bytes, rng: Random) -> tuple[str, bytes]:
    size = len(data)
    start = rng.randrange(size)
    end = min(size, start + rng.choice((1, 12, 200, 4096)))
    kind = rng.randrange(8)
    if kind == 0:
        bit = rng.randrange(8)
        return f"bit {bit} of byte {start}", damage.flip_bit(data, start, bit).data
    if kind == 1:
        return f"noise at {start}-{end}", damage.noise(data, start, end, rng.randrange(99)).data
    if kind == 2:
        return f"cut at {start}-{end}", damage.cut(data, start, end).data
    if kind == 3:
        return f"truncated to {start}", damage.truncate(data, start).data
    if kind == 4:
        return f"spliced noise at {start}", damage.splice(data, start, rng.randbytes(rng.choice((1, 7, 300)))).data
    if kind == 5:
        return "itself appended", damage.append(data, data).data
    if kind == 6 and data[start:end].strip(b"\0"):
        return f"zeroes at {start}-{end}", damage.zero(data, start, end).data
    return f"ones at {start}-{end}", data[:start] + bytes(b ^ 0xFF for b in data[start:end]) + data[end:]
