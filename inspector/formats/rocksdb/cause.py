"""What the bytes of a damaged block or record tell about the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inspector.counted import put_in as bytes_put_in
from inspector.finding import UNKNOWN_CAUSE, Cause
from inspector.formats.rocksdb.log import Read
from inspector.uniform import uniform

if TYPE_CHECKING:
    from inspector.formats.rocksdb.table import Table

_RUN: Final = 64  # bytes: longer than any padding inside a block
_LOOK: Final = 1 << 20
WRITTEN: Final = Cause("software-rule-violation", "likely", "the checksum holds: it was written this way")
NO_DICTIONARY: Final = Cause("unknown", "certain", "the dictionary that it was compressed with is damaged or not here")
OTHER_KIND: Final = Cause("unknown", "certain", "no damage: the program was set to write its tables like this")
CHOSEN: Final = Cause("software-rule-violation", "likely", "the program that made it chose this")
UNSEALED: Final = Cause("unknown", "possible", "nothing covers its bytes: not known whether they were written this way")
UNREAD: Final = Cause("unknown", "certain", "the checksum holds; what it unpacks to was not looked at")
MIXED: Final = Cause(
    "swapped", "possible", "each fragment holds, and together they are no batch: blocks of the log changed places"
)
BACK: Final = Cause("stale-page", "likely", "sound records of an earlier place, or of an earlier time, stand here")
REST: Final = Cause("unknown", "possible", "its own bytes hold: what it goes on with is not there")
CUT: Final = Cause("truncated", "certain", "the file ends inside it")
LAID_OVER: Final = Cause(
    "overwritten", "certain", "blocks, the index and the footer of another table stand here, and hold"
)
ENDLESS: Final = Cause("truncated", "likely", "every table ends with a footer: it was cut, or never finished")
TAKEN_OUT: Final = Cause("shifted", "likely", "whole ones are missing and all others hold: bytes were taken out")
STACKED: Final = Cause(
    "unknown", "possible", "the checksum holds: another program, or another kind of database, wrote it"
)
TORN: Final = Cause("torn-write", "likely", "an append that did not finish: a killed process or a power cut")
BLANK: Final = Cause("zeroed-range", "possible", "nothing tells whether anything was written there")
MISSING: Final = Cause("unknown", "certain", "the file is not there")
RENAMED: Final = Cause("swapped", "certain", "what the MANIFEST says of a table under another number is true of it")
REPLACED: Final = Cause("overwritten", "likely", "another whole file was put in its place")
ASTRAY: Final = Cause(
    "swapped", "likely", "the records hold, and by their keys they are not where tables look for them"
)
TRAILER_FLIP: Final = Cause("bit-flip", "likely", "all its other bits are 0, as a writer leaves them")
LENGTH_FLIP: Final = Cause("bit-flip", "likely", "one length makes the checksum hold")


def put_in(count: int, at: int) -> Cause:
    """Blocks from `at` on stand as many bytes behind their places, or before them."""
    return Cause(
        "shifted",
        "certain",
        f"{bytes_put_in(count)}: the blocks from {at} on hold, as far from where they were written",
    )


def copy_of(name: str) -> Cause:
    """A whole file that is a second copy of another one."""
    return Cause("overwritten", "certain", f"a copy of {name} was put in its place")


def missing(count: int) -> Cause:
    """A file that is too short and has its end."""
    return Cause("shifted", "likely", f"{bytes_put_in(-count)}, and the file ends with a footer: not at its end")


def appended(table: Table) -> Cause:
    """What stands behind the end: nothing but zeroes, or what is no part of the table."""
    what = f"{table.spare:,} bytes behind the footer"
    if table.spare_is == "zeroes":
        return Cause("zeroed-range", "certain", f"{what} are all 00: room that was made there")
    return Cause("shifted", "certain", f"{what} are no part of the table: its footer holds before them")


def of_bytes(read: Read, start: int, end: int) -> Cause:
    """The cause that a run of 00 or FF names; unknown where there is none."""
    data = read(start, min(end - start, _LOOK))
    best = max(uniform(data, _RUN), key=lambda run: run[1] - run[0], default=None)
    if best is None:
        return UNKNOWN_CAUSE
    first, last = start + best[0], start + best[1]
    what = f"bytes [{first}, {last}) are all {data[best[0]]:02x}"
    unit = next((u for u in (4096, 512) if first % u == 0 or last % u == 0), None)
    name = "ones-range" if data[best[0]] else "zeroed-range"
    if unit:
        whole = first % unit == 0 and last % unit == 0
        because = f"{what}, and that falls on a {unit}-byte boundary of the file"
        return Cause(name, "certain" if whole else "likely", because)  # type: ignore[arg-type]
    return Cause(name, "possible", f"{what}, on no block boundary")  # type: ignore[arg-type]
