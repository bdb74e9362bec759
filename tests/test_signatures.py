"""secp256k1 signatures: the two libraries agree, and nothing that looks like bytes raises."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from inspector import signatures
from tests.builders.gossip_signed import ORDER, public, sign

MESSAGE = b"channel_update" * 9
LIBRARIES: dict[str, Callable[[], signatures.Check]] = {
    "coincurve": signatures.by_coincurve,
    "cryptography": signatures.by_cryptography,
}


@pytest.fixture(params=sorted(LIBRARIES))
def checked_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    try:
        check = LIBRARIES[name]()
    except ImportError:
        pytest.skip(f"{name} is not installed here")
    monkeypatch.setattr(signatures, "_check", lambda: (name, check))
    signatures._asked.cache_clear()
    return name


def test_a_signature_holds_for_its_key_and_message_only(checked_by: str) -> None:
    digest, signature = signatures.double_sha256(MESSAGE), sign(1, MESSAGE)
    assert signatures.library() == checked_by
    assert signatures.holds(public(1), digest, signature)
    assert not signatures.holds(public(2), digest, signature)
    assert not signatures.holds(public(1), signatures.double_sha256(MESSAGE + b"!"), signature)


def test_no_flipped_bit_of_a_signature_holds(checked_by: str) -> None:
    digest, signature = signatures.double_sha256(MESSAGE), sign(1, MESSAGE)
    for bit in range(0, 512, 5):
        bad = bytearray(signature)
        bad[bit >> 3] ^= 1 << (bit & 7)
        assert not signatures.holds(public(1), digest, bytes(bad)), bit


def test_the_upper_half_of_s_is_refused_as_core_lightning_refuses_it(checked_by: str) -> None:
    digest, signature = signatures.double_sha256(MESSAGE), sign(1, MESSAGE)
    high = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    assert not signatures.holds(public(1), digest, high)


def test_any_bytes_are_answered(checked_by: str) -> None:
    rng, digest = Random(1), signatures.double_sha256(MESSAGE)
    assert not signatures.holds(public(1), digest, bytes(64))
    assert not signatures.holds(public(1), digest, b"\xff" * 64)
    assert not signatures.holds(b"", digest, sign(1, MESSAGE))
    assert not signatures.holds(b"\x02" + bytes(32), digest, sign(1, MESSAGE))
    for _ in range(60):
        key = bytes([rng.choice((2, 3, 4))]) + rng.randbytes(32)
        assert not signatures.holds(key, digest, rng.randbytes(64))
