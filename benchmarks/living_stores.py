"""Stores of each kind that live from hour to hour as their programs let them, for `benchmarks.month_of_scans`.

Each is a generator: the store is at the path after the first step, and has changed after each further one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from inspector.formats.known_peers.payload import Peer
from inspector.formats.known_peers.slots import slot_length
from tests.builders import kad_trace, known_peers, snarkos, spdk
from tests.builders.snarkos_wal import write_wal

Life = Callable[[Path, Random], Iterator[None]]
ROOM = slot_length(100)
BLOCKS = 24


def rocksdb(path: Path, rng: Random) -> Iterator[None]:
    """Written by the engine: flushes, compactions, WALs that end, closed and opened again, now and then killed."""
    from rocksdict import Options, Rdict

    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(64 << 10)
    options.set_target_file_size_base(128 << 10)
    options.set_level_zero_file_num_compaction_trigger(2)
    database = Rdict(str(path), options)
    while True:
        for _ in range(rng.randrange(300)):
            key = f"k{rng.randrange(5_000):06}".encode()
            if rng.random() < 0.2:
                database.delete(key)
            else:
                database[key] = rng.randbytes(rng.randrange(10, 300))
        if rng.random() < 0.2:
            database.flush()
        if rng.random() < 0.05:
            database.compact_range(None, None)
        if rng.random() < 0.2:
            database.close()
            yield None
            database = Rdict(str(path), options)
        else:
            yield None  # it is open: what was written last is in the WAL alone


def log(path: Path, rng: Random) -> Iterator[None]:
    """A node that starts, finds its peers, and talks; its log is moved aside once a day."""
    hour = 0
    while True:
        made, written = kad_trace.Log(rng.choice(kad_trace.FORMS)), 0
        made.process_start()
        made.bootstrap(rng.randrange(5, 20), None, 0, ())
        with path.open("wb") as file:
            for _ in range(24):
                for _ in range(rng.randrange(200)):
                    made.idle(rng.random() * 9)
                file.write(made.data[written:])
                file.flush()
                written, hour = len(made.data), hour + 1
                yield None
        path.rename(path.with_suffix(".log.1"))


def peers(path: Path, rng: Random) -> Iterator[None]:
    """Two slots in turn, written in place."""
    path.write_bytes(bytes(2 * ROOM))
    turn, states = 0, [b"", b""]
    while True:
        known: tuple[Peer, ...] = known_peers.peers(rng.randrange(1, 90), rng.randrange(1000))
        body = known_peers.seal(known_peers.payload(known, known_peers.WROTE + 3600 * turn))
        states[turn % 2] = known_peers.slot(body, states[turn % 2])
        with path.open("r+b") as file:
            os.pwrite(file.fileno(), states[turn % 2], ROOM * (turn % 2))
        turn += 1
        yield None


def ledger(path: Path, rng: Random) -> Iterator[None]:
    """A block now and then, and a ledger begun anew from time to time."""
    while True:
        blocks, height = snarkos.ledger(BLOCKS, rng.randrange(1 << 20), heavy=0), 1
        path.mkdir(exist_ok=True)
        while height <= BLOCKS:
            for name, data in write_wal(snarkos.batches(blocks[:height])).items():
                if not (path / name).exists() or (path / name).read_bytes() != data:
                    (path / name).write_bytes(data)
            yield None
            height += rng.random() < 0.5


def blobstore(path: Path, rng: Random) -> Iterator[None]:
    """Volumes, their snapshots and clones come; unloaded, in use, or in use and never unloaded."""
    while True:
        steps: list[tuple[str, int, tuple[int, ...], int | None, bool]] = []
        for number in range(30):
            size = rng.choice((1, 3, 8, 20))
            written = tuple(sorted(rng.sample(range(size), rng.randrange(min(size, 3) + 1))))
            parents = [i for i, step in enumerate(steps) if step[4]]
            parent = rng.choice(parents) if parents and rng.random() < 0.6 else None
            steps.append((f"volume-{number}", size, written, parent, rng.random() < 0.5))
            image, made = spdk.Image(300, spdk.PAGE, spdk.PAGE, 64, b"lvs", 100), list[int]()
            for label, clusters, own, of, snapshot in steps:
                base = made[of] if of is not None else None
                made.append(image.lvol(label, clusters, list(own), parent=base, snapshot=snapshot))
            path.write_bytes(image.build(rng.random() < 0.6))
            yield None


LIVES: dict[str, tuple[str, Life]] = {  # kind -> name of its file, and how it lives
    "rocksdb": ("db", rocksdb),
    "log": ("node.log", log),
    "known peers": ("known_addresses.bin", peers),
    "ledger": ("ledger", ledger),
    "blobstore": ("disk.img", blobstore),
}
