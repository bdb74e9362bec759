"""What hostile files may cost is bounded by their size, and said where it bites; what is lifted is read whole."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from inspector.errors import UsageError
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.kad_trace.packed import LEAST, SPARE_LINES, Unpacked
from inspector.formats.known_peers import flip
from inspector.formats.longhorn import memory
from inspector.formats.rocksdb import block, keys, log, logical
from inspector.formats.rocksdb.codecs import RATIO, SPARE, beyond
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.spdk_blobstore import assemble, workshop
from inspector.formats.spdk_blobstore.store import Store
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from tests.builders import bomb_claims, bombs, rocksdb
from tests.builders.known_peers import healthy
from tests.builders.rocksdb_table import Shape, table

MIB = 1 << 20


def scan(data: bytes, name: str, **wishes: int) -> Report:
    return inspect(MemorySource(data, name), all_formats(), Wishes(**wishes))  # type: ignore[arg-type]


def codes(report: Report) -> dict[str, int]:
    return {code: count for (code, _), count in report.tally.counts.items()}


def large(sizes: list[int]) -> bytes:
    """A table of zstd blocks, each with one value of zeroes."""
    pairs = [(keys.internal(b"key-%06d" % i, 5, keys.PUT), bytes(size)) for i, size in enumerate(sizes)]
    return bombs.table([(7, bombs.packed(7, block.build([pair], 1))) for pair in pairs])


def test_a_block_that_unpacks_to_much_is_read_and_many_such_are_only_checksummed() -> None:
    assert codes(scan(large([17 * MIB]), "a.sst")) == {}
    report = scan(large([17 * MIB] * 4), "a.sst")
    assert codes(report) == {"RDB035": 3}
    assert report.account.damaged == 0
    assert "--max-unit" in next(iter(report.tally.findings())).message


def test_more_room_is_given_on_request() -> None:
    assert codes(scan(large([17 * MIB] * 4), "a.sst", max_unit=256 * MIB)) == {}


def test_blocks_as_real_data_packs_take_nothing_of_the_room() -> None:
    values = [(key, b"value " * 100 + value) for key, value in rocksdb.pairs(0, 3000)]
    assert codes(scan(table(values, Shape(codec=7)).data, "a.sst")) == {}
    assert beyond(7, bombs.packed(7, b"value of a block " * 200), 5) == 0


def test_a_block_that_is_not_unpacked_is_no_loss(tmp_path: Path) -> None:
    (tmp_path / "a.sst").write_bytes(data := large([17 * MIB] * 4))
    with open_source(str(tmp_path / "a.sst")) as source:
        done = repair(source, all_formats(), str(tmp_path / "b.sst"), Wishes())
    assert (tmp_path / "b.sst").read_bytes() == data
    assert done.bytes["lost"] == 0


@pytest.mark.parametrize("framed", [True, False])
def test_records_of_a_log_share_one_room(framed: bool) -> None:
    packer = zstandard.ZstdCompressor(write_content_size=framed)
    told = bomb_claims.record(log.SET_COMPRESSION, (7).to_bytes(4, "little"))
    data = bytearray(told)
    for _ in range(4):
        data += frame(packer.compress(bytes(17 * MIB)), len(data))
    reader = log.LogReader(lambda at, n: bytes(data[at : at + n]), len(data))
    fates = [record.fate for record in logical.Assembler().records(reader.pieces())]
    assert fates == [logical.WHOLE, *[logical.TOO_LARGE] * 3]
    assert SPARE == 32 * MIB
    assert RATIO == 100


def test_a_gzip_of_more_lines_than_lines_can_be_packed_is_ended() -> None:
    packed = gzip.compress(b"\n" * (4 * MIB), mtime=0)
    unpacked = Unpacked(len(packed))
    text = b"".join(unpacked.text([packed]))
    assert SPARE_LINES < len(text) <= 4 * MIB
    assert "lines, far more than a log" in unpacked.stopped


def test_a_gzip_of_many_small_members_is_read_whole_at_any_cut() -> None:
    member = gzip.compress(b"2024-05-30T12:36:01.644910Z a line\n", mtime=0)
    data = member * 3000 + bytes(512)
    unpacked = Unpacked(len(data))
    text = b"".join(unpacked.text(data[at : at + 7919] for at in range(0, len(data), 7919)))
    assert len(unpacked.members) == 3000
    assert text.count(b"\n") == 3000
    assert (unpacked.rest, unpacked.stopped) == (3000 * len(member), "")
    assert len(data) > LEAST * 3000


def test_a_long_chain_of_lost_snapshots_is_left_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[int] = []

    def build(*given: Any) -> Store:
        builds.append(1)
        return assemble.build(*given)

    monkeypatch.setattr(workshop, "build", build)
    image = bomb_claims.image_with(bomb_claims.parents(lambda n, first: first + max(0, n - 1), 60), 128, 100)()
    assert codes(scan(image, "a.img"))
    assert 0 < len(builds) < 30


def test_an_extent_table_that_names_more_pages_than_there_are_is_not_followed() -> None:
    image = bomb_claims.image_with(bomb_claims.extents_in_extents, 128)()
    found = codes(scan(image, "a.img"))
    assert sum(found.values()) < 500


def test_a_bundle_that_unpacks_to_more_than_is_real_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("a.log", bytes(24 * MIB))
    with pytest.raises(UsageError, match="unpacks to more than is taken for real"):
        memory.read((("b.zip", out.getvalue()),))


def test_flipped_bits_are_tried_as_long_as_hashing_lasts() -> None:
    hashing = flip.Hashing()
    assert hashing.takes(9 << 10)
    assert hashing.takes(9 << 10)
    assert not hashing.takes(9 << 10)
    assert flip.Hashing().takes(12 << 10)
    assert not flip.Hashing().takes(16 << 10)
    data = bytearray(healthy())
    data[100] ^= 4
    assert flip.one_flip(bytes(data[: len(data) // 2]), 3) is not None
    assert flip.one_flip(bytes(data[: len(data) // 2]), 3, flip.Hashing(0)) is None


def test_bombs_are_made_as_they_say() -> None:
    assert struct.unpack_from("<Q", bomb_claims.files()["0.5.blocks"]())[0] == (1 << 64) - 1
