"""The stores that `tests.proof` damages at every place: samples, and the smallest ones that have every structure."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from blake3 import blake3
from msgspec import Struct

from inspector import formats
from inspector.format import Format, Wishes
from inspector.formats.known_peers.slots import slot_length
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.version import Family, Version
from tests.builders import known_peers as known
from tests.builders import longhorn_samples as longhorn
from tests.builders import piece_cache
from tests.builders import rocksdb_table as sst
from tests.builders.snarkos import ledger
from tests.builders.snarkos_wal import DB_ID, WAL, write_wal
from tests.builders.spdk import PAGE, Image

SAMPLES = Path(__file__).parents[1] / "samples"
AGAINST = "(against)"  # in place of a member's name: the document that a store is held against
PIECES = ("hunting", "elements", "layout", "merging", "units", "views")  # modules that know its size
ELEMENT = 8 + 16 + 48 + 48 + 32  # of a piece cache whose records have 16 bytes instead of 1 MiB

# one small sound sample of each kind of store, and what only a damaged one holds
SAMPLED = (
    "gossip_store/clean-v16.gossip_store",
    "gossip_store/clean-v9.gossip_store",
    "rocksdb/clean-v7.sst",
    "rocksdb/000014-batch.log",
    "rocksdb/manifest-cut",
    "rocksdb/value-bit.blob",
    "rocksdb/clean-db",
    "rocksdb/leveldb-bit",
    "snarkos_blocks/0.5.blocks",
    "snarkos_blocks/latest.json",
    "kad_trace/stalled.log",
    "kad_trace/stalled.log.gz",
    "kad_trace/stalled-journald.log",
)


class Store(Struct, frozen=True):
    """A store to be damaged at every place; its format works in `within`."""

    name: str
    form: Format
    make: Callable[[], dict[str, bytes]]
    against: Callable[[], bytes] | None = None
    within: Callable[[], AbstractContextManager[None]] = nullcontext

    def members(self) -> dict[str, bytes]:
        """Its files, and the document that it is held against as one more."""
        return self.make() | ({AGAINST: self.against()} if self.against else {})


def wishes(members: dict[str, bytes]) -> Wishes:
    return Wishes(against=(("memory", members[AGAINST]),)) if AGAINST in members else Wishes()


def form_named(name: str) -> Format:
    return next(form for form in formats.all_formats() if form.name == name)


def sample(name: str) -> Store:
    path = SAMPLES / name

    def make() -> dict[str, bytes]:
        if path.is_file():
            return {"": path.read_bytes()}
        return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}

    return Store(name, form_named(path.parent.name.replace("_", "-")), make)


def blobstore() -> dict[str, bytes]:
    """Smallest page and cluster: a snapshot, its clone, a thick volume of runs, and metadata of two pages."""
    image = Image(clusters=17, cluster_size=PAGE, md_len=9)
    snap = image.lvol("snap", 2, [0], snapshot=True, xattrs={b"user_created": b"true\0"})
    image.lvol("head", 2, [1], parent=snap)
    image.lvol("thick", 1, [0], thin=False, rle=True)
    image.lvol("long", 1, [], xattrs={b"note": b"n" * 3950})
    return {"": bytes(image.build())}


def _replica() -> Image:
    image = Image(clusters=12, cluster_size=PAGE, md_len=6, name_size=256)
    checksum = {b"checksum": struct.pack("<Q", 42)}
    snap = image.lvol(f"{longhorn.R1}-snap-one", 2, [0], snapshot=True, xattrs=checksum)
    image.lvol(longhorn.R1, 2, [1], parent=snap)
    return image


def replica() -> dict[str, bytes]:
    """A head on a snapshot."""
    return {"": bytes(_replica().build())}


def memory_of_replica() -> bytes:
    """What a running system says about it."""
    image, name = _replica(), f"{longhorn.R1}-snap-one"
    one, head = sorted(image.vols)[1:]
    below = longhorn.bdev(image, one, name, None, [longhorn.R1])
    return longhorn.dump([below, longhorn.bdev(image, head, longhorn.R1, name, [])])


def small_ledger() -> dict[str, bytes]:
    """Block 0 in a table, block 1 in the WAL, and a MANIFEST that lists both."""
    first, second = ledger(2)
    rows = sorted(first.rows().items())
    pairs = [(keys.internal(key, n + 1, keys.PUT), value) for n, (key, value) in enumerate(rows)]
    built = sst.table(pairs, sst.Shape(codec=4, block_size=2048))
    new = NewFile(6, 2, len(built.data), built.smallest, built.largest, 1, len(rows))
    puts = [(0, keys.PUT, key, value) for key, value in second.rows().items()]
    family = Family(0, "default", log_number=4, files={2: new})
    version = Version(next_file=5, last_sequence=len(rows), db_id=DB_ID)
    return {
        **write_wal([]),
        WAL: frame(batch.encode(len(rows) + 1, puts), 0),
        "MANIFEST-000003": snapshot([family], version),
        "000002.sst": built.data,
    }


def pieces(size: int = ELEMENT) -> dict[str, bytes]:
    """A piece, an empty element, and another piece."""

    def piece(index: int) -> bytes:
        body = index.to_bytes(8, "little") + blake3(b"%d" % index).digest(length=size - 40)
        return body + blake3(body).digest()

    return {"": piece(7) + bytes(size) + piece(8)}


@contextmanager
def tiny_elements() -> Iterator[None]:
    """The code of piece caches over elements of 152 bytes: all bytes of an element are hashed alike, however many."""
    modules = [importlib.import_module(f"inspector.formats.piece_cache.{m}") for m in PIECES]
    with ExitStack() as patches:
        for module in modules:
            patches.enter_context(patch.object(module, "ELEMENT", ELEMENT))
        patches.enter_context(patch.object(modules[0], "EMPTY", bytes(ELEMENT)))
        yield


def peers() -> dict[str, bytes]:
    """Slots for one peer: the newer list in A over the rest of an older one, and B."""
    room = slot_length(1)
    lists = [known.payload(known.peers(n, first), known.WROTE - age, cache=1) for n, first, age in _LISTS]
    newer, older, oldest = map(known.seal, lists)
    return {"": known.slot(newer, oldest, room) + known.slot(older, room=room)}


_LISTS = ((3, 0, 0), (2, 0, 5), (4, 100, 60))  # peers, the first of them, seconds before the newest


def stores() -> list[Store]:
    return [
        *map(sample, SAMPLED),
        Store("(made) peers of a cache for one", form_named("known-peers"), peers),
        Store("(made) blobstore of 68 KiB", form_named("spdk-blobstore"), blobstore),
        Store("(made) replica of 48 KiB", form_named("longhorn"), replica, memory_of_replica),
        Store("(made) ledger of 2 blocks", form_named("snarkos"), small_ledger),
        Store("(made) pieces of 152 bytes", form_named("piece-cache"), pieces, within=tiny_elements),
        Store("(made) a piece of 1 MiB", form_named("piece-cache"), lambda: {"": piece_cache.element(7)}),
    ]
