"""Damage made on purpose: always a change, the same for the same seed, told truly; and the self-test's own sums."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from inspector import damage
from inspector.cli.app import run
from inspector.edited import Change, Edited
from inspector.errors import RefusedError, UsageError
from inspector.formats import all_formats
from inspector.render.dev_documents import selftest as document
from inspector.render.encoding import encode
from inspector.render.schemas import schema
from inspector.selftest import _undone, selftest
from inspector.source import MemorySource, open_source
from tests.builders.gossip import healthy

SAMPLES = Path(__file__).parents[1] / "samples"
STORE = SAMPLES / "gossip_store" / "clean-v16.gossip_store"
DATABASE = SAMPLES / "rocksdb" / "clean-db"


def read(source: Edited) -> bytes:
    return source.read(0, source.length())


@pytest.mark.parametrize("kind", list(damage.KINDS))
def test_every_kind_changes_something_and_its_truth_says_what(kind: str) -> None:
    data = STORE.read_bytes()
    for seed in range(30):
        source = MemorySource(data)
        edited = Edited(source, "", damage.make(kind, source, "", seed))
        out = read(edited)
        assert out != data
        assert out == read(Edited(source, "", damage.make(kind, source, "", seed)))
        back, at = bytearray(), 0
        for change, span in zip(edited.changes, edited.touched(), strict=True):
            assert out[span.start : span.end] == change.data
            back += out[at : span.start] + data[change.at : change.end]
            at = span.end
        assert bytes(back) + out[at:] == data, "what the truth says, taken back, is the healthy store"


def test_changes_read_alike_in_windows_of_any_size() -> None:
    data = bytes(range(256)) * 4
    edited = Edited(MemorySource(data), "", [Change(5, 2, b"abc"), Change(7, 0, b"x"), Change(500, 100, b"")])
    whole = data[:5] + b"abcx" + data[7:500] + data[600:]
    assert read(edited) == whole
    for at in range(0, len(whole), 7):
        for size in (1, 3, 64, 700):
            assert edited.read(at, size) == whole[at : at + size]
    assert edited.below_at(4) == 4
    assert edited.below_at(6) is None
    assert edited.below_at(9) == 7
    assert b"".join(edited.read(s.start, s.length) for s in edited.data_ranges()) == whole


def test_changes_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        Edited(MemorySource(bytes(10)), "", [Change(1, 5, b""), Change(3, 1, b"")])


def test_a_damaged_copy_is_written_and_the_store_is_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = STORE.read_bytes()
    out = tmp_path / "bad"
    words = ["dev", "inject", str(STORE), "-o", str(out), "--damage", "flip", "--damage", "truncate", "--seed", "5"]
    assert run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "bad.truth.json").read_text())
    jsonschema.validate(told, schema("inject", all_formats()))
    assert [d["kind"] for d in told["damage"]] == ["flip", "truncate"]
    assert STORE.read_bytes() == before
    assert len(out.read_bytes()) == told["output"]["size"] < len(before)
    assert run(words) == 7, "an output that exists is refused"


def test_one_file_of_a_folder_is_damaged_and_the_others_are_copied(tmp_path: Path) -> None:
    out = tmp_path / "bad"
    name = next(p.name for p in DATABASE.iterdir() if p.suffix == ".sst")
    assert run(["dev", "inject", str(DATABASE), "-o", str(out), "--damage", "zero", "--member", name, "--at", "0"]) == 0
    for path in DATABASE.iterdir():
        assert ((out / path.name).read_bytes() == path.read_bytes()) == (path.name != name)


def test_a_damage_that_is_unknown_or_impossible_is_refused(tmp_path: Path) -> None:
    source = MemorySource(b"x" * 100)
    with pytest.raises(UsageError, match="no damage is named"):
        damage.make("melt", source, "", 0)
    with pytest.raises(RefusedError, match="would change nothing"):
        damage.make("crlf", source, "", 0)
    with pytest.raises(RefusedError, match="too small"):
        damage.make("flip", MemorySource(b"x"), "", 0)


def test_the_self_test_of_a_healthy_store_finds_every_damage_and_no_wrong_correction() -> None:
    with MemorySource(healthy(16, 40_000, seed=3), "gossip_store") as source:
        told = selftest(source, all_formats(), 24, 7)
    assert len(told.rounds) == 24
    jsonschema.validate(json.loads(encode(document(told))), schema("selftest", all_formats()))
    assert all(r.detected for r in told.rounds)
    assert sum(r.localised for r in told.rounds) >= 22
    assert all(r.untouched is None or r.sound >= r.untouched for r in told.rounds if r.kind != "swap")
    assert not any(r.corrections_wrong for r in told.rounds)
    assert not any(r.repair in ("unverified", "failed") for r in told.rounds)


def test_a_damaged_store_is_refused_because_nothing_could_be_told_apart() -> None:
    with (
        open_source(str(SAMPLES / "gossip_store" / "zeroed-hole.gossip_store")) as source,
        pytest.raises(RefusedError, match="not healthy"),
    ):
        selftest(source, all_formats(), 2, 0)


def test_damage_is_aimed_at_bytes_that_something_covers_unless_it_may_be_anywhere() -> None:
    with open_source(str(SAMPLES / "spdk_blobstore" / "clean.img")) as source:
        aimed = selftest(source, all_formats(), 12, 5, ("flip", "zero"))
        loose = selftest(source, all_formats(), 12, 5, ("flip", "zero"), anywhere=True)
    assert 0 < aimed.sealed < aimed.size // 2
    assert all(one.sealed and one.detected for one in aimed.rounds)
    assert not all(one.sealed for one in loose.rounds)
    assert all(one.detected for one in loose.rounds if one.sealed)


def test_what_no_checksum_covers_is_said_and_is_no_miss(capsys: pytest.CaptureFixture[str]) -> None:
    log = str(SAMPLES / "kad_trace" / "finished.log")
    assert run(["dev", "selftest", log, "--damage", "flip", "--rounds", "6"]) == 0
    assert "No checksum covers these bytes" in capsys.readouterr().out


def test_bytes_drawn_from_ranges_lie_in_them() -> None:
    ranges = damage.Ranges([10, 100, 1000], [12, 101, 1003])
    assert ranges.total == 6
    assert [ranges.byte(n) for n in range(6)] == [10, 11, 100, 1000, 1001, 1002]


def test_damage_that_no_checksum_can_tell_is_counted_apart() -> None:
    with open_source(str(SAMPLES / "known_peers" / "known_addresses-v2.bin")) as source:
        told = selftest(source, all_formats(), 40, 0, ("flip", "zero", "truncate"), anywhere=True)
    peers = [(0, 170), (19_265, 19_528)]  # all else is slack
    for one in (r for r in told.rounds if r.kind != "truncate"):
        touched = any(s.start < end and start < s.end for s in one.spans for start, end in peers)
        never_written = one.kind == "zero" and any(s.start <= 19_265 and s.end >= 19_528 for s in one.spans)
        assert one.sealed == (touched and not never_written)  # slot B of zeroes is what a first save leaves
    assert {r.sealed for r in told.rounds} == {True, False}
    totals = document(told)["totals"]
    assert totals["sealed"]["rounds"] == sum(r.sealed for r in told.rounds) < totals["rounds"]
    with open_source(str(SAMPLES / "kad_trace" / "finished.log")) as source:
        assert not any(r.sealed for r in selftest(source, all_formats(), 4, 0).rounds), "a line has no checksum"


def test_pages_of_small_stores_are_sectors_and_what_they_prove_is_told() -> None:
    with MemorySource(healthy(16, 9_000, seed=4), "gossip_store") as source:
        told = selftest(source, all_formats(), 12, 0, ("swap", "stale"))
    assert {s.length for r in told.rounds for s in r.spans} == {damage.SECTOR}
    assert sum(r.cause_right for r in told.rounds) >= 11


def test_a_correction_is_right_where_each_byte_that_it_changed_is_what_it_was() -> None:
    assert _undone(b"abcd", b"abXd", b"abcd")
    assert _undone(b"abcd", b"YbXd", b"Ybcd")  # a flag that no checksum covers, as it was found
    assert not _undone(b"abcd", b"abXd", b"abZd")
    assert not _undone(b"abcd", b"abXd", b"aQcd")
    assert not _undone(b"abcd", b"abXd", b"abc")
