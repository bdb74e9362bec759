"""What speaks for corrections that no signature covers: amounts, private updates, the time in a header."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest
from crc32c import crc32c

from benchmarks.bench_correction_random import KINDS, harmed
from inspector.format import Wishes
from inspector.formats.gossip_store.amounts import spoken_for
from inspector.formats.gossip_store.correction import HEADER, Corrector
from inspector.span import Span
from tests.builders import gossip_messages as m
from tests.formats.gossip_store.test_correction import flip, mended, opened, put, solved, span_of, spans, whole


def _with_amount(satoshis: int) -> tuple[bytes, Span]:
    """The store with another amount in its first channel_amount."""
    span = span_of(4101)
    body = m.amount(satoshis)
    record = whole()[span.start : span.start + 4] + crc32c(body, 0).to_bytes(4, "big") + bytes(4) + body
    return whole()[: span.start] + record + whole()[span.end :], span


def test_a_round_amount_notices_every_flipped_bit() -> None:
    data, span = _with_amount(5_000_000)
    for bit in range(8 * span.start + 32, 8 * span.end):
        assert mended(flip(bit, data=data), Wishes()) == data, bit - 8 * span.start


def test_an_amount_that_an_update_of_its_channel_names_is_sealed() -> None:
    body = next(whole()[s.start + HEADER : s.end] for s in spans(whole())[258] if s.length == 150)
    satoshis = int.from_bytes(body[130:138], "big") // 990
    known = Corrector(opened(whole())).known
    scid = int.from_bytes(body[98:106], "big")
    assert not spoken_for(m.amount(satoshis + 1), scid, known)
    assert bool(spoken_for(m.amount(satoshis), scid, known)) == (990 * satoshis == int.from_bytes(body[130:138], "big"))


def test_more_than_all_bitcoin_is_no_amount() -> None:
    data, span = _with_amount(1_234_567)
    high = flip(8 * (span.start + 14) + 6, data=data)
    found = solved(high, span)
    assert (found.verdict, found.unit) == ("sealed", data[span.start : span.end])
    low = solved(flip(8 * (span.end - 1), data=data), span)
    assert (low.verdict, low.unit) == ("unique", data[span.start : span.end])


def test_a_private_update_is_sealed_by_the_signature_inside_it() -> None:
    if not REAL_PRIVATE.exists():
        pytest.skip("the files that real programs wrote are not here")
    data = REAL_PRIVATE.read_bytes()
    span = spans(data)[4102][0]
    for at in range(span.start + 4, span.end, 7):
        found = solved(flip(8 * at + at % 8, data=data), span)
        assert (found.verdict, found.unit) == ("sealed", data[span.start : span.end]), at - span.start


REAL_PRIVATE = Path(__file__).parents[3] / ".." / "shared" / "data" / "gossip_store" / "simple-v10.gossip_store"


# -- the time in an announcement's header ----------------------------------------------------------


def test_an_announcement_takes_its_time_from_an_update_of_its_channel() -> None:
    span = span_of(256)
    found = solved(put(span.start + 8, b"\x12\x34\x56\x78"), span)
    assert (found.verdict, found.unit) == ("sealed", whole()[span.start : span.end])


def test_a_time_that_nothing_confirms_is_not_written() -> None:
    """Checksum and time of the header are both damaged: the message is authentic, its time is not known."""
    span = span_of(256)
    bad = put(span.start + 4, b"\xa5\x5a\xff\x00\x65\x53\xf1\x02")
    found = solved(bad, span)
    assert (found.verdict, found.unit[HEADER:]) == ("unique", whole()[span.start + HEADER : span.end])
    assert found.chance > 0.1
    assert mended(bad, Wishes()) == bad


def test_without_updates_a_time_like_those_of_the_other_announcements_is_kept() -> None:
    """The real store of 2021 has announcements only."""
    if not REAL_2021.exists():
        pytest.skip("the files that real programs wrote are not here")
    data = lzma.decompress(REAL_2021.read_bytes())[:200_000]
    for number, span in enumerate(spans(data)[256][3:40:4]):
        rubbish = put(span.start + 4, b"\xa5\x5a\xff" + bytes([number]), data)
        found = solved(rubbish, span)
        assert (found.verdict, found.unit) == ("sealed", data[span.start : span.end])
        both = solved(put(span.start + 8, b"\xe5\x53\xf1\x02", rubbish), span)
        assert both.verdict != "sealed"


REAL_2021 = REAL_PRIVATE.with_name("mainnet-2021-v9.gossip_store.xz")


def test_random_damage_is_never_sealed_wrongly() -> None:
    for kind in KINDS:
        found = harmed((kind, kind * 10**9, 700, 350))
        assert not [what for what in found if "WRONG" in what and "sealed" in what], found
        assert found["none"] > 500
