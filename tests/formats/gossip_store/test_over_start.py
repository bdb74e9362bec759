"""A record at offset 1 under a copy of an announcement of its length: all verifies, and another channel is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.finding import Finding
from inspector.format import Query, Wishes
from inspector.formats import all_formats
from inspector.formats.gossip_store import FORMAT, over_start
from inspector.inspect import inspect
from inspector.merge import merge
from inspector.source import MemorySource, open_source
from tests.builders.gossip import Network, Store

FORMATS = all_formats()


def network(version: int) -> tuple[bytes, list[int]]:
    """A store of twelve channels with updates in both directions, and where their announcements stand."""
    store = Store(version)
    net = Network(store, 5)
    nodes = [net.node() for _ in range(6)]
    places = []
    for i in range(12):
        channel = net.open(nodes[i % 6], nodes[(i + 1 + i // 6) % 6])
        places.append(channel.announcement)
        for direction in (0, 1):
            net.update(channel, direction)
    return store.bytes(), places


def found(data: bytes) -> list[Finding]:
    return [f for f in inspect(MemorySource(data), FORMATS).tally.findings() if f.level.value != "note"]


def record(data: bytes, at: int) -> bytes:
    return data[at : at + 12 + int.from_bytes(data[at + 2 : at + 4], "big")]


@pytest.mark.parametrize("version", [9, 12, 14])
def test_the_copy_at_offset_1_is_named_and_the_genuine_announcement_stays(version: int, tmp_path: Path) -> None:
    data, places = network(version)
    assert places[0] == 1
    copy = record(data, places[7])
    assert len(copy) == len(record(data, 1))
    bad = data[:1] + copy + data[1 + len(copy) :]
    (told,) = found(bad)
    assert (told.rule.code, told.span.start, told.span.end) == ("GSP033", 1, 1 + len(copy))
    assert (told.cause.name, told.evidence["other"]) == ("overwritten", places[7])
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(bad)
    assert main(["repair", str(path), "-o", str(out)]) == 4  # the channel that stood there
    assert found(out.read_bytes()) == []
    report = inspect(MemorySource(out.read_bytes()), FORMATS)
    assert FORMAT.records is not None
    kept = [e for e in FORMAT.records(report.state, Query()) if e.kind in ("channel_announcement", "channel_amount")]
    dead = [e.span.start for e in kept if "deleted" in str(e.fields["flags"]).lower()]
    assert dead == [1, 1 + len(copy)]  # with the amount of the channel that is lost


def test_an_announcement_that_was_written_twice_is_none() -> None:
    """With one amount behind both, or with updates of the channel before the second one."""
    data, places = network(14)
    copy = record(data, places[7])
    amount = record(data, places[7] + len(copy))
    twice = data[:1] + copy + amount + data[1 + len(copy) + len(amount) :]
    assert [f.rule.code for f in found(twice)] == ["GSP017"]
    again = data[: places[7]] + record(data, 1) + data[places[7] + len(copy) :]
    assert [f.rule.code for f in found(again)] == ["GSP017"]


def test_many_copies_of_the_first_record_cost_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look may read all that stands before: a file of nothing else would cost the square of its length."""
    data, places = network(14)
    copy = record(data, 1)
    amount = record(data, places[7] + len(record(data, places[7])))
    looks: list[int] = []

    def looked(_: object, before: int, __: int) -> bool:
        looks.append(before)
        return True

    monkeypatch.setattr(over_start, "_updated", looked)
    assert {f.rule.code for f in found(data + 50 * (copy + amount))} == {"GSP017"}
    assert looks == [len(data)]


@pytest.mark.parametrize("second", ["later", "same"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_merge_takes_the_amount_of_the_genuine_announcement(second: str, turned: bool, tmp_path: Path) -> None:
    data, places = network(14)
    copy = record(data, places[7])
    bad = data[:1] + copy + data[1 + len(copy) :]
    texts = [bad, bad if second == "same" else data[:1] + data[places[6] :]]
    paths = [tmp_path / "a.gossip_store", tmp_path / "b.gossip_store"]
    for path, text in zip(paths, texts[::-1] if turned else texts, strict=True):
        path.write_bytes(text)
    done = merge([open_source(str(path)) for path in paths], FORMATS, str(tmp_path / "out"), Wishes())
    assert done.plan.counts["channels"] == 11
    assert amounts((tmp_path / "out").read_bytes()) == {
        k: v for k, v in amounts(data).items() if k != record(data, 1)[12:]
    }


def amounts(data: bytes) -> dict[bytes, bytes]:
    """The amount behind each live announcement."""
    out, at = {}, 1
    while at < len(data):
        one = record(data, at)
        at += len(one)
        if one[12:14] == b"\x01\x00" and not one[0] & 0x80:
            out[one[12:]] = record(data, at)[14:]
    return out


@pytest.mark.parametrize("kept", ["earlier", "later"])
def test_an_announcement_over_another_in_mid_file_costs_that_channel(kept: str, tmp_path: Path) -> None:
    data, places = network(14)
    one, two = places[3], places[7]
    genuine, gone = (one, two) if kept == "earlier" else (two, one)
    copy = record(data, genuine)
    assert len(copy) == len(record(data, gone))
    bad = data[:gone] + copy + data[gone + len(copy) :]
    (told,) = found(bad)
    assert (told.rule.code, told.level.value, told.salvage) == ("GSP017", "error", "lost")
    assert (told.span.start, told.evidence["other"], told.cause.name) == (two, one, "overwritten")
    report = inspect(MemorySource(bad), FORMATS)
    assert report.answer is not None
    said = "Lost: 1 channel whose announcement was written over. Everything else can be saved."
    assert said in report.answer.words
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(bad)
    assert main(["repair", str(path), "-o", str(out)]) == 4
    assert found(out.read_bytes()) == []
    left = {k: v for k, v in amounts(data).items() if k != record(data, gone)[12:]}
    assert amounts(out.read_bytes()) == left
    again = tmp_path / "y.gossip_store"
    again.write_bytes(bad)
    done = merge([open_source(str(one)) for one in (path, again)], FORMATS, str(tmp_path / "merged"), Wishes())
    assert done.plan.counts["channels"] == 11
    assert amounts((tmp_path / "merged").read_bytes()) == left


@pytest.mark.parametrize("hurt", ["flipped", "torn"])
def test_an_amount_that_does_not_verify_contradicts_none(hurt: str) -> None:
    data, places = network(14)
    copy = record(data, places[7])
    amount = record(data, places[7] + len(copy))
    twice = bytearray(data + copy + amount)
    if hurt == "torn":
        del twice[-3:]
    else:
        twice[-1] ^= 1
    assert "GSP017" in {f.rule.code for f in found(bytes(twice))}
    assert not any(f.rule.code == "GSP017" and f.level.value == "error" for f in found(bytes(twice)))


def test_two_amounts_of_one_channel_say_nothing_where_no_channel_lacks_its_announcement() -> None:
    data, places = network(14)
    copy, third = record(data, places[7]), record(data, places[3])
    amount = record(data, places[3] + len(third))
    (told,) = found(data + copy + amount)
    assert (told.rule.code, told.level.value, told.salvage) == ("GSP017", "warning", "kept")
