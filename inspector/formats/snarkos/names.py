"""How snarkOS writes ids: bech32m with a two-letter prefix (ab1... block hash, at1... transaction)."""

from __future__ import annotations

import re
from functools import reduce
from operator import xor
from typing import Final

from inspector.errors import UsageError

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)  # BIP 173
# what the five bits that leave at the top add: one of 32 sums instead of five tests for each character
_STEPS: Final = [reduce(xor, [g for i, g in enumerate(_GENERATORS) if top >> i & 1], 0) for top in range(32)]
_BECH32M: Final = 0x2BC830A3  # BIP 350

_ASKED: Final = re.compile(r"blocks?:(\d{1,10})(?:(?:-|\.\.)(\d{1,10}))?")

NETWORKS: Final = {0: "mainnet", 1: "testnet", 2: "canary"}


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _STEPS[check >> 25]
    return check


def _fives(raw: bytes) -> list[int]:
    """8-bit groups as 5-bit groups, most significant bit first, padded with zeroes."""
    number, bits = int.from_bytes(raw, "big"), len(raw) * 8
    pad = -bits % 5
    number, bits = number << pad, bits + pad
    return [number >> shift & 31 for shift in range(bits - 5, -1, -5)]


def bech32m(prefix: str, raw: bytes) -> str:
    """An id as the node prints it."""
    data = _fives(raw)
    head = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = _polymod([*head, *data, 0, 0, 0, 0, 0, 0]) ^ _BECH32M
    tail = [check >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(_ALPHABET[v] for v in data + tail)


def block_name(raw: bytes) -> str:
    return bech32m("ab", raw)


def root_name(raw: bytes) -> str:
    return bech32m("sr", raw)


def transaction_name(raw: bytes) -> str:
    return bech32m("at", raw)


def transition_name(raw: bytes) -> str:
    return bech32m("au", raw)


def solution_name(raw: bytes) -> str:
    return bech32m("solution", raw)


def address_name(raw: bytes) -> str:
    return bech32m("aleo", raw)


def field_name(raw: bytes) -> str:
    """A field element as Aleo writes it."""
    return f"{int.from_bytes(raw, 'little')}field"


def network_name(network: int) -> str:
    return NETWORKS.get(network, f"network {network}")


def asked_heights(asked: str) -> tuple[int, int] | None:
    """First and last height of `block:7` or `blocks:0-49`; None where it is another id."""
    match = _ASKED.fullmatch(asked)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise UsageError(f"{asked}: not a range of blocks", "the first height comes first: blocks:0-49")
    return first, last


def range_name(first: int, last: int) -> str:
    """The id of blocks as `asked_heights` reads it."""
    return f"block:{first}" if first == last else f"blocks:{first}-{last}"
