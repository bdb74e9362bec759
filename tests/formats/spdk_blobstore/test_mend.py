"""Flipped bits of metadata: written where the structure notices them, told and waiting where it does not."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from inspector.correct import apply
from inspector.format import Wishes
from inspector.formats.spdk_blobstore import FORMAT, mend
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.signs import page_signs
from tests.builders.spdk import Chain, replica
from tests.formats.spdk_blobstore.support import codes, flip, look, read, repaired

SAMPLES = Path(__file__).parents[3] / "samples" / "spdk_blobstore"


def name_bit(chain: Chain) -> tuple[bytearray, int]:
    """A replica with a flipped bit in the name of its head, and where."""
    image = chain.image.build()
    at = chain.image.page_at(chain.head & 0xFFFF)
    at = image.index(b"name", at) + 5
    flip(image, at, 2)
    return image, at


def test_a_bit_of_a_name_is_told_and_waits_for_accept_unique() -> None:
    chain = replica()
    image, at = name_bit(chain)
    report = look(image)
    finding = next(f for f in report.tally.findings() if f.rule.code == "SPB020")
    assert (finding.salvage, finding.evidence["correction"]) == ("lost", "unique")
    assert f"bit 1 of byte {at % 4096} " in finding.message
    assert "--accept unique" in finding.message
    assert 0 < float(str(finding.evidence["chance_of_error"])) < 1e-5
    taken = look(image, accept=frozenset({"unique"}))
    assert codes(taken) == ["SPB020"]
    assert read(taken, f"0x{chain.head:x}") == (chain.image.logical(chain.head), [])
    assert repaired(image, {"unique"}) == chain.image.build()


def test_no_correct_leaves_a_page_as_it_is() -> None:
    chain = replica()
    image = chain.image.build()
    at = chain.image.page_at(chain.head & 0xFFFF)
    flip(image, at + 4000)
    assert look(image).state.mended
    assert not look(image, no_correct=True).state.mended


def test_random_flips_of_every_page_come_back_or_are_only_told() -> None:
    chain, rng = replica(), Random(5)
    healthy = bytes(chain.image.build())
    g = sb.parse(healthy[:4096])
    sealed = 0
    for page in chain.image.pages:
        at = chain.image.page_at(page)
        unit = healthy[at : at + 4096]
        broken = look(healthy[:at] + bytes(b ^ 0x5A for b in unit[:64]) + healthy[at + 64 :]).state
        witness = mend.witness(page, g, page_signs(broken.disk, g, broken.region))
        for _ in range(20):
            bit = rng.randrange(8 * 4096)
            found = mend.solve(apply(unit, ((bit >> 3, 1 << (bit & 7)),)), witness)
            assert found.unit == unit
            sealed += found.verdict == "sealed"
    assert sealed > 0.95 * 20 * len(chain.image.pages)


def test_random_damage_of_a_page_is_not_taken_for_a_flip() -> None:
    chain, rng = replica(), Random(6)
    healthy = bytes(chain.image.build())
    page = chain.head & 0xFFFF
    at = chain.image.page_at(page)
    witness = mend.witness(page, sb.parse(healthy[:4096]))
    for _ in range(300):
        start = rng.randrange(4000)
        unit = healthy[at : at + start] + rng.randbytes(60) + healthy[at + start + 60 : at + 4096]
        assert not mend.solve(unit, witness).unit


def test_every_field_of_the_super_block_is_noticed() -> None:
    chain = replica()
    healthy = bytes(chain.image.build())
    witness = mend.super_witness(look(healthy).state.disk)
    listed = 0
    for bit in range(8 * 200):
        found = mend.solve(apply(healthy[:4096], ((bit >> 3, 1 << (bit & 7)),)), witness)
        assert found.unit == healthy[:4096]
        listed += found.verdict != "sealed"
    assert listed < 80


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("super-bit", "page_mask is page 1, 1 pages, was page 4097, 1 pages"),
        ("super-impossible", "version is 3, was 9"),
        ("delete-half", "clean is 1, was 0; the masks are what the metadata says"),
        ("super-wiped", "rebuilt from the masks and metadata pages"),
    ],
)
def test_the_ledger_says_what_is_other_in_the_super_block(name: str, why: str) -> None:
    image = (SAMPLES / f"{name}.img").read_bytes()
    report = look(image)
    assert FORMAT.plan is not None
    changed = [e for e in FORMAT.plan(report.state, Wishes()).edits if e.action == "corrected" and e.at == 0]
    assert [e.why for e in changed] == [why]
