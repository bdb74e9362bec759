"""Stores cut into blocks and lost among other bytes, and carving them in one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from inspector.carve import Carved, Carver, CarveWishes, Found, carve
from inspector.carvers import carver
from inspector.errors import Exit
from inspector.source import MemorySource, Source
from tests.formats.gossip_store.witness import Record, walk

BLOCK = 4096


def shuffled(store: bytes, blocks_of_noise: int, seed: int = 0, block: int = BLOCK) -> bytes:
    """The store's blocks, the last one filled up with zeroes, shuffled into random ones."""
    rng = Random(seed)
    pieces = [store[at : at + block].ljust(block, b"\0") for at in range(0, len(store), block)]
    pieces += [rng.randbytes(block) for _ in range(blocks_of_noise)]
    rng.shuffle(pieces)
    return b"".join(pieces)


def whole_in_a_block(store: bytes, block: int = BLOCK) -> list[Record]:
    return [r for r in walk(store) if r.at // block == (r.end - 1) // block]


def key(record: Record) -> tuple[int, bytes]:
    return record.time, record.body


@dataclass(frozen=True, slots=True)
class Run:
    carved: Carved
    spans: list[Found]
    out: bytes

    @property
    def code(self) -> Exit:
        return self.carved.code

    @property
    def records(self) -> list[Record]:
        return list(walk(self.out))

    def fates(self) -> set[str]:
        return {span.fate for span in self.spans}


def run(
    data: bytes | Source, folder: Path, wishes: CarveWishes | None = None, what: str | Carver = "gossip-store"
) -> Run:
    """Carve bytes into a file of `folder`, which is removed again."""
    source = MemorySource(data) if isinstance(data, bytes) else data
    out = folder / "carved"
    spans: list[Found] = []

    def report(carved: Carved) -> None:
        spans.extend(carved.haul.spans())

    chosen = carver(what) if isinstance(what, str) else what
    carved = carve(source, chosen, str(out), wishes or CarveWishes(), report=report)
    written = out.read_bytes() if out.is_file() else b""
    out.unlink(missing_ok=True)
    return Run(carved, spans, written)
