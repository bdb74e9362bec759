"""The damaged piece caches of samples/piece_cache: an element has 1 MiB, so they are few."""

from __future__ import annotations

from inspector.formats.piece_cache.layout import ELEMENT
from tests.builders import piece_cache as build
from tests.builders.samples import Sample


def _flipped() -> bytes:
    data = bytearray(build.element(7) + build.element(8))
    data[500_000] ^= 0x04
    return bytes(data)


SAMPLES = (
    Sample("piece_cache", "piece_cache-bad.bin", "one bit of the first piece is flipped", ("PCH001",), _flipped),
    Sample(
        "piece_cache",
        "piece_cache-twice.bin",
        "two elements hold the same piece",
        ("PCH003",),
        lambda: build.element(7) + build.element(7),
    ),
    Sample(
        "piece_cache",
        "piece_cache-cut.bin",
        "the file was cut 10,000 bytes behind its first element",
        ("PCH002",),
        lambda: (build.element(7) + build.element(8))[: ELEMENT + 10_000],
    ),
    Sample(
        "piece_cache",
        "piece_cache-moved.bin",
        "512 bytes were put in before the first element",
        ("PCH001", "PCH004"),
        lambda: b"\x5a" * 512 + build.element(7),
    ),
)
