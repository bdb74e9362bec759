"""Core Lightning's readers: gossmap (in gossipd and plugins), connectd, compactd. common/gossmap.c, connectd/gossip_store.c,
gossipd/compactd.c."""

from __future__ import annotations

from inspector.messages.message import Message, family

_said = family(
    "cln",
    frozenset({"gossip-store"}),
    "ElementsProject/lightning",
    ("inspector scan {store}", "inspector repair {store} -o gossip_store.repaired"),
)
_SHOW = "inspector show {store} {at}"
_SCAN = "inspector scan {store}"
_SAVE = "inspector repair {store} -o gossip_store.repaired"
_N = r"\d{1,19}"
_GS = r"(?:gossip_store: )?"

MESSAGES: tuple[Message, ...] = (
    _said(
        "connectd-checksum",
        "connectd",
        "bad checksum at offset",
        rf"{_GS}bad checksum at offset (?P<at>{_N})(?:\s?\(was at (?P<was>{_N})\))?(?::|\s*$)",
        "connectd streamed the store to a peer and the record whose header is at byte {at} did not match its CRC-32C.",
        "connectd stops, which takes the whole node down; releases around v0.12 then crash because the message is "
        "larger than they may send.",
        "header",
        issues=("5565", "5572"),
        next_=(_SHOW, _SCAN, _SAVE),
    ),
    _said(
        "only-processed",
        "gossmap (gossipd and plugins)",
        "only processed",
        rf"(?:gossip_store )?only processed (?P<at>{_N})(?: bytes)? of (?P<size>{_N})(?: \(expected (?P<hoped>{_N})\)|[.!]?\s*$)",
        "Byte {at} is where the first record begins that could not be digested, in a store of {size} bytes: the best "
        "clue there is.",
        "At a start of gossipd the whole store is moved to gossip_store.corrupt.",
        "unread",
        size="size",
        next_=(_SHOW, _SCAN, _SAVE),
    ),
    _said(
        "unknown-version",
        "gossmap (gossipd and plugins)",
        "Unknown gossip_store version",
        r"Unknown gossip_store version (?P<version>\d{1,10})",
        "Byte 0 says store version {version}, of a major that this reader does not know.",
        "The reader refuses the store.",
    ),
    _said(
        "bad-version",
        "gossmap (gossipd and plugins)",
        "Bad gossip_store version",
        r"Bad gossip_store version (?P<version>\d{1,10})",
        "When the store was opened anew after a compaction, byte 0 said version {version}.",
        "The reader stops.",
    ),
    _said(
        "truncated-len",
        "gossmap (gossipd and plugins)",
        "Truncated gossip_store len",
        r"(?:gossmap: )?Truncated gossip_store len(?: (?P<size>\d{1,19}))?\b",
        "When the store was opened anew after a compaction, it was too short for a version byte and a first record.",
        "The reader stops.",
    ),
    _said(
        "redundant-announce",
        "gossmap (gossipd and plugins)",
        "redundant channel_announce for",
        rf"(?:gossmap: )?redundant channel_announce for (?P<scid>\d{{1,8}}x\d{{1,8}}x\d{{1,5}}), offsets "
        rf"(?P<first>{_N}) and (?P<at>{_N})",
        "Channel {scid} is announced twice by live records, whose bodies are at bytes {first} and {at}.",
        "v24.05 to v24.11 stop reading there and append without end (one store grew to 31 GB); a start of v25.02 or "
        "later moves the store to gossip_store.corrupt.",
        "body",
        releases="fixed in v25.02",
        issues=("8035",),
        next_=(_SHOW, _SCAN, _SAVE),
    ),
    _said(
        "truncated-record",
        "gossmap (gossipd and plugins)",
        "Truncated gossmap record @",
        rf"Truncated gossmap record @(?P<at>{_N})/(?P<size>{_N})? ?(?:\(len (?P<len>{_N})\))?",
        "The record whose header is at byte {at} claims a body of {len} bytes, too few for a type.",
        "The reader waits there for more and sees nothing behind it.",
        "header",
        size="size",
        issues=("7971", "8542"),
        next_=(_SHOW, _SCAN, _SAVE),
    ),
    _said(
        "gossmap-checksum",
        "gossmap (gossipd and plugins)",
        "Bad checksum on gossmap record",
        rf"Bad checksum on gossmap record @(?P<at>{_N})/(?P<size>{_N})? ?(?:should be (?P<stored>\d{{1,10}}))?",
        'The live record whose header is at byte {at} does not match its CRC-32C; the number after "should be" is the '
        "stored checksum in decimal.",
        "The reader waits there and sees nothing behind it.",
        "header",
        size="size",
        releases="v25.02 and later",
        next_=(_SHOW, _SCAN, _SAVE),
    ),
    _said(
        "unknown-record",
        "gossmap (gossipd and plugins)",
        "in gossmap: ignoring",
        rf"Unknown record (?P<type>\d{{1,6}})@(?P<at>{_N}) \(size (?P<len>{_N})\) in gossmap: ignoring",
        "The record whose body is at byte {at} has type {type}, which this release does not know.",
        "It is passed over; at a start of gossipd the whole store is moved to gossip_store.corrupt.",
        "body",
        next_=(_SHOW, _SCAN),
    ),
    _said(
        "map-copy",
        "gossmap (gossipd and plugins)",
        "offset + len <= map->map_size",
        r".{0,120}?(?:map_copy|map_local|map_be\d\d): Assertion .offset \+ len <= map->map_size. failed",
        "A read went past the end of the store: a record near the end is shorter than its type needs, or (v24.11) a "
        "record of length zero stands at the end.",
        "The process aborts; gossipd does so at every start until the store is repaired or removed.",
        releases="the zero-length record is handled since v25.02",
        issues=("7971", "7109"),
        whole=False,
    ),
    _said(
        "find-chan",
        "gossmap (gossipd and plugins)",
        "!gossmap_find_chan(",
        r".{0,120}?Assertion .!gossmap_find_chan\(.{0,80}?failed",
        "One channel is announced twice by live records.",
        "The process aborts, at every start.",
        releases="v24.02",
        issues=("7249",),
        whole=False,
    ),
    _said(
        "first-not-uuid",
        "gossmap (gossipd and plugins)",
        "First gossip_store record is not uuid",
        r"First gossip_store record is not uuid\?",
        "After a compaction the record at offset 1 should be the uuid record of store version 16, and is not.",
        "The reader stops.",
        releases="v26.04 and later",
    ),
    _said(
        "invalid-dying",
        "gossmap (gossipd and plugins)",
        "Invalid chan_dying message",
        r"Invalid chan_dying message",
        "A chan_dying record is too short for its height, though its checksum holds. The line is printed with the wrong "
        "arguments.",
        "gossipd crashes with a segmentation fault, at every start.",
    ),
    _said(
        "compactd-incomplete",
        "compactd",
        "Incomplete gossip_store record at",
        rf"Incomplete gossip_store record at (?P<at>{_N})",
        "The record whose header is at byte {at} has no COMPLETED bit or is cut short.",
        "The compaction ends without a result.",
        "header",
        releases="v26.04 and later",
        next_=(_SHOW, _SCAN),
    ),
    _said(
        "compactd-offset",
        "compactd",
        "We reached offset",
        rf"We reached offset (?P<at>{_N}) (?:past initial limit|before file size) (?P<size>{_N})?",
        "The records did not end where the store should end: a wrong length, or a torn record before byte {at}.",
        "The compaction ends without a result.",
        "unread",
        size="size",
        releases="v26.04 and later",
        next_=(_SHOW, _SCAN),
    ),
    _said(
        "compactd-read",
        "compactd",
        "Could not read old gossip_store",
        r"Could not read old gossip_store",
        "The old store could not be read at all; a length below 2 also ends here, because it makes the size to read wrap.",
        "The compaction ends without a result.",
        releases="v26.04 and later",
    ),
)
