"""Announcements that lost their amount: told as channels that are lost, unless the channel comes back."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.finding import Finding, Severity
from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders import gossip_messages as m
from tests.builders.gossip import Channel, Network, Store

FORMATS = all_formats()
AMOUNT = 22  # bytes of its record


def network(version: int = 16) -> Network:
    """Five channels of round capacities with updates in both directions."""
    net = Network(Store(version), 5)
    nodes = [net.node() for _ in range(6)]
    for one, two in pairwise(nodes):
        channel = net.open(one, two)
        del net.store.data[channel.amount :]
        net.store.append(m.amount(2_000_000))
        for direction in (0, 1):
            net.update(channel, direction)
    return net


def bare(net: Network, channel: Channel) -> bytes:
    data = bytearray(net.store.data)
    del data[channel.amount : channel.amount + AMOUNT]
    return bytes(data)


def scan(data: bytes) -> tuple[Report, list[Finding]]:
    report = inspect(MemorySource(data), FORMATS)
    return report, [f for f in report.tally.findings() if f.rule.code == "GSP014"]


@pytest.mark.parametrize("version", [9, 14, 16])
def test_a_channel_without_its_amount_is_lost_and_nobody_says_otherwise(
    version: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = network(version)
    channel = net.channels[2]
    data = bare(net, channel)
    report, (found,) = scan(data)
    assert (found.span.start, found.span.end, found.salvage) == (channel.announcement, channel.amount, "lost")
    words = " ".join(report.answer.words)
    assert "1 channel whose amount is missing" in words
    assert "Nothing is lost" not in words
    assert "4 channels and" in words
    path, out, again = tmp_path / "x.gossip_store", tmp_path / "out", tmp_path / "again"
    path.write_bytes(data)
    assert main(["repair", str(path), "-o", str(out), "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert (told["records"]["lost"], told["bytes"]["lost"]) == (1, channel.amount - channel.announcement)
    assert scan(out.read_bytes())[0].tally.findings()[0].level.value == "note"  # its updates are orphans
    assert main(["repair", str(out), "-o", str(again)]) == 0
    assert again.read_bytes() == out.read_bytes()
    assert len(out.read_bytes()) == len(data)  # a flag in place: the repair can be a patch
    assert main(["repair", str(path), "--patch", str(tmp_path / "p")]) == 4
    assert main(["repair", str(path), "-o", str(tmp_path / "c"), "--compact"]) == 4
    assert (
        m.CHANNEL_ANNOUNCEMENT.to_bytes(2, "big") + data[channel.announcement + 14 :][:64]
        not in (tmp_path / "c").read_bytes()
    )


def test_a_channel_that_is_announced_again_with_its_amount_is_not_lost(tmp_path: Path) -> None:
    net = network()
    channel = net.channels[1]
    whole = bytes(net.store.data[channel.announcement : channel.amount + AMOUNT])
    data = bare(net, channel) + whole + whole
    report, (found,) = scan(data)
    assert found.salvage == "kept"
    assert not any("amount is missing" in line for line in report.answer.words)
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(data)
    assert main(["repair", str(path), "-o", str(out)]) == 0
    kept = out.read_bytes()
    assert not scan(kept)[1]
    first, second, third = channel.announcement, len(data) - 2 * len(whole), len(data) - len(whole)
    assert [kept[at] & 0x80 for at in (first, second, third)] == [0x80, 0, 0x80]


def test_two_announcements_and_no_amount_are_one_channel_that_is_lost(tmp_path: Path) -> None:
    net = network()
    channel = net.channels[1]
    data = bare(net, channel) + bytes(net.store.data[channel.announcement : channel.amount])
    report, found = scan(data)
    assert [f.salvage for f in found] == ["lost", "kept"]  # the second one is a copy of the first
    assert any("1 channel whose amount is missing" in line for line in report.answer.words)
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(data)
    assert main(["repair", str(path), "-o", str(out)]) == 4


def test_an_amount_that_is_corrected_brings_its_channel_back(tmp_path: Path) -> None:
    net = network()
    channel = net.channels[3]
    data = bytearray(net.store.data)
    data[channel.amount + 17] ^= 4
    report, (found,) = scan(bytes(data))
    assert found.salvage == "kept"
    assert not any("amount is missing" in line for line in report.answer.words)
    path, out = tmp_path / "x.gossip_store", tmp_path / "out"
    path.write_bytes(data)
    assert main(["repair", str(path), "-o", str(out)]) == 0
    assert out.read_bytes() == net.store.bytes()


def test_another_copy_has_the_amount(tmp_path: Path) -> None:
    net = network()
    left, right, out = tmp_path / "a.gossip_store", tmp_path / "b.gossip_store", tmp_path / "out"
    left.write_bytes(bare(net, net.channels[2]))
    right.write_bytes(bare(net, net.channels[4]))
    assert main(["merge", str(left), str(right), "-o", str(out)]) == 0
    report, found = scan(out.read_bytes())
    assert not found
    assert any("5 channels" in line for line in report.answer.words)


@pytest.mark.parametrize(("keep", "words"), [(100, "4 channels whose"), (2, "at most 4 channels whose")])
def test_of_more_than_are_shown_the_most_is_told(keep: int, words: str) -> None:
    net = network()
    data = bytearray(net.store.data)
    for channel in reversed(net.channels):
        del data[channel.amount : channel.amount + AMOUNT]
    first = net.channels[0]
    data += net.store.data[first.announcement : first.amount + AMOUNT]
    report = inspect(MemorySource(bytes(data)), FORMATS, keep=keep)
    assert report.tally.counts[("GSP014", Severity.WARNING)] == 5
    assert any(f"Lost: {words}" in line for line in report.answer.words)
