"""Tables among other bytes: found by their footers, written as files, one folder for each database."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from random import Random

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.carve import Carved, CarveWishes, Found, carve
from inspector.carvers import carver
from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats.rocksdb import carving_tables as tables
from inspector.formats.rocksdb import checksums, keys, properties
from inspector.formats.rocksdb.properties import PREFIX
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Shape, table
from tests.formats.rocksdb.test_table import SHAPES


def run(data: bytes, folder: Path) -> tuple[Carved, list[Found], dict[str, bytes]]:
    out = folder / "tables"
    spans: list[Found] = []

    def report(carved: Carved) -> None:
        spans.extend(carved.haul.spans())

    done = carve(MemorySource(data), carver("rocksdb-sst"), str(out), CarveWishes(), report=report)
    found = {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
    return done, spans, found


def named(number: int, identity: str = "0a1b2c3d-0000-4000-8000-000000000000", start: int = 0) -> bytes:
    told = {"original.file.number": properties.number(number), "creating.db.identity": identity.encode()}
    shape = Shape(properties={PREFIX + name.encode(): value for name, value in told.items()})
    return table(pairs(start, start + 60), shape).data


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_table_of_any_shape_is_found_at_any_offset(shape: Shape, tmp_path: Path) -> None:
    data = table(pairs(0, 60), shape).data
    done, spans, found = run(Random(1).randbytes(777) + data + Random(2).randbytes(5000), tmp_path)
    assert [(s.start, s.end, s.fate) for s in spans] == [(777, 777 + len(data), "written")]
    assert list(found.values()) == [data]
    assert done.code is Exit.CLEAN


def test_files_get_the_numbers_that_their_writer_gave_them(tmp_path: Path) -> None:
    parts = [named(9), named(12, start=60), named(12, start=120), table(pairs(0, 9), Shape()).data]
    _, _, found = run(bytes(300).join(parts), tmp_path)
    assert set(found) == {"000009.sst", "000013.sst", "000014.sst", "db-unknown/000001.sst"} or set(found) == {
        "db-0a1b2c3d/000009.sst",
        "db-0a1b2c3d/000013.sst",
        "db-0a1b2c3d/000014.sst",
        "db-unknown/000001.sst",
    }
    assert sorted(found.values()) == sorted(parts)


def test_a_name_in_a_file_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    parts = [named(1), named(2, "../../../../etc/x"), named(1 << 63, "a/b/c/d/e/f/g/h")]
    _, _, found = run(b"".join(parts), tmp_path)
    assert {name.split("/")[0] for name in found} == {"db-0a1b2c3d", "db-unknown"}
    assert len(found) == 3


def test_tables_of_several_databases_are_repaired_folder_by_folder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = "99999999-0000-4000-8000-000000000000"
    parts = [named(9), named(12, start=60), named(7, other), named(8, other, 60)]
    image, out = tmp_path / "image", tmp_path / "out"
    image.write_bytes(bytes(300).join(parts))
    assert main(["carve", str(image), "--format", "rocksdb-sst", "-o", str(out)]) == 0
    told = capfd.readouterr().out
    assert "tables of 2 databases, each in a folder of its own" in told
    for home, count in (("db-0a1b2c3d", 2), ("db-99999999", 2)):
        assert f"inspector repair {out}/{home} -o {home}.repaired" in " ".join(told.split())
        assert len(list((out / home).glob("*.sst"))) == count


def test_the_same_table_twice_is_one_file(tmp_path: Path) -> None:
    done, spans, found = run(named(3) + bytes(99) + named(3), tmp_path)
    assert list(found) == ["000003.sst"]
    assert [s.fate for s in spans] == ["written", "duplicate"]
    assert done.haul.sums.bytes["duplicate"] == len(named(3))


def test_a_table_inside_a_value_of_another_is_no_file_of_its_own(tmp_path: Path) -> None:
    inner = named(5)
    rows = [(keys.internal(b"a", 9, keys.PUT), b"x"), (keys.internal(b"b", 8, keys.PUT), inner)]
    _, spans, found = run(bytes(10) + table(rows, Shape()).data, tmp_path)
    assert len(found) == 1
    assert sorted(s.fate for s in spans) == [tables.INSIDE, "written"]


def test_a_damaged_table_is_written_for_its_good_blocks_and_said_to_be_damaged(tmp_path: Path) -> None:
    data = bytearray(table(pairs(0, 200), Shape(version=6)).data)
    data[700] ^= 1
    done, spans, found = run(b"front" + bytes(data), tmp_path)
    assert done.code is Exit.LOST
    assert spans[0].fate.startswith(tables.DAMAGED)
    assert list(found.values()) == [bytes(data)]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize(
    "shape",
    [Shape(), Shape(version=7), Shape(version=6, index="two-level"), Shape(version=2, checksum=checksums.CRC32C)],
    ids=str,
)
def test_a_table_in_several_extents_is_put_together(shape: Shape, order: tuple[int, ...], tmp_path: Path) -> None:
    data = table(pairs(0, 900), shape).data
    cut = len(data) // 3 // 4096 * 4096
    assert cut
    extents = [data[:cut], data[cut : 2 * cut], data[2 * cut :]]
    rng = Random(len(data))
    device = rng.randbytes(1000)  # a partition need not begin where the source does
    for k in order:
        device += rng.randbytes(4096 * rng.randrange(1, 4)) + extents[k] + bytes(-len(extents[k]) % 4096)
    done, spans, found = run(device + rng.randbytes(9000), tmp_path)
    assert list(found.values()) == [data]
    assert done.code is Exit.CLEAN
    assert (
        b"".join(device[s.start : s.end] for s in sorted(spans, key=lambda s: data.find(device[s.start : s.end])))
        == data
    )
    assert [s.start for s in spans] == sorted(s.start for s in spans)


@pytest.mark.parametrize("first", [True, False], ids=["at byte 0", "behind the rest"])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_table_of_which_few_blocks_lie_apart_is_put_together(blocks: int, first: bool, tmp_path: Path) -> None:
    """The border cuts the second block, or the third, ...: those before it are whole in the first extent."""
    built = table(pairs(0, 900), Shape(block_size=4000))
    cut = built.blocks[blocks].offset - built.blocks[blocks].offset % 4096 + 4096
    assert built.blocks[blocks].offset < cut < built.blocks[blocks].end
    rng = Random(blocks)
    head, rest = built.data[:cut], built.data[cut:] + bytes(-(len(built.data) - cut) % 4096)
    device = head + rng.randbytes(8192) + rest if first else rng.randbytes(4096) + rest + rng.randbytes(8192) + head
    _, _, found = run(device + rng.randbytes(4096), tmp_path)
    assert list(found.values()) == [built.data]


@pytest.mark.parametrize("seed", range(4))
def test_extents_of_tables_with_the_same_layout_are_not_mixed(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    whole = [table(pairs(900 * k, 900 * k + 900), Shape()).data for k in range(3)]
    extents = []
    for k, data in enumerate(whole):
        cut = rng.randrange(2, len(data) // 4096 - 1) * 4096
        extents += [data[:cut]] if k else []  # the head of the first one is nowhere
        extents.append(data[cut:] + bytes(-len(data[cut:]) % 4096))
    rng.shuffle(extents)
    done, spans, found = run(rng.randbytes(4096).join(extents), tmp_path)
    sound = {found[span.out] for span in spans if span.fate == "written"}
    assert sound == set(whole[1:])
    assert done.code is Exit.LOST


def test_a_table_without_checksums_is_never_put_together(tmp_path: Path) -> None:
    data = table(pairs(0, 900), Shape(checksum=checksums.NONE)).data
    done, spans, _ = run(data[8192:] + bytes(-len(data) % 4096) + data[:8192], tmp_path)
    assert all(span.encoding == "bytes" for span in spans)
    assert done.code is not Exit.CLEAN


def test_an_extent_that_is_not_there_leaves_the_table_damaged(tmp_path: Path) -> None:
    data = table(pairs(0, 900), Shape()).data
    done, spans, found = run(Random(1).randbytes(8192) + data[8192:] + data[:4096], tmp_path)
    assert [s.fate.split(":")[0] for s in spans] == [tables.DAMAGED]
    assert done.code is Exit.LOST
    assert next(iter(found.values()))[8192:] == data[8192:]


def test_a_table_whose_head_is_missing_is_counted_as_lost(tmp_path: Path) -> None:
    for version in (0, 5, 6):
        shape = Shape(version=version, checksum=1 if version == 0 else 4, leveldb=version == 0)
        done, spans, found = run(table(pairs(0, 200), shape).data[900:], tmp_path / str(version))
        assert not found
        assert done.code is Exit.UNKNOWN_FORMAT
        assert [s.fate for s in spans] == [tables.CUT]


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> None:
    for name in ("0", "5", "6"):
        (tmp_path / name).mkdir()


def test_magic_numbers_alone_and_footers_that_lead_nowhere_are_nothing(tmp_path: Path) -> None:
    data = table(pairs(0, 60), Shape()).data
    lie = bytearray(data[-53:])
    lie[2] ^= 4
    rng = Random(4)
    noise = b"".join(rng.randbytes(rng.randrange(60)) + rng.choice((data[-8:], bytes(lie))) for _ in range(2000))
    done, spans, _ = run(noise, tmp_path)
    assert not spans
    assert done.code is Exit.UNKNOWN_FORMAT


def test_footers_that_all_claim_the_same_bytes_end_the_search_instead_of_the_users_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_SURPLUS", 0)
    built = table(pairs(0, 3000), Shape())
    tail = built.data[built.places["metaindex"].offset :]
    # each of them claims a table that reaches back over the ones before
    many = built.data + tail * 40 + Random(6).randbytes(1 << 20) + named(4)
    done, _, found = run(many, tmp_path)
    assert done.code is Exit.PARTIAL
    assert done.haul.sums.units["written"] == 2
    assert {built.data, named(4)} <= set(found.values())


def test_what_was_carved_is_a_database_again_after_a_repair(tmp_path: Path) -> None:
    parts = [named(9), named(11, start=60)]
    run(Random(3).randbytes(999).join(parts), tmp_path)
    with open_source(str(tmp_path / "tables")) as source:
        result = repair(source, formats.all_formats(), str(tmp_path / "db"), Wishes())
    assert result.verified["ok"]
    assert any(p.name.startswith("MANIFEST") for p in (tmp_path / "db").iterdir())


def test_tables_of_the_engine_itself_are_found(tmp_path: Path) -> None:
    engines = pytest.importorskip("tests.formats.rocksdb.engines")
    made = engines.make(tmp_path / "made", engines.Recipe())
    folder = made if isinstance(made, Path) else tmp_path / "made"
    files = {p.name: p.read_bytes() for p in folder.glob("*.sst")}
    assert files
    done, _, found = run(Random(5).randbytes(100) + b"".join(files.values()), tmp_path)
    assert done.code is Exit.CLEAN
    assert found == files
