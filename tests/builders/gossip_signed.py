"""Gossip stores whose signatures hold: keys from numbers, signing without randomness."""

from __future__ import annotations

import struct
from functools import cache
from hashlib import sha256
from random import Random

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256K1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.builders import gossip_messages as m
from tests.builders.gossip import Store

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
FIRST = 1_700_000_000  # unix seconds


@cache
def key(number: int) -> EllipticCurvePrivateKey:
    return derive_private_key(int.from_bytes(sha256(b"key %d" % number).digest(), "big") % ORDER or 1, SECP256K1())


@cache
def public(number: int) -> bytes:
    return key(number).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def sign(number: int, message: bytes) -> bytes:
    """r and s, 32 bytes each, s in the lower half; the nonce follows from key and message (RFC 6979)."""
    digest = sha256(sha256(message).digest()).digest()
    der = key(number).sign(digest, ECDSA(Prehashed(SHA256()), deterministic_signing=True))
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")


def announcement(scid: int, one: int, two: int, features: bytes = b"") -> bytes:
    """Of a channel between two nodes; their funding keys are numbers of their own."""
    first, second = sorted((one, two), key=public)
    funding = (1000 + first, 2000 + second)
    names = [public(number) for number in (first, second, *funding)]
    signed = struct.pack(">H", len(features)) + features + m.MAINNET + struct.pack(">Q", scid) + b"".join(names)
    return b"\x01\x00" + b"".join(sign(number, signed) for number in (first, second, *funding)) + signed


def update(scid: int, one: int, two: int, direction: int, time: int, **terms: int) -> bytes:
    """By the node of this direction of the channel `announcement(scid, one, two)`."""
    body = m.channel_update(m.Noise(Random(0), 64), scid, direction, time, **terms)  # type: ignore[arg-type]
    signer = sorted((one, two), key=public)[direction]
    return body[:2] + sign(signer, body[66:]) + body[66:]


def node(number: int, time: int, words: m.NodeWords) -> bytes:
    body = m.node_announcement(m.Noise(Random(0), 64), public(number), time, words)
    return body[:2] + sign(number, body[66:]) + body[66:]


def signed_store(channels: int = 6, nodes: int = 4, version: int = 16, seed: int = 1) -> bytes:
    """Channels with both updates (one replaced by a newer), nodes with announcements, one channel closed."""
    rng = Random(seed)
    store = Store(version)
    time = FIRST
    numbers = range(nodes)
    for k in range(channels):
        one, two = numbers[k % nodes], numbers[(k + 1 + k // nodes) % nodes]
        if one == two:
            two = numbers[(one + 1) % nodes]
        scid = m.scid(700_000 + k, rng.randrange(3000), rng.randrange(2))
        at = store.append(announcement(scid, one, two, m.FEATURES[k % 2]))
        store.append(m.amount(rng.randrange(20_000, 16_777_215)))
        for direction in (0, 1):
            time += 7
            store.append(update(scid, one, two, direction, time, base=1000 + k, ppm=k + direction), time)
            if direction == 0:
                store.set_timestamp(at, time)
        if k == 1:
            old = len(store.data) - 150
            time += 7
            store.append(update(scid, one, two, 1, time, base=2000, ppm=77), time)
            store.flag(old, 0x8000)
        if k < nodes:
            time += 7
            store.append(node(k, time, m.node_words(rng)), time)
    return store.bytes()
