"""How sure it is that bytes are a gossip store, and which version they are of: what detection is decided by."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from inspector.__main__ import main
from inspector.format import Wishes
from inspector.formats.gossip_store import FORMAT
from inspector.formats.gossip_store.walk import guess_version, probe
from inspector.source import MemorySource, open_source
from tests.builders import gossip_messages as m
from tests.builders.gossip import COMPLETED, Store, healthy

NOISE = Random(5).randbytes(3000).replace(b"\x01", b"\x91")  # no byte 01 at the place of a type


def records(count: int, version: int = 16) -> bytes:
    store = Store(version, bare=True)
    for number in range(count):
        store.append(m.delete_chan(number + 1))
    return store.bytes()


def behind(byte: int, data: bytes) -> bytes:
    return bytes([byte]) + data[1:]


CLAIMS = [  # bytes, a name of its own, another name
    ("nothing", b"", 1, 0),
    ("a version byte", b"\x10", 2, 2),
    ("the first version byte", b"\x01", 2, 2),
    ("a byte that is no version", b"\x11", 0, 0),
    ("a zero", b"\0", 0, 0),
    ("a line feed, which is version 10", b"\n", 2, 0),
    ("a tab, which is version 9", b"\t", 2, 0),
    ("a version byte and noise", b"\x10" + NOISE, 3, 0),
    ("version 1 and noise", b"\x01" + NOISE, 3, 0),
    ("version 17 and noise", b"\x11" + NOISE, 1, 0),
    ("one record", records(1), 100, 100),
    ("one record of a version to come", behind(0x1F, records(1)), 100, 100),
    ("one record behind no version", behind(0x20, records(1)), 30, 10),
    ("one record behind a zero", behind(0, records(1)), 30, 10),
    ("two records behind no version", behind(0x20, records(2)), 95, 95),
    ("one record further on", b"\x10\0\0" + records(1)[1:], 30, 10),
    ("two records further on", b"\x10\0\0" + records(2)[1:], 95, 95),
    ("one record of an old store, whose checksum nobody knows", records(1, 6), 3, 0),
    ("two records of an old store", records(2, 6), 40, 40),
    ("two records of an older one, whose headers are shorter", records(2, 3), 40, 40),
]


@pytest.mark.parametrize(("data", "named", "other"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS])
def test_how_sure_it_is(data: bytes, named: int, other: int) -> None:
    assert FORMAT.claim(MemorySource(data, "gossip_store"), None).strength == named
    assert FORMAT.claim(MemorySource(data, "notes"), None).strength == other


def test_a_blank_that_may_be_a_version_is_not_called_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for byte in b"\t\n\r":
        path = tmp_path / "repaired"
        path.write_bytes(bytes([byte]))
        assert main(["scan", str(path)]) == 5
        told = " ".join(capfd.readouterr().err.split())
        assert f"store version {byte} and nothing else (--format gossip-store reads it)" in told
        assert main(["scan", str(path), "--format", "gossip-store"]) == 0


def test_only_its_two_names_claim_what_is_no_store(tmp_path: Path) -> None:
    for name, strength in (("gossip_store", 1), ("gossip_store.corrupt", 1), ("gossip_store.old", 0), ("x", 0)):
        assert FORMAT.claim(MemorySource(b"\x11" + NOISE, name), None).strength == strength
    (tmp_path / "gossip_store").mkdir()
    (tmp_path / "gossip_store" / "one").write_bytes(records(3))
    with open_source(str(tmp_path / "gossip_store")) as folder:
        assert FORMAT.claim(folder, None).strength == 0


def test_records_are_probed_for_at_each_fifth_of_a_large_file(tmp_path: Path) -> None:
    """Two records in one probe prove it, wherever that is; one alone counts only behind the version byte."""
    two = records(2)[1:]
    size, small, end = 50 << 20, 16 << 20, (1 << 20) - len(two)
    places = [
        (size, size // 5, True), (size, 2 * size // 5 + 100, True), (size, 4 * size // 5 + end, True),
        (size, 4 * size // 5 + end + 1, False), (size, size // 5 - len(two), False),
        (small, 3 * small // 5, False), (small + 5, 3 * (small + 5) // 5, True),
    ]  # fmt: skip
    for large, at, seen in places:
        path = tmp_path / "device"
        with path.open("wb") as file:
            file.truncate(large)
            file.seek(at)
            file.write(two)
        with open_source(str(path)) as source:
            assert probe(source) == ((2, at) if seen else (0, 0))
    with MemorySource(b"\x10" + bytes(8 << 20) + two, "gossip_store") as source:
        assert probe(source) == (0, 0)
    with MemorySource(b"\x10" + bytes((8 << 20) - len(two)) + two, "gossip_store") as source:
        assert probe(source) == (2, 1 + (8 << 20) - len(two))
    with MemorySource(records(1), "gossip_store") as source:
        assert probe(source) == (1, 1)


UPDATE, SHORT = (m.channel_update(m.Noise(Random(1)), 7, 0, 9, htlc_max=most) for most in (5, None))
VERSIONS = [  # records (body, COMPLETED or not), byte that stands there, what it is
    ("nothing", [], None, None),
    ("a uuid record", [(m.uuid(bytes(32)), 1)], None, 16),
    ("COMPLETED on all", [(UPDATE, 1), (UPDATE, 1)], None, 15),
    ("COMPLETED on most", [(UPDATE, 1), (UPDATE, 1), (UPDATE, 0)], None, 15),
    ("COMPLETED on half", [(UPDATE, 1), (UPDATE, 0)], None, 14),
    ("COMPLETED on none", [(UPDATE, 0)], None, 14),
    ("a private update", [(m.private_update(UPDATE), 0)], None, 12),
    ("a private channel", [(m.private_channel(5, bytes(430)), 0)], None, 12),
    ("an update without its maximum", [(SHORT, 0)], None, 10),
    ("that and a private update", [(SHORT, 0), (m.private_update(UPDATE), 0)], None, 10),
    ("one bit away from 14 alone", [(UPDATE, 0)], 0x0E ^ 0x40, 14),
    ("one bit away from 12 alone", [(UPDATE, 0)], 12 ^ 0x40, 12),
    ("one bit away from 9 alone", [(UPDATE, 0)], 9 ^ 0x80, 9),
    ("one bit away from 8 alone, which is not read today", [(UPDATE, 0)], 8 ^ 0x80, 14),
    ("one bit away from 12, though records are older", [(SHORT, 0)], 12 ^ 0x40, 10),
    ("one bit away from both 10 and 14", [(UPDATE, 0)], 0x0E ^ 0x0A | 0x0A ^ 0x08, 14),
    ("two bits away from 12", [(UPDATE, 0)], 12 ^ 0xC0, 14),
]


@pytest.mark.parametrize(("bodies", "byte", "version"), [row[1:] for row in VERSIONS], ids=[r[0] for r in VERSIONS])
def test_what_records_tell_of_the_version(
    bodies: list[tuple[bytes, int]], byte: int | None, version: int | None
) -> None:
    store = Store(14)
    for body, completed in bodies:
        store.append(body, 9 if body in (UPDATE, SHORT) else 0, COMPLETED * completed)
    assert guess_version(MemorySource(store.bytes(), "x"), 1, byte) == version


@pytest.mark.parametrize("head", [b"\0", b"\0" * 4, b"\xff" * 900])
def test_a_version_byte_that_something_stands_before_is_found(head: bytes) -> None:
    for version in (14, 16):
        store = FORMAT.open(MemorySource(head + healthy(version, 3000, 1), "gossip_store"), None, Wishes())
        assert (store.version, store.version_at, store.start) == (version, len(head), len(head) + 1)


@pytest.mark.parametrize(("length", "found"), [(1023, True), (1024, False)])
def test_in_older_versions_only_a_kilobyte_may_stand_before_the_store(length: int, found: bool) -> None:
    store = FORMAT.open(MemorySource(b"\xff" * length + healthy(14, 3000, 1), "gossip_store"), None, Wishes())
    assert (store.version_at, store.version) == (length if found else 0, 14)
    newest = FORMAT.open(MemorySource(b"\xff" * 5000 + healthy(16, 3000, 1), "gossip_store"), None, Wishes())
    assert newest.version_at == 5000
