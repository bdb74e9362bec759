"""One pass over the live rows of all networks in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from inspector.formats.snarkos.maps import PREFIX, join
from inspector.formats.snarkos.network import BROKEN, Network, Wrong
from inspector.formats.snarkos.reading import FIELD, MalformedError
from inspector.formats.snarkos.rows import Places
from inspector.formats.snarkos.takes import SHAPES, TAKES
from inspector.span import Span

Entry = tuple[bytes, bytes, Span]  # key, value, where it lies

MAX_WRONG: Final = 1000  # rows that are told one by one
MAX_KEYS: Final = 1 << 16  # malformed rows that may be written again; with more nothing is repaired
MAX_KEY: Final = 64  # bytes of the key of such a row
_BY_HASH: Final = frozenset({5, 6, 7, 9, 10, 12, 14, 15})
_BY_TRANSACTION: Final = frozenset({17, 22, 29, 31, 32, 51})
_BY_TRANSITION: Final = frozenset({30, 33, 34, 42, 52, 53, 55, 57})


def read(entries: Iterable[Entry], seen: Callable[[int], None] | None = None) -> tuple[dict[int, Network], int]:
    """The networks found, and how many keys were too short to belong to any."""
    networks: dict[int, Network] = {}
    places = Places()
    pack = places.pack
    short = 0
    prefix, network, take, shape, number = b"", None, None, None, 0
    counts: Counter[int] = Counter()
    for key, value, place in entries:
        if not prefix or not key.startswith(prefix):
            if len(key) < PREFIX:
                short += 1
                continue
            prefix, number = key[:PREFIX], key[2] | key[3] << 8
            owner = key[0] | key[1] << 8
            network = networks.get(owner)
            if network is None:
                network = networks[owner] = Network(owner, places)
            counts, take, shape = network.counts, TAKES.get(number), SHAPES.get(number)
            if seen:
                seen(number)
        assert network is not None
        counts[number] += 1
        if take is None:
            continue
        packed = pack(place)
        try:
            take(network, key[PREFIX:], value, packed)
        except MalformedError as error:
            _wrong(network, number, key[PREFIX:], error, packed, place)
            continue
        if shape is None:
            continue
        if shape(value):
            network.shaped[number] += 1
        else:
            _odd(network, number, key[PREFIX:], len(value), place)
    for network in networks.values():
        _judge_odd(network)
    return networks, short


def _odd(network: Network, number: int, key: bytes, size: int, place: Span) -> None:
    network.odd_counts[number] += 1
    if len(network.odd) < MAX_WRONG:
        why = f"the value does not fill its {size} bytes as the others of the map do"
        network.odd.append(Wrong(number, key, why, place))


def _judge_odd(network: Network) -> None:
    """Values of another shape than most of their map are malformed."""
    for number, count in network.odd_counts.items():
        if network.shaped[number] > count:
            network.wrong_count += count
            told = [odd for odd in network.odd if odd.map == number]
            network.wrong += told[: MAX_WRONG - len(network.wrong)]
            network.wrong_keys.update(join(network.id, number, odd.key) for odd in told)


def _wrong(network: Network, number: int, key: bytes, error: MalformedError, packed: bytes, place: Span) -> None:
    network.wrong_count += 1
    if len(network.wrong) < MAX_WRONG:
        network.wrong.append(Wrong(number, key, error.why, place))
        network.wrong_keys.add(join(network.id, number, key))
    elif len(key) <= MAX_KEY and len(network.wrong_keys) < MAX_KEYS:
        network.wrong_keys.add(join(network.id, number, key))
    if len(key) == FIELD:
        if number in _BY_HASH:
            network.values.add(key, BROKEN | number, packed)
        elif number in _BY_TRANSACTION:
            network.transactions.add(key, BROKEN | number, packed)
        elif number in _BY_TRANSITION:
            network.transitions.add(key, BROKEN | number, packed)
    elif len(key) == 4 and number in (2, 4, 21):
        network.heights.add(key[::-1], BROKEN | number, packed)
