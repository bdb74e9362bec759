"""Runs of sound blocks and records without their bytes: the sums that the walk takes from them, for a capsule."""

from __future__ import annotations

from array import array
from typing import Any, Final, NamedTuple, TypeVar

from msgspec import Struct

from inspector.errors import SourceError
from inspector.source import Source
from inspector.vouching import Vouched, column, planes

BLOCKS: Final = "rocksdb-blocks"
LOG: Final = "rocksdb-log"
BLOBS: Final = "rocksdb-blobs"
WHOLE: Final = "rocksdb-whole"  # the checksum of a whole file
WITHHELD: Final = "verified when captured; its bytes are not in the capsule"
T = TypeVar("T")


class Sums(NamedTuple):
    """What a run of data blocks adds up to, as the compiled reader gives it."""

    entries: int
    types: dict[int, int]
    first_key: bytes | None
    last_key: bytes | None
    max_tag: int
    blocks: int
    checksums: bytes  # stored and computed


class LogSums(NamedTuple):
    """What the records of a WAL from its beginning up to the end of this run add up to."""

    records: int
    operations: int
    families: dict[int, int]
    sequences: tuple[int, int] | None
    jumps: tuple[int, list[tuple[int, int, int]]]
    tiles: int
    lengths: bytes
    stored: bytes
    pads: bytes
    highest: int = 0


class BlobSums(NamedTuple):
    """Sound records of a blob file."""

    records: int
    lengths: bytes
    checksums: bytes  # stored, which are those that were computed


class HeldLog(Struct, frozen=True):
    """A run of sound records of a WAL whose bytes are not here."""

    end: int
    sums: LogSums
    starts: array[int]
    stored: array[int]


def _encoded(sums: tuple[Any, ...]) -> bytes:
    import msgspec  # only capsules need it

    return msgspec.msgpack.encode(sums)


def _decoded(run: Vouched, kind: type[T], member: str) -> T:
    import msgspec

    if run.end <= run.start:  # a run that goes nowhere would be met again and again
        raise _wrong(run, member)
    try:
        return msgspec.msgpack.decode(run.told, type=kind)
    except msgspec.MsgspecError as error:
        raise _wrong(run, member) from error


def _wrong(run: Vouched, member: str) -> SourceError:
    place = f"[{run.start}, {run.end}) of {member}"
    return SourceError(f"what stands for {place} does not fit it", "ask for the capsule to be made again")


def vouch_blocks(
    source: Source, member: str, start: int, end: int, run: Any, stored: array[int], computed: array[int]
) -> None:
    def told() -> bytes:
        sums = planes(stored) + planes(computed)
        found = Sums(run.entries, run.types, run.first_key, run.last_key, run.max_tag, len(stored), sums)
        return _encoded(found)

    source.vouch(BLOCKS, start, end, told, member)


def held_blocks(source: Source, member: str, at: int) -> tuple[int, Sums, array[int], array[int]] | None:
    """Where the run of blocks at `at` ends, its sums, and the checksums of its blocks, stored and computed."""
    run = source.vouched(BLOCKS, at, member)
    if run is None:
        return None
    sums = _decoded(run, Sums, member)
    if sums.first_key is None or sums.last_key is None or not 0 < sums.blocks == len(sums.checksums) // 8:
        raise _wrong(run, member)
    stored, computed = (column("I", sums.checksums, half * 4 * sums.blocks, sums.blocks) for half in (0, 1))
    return run.end, sums, stored, computed


def vouch_log(
    source: Source, member: str, start: int, end: int, run: Any, starts: array[int], stored: array[int], pads: bytes
) -> None:
    def told() -> bytes:
        sums = LogSums(
            *(run.records, run.operations, run.families, run.sequences, run.jumps),
            *(len(starts), planes(_lengths(starts, end)), planes(stored), pads, run.highest),
        )
        return _encoded(sums)

    source.vouch(LOG, start, end, told, member)


def held_log(source: Source, member: str, at: int) -> HeldLog | None:
    """The run of records of a WAL at `at`."""
    run = source.vouched(LOG, at, member)
    if run is None:
        return None
    sums = _decoded(run, LogSums, member)
    try:
        starts = _starts(run, column("Q", sums.lengths, 0, sums.tiles))
        stored = column("I", sums.stored, 0, sums.tiles)
    except (ValueError, OverflowError) as error:
        raise _wrong(run, member) from error
    if len(sums.pads) != sums.tiles or sums.pads.strip(b"\0\1") or not sums.tiles:
        raise _wrong(run, member)
    return HeldLog(run.end, sums, starts, stored)


def vouch_blobs(source: Source, member: str, starts: array[int], end: int, stored: array[int]) -> None:
    if len(starts):
        told = BlobSums(len(starts), planes(_lengths(starts, end)), planes(stored))
        source.vouch(BLOBS, starts[0], end, lambda: _encoded(told), member)


def held_blobs(source: Source, member: str, at: int) -> tuple[int, array[int], array[int]] | None:
    """Where the run of blob records at `at` ends, where each begins, and their checksums."""
    run = source.vouched(BLOBS, at, member)
    if run is None:
        return None
    sums = _decoded(run, BlobSums, member)
    try:
        starts = _starts(run, column("Q", sums.lengths, 0, sums.records))
        return run.end, starts, column("I", sums.checksums, 0, sums.records)
    except (ValueError, OverflowError) as error:
        raise _wrong(run, member) from error


def _lengths(starts: array[int], end: int) -> array[int]:
    ends = [*starts[1:], end]
    return array("Q", (after - start for start, after in zip(starts, ends, strict=True)))


def _starts(run: Vouched, lengths: array[int]) -> array[int]:
    starts, at = array("Q"), run.start
    for length in lengths:
        if not length:
            raise ValueError("an empty record")
        starts.append(at)
        at += length
    if at != run.end:
        raise ValueError("its records do not fill it")
    return starts
