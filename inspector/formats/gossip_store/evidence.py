"""What the bytes of a damaged record or stretch tell about the cause, and nothing more than they tell."""

from __future__ import annotations

from msgspec import Struct

from inspector import crc32c
from inspector.finding import UNKNOWN_CAUSE, Cause, CauseName, Confidence
from inspector.formats.gossip_store.kinds import KINDS, SEALED_HEADER
from inspector.source import Source
from inspector.syndromes import one_flip
from inspector.uniform import uniform

LONG_RUN = 48  # bytes of one value that no healthy message has in a row outside of zero signatures
LOOK = 1 << 20  # at most this much of a gap's head and tail is looked at for runs


class Run(Struct, frozen=True):
    """A stretch of one byte value, [start, end) in the file."""

    start: int
    end: int
    value: int

    @property
    def alignment(self) -> int | None:
        """The largest of 4096, 512 that start or end falls on, None when neither does."""
        for unit in (4096, 512):
            if self.start % unit == 0 or self.end % unit == 0:
                return unit
        return None

    def cause(self, alone: bool = False) -> Cause:
        """With `alone` nothing but the run is wrong there: one end on a boundary is enough."""
        name: CauseName = "zeroed-range" if not self.value else "ones-range"
        what = f"bytes [{self.start}, {self.end}) are all {self.value:02x}"
        if self.alignment:
            whole = alone or (self.start % self.alignment == 0 and self.end % self.alignment == 0)
            because = f"{what}, and that falls on a {self.alignment}-byte boundary of the file"
            return Cause(name, "certain" if whole else "likely", because)
        return Cause(name, "likely", f"{what}, on no block boundary")


def is_uniform(source: Source, start: int, end: int) -> bool:
    """Whether every byte of a stretch is zero; reads in windows, and holes not at all."""
    same = bytes(min(LOOK, end - start))  # compared whole: counting or stripping goes byte by byte
    for span in source.data_ranges("", start):
        at, stop = span.start, min(span.end, end)
        while at < stop:
            data = source.read(at, min(LOOK, stop - at))
            if not data or data != (same if len(data) == len(same) else same[: len(data)]):
                return False
            at += len(data)
        if span.end >= end:
            break
    return True


def longest_run(source: Source, start: int, end: int) -> Run | None:
    """The longest run of 00 or FF in a stretch (its first and last MiB), grown to the run's own ends."""
    best: Run | None = None
    for at in dict.fromkeys((start, max(start, end - LOOK))):
        data = source.read(at, min(LOOK, end - at))
        for low, high in uniform(data, LONG_RUN):
            run = Run(at + low, at + high, data[low])
            if best is None or run.end - run.start > best.end - best.start:
                best = run
    return best and _grown(source, best, start, end)


def _grown(source: Source, run: Run, start: int, end: int) -> Run:
    """The run to its own ends, which may lie in what was not searched."""
    low, high, value = run.start, run.end, bytes([run.value])
    same = value * LOOK  # compared whole: stripping goes byte by byte
    while high < end:
        step = source.read(high, min(LOOK, end - high))
        rest = len(step.lstrip(value)) if step != same[: len(step)] else 0
        high += len(step) - rest
        if rest or not step:
            break
    while low > start:
        step = source.read(max(start, low - LOOK), min(LOOK, low - start))
        rest = len(step.rstrip(value)) if step != same[: len(step)] else 0
        low -= len(step) - rest
        if rest or not step:
            break
    return Run(low, high, run.value)


def flipped_bit(body: bytes, stored: int, computed: int) -> tuple[int, int] | None:
    """The one bit (byte, bit) of a body whose flip explains the checksum; byte -1 is the stored checksum itself.

    CRC is linear: a flip at distance d from the end changes it by a value that depends on d alone.
    """
    syndrome = stored ^ computed
    if not syndrome:
        return None
    if syndrome & (syndrome - 1) == 0:
        return -1, syndrome.bit_length() - 1
    return one_flip(len(body), syndrome)


def body_cause(source: Source, start: int, end: int, completed_clear: bool) -> tuple[Cause, dict[str, int | str]]:
    """Cause and evidence for a record [start, end) whose checksum fails and whose end is confirmed."""
    _, _, stored, timestamp = SEALED_HEADER.unpack(source.read(start, 12))
    body = source.read(start + 12, end - start - 12)
    computed = crc32c.crc32c(body, timestamp)
    evidence: dict[str, int | str] = {"stored": stored, "computed": computed}
    run = longest_run(source, start, end)
    if run and run.end - run.start >= 64:
        evidence |= {"run_start": run.start, "run_end": run.end, "run_value": run.value}
        return run.cause(), evidence
    place = flipped_bit(body, stored, computed)
    if place:
        byte, bit = place
        at = start + 12 + byte if byte >= 0 else start + 7 - bit // 8
        evidence |= {"flip_at": at, "flip_bit": bit % 8}
        where = f"in {'the body' if byte >= 0 else 'the stored checksum'}, bit {bit % 8} of byte {at}"
        if 0 <= byte < 4:  # the checksum continues from the time, so that it meets these bytes first
            evidence["or_at"] = start + 11 - byte
            where += f", or that bit of byte {start + 11 - byte} in the header's time"
        return Cause("bit-flip", "certain", f"one flipped bit {where}, explains it"), evidence
    if completed_clear:
        return Cause("torn-write", "likely", "COMPLETED was never set, so the append did not finish"), evidence
    return UNKNOWN_CAUSE, evidence


def length_cause(claimed: int, right: int, verifies: bool) -> Cause:
    """Why a length field is wrong when the right length is known."""
    wrong = claimed ^ right
    if wrong & (wrong - 1) == 0:
        how: Confidence = "certain" if verifies else "likely"
        return Cause(
            "bit-flip", how, f"bit {wrong.bit_length() - 1} of the length is flipped: {claimed} stands for {right}"
        )
    if not claimed:
        return Cause("zeroed-range", "likely", "the length is zero")
    return Cause("overwritten" if verifies else "unknown", "possible", f"{claimed} stands for {right}")


def claims_past(head: bytes, left: int) -> bool:
    """Whether a header and type are those of a known record that needs more than the `left` bytes from it on."""
    known = len(head) == SEALED_HEADER.size + 2 and (head[12] << 8 | head[13]) in KINDS
    length = int.from_bytes(head[2:4], "big")
    return known and length >= 2 and SEALED_HEADER.size + length > left
