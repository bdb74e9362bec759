"""Seventy kinds of damage: what each must be called, and what CLN does with it.

The rows of the measured matrix in the format notes come first; `page` holds their answers for gossipd, the gossmap
of plugins and compactd (v26.06). A row without them is one the notes did not measure.
"""

from __future__ import annotations

import struct

from tests import damage
from tests.builders import gossip_messages as m
from tests.formats.gossip_store import matrix as x
from tests.formats.gossip_store.matrix import (
    ABORTS,
    COPIES,
    CORRUPT,
    FAILS,
    LATER,
    LOADS,
    PAGE,
    STOPS,
    Kind,
    Page,
    kind,
)

LOST = "GSP003 GSP004 GSP005 GSP006 GSP012"  # any name for records that are gone
LONE = "GSP014"  # the announcement whose amount was hit
STOP: Page = (CORRUPT, STOPS, STOPS)
TAIL: Page = (CORRUPT, LOADS, FAILS)

KINDS: tuple[Kind, ...] = (
    # the measured rows of the format notes
    kind("one bit in a live update's body", x.bit(258, 60, 3), "GSP003", page=(CORRUPT, STOPS, COPIES)),
    kind("one bit in a deleted body", x.bit(258, 60, 3, live=False), "GSP003", page=(LOADS, LOADS, "drops it")),
    kind("lowest length bit, live update", x.bit(258, 3, 0), "GSP004", page=STOP),
    kind("lowest length bit, deleted update", x.bit(258, 3, 0, live=False), "GSP004", page=STOP),
    kind("COMPLETED cleared in the middle", x.bit(258, 0, 5), "GSP009", page=STOP),
    kind("one 4096-byte page zeroed", lambda b: damage.zero(b.data, b.page(), b.page(1)), "GSP006", LONE, STOP),
    kind("8 zero bytes behind the end", lambda b: damage.append(b.data, bytes(8)), "GSP008 GSP010", page=TAIL),
    kind("4096 zero bytes behind the end", lambda b: damage.append(b.data, bytes(PAGE)), "GSP010", page=TAIL),
    kind("torn tail in the body", x.torn(70), "GSP007", page=TAIL),
    kind("torn tail in the header", x.torn(7), "GSP008", page=TAIL),
    kind(
        "the same store appended", lambda b: damage.append(b.data, b.data), "GSP026", "GSP017", (CORRUPT, STOPS, FAILS)
    ),
    kind(
        "00 before the version byte",
        lambda b: damage.splice(b.data, 0, b"\0"),
        "GSP025",
        page=(CORRUPT, "aborts", FAILS),
        shift=1,
    ),
    kind(
        "an announcement and its amount twice",
        lambda b: b.changed(x.duplicate),
        "GSP017",
        page=(CORRUPT, "logs it", COPIES),
    ),
    kind(
        "an announcement without amount, more follows",
        x.at_end(x.new_announcement, 2),
        "GSP014",
        page=(LATER, "aborts when it asks for a capacity", COPIES),
    ),
    kind(
        "an announcement without amount at the end",
        x.at_end(x.new_announcement),
        "GSP014",
        page=(CORRUPT, LOADS, COPIES),
    ),
    kind(
        "DELETED on an announcement only",
        x.pair(0),
        "GSP016",
        page=(LOADS, LOADS, "drops the announcement and leaves its amount alone"),
    ),
    kind(
        "DELETED on an amount only",
        x.pair(1),
        "GSP016",
        "GSP016",
        page=(LOADS, LOADS, "drops the amount and leaves its announcement alone"),
    ),
    kind(
        "a record of an unknown type",
        x.at_end(lambda net: struct.pack(">HQ", 4242, 1), 2),
        "GSP013",
        page=(CORRUPT, "logs it", COPIES),
    ),
    kind(
        "a deleted record whose length passes the end",
        x.dead_past_end,
        "GSP004",
        page=(CORRUPT, STOPS, FAILS),  # the notes say "ok" for gossmap: no message, and what follows is not read
    ),
    kind(
        "a short chan_dying",
        x.at_end(lambda net: m.chan_dying(net.channels[0].scid, 1)[:10], 2),
        "GSP011",
        page=(ABORTS, LOADS, COPIES),
    ),
    kind(
        "a short update at the end",
        x.at_end(lambda net: x.new_update(net)[:100]),
        "GSP011",
        page=(ABORTS, "aborts", COPIES),
    ),
    kind(
        "a short node announcement at the end",
        x.at_end(lambda net: x.latin(net)[:90]),
        "GSP011",
        page=(ABORTS, "aborts", COPIES),
    ),
    kind(
        "an `ended` record in the file",
        x.at_end(lambda net: m.ended(1, bytes(32)), 2),
        "GSP022",
        page=(ABORTS, "crashes", COPIES),
    ),
    kind("an alias that is not UTF-8", x.at_end(x.latin, 2), "GSP028", page=(LOADS, LOADS, LOADS)),
    kind(
        "minor version 8", lambda b: damage.overwrite(b.data, 0, b"\x08"), "GSP002 GSP030", page=(CORRUPT, LOADS, LOADS)
    ),
    kind(
        "minor version 17",
        lambda b: damage.overwrite(b.data, 0, b"\x11"),
        "GSP002 GSP030",
        page=(CORRUPT, LOADS, LOADS),
    ),
    kind(
        "minor version 0", lambda b: damage.overwrite(b.data, 0, b"\0"), "GSP002 GSP030", page=(CORRUPT, LOADS, LOADS)
    ),
    kind("major version 1", lambda b: damage.overwrite(b.data, 0, b"\x30"), "GSP002", page=(CORRUPT, "refuses", LOADS)),
    # bits and fields
    kind("one bit in the stored checksum", x.bit(258, 5, 1), "GSP003"),
    kind("one bit in the timestamp", x.bit(258, 9, 1), "GSP003"),
    kind("one bit in a type", x.bit(258, 13, 0), "GSP003"),
    kind("one bit in an announcement", x.bit(256, 90, 0), "GSP003"),
    kind("one bit in an amount", x.bit(4101, 15, 0), "GSP003", LONE),
    kind("one bit in a node announcement", x.bit(257, 120, 0), "GSP003"),
    kind("one bit in the uuid", x.uuid_bit, "GSP003 GSP023", "GSP023"),
    kind("two neighbours, one bit each", x.two_in_a_row, "GSP003", LONE),
    kind(
        "two bits of one record",
        lambda b: damage.flip_bits(b.data, b.pick(258).at + 30, b.pick(258).end, 2, 1),
        "GSP003",
    ),
    kind("four bytes of noise in a record", x.noise_inside, "GSP003"),
    kind("an unknown flag bit", x.bit(258, 0, 2), "GSP027"),
    kind("highest length bit, live update", x.bit(258, 2, 7), "GSP004"),
    kind("lowest length bit, announcement", x.bit(256, 3, 0), "GSP004"),
    kind("lowest length bit, amount", x.bit(4101, 3, 0), "GSP004", LONE),
    kind("lowest length bit, node announcement", x.bit(257, 3, 0), LOST),
    kind("length 0", x.length(258, lambda n, left: 0), "GSP004 GSP011"),
    kind("length 65535", x.length(258, lambda n, left: 65535), "GSP004"),
    # blocks
    kind(
        "a record's header zeroed",
        lambda b: damage.zero(b.data, b.pick(258).at, b.pick(258).at + 12),
        "GSP004 GSP005 GSP006",
    ),
    kind(
        "100 zeroes inside a body", lambda b: damage.zero(b.data, b.pick(258).at + 20, b.pick(258).at + 120), "GSP003"
    ),
    kind("one 512-byte sector zeroed", lambda b: damage.zero(b.data, b.page(), b.page() + 512), LOST, LONE),
    kind("16 KiB zeroed", lambda b: damage.zero(b.data, b.page(), b.page(4)), "GSP006", LONE),
    kind("one page of ones", lambda b: damage.ones(b.data, b.page(), b.page(1)), LOST, LONE),
    kind("one page of noise", lambda b: damage.noise(b.data, b.page(), b.page(1), 4), LOST, LONE),
    kind(
        "one page of an older place",
        lambda b: damage.stale(b.data, b.page(2), b.page(-3), PAGE),
        LOST,
        LONE + " GSP017",
    ),
    kind("two pages exchanged", lambda b: damage.swap(b.data, b.page(), b.page(3), PAGE), LOST, LONE),
    kind("many pages zeroed", x.pages_zeroed, "GSP006", LONE + " GSP009"),
    kind("many bits flipped", x.scattered, "GSP003", "GSP003 GSP004 GSP009 GSP014 GSP016"),
    kind("a record written over another one", x.record_misplaced, LOST, "GSP014 GSP031"),
    kind("a record written at offset 1", x.record_at_1, "GSP033", "GSP023 GSP014"),
    kind(
        "the first 4096 bytes zeroed", lambda b: damage.zero(b.data, 0, PAGE), "GSP002 GSP006", "GSP002 GSP023 GSP014"
    ),
    # lengths of the file
    kind("cut in the middle of a record", lambda b: damage.truncate(b.data, b.pick(258).at + 99), "GSP007"),
    kind("cut behind an announcement", x.cut_pair, "GSP014", LONE),
    kind("torn tail that claims to be complete", x.torn(70, True), "GSP007"),
    kind("torn tail of the header and the type", x.torn(14), "GSP007"),
    kind("a store of version 14 appended", x.older_store, "GSP026", "GSP017 GSP009"),
    kind("a text log appended", lambda b: damage.append(b.data, b"2026-01-01 gossipd: started\n" * 9), LOST),
    kind(
        "17 bytes before the version byte", lambda b: damage.splice(b.data, 0, b"seventeen bytes !"), "GSP025", shift=17
    ),
    kind("one byte put into a record", lambda b: damage.splice(b.data, b.pick(258).at + 50, b"\x55"), LOST, shift=1),
    kind(
        "one byte lost from a record",
        lambda b: damage.cut(b.data, b.pick(258).at + 50, b.pick(258).at + 51),
        LOST,
        shift=-1,
    ),
    kind(
        "a page of zeroes put between two records",
        lambda b: damage.splice(b.data, b.pick(258).at, bytes(PAGE)),
        "GSP006",
        shift=PAGE,
    ),
    kind("a page lost", lambda b: damage.cut(b.data, b.page(), b.page(1)), LOST, LONE, shift=-PAGE),
    kind("the uuid record lost", lambda b: damage.cut(b.data, 1, 47), "GSP023", "GSP023", shift=-46),
)
