"""Samples of ledgers and CDN files. All are synthetic: no real node wrote them."""

from __future__ import annotations

from collections.abc import Callable

from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.version import Family, Version
from tests import damage
from tests.builders import snarkos_variants as variants
from tests.builders.samples import Sample
from tests.builders.snarkos import cdn_file, cdn_latest, key, ledger, sized, u
from tests.builders.snarkos_variants import Variant
from tests.builders.snarkos_wal import DB_ID, WAL, write_wal

FORMAT, CDN = "snarkos", "snarkos_blocks"
BLOCKS = 6


def _of(make: Callable[[int], Variant]) -> Callable[[], dict[str, bytes]]:
    return lambda: write_wal(make(BLOCKS).batches)


def _clean() -> dict[str, bytes]:
    return write_wal(variants.clean(BLOCKS).batches)


def _torn() -> dict[str, bytes]:
    members = _clean()
    return {**members, WAL: members[WAL][: len(members[WAL]) * 3 // 4]}


def _hole() -> dict[str, bytes]:
    members = _clean()
    return {**members, WAL: damage.flip_bit(members[WAL], len(members[WAL]) // 2, 3).data}


def _stale_tree() -> dict[str, bytes]:
    return {**_clean(), "block_tree": b"synthetic tree " + ledger(BLOCKS)[2].root}


def _newer() -> dict[str, bytes]:
    extra = {key(60, b"\1" * 32): b"\2" * 8, key(77, b"some key"): b"some value"}
    return write_wal([*variants.clean(BLOCKS).batches, extra])


def _mixed() -> dict[str, bytes]:
    return write_wal([*variants.clean(BLOCKS).batches, {key(19, b"\0", network=1): u(7, 8)}])


def _heights_gone() -> dict[str, bytes]:
    batches = variants.clean(BLOCKS).batches
    return write_wal([*batches[:2], *batches[3:]])


def _malformed() -> dict[str, bytes]:
    blocks = ledger(BLOCKS)
    return write_wal([*(b.rows() for b in blocks), {key(6, blocks[3].hash): u(280, 8) + bytes(100)}])


def _header_wrong() -> dict[str, bytes]:
    """Two blocks whose headers were written under each other's hash."""
    blocks = ledger(BLOCKS)
    swapped = {
        key(6, blocks[2].hash): blocks[3].insert[key(6, blocks[3].hash)],
        key(6, blocks[3].hash): blocks[2].insert[key(6, blocks[2].hash)],
    }
    return write_wal([*(b.rows() for b in blocks), swapped])


def _committee_wrong() -> dict[str, bytes]:
    blocks = ledger(BLOCKS)
    return write_wal([*(b.rows() for b in blocks), {key(21, u(3, 4)): blocks[4].finalize[key(21, u(4, 4))]}])


def _round_wrong() -> dict[str, bytes]:
    return write_wal([*variants.clean(BLOCKS).batches, {key(19, b"\0"): u(3, 8)}])


def _table_gone() -> dict[str, bytes]:
    """The MANIFEST lists a table of maps 51 to 59 that is not there."""
    batches = [{k: v for k, v in rows.items() if k[2] < 51} for rows in variants.clean(BLOCKS).batches]
    low, high = keys.internal(key(51, bytes(32)), 9, keys.PUT), keys.internal(key(59, b"\xff" * 40), 9, keys.PUT)
    family = Family(0, "default", log_number=4, files={2: NewFile(6, 2, 4096, low, high, 1, 9)})
    version = Version(next_file=5, last_sequence=0, db_id=DB_ID)
    return {**write_wal(batches), "MANIFEST-000003": snapshot([family], version)}


def _archive() -> dict[str, bytes]:
    batches = [{k: v for k, v in rows.items() if k[2] not in (19, 58, 59)} for rows in variants.clean(BLOCKS).batches]
    return {**write_wal(batches), "ARCHIVE-NOT-A-LEDGER.txt": b"synthetic\n"}


def _cdn(start: int = 0, end: int = 5) -> bytes:
    return cdn_file(ledger(end), start, end)


def _cdn_cut() -> bytes:
    return _cdn()[:-300]


def _cdn_swapped() -> bytes:
    data = _cdn()
    at = _starts(data)
    return data[: at[2]] + data[at[3] : at[4]] + data[at[2] : at[3]] + data[at[4] :]


def _starts(data: bytes) -> list[int]:
    at, found = 8, []
    while at < len(data):
        found.append(at)
        at += 8 + int.from_bytes(data[at : at + 8], "little")
    return found


def _cdn_length() -> bytes:
    data = _cdn()
    return damage.flip_bit(data, _starts(data)[2] + 2, 1).data


def _cdn_link() -> bytes:
    data = _cdn()
    return damage.flip_bit(data, _starts(data)[3] + 8 + 33 + 4, 1).data


def _cdn_time() -> bytes:
    data = _cdn()
    return damage.flip_bit(data, _starts(data)[3] + 8 + 65 + 272 + 4, 0).data


def _cdn_authority() -> bytes:
    data = _cdn()
    return damage.flip_bit(data, _starts(data)[2] + 8 + 345, 4).data


def _latest_bad() -> bytes:
    return sized(b'{"exclusive_height":49,"inclusive_height":49,"hash":"ab1synthetic"}')


def _ledger(name: str, story: str, rules: str, make: Callable[[], dict[str, bytes]], repairs: bool = True) -> Sample:
    return Sample(FORMAT, name, story, tuple(rules.split()), make, repairs)


def _file(name: str, story: str, rules: str, make: Callable[[], bytes], repairs: bool = True) -> Sample:
    return Sample(CDN, name, story, tuple(rules.split()), make, repairs)


SAMPLES: tuple[Sample, ...] = (
    _ledger("clean", "nothing: six whole blocks", "", _clean),
    _ledger(
        "tip-not-finalised", "stopped between the two batches (snarkVM#2218)", "SNK006", _of(variants.not_finalised)
    ),
    _ledger(
        "tip-partly-written",
        "some maps have the last block (snarkVM#1762)",
        "SNK001 SNK007",
        _of(variants.partly_written),
    ),
    _ledger("id-gap", "map 4 lacks a height", "SNK003", _of(lambda n: variants.gap(n, 3))),
    _ledger(
        "stale-reverse",
        "map 5 leads a hash to the height before",
        "SNK004",
        _of(lambda n: variants.stale_reverse(n, 3)),
    ),
    _ledger("orphan-transaction", "rows of a block that is not there", "SNK005", _of(variants.orphans)),
    _ledger("heights-missing", "one block has no row in any map", "SNK008", _heights_gone, False),
    _ledger(
        "header-mismatch",
        "a header names another state root",
        "SNK009",
        _of(lambda n: variants.header_mismatch(n, 3)),
        False,
    ),
    _ledger(
        "headers-swapped",
        "two headers under each other's hash",
        "SNK009 SNK010 SNK014 SNK003 SNK005",
        _header_wrong,
        False,
    ),
    _ledger("value-cut", "a header of 100 bytes behind a length of 280", "SNK011", _malformed, False),
    _ledger("newer-maps", "rows of maps that 2024 did not have", "SNK012", _newer),
    _ledger("two-networks", "a row of testnet in a mainnet ledger", "SNK013", _mixed),
    _ledger("committee-wrong", "a height has the next one's committee", "SNK014", _committee_wrong, False),
    _ledger(
        "finalised-ahead",
        "finalised, but not in the block store (snarkOS#2974)",
        "SNK015",
        _of(variants.finalised_ahead),
        False,
    ),
    _ledger("block-tree-stale", "the cache is of an earlier height", "SNK016", _stale_tree),
    _ledger("wal-torn", "the WAL ends inside a record", "SNK017", _torn),
    _ledger("wal-hole", "one bit of a WAL record flipped", "SNK018 RDB020 RDB021", _hole),
    _ledger("table-gone", "a listed table is not there", "SNK002 SNK019 RDB011", _table_gone, False),
    _ledger("archive", "what --archive writes", "SNK020", _archive),
    _ledger("current-round-wrong", "an older current round", "SNK021", _round_wrong),
    _file("0.5.blocks", "nothing: five linked blocks", "", _cdn),
    _file("latest.json", "nothing: the newest height of a CDN", "", lambda: cdn_latest(49)),
    _file("truncated.blocks", "a download that ended early", "SNB002", _cdn_cut),
    _file("swapped.blocks", "two blocks in each other's place", "SNB005", _cdn_swapped),
    _file("length-bit.blocks", "one bit of a length flipped", "SNB001 SNB004 SNB005", _cdn_length),
    _file("link.blocks", "a block names another predecessor", "SNB006", _cdn_link),
    _file("time.blocks", "a timestamp far ahead", "SNB007", _cdn_time),
    _file("authority.blocks", "an authority of a kind that is not there", "SNB003", _cdn_authority),
    _file("0.9.blocks", "a name that promises nine blocks", "SNB008", _cdn),
    _file("latest-wrong.json", "both heights are the same", "SNB009", _latest_bad, False),
)
