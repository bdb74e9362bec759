"""A healthy gossip store of any size, written piece by piece: PATH BYTES [new | few | mix] [SEED] [FLIPPED BITS].

`new`: channels that no one has seen before, from the first byte to the last, as on a store that is never compacted
while the network turns over; a channel and its nodes for each 2.6 kB. `few`: the channels of the first ten megabytes,
then nothing but updates that were replaced since. `mix`: a tenth of the bytes new channels, the rest such updates.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from crc32c import crc32c

from tests.builders.gossip import DELETED, grown

PIECE = 10_000_000
HEADER, CHAIN = 12, 32
BLOCKS = 20_000  # heights that one piece of channels may use
_SEAL = struct.Struct(">HHII")
FRESH = 10  # of a mix, every so many pieces is one of new channels


class Record:
    """One record of the first piece: what changes when it is told again of other channels and nodes."""

    __slots__ = ("flags", "kind", "nodes", "raw", "scid", "time")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.flags, _, _, self.time = _SEAL.unpack_from(raw)
        self.kind = int.from_bytes(raw[12:14], "big")
        self.scid = 0
        self.nodes: tuple[int, ...] = ()
        if self.kind == 256:
            self.scid = HEADER + 260 + int.from_bytes(raw[HEADER + 258 : HEADER + 260], "big") + CHAIN
            self.nodes = (self.scid + 8, self.scid + 41)
        elif self.kind == 258:
            self.scid = HEADER + 66 + CHAIN
        elif self.kind in (4103, 4106):
            self.scid = HEADER + 2
        elif self.kind == 257:
            self.nodes = (HEADER + 72 + int.from_bytes(raw[HEADER + 66 : HEADER + 68], "big"),)

    def of(self, piece: int) -> bytes:
        """For the channels and nodes of another piece: higher blocks, other bytes late in each key."""
        data = bytearray(self.raw)
        if self.scid:
            block = int.from_bytes(data[self.scid : self.scid + 3], "big") + piece * BLOCKS
            data[self.scid : self.scid + 3] = block.to_bytes(3, "big")
        for at in self.nodes:
            data[at + 6] ^= piece & 255  # the order of two keys hangs on bytes before these
            data[at + 7] ^= piece >> 8
        struct.pack_into(">I", data, 4, crc32c(data[HEADER:], self.time))
        return bytes(data)

    def replaced(self, piece: int, times: int) -> bytes:
        """An update of that piece as it was before, deleted since."""
        data = bytearray(self.of(piece))
        time = self.time - 1 - times
        at = self.scid + 8
        data[at : at + 4] = time.to_bytes(4, "big")
        _SEAL.pack_into(data, 0, self.flags | DELETED, len(data) - HEADER, crc32c(data[HEADER:], time), time)
        return bytes(data)


def records(data: bytes) -> list[Record]:
    found, at = [], 1
    while at < len(data):
        end = at + HEADER + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append(Record(data[at:end]))
        at = end
    return found


def pieces(shape: str, seed: int) -> Iterator[bytes]:
    """Without end."""
    first = grown(16, PIECE, seed).store.bytes()
    yield first
    told = [record for record in records(first) if record.kind != 4107]
    updates = [record for record in told if record.kind == 258]
    piece, turn = 0, 0
    while True:
        turn += 1
        if shape == "new" or (shape == "mix" and turn % FRESH == 0):
            piece += 1
            yield b"".join(record.of(piece) for record in told)
        else:
            yield b"".join(record.replaced(piece, turn) for record in updates)


def build(path: Path, size: int, shape: str = "new", seed: int = 1, flips: int = 0) -> None:
    """Whole records up to the first one that would not fit."""
    with path.open("wb") as file:
        for data in pieces(shape, seed):
            room = size - file.tell()
            if len(data) > room:
                file.write(_whole(data, room, file.tell() == 0))
                break
            file.write(data)
        size = file.tell()
    with path.open("r+b") as file:
        for k in range(1, flips + 1):
            at = size // (flips + 1) * k
            file.seek(at)
            byte = file.read(1)[0] ^ 1 << k % 8
            file.seek(at)
            file.write(bytes([byte]))


def _whole(data: bytes, room: int, begins: bool) -> bytes:
    at = int(begins)
    while at + HEADER <= len(data):
        end = at + HEADER + int.from_bytes(data[at + 2 : at + 4], "big")
        amount = data[at + 12 : at + 14] == b"\x01\x00"  # an announcement stays with the amount behind it
        if end + 22 * amount > room:
            break
        at = end
    return data[:at]


if __name__ == "__main__":
    words = sys.argv[1:]
    shape, seed, flips = (words[2:] + ["new", "1", "0"][len(words) - 2 :])[:3]
    build(Path(words[0]), int(float(words[1])), shape, int(seed), int(flips))
