"""Snapshots of which no copy matches its checksum, but a combination of clusters from several copies does.

CRC-64 is linear: taking another copy's cluster changes the checksum of the whole by a value that depends on that
cluster alone, so the right combination is the solution of a system of equations over one bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.crc64 import crc64
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.verify import CHECKSUM

MOST = 24  # clusters that differ: a combination that fits by chance has odds of 2**24 in 2**64
_ONES = (1 << 64) - 1
Place = tuple[int, int]  # number of the copy, cluster on its disk


class Layer(Struct, frozen=True):
    """A snapshot on one disk."""

    copy: int
    store: Store
    blob: Blob


class _Choice(Struct):
    """A cluster that the copies have in two forms; `effect` on the checksum up to here of taking the other one."""

    places: list[Place]
    others: list[Place]
    effect: int = 0


class _Walk(Struct):
    checksum: int = 0
    same: list[Place] = field(default_factory=list)
    choices: list[_Choice] = field(default_factory=list)


def combined(layers: Sequence[Layer]) -> set[Place]:
    """Clusters that belong to the one combination that the checksum seals; empty where there is none or many."""
    stored = {layer.blob.xattrs.get(CHECKSUM) for layer in layers}
    maps = [_places(layer) for layer in layers]
    value = next(iter(stored))
    if len(layers) < 2 or len(stored) != 1 or value is None or len(value) != 8:
        return set()
    if any(found is None or len(found) != len(maps[0] or ()) for found in maps):
        return set()
    walk = _read(layers, [found or [] for found in maps])
    if walk is None:
        return set()
    taken = _solve([choice.effect for choice in walk.choices], walk.checksum ^ int.from_bytes(value, "little"))
    if taken is None:
        return set()
    sealed = set(walk.same)
    for choice, other in zip(walk.choices, taken, strict=True):
        sealed.update(choice.others if other else choice.places)
    return sealed


def _places(layer: Layer) -> list[tuple[int, int]] | None:
    """(cluster of the snapshot, on disk) of its own clusters in order; None where some are unknown."""
    found: list[tuple[int, int]] = []
    for run in layer.store.own(layer.blob):
        if run.cluster < 0:
            return None
        found += [(run.at + i, run.cluster + i) for i in range(run.count if run.cluster else 0)]
    return found


def _read(layers: Sequence[Layer], maps: list[list[tuple[int, int]]]) -> _Walk | None:
    """One pass over all copies; None where they differ in more than can be decided."""
    walk = _Walk()
    size = layers[0].store.geometry.cluster_size
    zeroes = _zeroes(size)
    for row in zip(*maps, strict=True):
        if len({at for at, _ in row}) != 1:
            return None
        forms: dict[bytes, list[Place]] = {}
        for layer, (_, place) in zip(layers, row, strict=True):
            at = layer.store.geometry.cluster_at(place)
            forms.setdefault(layer.store.disk.read(at, size), []).append((layer.copy, place))
        if len(forms) > 2 or (len(forms) == 2 and len(walk.choices) == MOST):
            return None
        for choice in walk.choices:
            choice.effect = _apply(zeroes, choice.effect)
        (data, places), *others = forms.items()
        if others:
            effect = crc64(data) ^ crc64(others[0][0])
            walk.choices.append(_Choice(places, others[0][1], effect))
        else:
            walk.same += places
        walk.checksum = crc64(data, walk.checksum)
    return walk


def _zeroes(count: int) -> list[int]:
    """What `count` zero bytes do to each bit of a difference of two checksums, by squaring."""
    matrix, power = [1 << bit for bit in range(64)], _byte()
    while count:
        if count & 1:
            matrix = [_apply(power, column) for column in matrix]
        power = [_apply(power, column) for column in power]
        count >>= 1
    return matrix


def _byte() -> list[int]:
    base = crc64(b"\0", _ONES)
    return [crc64(b"\0", _ONES ^ (1 << bit)) ^ base for bit in range(64)]


def _apply(matrix: list[int], vector: int) -> int:
    found = 0
    while vector:
        low = vector & -vector
        found ^= matrix[low.bit_length() - 1]
        vector ^= low
    return found


def _solve(effects: list[int], wanted: int) -> list[bool] | None:
    """Which effects together make `wanted`; None where none do, or where more than one choice does."""
    pivots: list[tuple[int, int]] = []  # a reduced effect, and which effects it is made of
    for number, effect in enumerate(effects):
        value, made = _reduce(pivots, effect, 1 << number)
        if not value:
            return None
        pivots.append((value, made))
    value, made = _reduce(pivots, wanted, 0)
    return None if value else list(_bits(made, len(effects)))


def _reduce(pivots: list[tuple[int, int]], value: int, made: int) -> tuple[int, int]:
    for pivot, parts in pivots:
        if value >> (pivot.bit_length() - 1) & 1:
            value, made = value ^ pivot, made ^ parts
    return value, made


def _bits(number: int, count: int) -> Iterator[bool]:
    return (bool(number >> i & 1) for i in range(count))
