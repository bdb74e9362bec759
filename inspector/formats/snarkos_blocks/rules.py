"""What can be wrong with CDN block files."""

from __future__ import annotations

from typing import Final

from inspector.finding import Rule, Severity

_SOURCE = "snarkOS node/cdn/src/blocks.rs; snarkVM ledger/block/src/bytes.rs"
_FAILS = "The CDN sync stops at this file and the node goes on over the peer-to-peer network."
_AGAIN = "Download the file again; inspector repair keeps the whole blocks."


def _rule(number: int, slug: str, severity: Severity, summary: str, explanation: str, advice: str = _AGAIN) -> Rule:
    return Rule(f"SNB{number:03d}", slug, severity, summary, explanation, _FAILS, advice, _SOURCE)


COUNT: Final = _rule(
    1,
    "count-differs",
    Severity.ERROR,
    "the count at the head is not the number of blocks",
    "The file is a bincode vector: a u64 count, then so many blocks, each behind its u64 length.",
)
TRUNCATED: Final = _rule(
    2,
    "block-truncated",
    Severity.ERROR,
    "the file ends inside a block",
    "The last block claims more bytes than there are: a download that was not finished.",
)
MALFORMED: Final = _rule(
    3,
    "block-malformed",
    Severity.ERROR,
    "a block cannot be taken apart",
    "Versions, network, authority or ratifications do not fit, or nothing confirms where it ends: no block follows.",
)
GAP: Final = _rule(
    4,
    "bytes-without-block",
    Severity.ERROR,
    "no block can be read from these bytes",
    "The length is wrong or the header is gone; reading goes on at the next block whose length is confirmed.",
)
HEIGHT: Final = _rule(
    5,
    "height-out-of-order",
    Severity.ERROR,
    "a block does not have the height that its place demands",
    "Heights rise by one from block to block: blocks were swapped, repeated or left out.",
)
LINK: Final = _rule(
    6,
    "previous-hash-broken",
    Severity.ERROR,
    "a block does not name the hash of the block before it",
    "Each block repeats the hash of its predecessor.",
)
FIELD: Final = _rule(
    7,
    "header-does-not-follow",
    Severity.ERROR,
    "round, timestamp or network does not follow from the block before",
    "Rounds rise, timestamps never fall, the network stays.",
)
NAME: Final = _rule(
    8,
    "name-differs",
    Severity.WARNING,
    "the file's name promises other heights",
    "A file A.B.blocks holds the heights from A up to, not including, B.",
    "Give the file the name of what it holds, or download it again.",
)
LATEST: Final = _rule(
    9,
    "latest-malformed",
    Severity.ERROR,
    "latest.json is not what a node expects",
    "It is a bincode string: a u64 length and a JSON object with exclusive_height, inclusive_height and hash.",
    "Download it again.",
)

RULES: Final = (COUNT, TRUNCATED, MALFORMED, GAP, HEIGHT, LINK, FIELD, NAME, LATEST)
