"""Damaged records of a store with real signatures: what comes back, what proves it, what is left alone."""

from __future__ import annotations

import struct
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from crc32c import crc32c

from inspector.__main__ import main
from inspector.correct import Correction
from inspector.finding import Tally
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.gossip_store.correction import HEADER, Corrector
from inspector.formats.gossip_store.mending import mend, seen_through
from inspector.formats.gossip_store.survey import check
from inspector.formats.gossip_store.walk import Store, open_store, walk
from inspector.inspect import inspect
from inspector.repair import Result, repair
from inspector.source import MemorySource, open_source
from inspector.span import Span
from tests.builders import gossip
from tests.builders import gossip_messages as m
from tests.builders.gossip_signed import node, signed_store

UNIQUE = Wishes(accept=frozenset({"unique"}))
SIGNED = (256, 257, 258)


@cache
def whole() -> bytes:
    return signed_store()


@cache
def spans(data: bytes) -> dict[int, list[Span]]:
    """The records of a store by type."""
    found: dict[int, list[Span]] = {}
    for stretch in walk(opened(data)):
        starts = [*stretch.starts, stretch.end]
        for (start, end), kind in zip(pairwise(starts), stretch.kinds, strict=True):
            found.setdefault(kind, []).append(Span(start, end))
    return found


def opened(data: bytes, wishes: Wishes | None = None) -> Store:
    return open_store(MemorySource(data), None, wishes or Wishes())


def span_of(kind: int, number: int = 0) -> Span:
    return spans(whole())[kind][number]


def put(at: int, new: bytes, data: bytes | None = None) -> bytes:
    """The store with these bytes in place of what was there; never the same ones."""
    data = data or whole()
    changed = data[:at] + new + data[at + len(new) :]
    assert changed != data
    return changed


def flip(*bits: int, data: bytes | None = None) -> bytes:
    out = bytearray(data or whole())
    for bit in bits:
        out[bit >> 3] ^= 1 << (bit & 7)
    return bytes(out)


def mended(data: bytes, wishes: Wishes = UNIQUE) -> bytes:
    """The store as the repair sees it."""
    store = opened(data, wishes)
    check(store, walk(store), Tally(2))
    return seen_through(store, mend(store, wishes)).source.read(0, len(data))


def solved(data: bytes, span: Span) -> Correction:
    return Corrector(opened(data)).record(span)


@pytest.mark.parametrize("kind", [256, 257, 258, 4101, 4103, 4107])
def test_a_flipped_bit_behind_the_flags_costs_nothing(kind: int) -> None:
    data = whole() if kind != 4103 else _with_tombstone()
    span = spans(data)[kind][0]
    for byte in range(span.start + 2, span.end):
        bit = 8 * byte + (byte * 5 + byte // 8) % 8
        assert mended(flip(bit, data=data)) == data, (kind, byte - span.start, bit % 8)


def _with_tombstone() -> bytes:
    """A delete_chan of the first channel, and a record behind it."""
    body = span_of(256).start + HEADER
    store = gossip.Store(16)
    store.data[:] = whole()
    store.append(m.delete_chan(int.from_bytes(whole()[body + 292 : body + 300], "big")))
    store.append(m.chan_dying(0, 1))
    return store.bytes()


@pytest.mark.parametrize("kind", SIGNED)
def test_corrections_of_signed_messages_are_sealed_by_their_signatures(kind: int) -> None:
    span, rng = span_of(kind), Random(kind)
    for _ in range(60):
        bits = rng.sample(range(8 * span.start + 16, 8 * span.end), 2)
        found = solved(flip(*bits), span)
        assert found.unit == whole()[span.start : span.end], bits
        assert found.verdict == "sealed", bits
        assert "hold" in found.witness, bits


def test_the_one_pair_of_flips_that_no_checksum_notices_is_the_seed_against_the_first_four_bytes() -> None:
    span = span_of(258)
    seed, twin = 8 * (span.start + 11), 8 * (span.start + 12)  # lowest bits of the time and of the type's first byte
    bad = flip(seed, twin)
    unit = bad[span.start : span.end]
    assert crc32c(unit[12:], int.from_bytes(unit[8:12], "big")) == int.from_bytes(unit[4:8], "big")


def test_two_flips_in_a_long_node_announcement_are_settled_by_its_signature() -> None:
    words = m.NodeWords(b"long", addresses=b"\x05\x10node.example.org\x26\x07" * 60)
    body = node(0, 1_700_000_500, words)
    assert len(body) > 1200
    record = struct.pack(">HHII", 0x2000, len(body), crc32c(body, 1_700_000_500), 1_700_000_500) + body
    data = whole() + record
    span = Span(len(whole()), len(data))
    for first, second in ((200, 9000), (8 * 12 + 30, 8 * 1000), (40, 6000)):
        found = solved(flip(8 * span.start + first, 8 * span.start + second, data=data), span)
        assert (found.verdict, found.unit) == ("sealed", record)


@pytest.mark.parametrize("kind", SIGNED)
def test_a_header_of_rubbish_around_an_authentic_message_is_made_anew(kind: int) -> None:
    span = span_of(kind)
    bad = put(span.start + 4, b"\xa5\x5a\xff\x00", whole())
    found = solved(bad, span)
    assert (found.verdict, found.unit) == ("sealed", whole()[span.start : span.end])
    assert "header" in found.how


def test_a_wrong_time_in_the_header_comes_from_the_message() -> None:
    for kind in (257, 258, 4101):
        span = span_of(kind)
        found = solved(put(span.start + 8, b"\x12\x34\x56\x78"), span)
        assert (found.verdict, found.unit) == ("sealed", whole()[span.start : span.end])


def test_a_wrong_length_is_undone_where_the_message_gives_it() -> None:
    for kind in (*SIGNED, 4101):
        span = span_of(kind)
        bad = put(span.start + 2, b"\x7f\x33")
        assert mended(bad, Wishes()) == whole(), kind


def test_a_wrong_length_and_a_flipped_bit_of_one_record_are_undone_together() -> None:
    span = span_of(256)
    bad = flip(8 * (span.start + 300) + 2, data=put(span.start + 2, b"\x00\x11"))
    assert mended(bad, Wishes()) == whole()


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        (258, 66, 98),  # the chain hash
        (258, 66, 106),  # chain hash and channel
        (258, 90, 112),  # the end of the chain, the channel, the time and the flags
        (258, 112, 138),  # the terms, known from the update before
        (256, 258, 300),  # features' length, features, chain hash, channel
        (256, 300, 333),  # the first node's id
        (257, 89, 126),  # time and node id
    ],
)
def test_zeroed_fields_that_the_store_has_elsewhere_are_filled(kind: int, first: int, last: int) -> None:
    number = _number_with_donor() if (kind, first) == (258, 112) else 0
    span = span_of(kind, number)
    bad = put(span.start + HEADER + first, bytes(last - first))
    found = solved(bad, span)
    assert (found.verdict, found.unit) == ("sealed", whole()[span.start : span.end])
    assert "zeroes" in found.how or found.how.endswith("32 bits")


def _number_with_donor() -> int:
    """An update whose terms another update of its channel repeats."""
    updates = [whole()[span.start + HEADER : span.end] for span in spans(whole())[258]]
    rows = [(body[98:106], body[112:]) for body in updates]
    for number, (channel, terms) in enumerate(rows):
        if sum(other == channel for other, _ in rows) >= 2 and len(terms) == 26:
            return number
    raise AssertionError("no channel has two updates")


@pytest.mark.parametrize(("kind", "first"), [(258, 70), (258, 8), (257, 80), (256, 100), (256, 400)])
def test_a_burst_of_four_bytes_is_undone_where_a_signature_decides(kind: int, first: int) -> None:
    span = span_of(kind)
    at = span.start + HEADER + first
    bad = put(at, bytes(b ^ x for b, x in zip(whole()[at : at + 4], b"\xd3\x81\x3c\xe9", strict=True)))
    found = solved(bad, span)
    assert (found.verdict, found.unit) == ("sealed", whole()[span.start : span.end])
    assert "burst" in found.how


def test_bursts_are_not_searched_without_end() -> None:
    span = span_of(258)
    bad = put(span.start + HEADER + 70, b"\xd3\x81\x3c\xe9")
    undo = Corrector(opened(bad), checks=0)
    assert undo.record(span).verdict == "none"
    assert undo.skipped == 1
    undo.checks = 10_000
    assert undo.record(span).verdict == "sealed"
    assert undo.checks < 10_000


def test_damage_that_is_no_bit_error_is_left_alone() -> None:
    rng = Random(11)
    for kind in SIGNED:
        span = span_of(kind)
        for _ in range(6):
            at = rng.randrange(span.start + HEADER + 2, span.end - 30)
            found = Corrector(opened(put(at, rng.randbytes(30))), checks=0).record(span)
            assert found.verdict == "none"
            assert found.unit == b""


def test_an_amount_has_no_witness_and_waits_for_accept_unique() -> None:
    span = span_of(4101)
    bad = flip(8 * (span.end - 1))
    found = solved(bad, span)
    assert (found.verdict, found.unit) == ("unique", whole()[span.start : span.end])
    assert 0 < found.chance < 1e-6
    assert mended(bad, Wishes()) == bad
    assert mended(bad, UNIQUE) == whole()


def test_without_real_signatures_a_correction_is_unique_and_not_sealed() -> None:
    data = gossip.healthy(16, 8_000)
    span = next(s for s in spans(data)[258] if not data[s.start] & 0x80)
    found = solved(flip(8 * (span.start + 130), data=data), span)
    assert (found.verdict, found.unit) == ("unique", data[span.start : span.end])


def test_neighbours_with_damaged_lengths_and_bodies_come_back() -> None:
    first = span_of(256, 1)
    amount = Span(first.end, first.end + 22)
    bad = flip(8 * (first.start + 2) + 6, 8 * (amount.start + 3) + 4, 8 * (amount.start + 18) + 1)
    assert mended(bad) == whole()


def test_a_proved_record_behind_one_that_nothing_undoes_is_kept(tmp_path: Path) -> None:
    """The length of the first one leads nowhere: where the second one begins only the structure of the first says."""
    first, second = span_of(258), span_of(258, 1)
    assert first.end == second.start
    bad = put(first.start + 2, b"\xff\x03", put(first.start + 20, Random(3).randbytes(first.length - 20)))
    result = _repaired(flip(8 * (second.start + 30) + 2, data=bad), tmp_path, Wishes())
    assert (tmp_path / "out").read_bytes() == whole()[: first.start] + whole()[first.end :]
    assert (int(result.code), result.records["corrected"], result.bytes["lost"]) == (4, 1, first.length)


def test_an_update_of_a_channel_whose_announcement_is_damaged_too_is_sealed() -> None:
    announced, update = span_of(256), span_of(258)
    bad = flip(8 * (announced.start + 40), 8 * (update.start + 100))
    assert mended(bad, Wishes()) == whole()


def test_a_repair_writes_the_bytes_that_were_there(tmp_path: Path) -> None:
    bits = [8 * (span_of(kind).start + 30 + kind % 7) + kind % 8 for kind in SIGNED]
    result = _repaired(flip(*bits), tmp_path, Wishes())
    assert (tmp_path / "out").read_bytes() == whole()
    assert (int(result.code), result.records["corrected"], result.bytes["lost"]) == (0, 3, 0)
    assert result.proof["none"] == 0
    assert all("went" in edit.why and "hold" in edit.why for edit in result.changes)


def test_no_correct_leaves_the_damaged_record_out(tmp_path: Path) -> None:
    span = span_of(258)
    result = _repaired(flip(8 * (span.start + 100)), tmp_path, Wishes(no_correct=True))
    assert (int(result.code), result.records["corrected"], result.records["lost"]) == (4, 0, 1)
    assert (tmp_path / "out").read_bytes() == whole()[: span.start] + whole()[span.end :]


def test_an_accepted_amount_keeps_its_channel_and_is_labelled(tmp_path: Path) -> None:
    span = span_of(4101)
    without = _repaired(flip(8 * (span.end - 1)), tmp_path, Wishes())
    assert any("--accept unique" in note for note in without.notes)
    (tmp_path / "out").unlink()
    result = _repaired(flip(8 * (span.end - 1)), tmp_path, UNIQUE)
    assert (tmp_path / "out").read_bytes() == whole()
    assert result.proof["none"] == span.length


def _repaired(data: bytes, folder: Path, wishes: Wishes) -> Result:
    path = folder / "gossip_store"
    path.write_bytes(data)
    with open_source(str(path)) as source:
        result = repair(source, all_formats(), str(folder / "out"), wishes)
    assert path.read_bytes() == data
    return result


def test_a_finding_tells_the_bit_the_cause_and_the_witness() -> None:
    span = span_of(257)
    at = span.start + 60
    report = inspect(MemorySource(flip(8 * at + 3), "gossip_store"), all_formats(), Wishes())
    finding = next(f for f in report.tally.findings() if f.rule.code == "GSP003")
    assert (finding.salvage, finding.cause.name, finding.cause.confidence) == ("corrected", "bit-flip", "certain")
    assert (finding.evidence["flip_at"], finding.evidence["flip_bit"]) == (at, 3)
    assert finding.evidence["correction"] == "sealed"
    assert "signature" in str(finding.evidence["witness"])
    assert any("repair undoes: 1 node_announcement" in line for line in report.answer.words)


def test_a_flip_that_the_message_contradicts_is_no_bit_flip() -> None:
    """Four bytes were overwritten so that one flipped bit elsewhere would explain the checksum."""
    span = span_of(258)
    unit = bytearray(whole()[span.start : span.end])
    unit[12 + 70 : 12 + 74] = b"\x01\x02\x03\x04"
    unit[12 + 120] ^= 0x10
    computed = crc32c(bytes(unit[12:]), int.from_bytes(unit[8:12], "big"))
    unit[12 + 120] ^= 0x10
    unit[4:8] = computed.to_bytes(4, "big")
    report = inspect(MemorySource(put(span.start, bytes(unit)), "gossip_store"), all_formats(), Wishes())
    finding = next(f for f in report.tally.findings() if f.rule.code == "GSP003")
    assert (finding.salvage, finding.cause.name) == ("lost", "unknown")


# a live amount behind a deleted announcement harms nobody, is a note, and a store with notes alone is copied
@pytest.mark.parametrize(("which", "closed"), [("announcement", False), ("announcement", True), ("amount", False)])
def test_deleted_on_one_of_a_pair_is_set_right_by_the_updates(which: str, closed: bool, tmp_path: Path) -> None:
    data = bytearray(whole())
    announced = span_of(256, 2)
    channel = data[announced.start + 12 + 292 : announced.start + 12 + 300]
    members = [announced, Span(announced.end, announced.end + 22)]
    members += [s for s in spans(whole())[258] if data[s.start + 110 : s.start + 118] == channel]
    if closed:
        for member in members:
            data[member.start] |= 0x80
    good = bytes(data)
    data[members[which == "amount"].start] ^= 0x80
    _repaired(bytes(data), tmp_path, Wishes())
    assert (tmp_path / "out").read_bytes() == good


def test_a_repair_that_leaves_records_out_does_not_say_that_all_else_is_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two neighbours are damaged, the first one's length reaches over the end: what verifies behind may be planted."""
    first, second = span_of(257), span_of(256, 1)
    assert first.end == second.start
    bad = put(first.start + 2, b"\xff\x03", put(first.start + 20, Random(3).randbytes(first.length - 20)))
    (tmp_path / "gossip_store").write_bytes(flip(8 * (second.start + 30) + 2, data=bad))
    assert main(["repair", str(tmp_path / "gossip_store"), "-o", str(tmp_path / "out")]) == 4
    lost, kept = second.end - first.start, (tmp_path / "out").stat().st_size
    told = f"{lost} bytes were lost; {len(whole()) - lost - kept:,} bytes left out on purpose, all else is kept"
    assert told in capfd.readouterr().out
