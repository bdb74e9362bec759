"""--verify-signatures: all signatures of sound messages, counted and told."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from crc32c import crc32c

from inspector.finding import Severity
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders import gossip
from tests.builders.gossip_signed import signed_store

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "gossip_store"


def scanned(data: bytes, verify: bool = True) -> Report:
    return inspect(MemorySource(data, "gossip_store"), all_formats(), Wishes(verify_signatures=verify))


def codes(report: Report) -> list[str]:
    return [f.rule.code for f in report.tally.findings()]


def test_all_signatures_of_a_sound_store_hold() -> None:
    report = scanned(signed_store(channels=300))
    told = report.answer.summary["signatures"]
    assert told == {"messages": 905, "held": 4 * 300 + 605, "failed": 0, "absent": 0, "unknown": 0}
    assert codes(report) == []
    assert "Signatures: 1,805 of 1,805 hold." in report.answer.words


def test_signatures_are_not_checked_unless_asked_for() -> None:
    report = scanned(signed_store(), verify=False)
    assert report.answer.summary["signatures"] is None


def resealed(data: bytes, at: int, byte: int) -> bytes:
    """The record at `at` with one byte of its body changed and its checksum made to fit."""
    _, length, _, time = struct.unpack_from(">HHII", data, at)
    body = bytearray(data[at + 12 : at + 12 + length])
    body[byte] ^= 0x40
    return data[: at + 4] + sealed(bytes(body), time) + data[at + 12 + length :]


def sealed(body: bytes, time: int) -> bytes:
    """Checksum, time and body of a record."""
    return crc32c(body, time).to_bytes(4, "big") + time.to_bytes(4, "big") + body


def test_a_message_that_was_changed_with_its_checksum_is_a_warning() -> None:
    data = signed_store()
    report = scanned(resealed(data, 47, 100))
    finding = report.tally.findings()[0]
    assert (finding.rule.code, finding.level, finding.span.start) == ("GSP035", Severity.WARNING, 47)
    assert finding.evidence["failed"] == ["node_signature_2"]
    assert report.exit_code() == 3
    assert codes(scanned(resealed(data, 47, 100), verify=False)) == []


def test_an_update_of_an_unannounced_channel_has_no_known_signer() -> None:
    data = signed_store(channels=1)
    net = gossip.Store(16)
    at = 47 + 444 + 22  # behind the announcement and its amount
    report = scanned(net.bytes()[:47] + data[at:])
    assert report.answer.summary["signatures"]["unknown"] == 2
    assert "GSP035" not in codes(report)


def test_signatures_of_zeroes_are_told_once_and_are_no_warning() -> None:
    data = signed_store(channels=2)
    for at in (47, 47 + 444 + 22):
        _, length, _, time = struct.unpack_from(">HHII", data, at)
        signatures = 256 if data[at + 13] == 0 else 64
        body = data[at + 12 : at + 14] + bytes(signatures) + data[at + 14 + signatures : at + 12 + length]
        data = data[: at + 4] + sealed(body, time) + data[at + 12 + length :]
    report = scanned(data)
    assert codes(report) == ["GSP036"]
    assert report.answer.summary["signatures"]["absent"] == 5
    assert report.exit_code() == 0


@pytest.mark.skipif(not DATA.is_dir(), reason="the real stores are only where the project is developed")
def test_the_real_signatures_of_core_lightning_s_own_stores_hold() -> None:
    held = {"gossip_store.simple": 8, "gossip_store.mesh-3x3": 81, "gossip_store-part1": 184}
    for name, count in held.items():
        told = scanned((DATA / name).read_bytes()).answer.summary["signatures"]
        assert (told["held"], told["failed"], told["absent"], told["unknown"]) == (count, 0, 0, 0), name
