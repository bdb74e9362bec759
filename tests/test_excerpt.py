"""An excerpt is small, shows what its source shows, and keeps damage byte for byte."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.formats.kad_trace.events import Event
from inspector.formats.kad_trace.tracker import Tracker
from inspector.reducing import ROOM, SLOW
from tests import damage
from tests.builders import gossip, kad_trace, rocksdb, spdk
from tests.builders import gossip_messages as messages
from tests.builders.rocksdb_table import Shape, table
from tests.contract.corpus import Case, case_id, cases

Told = pytest.CaptureFixture[str]
SOME = [c for c in cases() if c.format.splices and c.format.name != "piece-cache" and c.path.stat().st_size < 20_000]


def told(capfd: Told, *arguments: str) -> tuple[int, str]:
    capfd.readouterr()
    code = main([*arguments])
    return code, capfd.readouterr().out


def counts(capfd: Told, path: Path) -> dict[str, int]:
    found = json.loads(told(capfd, "scan", str(path), "--json")[1])["counts"]
    return {code: min(n, 16) for code, n in found.items()}


@pytest.mark.parametrize("case", SOME[::4], ids=case_id)
def test_an_excerpt_shows_the_findings_of_its_source_at_the_bytes_of_its_map(
    case: Case, tmp_path: Path, capfd: Told
) -> None:
    small = tmp_path / case.path.name
    if told(capfd, "excerpt", str(case.path), "-o", str(small), "--no-redact")[0] != 0:
        assert not case.path.stat().st_size, "only an empty file cannot be told from any other"
        return
    assert counts(capfd, small) == counts(capfd, case.path)
    whole, part = case.path.read_bytes(), small.read_bytes()
    chart = json.loads(Path(f"{small}.map.json").read_text())["runs"]
    assert [part[r["start"] : r["end"]] for r in chart] == [whole[r["source_start"] : r["source_end"]] for r in chart]
    assert chart[-1]["end"] == len(part) <= len(whole)


def large(damages: int) -> bytes:
    """A store of 1.5 MB, 10,000 records, hurt in several places and ways."""
    data = gossip.healthy(16, 1_500_000, 4)
    step = len(data) // 6
    if damages > 1:
        data = damage.zero(data, 2 * step, 2 * step + 400).data
        data = damage.noise(data, 4 * step, 4 * step + 64, 3).data
        data = damage.flip_bit(data, 5 * step, 2).data
        data = damage.truncate(data, len(data) - 33).data
    return damage.flip_bit(data, 3 * step + 60, 1).data


@pytest.mark.parametrize("damages", [1, 5])
def test_a_large_store_with_few_damages_becomes_a_few_kilobytes(damages: int, tmp_path: Path, capfd: Told) -> None:
    store, small = tmp_path / "large.gossip_store", tmp_path / "small.gossip_store"
    store.write_bytes(large(damages))
    assert told(capfd, "excerpt", str(store), "-o", str(small), "--no-redact")[0] == 0
    assert small.stat().st_size < 2500 * damages + 1000
    assert counts(capfd, small) == counts(capfd, store)


def private_store() -> tuple[bytes, list[bytes]]:
    """A store of version 12 with an unannounced channel, a damaged private update and marks of the operator."""
    store = gossip.Store(12)
    net = gossip.Network(store, 3)
    nodes = [net.node() for _ in range(4)]
    for one, two in ((0, 1), (1, 2)):
        net.update(net.open(nodes[one], nodes[two]), 0, flags=gossip.PUSH)
    net.keep_private(nodes[2], nodes[3])
    number = messages.scid(net.block - 1, 1, 0)
    store.append(messages.private_update(messages.channel_update(net.noise, number, 0, net.tick())))
    hurt = len(store.data) - 20
    store.append(messages.delete_chan(messages.scid(1, 2, 3)))
    own = [nodes[3].id, number.to_bytes(8, "big"), (1_000_000).to_bytes(8, "big")]
    return damage.flip_bit(bytes(store.data), hurt, 3).data, own


def test_a_redacted_excerpt_fails_in_the_same_way_and_holds_nothing_private(tmp_path: Path, capfd: Told) -> None:
    data, own = private_store()
    store, small = tmp_path / "jane.gossip_store", tmp_path / "small.gossip_store"
    store.write_bytes(data)
    code, out = told(capfd, "excerpt", str(store), "-o", str(small))
    assert code == 0
    assert "signatures in them no longer hold" in re.sub(r"\s+", " ", out)
    assert counts(capfd, small) == counts(capfd, store)
    for private in own:
        assert private in data
        assert private not in small.read_bytes()
        assert private.hex() not in Path(f"{small}.map.json").read_text()
    assert "PUSH" not in told(capfd, "records", str(small), "--jsonl")[1]
    assert "jane" not in out + Path(f"{small}.map.json").read_text()


def test_it_prints_a_test_case_in_python_and_in_c(tmp_path: Path, capfd: Told) -> None:
    case = next(c for c in cases() if c.path.name == "checksum-at-3044.gossip_store")
    small = tmp_path / "small"
    told(capfd, "excerpt", str(case.path), "-o", str(small), "--no-redact")
    names: dict[str, bytes] = {}
    exec(told(capfd, "excerpt", str(case.path), "--python", "--no-redact")[1], names)
    assert names["EXCERPT"] == small.read_bytes()
    source = told(capfd, "excerpt", str(case.path), "--c-array", "--no-redact")[1]
    assert bytes(int(byte, 16) for byte in re.findall(r"0x(..),", source)) == small.read_bytes()
    if shutil.which("cc") is None:
        return
    (tmp_path / "x.c").write_text(source + "int main(void) { return sizeof excerpt == 0; }\n")
    done = subprocess.run(["cc", "-o", str(tmp_path / "x"), str(tmp_path / "x.c")], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_where_all_is_needed_nothing_is_left_out_and_that_is_said(tmp_path: Path, capfd: Told) -> None:
    case = next(c for c in cases() if c.path.name == "dictionary-bit.sst")
    code, out = told(capfd, "excerpt", str(case.path), "-o", str(tmp_path / "x"), "--no-redact")
    assert code == 0
    assert "nothing was left out" in out
    assert (tmp_path / "x").read_bytes() == case.path.read_bytes()


def pieces(chart: list[dict[str, object]], file: str | None, part: bytes, whole: bytes) -> int:
    """Bytes of an excerpt that are those of its source, where its map says so; fails where one is another."""
    same = 0
    for run in chart:
        start, end, low, high = (run[key] for key in ("start", "end", "source_start", "source_end"))
        assert isinstance(start, int)
        assert isinstance(end, int)
        if run["file"] == file and isinstance(low, int) and isinstance(high, int):
            assert part[start:end] == whole[low:high]
            same += end - start
    return same


SHAPES = (
    Shape(),
    Shape(version=7, codec=4),
    Shape(version=2, codec=1, checksum=1, index="full"),
    Shape(index="two-level"),
)
ROLES = ("data", "index", "properties", "metaindex", "footer", "cut")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.version}-{shape.codec}-{shape.index}")
@pytest.mark.parametrize("role", ROLES)
def test_a_table_is_left_with_its_damage_and_a_new_directory(
    role: str, shape: Shape, tmp_path: Path, capfd: Told
) -> None:
    if role in ("index", "properties") and shape.index == "two-level":
        return  # the parts of an index hang on what leads to them
    built = table(rocksdb.pairs(0, 2000), shape)
    middle = built.blocks[len(built.blocks) // 2]
    place = {"data": middle.offset + 9, "footer": len(built.data) - 10, "cut": 1}.get(role) or built.places[
        role
    ].offset + 3
    data = damage.flip_bits(built.data, place, place + 8, 5, 1).data if role != "cut" else built.data[:60_000]
    store, small = tmp_path / "x.sst", tmp_path / "small.sst"
    store.write_bytes(data)
    code, out = told(capfd, "excerpt", str(store), "-o", str(small), "--no-redact", "--json")
    assert code == 0
    assert counts(capfd, small) == counts(capfd, store) != {}
    document = json.loads(out)
    if role == "properties" and document["whole"]:
        return  # its count is what proves a correction: then all blocks are needed
    assert small.stat().st_size < len(data) // 5
    same = pieces(document["runs"], None, small.read_bytes(), data)
    assert same or role == "footer"
    if role == "data":
        assert data[middle.offset : middle.offset + middle.size] in small.read_bytes()


@pytest.mark.parametrize("damages", [1, 5])
def test_a_log_is_left_with_its_damage_and_the_records_beside_it(damages: int, tmp_path: Path, capfd: Told) -> None:
    data, starts = rocksdb.wal(3000, 100, 14)
    for number in range(1, damages + 1):
        data = damage.flip_bits(data, starts[500 * number] + 14, starts[500 * number] + 30, 7, number).data
    store, small = tmp_path / "000014.log", tmp_path / "small" / "000014.log"
    small.parent.mkdir()
    store.write_bytes(data)
    code, out = told(capfd, "excerpt", str(store), "-o", str(small), "--no-redact", "--json")
    assert code == 0
    assert counts(capfd, small) == counts(capfd, store) == {"RDB020": damages, "RDB025": damages}
    assert small.stat().st_size < 600 * damages
    assert pieces(json.loads(out)["runs"], None, small.read_bytes(), data) >= 81 * damages


def test_a_folder_is_left_with_the_files_that_show_the_same(tmp_path: Path, capfd: Told) -> None:
    world = rocksdb.World()
    for number in range(9, 15):
        world.add(number, rocksdb.pairs(1000 * number, 1000 * number + 900, 100 * number))
    world.wals[20] = rocksdb.wal(40, 10_001)[0]
    world.log_number = 20
    store, small = tmp_path / "db", tmp_path / "small"
    store.mkdir()
    for name, data in world.members().items():
        (store / name).write_bytes(data)
    hurt = store / "000011.sst"
    place = world.tables[11].blocks[20].offset
    hurt.write_bytes(damage.flip_bits(hurt.read_bytes(), place + 9, place + 60, 9, 1).data)
    code, out = told(capfd, "excerpt", str(store), "-o", str(small), "--no-redact", "--json")
    assert code == 0
    assert counts(capfd, small) == counts(capfd, store) == {"RDB001": 1}
    assert sorted(path.name for path in small.iterdir()) == ["000011.sst", "CURRENT", "MANIFEST-000005"]
    assert sum(path.stat().st_size for path in small.iterdir()) < 8000
    assert pieces(json.loads(out)["runs"], "000011.sst", (small / "000011.sst").read_bytes(), hurt.read_bytes()) > 500
    assert not list(small.glob("*.map.json"))
    assert told(capfd, "excerpt", str(store), "-o", str(small), "--no-redact")[0] == 7


def test_of_a_disk_the_metadata_stay_at_their_places_and_the_content_goes(tmp_path: Path, capfd: Told) -> None:
    image = spdk.Image(clusters=64, cluster_size=1 << 20)
    image.lvol("volume-1", 8, list(range(6)))
    data = bytearray(image.build(clean=False))
    data[image.page_at(1) + 50] ^= 4
    disk, small = tmp_path / "disk.img", tmp_path / "small.img"
    disk.write_bytes(data)
    assert told(capfd, "excerpt", str(disk), "-o", str(small), "--no-redact")[0] == 0
    assert counts(capfd, small) == counts(capfd, disk)
    assert small.stat().st_size == disk.stat().st_size
    assert small.stat().st_blocks * 512 < 200_000
    left = small.read_bytes()
    assert all(spdk.content("volume-1", cluster, 1 << 20)[4096:4160] not in left for cluster in range(6))


def test_whether_a_new_file_is_known_without_its_old_name(tmp_path: Path) -> None:
    from inspector.cli.excerpt import _known
    from inspector.formats import all_formats

    zeroes = tmp_path / "zeroes.bin"
    zeroes.write_bytes(bytes(5000))
    sample = next(c for c in cases() if c.format.name == "gossip-store")
    assert not _known(str(zeroes), all_formats(), ["known-peers"])
    assert _known(str(sample.path), all_formats(), ["gossip-store"])


def test_what_looking_for_the_causes_of_candidates_costs_is_counted(
    tmp_path: Path, capfd: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate's causes may cost more than the source's own did: the search ends there."""
    costs = iter([0])  # of the source
    monkeypatch.setattr("inspector.reducing.work", lambda report: next(costs, 1 << 40))
    path = tmp_path / "gossip_store"
    path.write_bytes(large(3))
    code, out = told(capfd, "excerpt", str(path), "-o", str(tmp_path / "small"))
    assert code == 0
    assert "ended at its limit of work" in " ".join(out.split())


def test_lines_that_are_read_one_by_one_count_in_the_search(
    tmp_path: Path, capfd: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, taken, before = kad_trace.Log(), [0], Tracker.take
    for query in range(256):
        log.begin()
        log.step(1, 13, 0.5, query)
    for _ in range(600):
        log.say("Bootstrap query failed.", error="x")
        log.wait(0.01)
    path = tmp_path / "node.log"
    path.write_bytes(log.data)

    def take(tracker: Tracker, event: Event) -> None:
        taken[0] += 1
        before(tracker, event)

    monkeypatch.setattr(Tracker, "take", take)
    assert told(capfd, "excerpt", str(path), "-o", str(tmp_path / "small.log"))[0] == 0
    read_whole = 8 * len(log.lines)  # by the first inspection, the last candidate and what is written
    assert 2 * len(log.lines) < taken[0] <= (ROOM + log.size) // SLOW + read_whole
