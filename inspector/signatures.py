"""ECDSA over secp256k1, checked behind one function whichever library is there.

coincurve (libsecp256k1) checks about ten times as many per second as cryptography (OpenSSL) and is used where it is
installed; both give the same answers, which the tests hold against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from hashlib import sha256

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of the group, SEC 2 section 2.4.1
ANSWERS_KEPT = 1 << 14  # the same corrections are tried again in a smaller store
KEYS_KEPT = 4096  # parsed public keys; a node signs many messages

Check = Callable[[bytes, bytes, bytes], bool]


def double_sha256(data: bytes | memoryview) -> bytes:
    """What BOLT 7 messages are signed over."""
    return sha256(sha256(data).digest()).digest()


def holds(key: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether a 64-byte signature (r, s; big-endian) of a 32-byte digest is by this 33-byte compressed key.

    Any bytes are answered: a key that is no point, r or s out of range, and s in the upper half of the group (which
    libsecp256k1, and so Core Lightning, refuses) do not hold.
    """
    if len(key) != 33 or key[0] not in (2, 3) or len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not 0 < r < ORDER or not 0 < s <= ORDER // 2:
        return False
    return _asked(key, digest, _der(signature))


@lru_cache(maxsize=ANSWERS_KEPT)
def _asked(key: bytes, digest: bytes, der: bytes) -> bool:
    return _check()[1](key, digest, der)


def library() -> str:
    """The name of the library that checks signatures here."""
    return _check()[0]


@cache
def _check() -> tuple[str, Check]:
    try:
        return "coincurve", by_coincurve()
    except ImportError:  # no wheel for this Python: the slower library answers the same
        return "cryptography", by_cryptography()


def by_coincurve() -> Check:
    """The check by libsecp256k1; raises ImportError where it is not installed."""
    from coincurve import PublicKey

    parsed = lru_cache(maxsize=KEYS_KEPT)(PublicKey)

    def check(key: bytes, digest: bytes, der: bytes) -> bool:
        try:
            point = parsed(key)
        except ValueError:  # no point of the curve has this x
            return False
        return point.verify(der, digest, None)

    return check


def by_cryptography() -> Check:
    """The check by OpenSSL."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256K1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256

    algorithm = ECDSA(Prehashed(SHA256()))
    curve = SECP256K1()

    @lru_cache(maxsize=KEYS_KEPT)
    def parsed(key: bytes) -> EllipticCurvePublicKey:
        return EllipticCurvePublicKey.from_encoded_point(curve, key)

    def check(key: bytes, digest: bytes, der: bytes) -> bool:
        try:
            parsed(key).verify(der, digest, algorithm)
        except (ValueError, InvalidSignature):
            return False
        return True

    return check


def _der(signature: bytes) -> bytes:
    """r and s as a DER sequence of two integers (ITU-T X.690), which both libraries take."""
    r, s = (_integer(signature[:32]), _integer(signature[32:]))
    return b"\x30" + bytes([len(r) + len(s)]) + r + s


def _integer(number: bytes) -> bytes:
    digits = number.lstrip(b"\0")
    if digits[0] & 0x80:
        digits = b"\0" + digits
    return b"\x02" + bytes([len(digits)]) + digits
