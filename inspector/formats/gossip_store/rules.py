"""What can be wrong with a gossip store: codes never change meaning and are never reused.

`loader` says what Core Lightning v26.06 does; `loader.py` answers for each release.
"""

from __future__ import annotations

from inspector.finding import Rule, Severity

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
_CORRUPT = "gossipd renames the whole file to gossip_store.corrupt at its next start and begins an empty one."
_REPAIR = "inspector repair PATH -o OUT writes a store without it that lightningd loads."
_LOAD = "common/gossmap.c map_catchup"

RULES: tuple[Rule, ...] = (
    Rule(
        "GSP001", "empty-file", E, "the file is empty: not even a version byte",
        "Every store begins with one version byte. A file of 0 bytes is what a crash or a full disk leaves behind.",
        _CORRUPT, "Delete the file; lightningd makes a new one. Look for gossip_store.corrupt beside it.",
        "gossipd/gossip_store.c:267",
    ),
    Rule(
        "GSP002", "version-unknown", W, "the version byte is none that this release of CLN loads",
        "The top three bits are the major version (always 0), the low five the minor. Nothing else protects this byte.",
        _CORRUPT, _REPAIR + " It writes the version that the records themselves show.", "gossipd/gossip_store.c:280",
    ),
    Rule(
        "GSP003", "record-checksum-mismatch", E, "a record's body does not match its CRC-32C",
        "The checksum covers the body and, as its seed, the header's timestamp. The record's end is confirmed by what "
        "follows it, so exactly this record is damaged. In a record that is deleted anyway this is only a note.",
        _CORRUPT + " connectd stops the node if it meets the record while streaming; compactd copies it on.",
        _REPAIR, "common/gossip_store.c, gossipd/gossip_store.c:340",
    ),
    Rule(
        "GSP004", "record-length-wrong", E, "a record's length field is wrong; its end follows from its type",
        "The length is not covered by the checksum. The message's own structure says where it ends, and a good record "
        "begins exactly there.",
        _CORRUPT + " Sequential readers lose everything after it.", _REPAIR, _LOAD,
    ),
    Rule(
        "GSP005", "unreadable-stretch", E, "bytes in which no record can be read",
        "A record header was due here. The stretch ends at the next offset where a record of a known type verifies.",
        _CORRUPT, _REPAIR, _LOAD,
    ),
    Rule(
        "GSP006", "zeroed-range", E, "a stretch of zeroes where records were due",
        "Zeroes that cover a record's header or whole records. On ZFS a hole of zeroes with the next record after it "
        "was read back while the node ran (lightning#8542); full disks and lost write caches leave zeroed pages.",
        _CORRUPT, _REPAIR, "gossipd/gossmap_manage.c:1565",
    ),
    Rule(
        "GSP007", "truncated-body", E, "the last record's body runs past the end of the file",
        "An append that was not finished: the disk was full or the machine stopped.",
        "v16 stores: " + _CORRUPT + " Releases from v24.02 to v25.12 keep the records before it.",
        _REPAIR, "gossipd/gossip_store.c:323",
    ),
    Rule(
        "GSP008", "truncated-header", E, "fewer than 12 bytes are left where a record header is due",
        "An append that was cut inside the header.", "as for a truncated body",
        _REPAIR, "common/gossip_store.c readhdr",
    ),
    Rule(
        "GSP009", "not-completed", W, "a whole record without its COMPLETED bit",
        "From version 15 the bit is set by a second write after the body. The body verifies: only that is missing.",
        _CORRUPT + " Every other reader silently stops at this record.", _REPAIR, "gossipd/gossip_store.c:72",
    ),
    Rule(
        "GSP010", "trailing-zeroes", W, "zeroes after the last record",
        "The file was made longer than what was written: preallocation, or a write that never reached the disk. "
        "No record that was read is affected.",
        _CORRUPT, _REPAIR, _LOAD,
    ),
    Rule(
        "GSP011", "record-too-short", W, "a record that verifies but is shorter than its type needs",
        "Its checksum is right, so it was written this way. Readers trust the length and read past the record.",
        "gossipd crashes at start, again at every restart: SIGSEGV for a short chan_dying, the map_copy assertion "
        "'offset + len <= map->map_size' for a short message at the end of the file.",
        _REPAIR, "common/gossmap.c:689, :119",
    ),
    Rule(
        "GSP012", "length-past-end", E, "a record claims more bytes than the file has, and good records follow inside",
        "The length field is wrong; nothing tells where this record ends but the next record that verifies.",
        _CORRUPT, _REPAIR, _LOAD,
    ),
    Rule(
        "GSP013", "unknown-type", W, "a record of a type that no known release writes",
        "Its checksum is right. A newer release may have written it, or another program.",
        _CORRUPT + " Plugins only log it.", _REPAIR, "common/gossmap.c:920",
    ),
    Rule(
        "GSP014", "announcement-without-amount", W, "a channel_announcement is not followed by its channel_amount",
        "The two are written one after the other; a crash or damage in between leaves the first alone.",
        "At the end of the file: moved to .corrupt. Elsewhere gossipd loads it and a later capacity look-up aborts.",
        _REPAIR, "common/gossmap.c:1497",
    ),
    Rule(
        "GSP015", "amount-without-announcement", N, "a channel_amount with no channel_announcement before it",
        "Its announcement was damaged or dropped. Readers look at an amount only behind an announcement.",
        "ignored", _REPAIR, "gossipd/gossip_store.c:618",
    ),
    Rule(
        "GSP016", "pair-flag-mismatch", W, "DELETED is set on only one of an announcement and its amount",
        "Both are flagged together. With the amount alone deleted, the next compaction drops it and leaves an "
        "announcement without amount; the other way round an amount stays behind, which is harmless.",
        "loads; compactd drops the deleted one", _REPAIR, "gossipd/gossip_store.c:618",
    ),
    Rule(
        "GSP017", "duplicate-announcement", W, "two live channel_announcements of one channel",
        "A channel may be announced once. Releases before v25.02 kept appending when they met this (lightning#8035).",
        _CORRUPT, _REPAIR + " The first stays, the later pair is marked DELETED.", "common/gossmap.c:480",
    ),
    Rule(
        "GSP018", "update-unknown-channel", N, "a live channel_update whose channel has no live announcement before it",
        "The announcement was deleted, damaged or never written.", "ignored", "", _LOAD,
    ),
    Rule(
        "GSP019", "node-unknown", N, "a live node_announcement of a node without an announced channel before it",
        "The node's channels were deleted or damaged.", "ignored", "", _LOAD,
    ),
    Rule(
        "GSP020", "update-superseded", N, "an older channel_update is still live beside a newer one",
        "The newer one is appended first, then the older one is flagged; a stop in between leaves both.",
        "the later one in the file counts", "", "gossipd/gossmap_manage.c",
    ),
    Rule(
        "GSP021", "duplicate-node", N, "two live node_announcements of one node",
        "As for updates: a stop between the append and the flag leaves both (lightning#6531).",
        "the later one in the file counts", "", "gossipd/gossmap_manage.c:351",
    ),
    Rule(
        "GSP022", "ended-in-place", W, "an `ended` record in the file at the path",
        "It is written to the old file after it was replaced, and must never be in the one at the path.",
        "gossipd and every plugin crash at start, again at every restart (endless recursion, SIGSEGV).",
        _REPAIR, "gossipd/gossmap_manage.c:1722",
    ),
    Rule(
        "GSP023", "uuid-missing", W, "a version 16 store does not begin with its uuid record",
        "From version 16 the record at offset 1 names the store.",
        "loads at first; a reader that re-opens the store reports \"First gossip_store record is not uuid?\"",
        _REPAIR + " It adds one.", "common/gossmap.c:757",
    ),
    Rule(
        "GSP024", "uuid-not-first", N, "a uuid record that is not the first record",
        "Left by an appended second store or an overwritten beginning.", "ignored", _REPAIR, "common/gossmap.c:757",
    ),
    Rule(
        "GSP025", "version-byte-displaced", W, "the version byte is not at offset 0",
        "Bytes stand before the store. Releases before v0.10.0 wrote the new version byte at offset 1 after truncating "
        "(lightning#4376, #4288).",
        _CORRUPT + " gossmap-compress aborts.", _REPAIR, "lightning b689d33e9",
    ),
    Rule(
        "GSP026", "second-store", W, "a second store begins inside the file",
        "A version byte and good records in the middle: a temporary file that was not emptied before it was written "
        "(lightning#2750, fixed by #2758), or two files joined.",
        _CORRUPT + " Plugins read only the first store.", _REPAIR, "lightning 47b5f2e83",
    ),
    Rule(
        "GSP027", "flag-bits-unknown", N, "flag bits that no release of this store version sets",
        "Flags are not covered by any checksum.", "no reader rejects them", "", "common/gossip_store.h",
    ),
    Rule(
        "GSP028", "alias-not-utf8", N, "a node alias that is not UTF-8",
        "Legal on the network.", "CLN loads it; pyln's Gossmap fails on the whole file with UnicodeDecodeError.", "",
        "contrib/pyln-client/pyln/client/gossmap.py",
    ),
    Rule(
        "GSP029", "checksum-not-judged", N, "this store version's checksums cannot be judged",
        "Versions 2 to 6 were written with a function that was called crc32c but was not; version 7 corrected it.",
        "current releases do not load these versions", "Let lightningd make a new store.", "lightning 0d2a4830e",
    ),
    Rule(
        "GSP030", "version-contradicted", W, "the records belong to another store version than the version byte says",
        "Records, flags or checksums of another version than the byte claims: the version byte was changed.",
        _CORRUPT, _REPAIR + " --to-version says which one to write.", "gossipd/gossip_store.c:94",
    ),
    Rule(
        "GSP031", "record-inside-damage", N, "a record that verifies, found inside a damaged record",
        "Bytes inside announcements are chosen by strangers, so a planted record can lie there. The chance that "
        "random bytes verify is about 1 in 4,000 million per place tried.",
        "not seen by CLN", "inspector repair --accept anchored writes such records.", "",
    ),
    Rule(
        "GSP032", "offset-wrap", W, "the file is larger than 4 GiB, and this release keeps offsets in 32 bits",
        "Releases before v24.11 wrap offsets modulo 4 GiB and then look at the wrong record (lightning#7729).",
        "gossipd stops with \"get delete entry offset X/Y\" or \"bad checksum offset X\" for a record that is whole.",
        "Upgrade to v24.11 or later first; inspector repair --compact makes the file small.", "lightning d067066b1",
    ),
    Rule(
        "GSP033", "overwritten-start", E, "a record was written over the beginning of the file",
        "The record at offset 1 verifies and is not the one that belongs there; the records it covers are gone. An "
        "append went to offset 1 instead of the end (lightning#8053).",
        _CORRUPT, _REPAIR, "lightning 8156c83e1",
    ),
    Rule(
        "GSP034", "closed-channel-live", N, "a channel that a delete_chan record closes is still marked live",
        "The tombstone is appended first, then the records are flagged; a stop in between leaves them live.",
        "the tombstone is honoured", "", "gossipd/gossmap_manage.c:306",
    ),
    Rule(
        "GSP035", "signature-invalid", W, "a record's checksum is right and a signature of its message does not hold",
        "BOLT 7 messages are signed by the nodes they speak of. Checked with --verify-signatures. Regtest networks and "
        "stores made by tests may have no valid signatures at all; in a store where most hold, this one was forged or "
        "its bytes and its checksum were changed together.",
        "CLN checks signatures when gossip arrives and never when it loads a store; peers that get the message from "
        "this node refuse it.",
        "Delete the store if many fail; the network sends the messages again.", "gossipd/sigcheck.c",
    ),
    Rule(
        "GSP036", "signatures-absent", N, "messages with signatures of zeroes",
        "Stores that were made from a topology alone (gossmap-compress) have no signatures.",
        "loaded like any other", "Do not use it on a node that talks to others.", "gossipd/sigcheck.c",
    ),
)  # fmt: skip
BY_SLUG = {rule.slug: rule for rule in RULES}
