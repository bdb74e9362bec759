"""Writes every sample and the ledger README.md beside them: `python -m samples.build [FOLDER]`."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.builders import (
    gossip_samples,
    kad_trace_samples,
    known_peers_samples,
    longhorn_samples,
    piece_cache_samples,
    rocksdb_samples,
    snarkos_samples,
    spdk_samples,
)
from tests.builders.samples import Sample

# each format adds its own tuple of samples here
ALL: tuple[Sample, ...] = (
    *gossip_samples.SAMPLES,
    *spdk_samples.SAMPLES,
    *longhorn_samples.SAMPLES,
    *known_peers_samples.SAMPLES,
    *piece_cache_samples.SAMPLES,
    *kad_trace_samples.SAMPLES,
    *rocksdb_samples.SAMPLES,
    *snarkos_samples.SAMPLES,
)

HEAD = """# Samples and where they come from

Every file here was made by `python -m samples.build` from the builder named in the table; none was copied from a real
node. The same script always writes the same bytes, and a test rebuilds them and compares. "Shows" lists the codes of
all errors and warnings, and of the notes that the story is about (`inspector explain CODE`).
"""
COLUMNS = "| file | bytes | sha256 | what is wrong | shows |\n|---|---|---|---|---|\n"


def files(sample: Sample) -> Iterator[tuple[str, bytes]]:
    """Paths below samples/ and their bytes; a folder gives one for each member."""
    made = sample.make()
    if isinstance(made, bytes):
        yield f"{sample.format}/{sample.name}", made
    else:
        for member, data in sorted(made.items()):
            yield f"{sample.format}/{sample.name}/{member}", data


def ledger(samples: Iterable[Sample]) -> str:
    parts, current = [HEAD], ""
    for sample in samples:
        if sample.format != current:
            current = sample.format
            parts.append(f"\n## {current}\n\n{COLUMNS}")
        for path, data in files(sample):
            name = path.removeprefix(f"{current}/")
            shows = ", ".join(sample.rules) or "clean"
            digest = hashlib.sha256(data).hexdigest()
            parts.append(f"| {name} | {len(data)} | `{digest}` | {sample.story} | {shows} |\n")
    return "".join(parts)


def main(folder: Path) -> None:
    for sample in ALL:
        for path, data in files(sample):
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    (folder / "README.md").write_text(ledger(ALL), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
