"""What a node does at a start, how ids are written, which of several ledgers is named, and who vouched for a block."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inspector.formats.rocksdb.loader import EMPTY
from inspector.formats.snarkos.authority import BEACON, QUORUM, read_authority
from inspector.formats.snarkos.compare import together
from inspector.formats.snarkos.loader import Facts, outcomes
from inspector.formats.snarkos.maps import MAPS, name_of, split
from inspector.formats.snarkos.names import bech32m, block_name, field_name, network_name, transaction_name
from inspector.formats.snarkos.reading import Cursor, MalformedError
from tests.builders.snarkos import ledger as ledger_of

LATER = "starts if its ten random blocks are whole, fails "
NEXT = "starts, then cannot add the next block"
FACTS: list[tuple[dict[str, Any], str, str]] = [  # the first thing in the way decides
    ({"archive": True}, "must not be started on an archive", "its program mappings are not there"),
    ({"engine": ("refuses to open", "Corruption: VersionEdit")}, "refuses to start", "Corruption: VersionEdit"),
    ({"engine": (EMPTY, "Invalid argument")}, "starts a new ledger from genesis over these files", ""),
    ({"engine": ("opens; deletes tables: 9.sst", "")},
     "starts without rows, if it does: RocksDB opens; deletes tables: 9.sst", ""),
    ({"block_tip": None}, "starts a new ledger from genesis beside these rows", ""),
    ({"id_gap": True}, "refuses to start", "Missing block hash"),
    ({"tip_broken": True}, "refuses to start", "Failed to load block 9 from the ledger"),
    ({"round_missing": True}, "refuses to start", "Current round not found in committee storage"),
    ({"corrupt_blocks": True}, LATER + "later", "Corruption: block checksum mismatch"),
    ({"rows_lost": True}, LATER + "when it reads a damaged one", "Missing block ..."),
    ({"wal_cut": True}, "starts; blocks behind the damaged WAL record are dropped and fetched again", ""),
    ({}, "starts", ""),
]  # fmt: skip


@pytest.mark.parametrize("first", range(len(FACTS)))
def test_the_first_thing_in_the_way_of_a_start_decides(first: int) -> None:
    facts: dict[str, Any] = {"block_tip": 9}
    for one, _, _ in reversed(FACTS[first:]):  # of two that say the same of one thing the first counts
        facts |= {k: v for k, v in one.items() if k != "block_tip" or one is FACTS[first][0]}
    old, new = outcomes(Facts(**facts))
    _, outcome, message = FACTS[first]
    assert (old.program, old.release, new.release) == ("snarkOS", "2.2.7 to 3.x", "4.x")
    assert old.outcome == new.outcome == outcome
    assert old.message.startswith(message)
    assert bool(old.message) == bool(message)
    stale = outcomes(Facts(**facts, tree_stale=True))
    assert stale[0] == old
    assert stale[1].outcome == ("refuses to start" if outcome.startswith("starts") else outcome)


@pytest.mark.parametrize(
    ("finalised", "outcome", "message"),
    [
        (8, NEXT, "Next height must be sequential"),
        (9, "starts", ""),
        (10, NEXT, "Next round N must be greater than current round N"),
        (None, "starts", ""),
    ],
)
def test_a_node_goes_on_where_the_last_block_is_the_last_finalised(
    finalised: int | None, outcome: str, message: str
) -> None:
    found = outcomes(Facts(block_tip=9, finalised=finalised))[0]
    assert (found.outcome, found.message) == (outcome, message)
    if finalised not in (9, None):
        assert outcomes(Facts(block_tip=9, finalised=finalised, corrupt_blocks=True))[0] == found


ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def checks(text: str) -> bool:
    """BIP 350, as it is written there."""
    prefix, _, data = text.rpartition("1")
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + [ALPHABET.index(c) for c in data]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    return check == 0x2BC830A3


def back(text: str) -> bytes:
    bits = "".join(f"{ALPHABET.index(c):05b}" for c in text.rpartition("1")[2][:-6])
    assert set(bits[len(bits) // 8 * 8 :]) <= {"0"}
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) // 8 * 8, 8))


@pytest.mark.parametrize("raw", [b"", b"\0", b"\xff", bytes(range(32)), b"\x80" * 31, b"\1\2\3\4\5"])
def test_an_id_is_written_as_bip_350_says(raw: bytes) -> None:
    assert bech32m("a", b"") == "a1lqfn3a"  # one of its test vectors
    for prefix in ("ab", "at", "solution"):
        text = bech32m(prefix, raw)
        assert text.startswith(prefix + "1")
        assert checks(text)
        assert back(text) == raw
    assert (block_name(raw)[:3], transaction_name(raw)[:3]) == ("ab1", "at1")


def test_fields_are_numbers_and_networks_have_names() -> None:
    assert field_name(b"\1\2") == "513field"
    assert [network_name(n) for n in range(4)] == ["mainnet", "testnet", "canary", "network 3"]
    assert (name_of(4), name_of(59), name_of(60), name_of(63)) == (
        "block.id", "program.key_value", "output.record_sender", "map 63",
    )  # fmt: skip
    assert [(n, m.id, m.since) for n, m in MAPS.items() if n in (0, 59, 60, 62)] == [
        (0, 0, 2023), (59, 59, 2023), (60, 60, 2025), (62, 62, 2025),
    ]  # fmt: skip
    assert split(b"\1\2\3\4k") == (0x0201, 0x0403, b"k")
    assert split(b"\1\2\3\4") == (0x0201, 0x0403, b"")
    with pytest.raises(MalformedError):
        split(b"\1\2\3")


def ledger(
    label: str, blocks: int, *classes: str, prefix: int | None = None, archive: bool = False, network: int = 0
) -> Any:
    verdict = SimpleNamespace(
        network=SimpleNamespace(id=network),
        blocks=blocks,
        classes=list(classes),
        prefix=blocks if prefix is None else prefix,
    )
    return label, SimpleNamespace(verdict=verdict, archive=archive)


def test_the_newest_whole_ledger_is_named_and_what_is_wrong_with_the_others() -> None:
    assert together([ledger("a", 5)]) == ()
    assert together([ledger("a", 5), ("b", SimpleNamespace(verdict=None, archive=False))]) == ()  # type: ignore[list-item]
    assert together([ledger("a", 5), ledger("b", 7), ledger("c", 7)]) == (
        "mainnet: b is the newest whole one, up to block 6, as is c (3 of 3 ledgers are whole).",
    )
    assert together([ledger("a", 5), ledger("b", 9, "D", "C", prefix=5), ledger("c", 9, "A", prefix=6)]) == (
        "mainnet: a is the newest whole one, up to block 4 (1 of 3 ledgers are whole).",
        "c has 1 more whole blocks behind it: a repair keeps them, a checkpoint does not.",
        "c: class A, 6 whole blocks from 0.",
        "b: class D, C, 5 whole blocks from 0.",
    )
    assert together([ledger("a", 5), ledger("b", 9, "D", prefix=5)])[1:] == ("b: class D, 5 whole blocks from 0.",)
    assert together([ledger("a", 0), ledger("b", 9, archive=True)]) == (
        "mainnet: none of the 2 ledgers is whole.",
        "b: an archive, 9 whole blocks from 0.",
        "a: empty, 0 whole blocks from 0.",
    )
    both = together([ledger("a", 5, network=1), ledger("b", 5)])
    assert [line.partition(":")[0] for line in both] == ["mainnet", "testnet"]


def test_eight_ledgers_are_told_one_by_one() -> None:
    for count in (8, 9):
        words = together([ledger("whole", 50), *(ledger(f"l{n}", 9, "D", prefix=n) for n in range(count))])
        assert words[1:9] == tuple(f"l{n}: class D, {n} whole blocks from 0." for n in range(count - 1, count - 9, -1))
        assert words[9:] == (("1 more are not whole.",) if count == 9 else ())
    twins = together([ledger(f"l{n}", 5) for n in range(10)])
    assert twins[0].startswith(
        "mainnet: l0 is the newest whole one, up to block 4, as is l1, l2, l3, l4, l5, l6, l7, l8 ("
    )


def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def certificate(number: int, sent: bytes = b"", count: int = 0, previous: int = 0, signatures: int = 0) -> bytes:
    body = b"\1\1" + b"\1" * 32 + b"\2" * 32 + u(number, 8) + u(77, 8) + b"\3" * 32 + u(count, 4) + sent
    return body + u(previous, 2) + b"\4" * 32 * previous + b"s" * 128 + u(signatures, 2) + b"t" * 128 * signatures


def test_a_quorum_has_certificates_by_round() -> None:
    sent = b"\0" + b"\1" + b"S" * 8 + b"k" * 16 + b"\2" + b"\5" * 32 + b"K" * 16
    one, two, three = certificate(4), certificate(6, sent, 3, 2, 3), certificate(6, previous=1, signatures=1)
    subdag = b"\1" + b"\1" + u(2, 4) + u(4, 8) + u(1, 2) + one + u(6, 8) + u(2, 2) + two + three
    cursor = Cursor(subdag)
    kind, found = read_authority(cursor)
    assert (kind, cursor.at) == (QUORUM, len(subdag))
    assert [(c.round, c.timestamp, len(c.previous), c.signatures) for c in found] == [
        (4, 77, 0, 0), (6, 77, 2, 3), (6, 77, 1, 1),
    ]  # fmt: skip
    assert (found[1].id, found[1].author, found[1].committee) == (b"\1" * 32, b"\2" * 32, b"\3" * 32)
    assert found[1].transmissions == (
        ("ratification", b"", b""),
        ("solution", b"S" * 8, b"k" * 16),
        ("transaction", b"\5" * 32, b"K" * 16),
    )
    for cut in range(len(subdag)):
        with pytest.raises(MalformedError):
            read_authority(Cursor(subdag[:cut]))


@pytest.mark.parametrize(
    ("at", "byte", "why"),
    [
        (0, 2, "authority has kind 2"),
        (1, 0, "subdag"),
        (6, 5, "a certificate of round 4 lies in round 5"),
        (16, 2, "certificate"),
    ],
)
def test_what_is_wrong_with_an_authority_is_said(at: int, byte: int, why: str) -> None:
    subdag = bytearray(b"\1" + b"\1" + u(1, 4) + u(4, 8) + u(1, 2) + certificate(4))
    subdag[at] = byte
    with pytest.raises(MalformedError, match=why):
        read_authority(Cursor(bytes(subdag)))


def test_a_beacon_signs_alone() -> None:
    cursor = Cursor(b"\0" + b"s" * 128 + b"more")
    assert read_authority(cursor) == (BEACON, [])
    assert cursor.at == 129
    with pytest.raises(MalformedError):
        read_authority(Cursor(b"\0" + b"s" * 127))


def test_the_name_of_a_mapping_fills_its_length() -> None:
    key = next(key for block in ledger_of(2) for key in block.rows() if key[2] == 59)[4:]
    size = int.from_bytes(key[:4], "little")
    cursor = Cursor(key)
    read = MAPS[59].key(cursor)
    assert isinstance(read, dict)
    assert {"program", "mapping", "key"} == read.keys()
    assert cursor.at == len(key)
    longer = u(size + 1, 4) + key[4 : 4 + size] + b"\0" + key[4 + size :]
    with pytest.raises(MalformedError):
        MAPS[59].key(Cursor(longer))
