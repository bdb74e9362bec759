"""What can be wrong with `known_addresses.bin`, and what a Subspace node does about it."""

from __future__ import annotations

from inspector.finding import Rule, Severity

_SOURCE = "subspace-networking/src/behavior/persistent_parameters.rs"
_READ = f"{_SOURCE}, KnownPeersManager::new"
_QUIET = (
    "It ignores the slot and takes the other one; with none left it starts with an empty list. The message is at "
    "the level debug, so at the usual level nothing is seen."
)
_AGAIN = "inspector repair writes both slots from the newest list whose digest holds."

CHECKSUM = Rule(
    "KNP001",
    "slot-checksum-mismatch",
    Severity.ERROR,
    "a slot decodes, and its digest is not that of its payload",
    "The BLAKE3 digest behind the payload differs from the digest of the payload: some byte of either was changed.",
    _QUIET,
    _AGAIN,
    _READ,
)
TORN = Rule(
    "KNP002",
    "slot-torn",
    Severity.ERROR,
    "a slot stops to decode in the middle of its list",
    "Payload and digest are written through a memory map with one flush and no order between pages: a crash in "
    "between leaves any mix of old and new pages.",
    _QUIET,
    _AGAIN,
    _READ,
)
NEVER_SEALED = Rule(
    "KNP003",
    "slot-never-sealed",
    Severity.WARNING,
    "a slot holds a whole list that never got a digest",
    "When the length of the file is wrong the node copies its list into both slots without a digest; it ended "
    "before the next save wrote one.",
    _QUIET,
    "The lists are whole: inspector repair --accept unsealed writes them with a digest.",
    f"{_SOURCE}, init_file",
)
CUT = Rule(
    "KNP004",
    "slot-cut",
    Severity.ERROR,
    "the file ends inside a slot",
    "The list or its digest goes on past the end of the file.",
    _QUIET,
    _AGAIN,
    _READ,
)
MISPLACED = Rule(
    "KNP005",
    "slot-misplaced",
    Severity.WARNING,
    "a slot is whole and lies where the node does not look",
    "The node cuts the file in half by its actual length. After bytes were added, lost or cut off, slot B is no "
    "longer at the half.",
    _QUIET,
    _AGAIN,
    _READ,
)
LENGTH = Rule(
    "KNP006",
    "wrong-length",
    Severity.WARNING,
    "the file has not twice the length of a slot",
    "The length follows from the size of the cache: 961,284 bytes for 100 peers, 96,120,084 for 10,000.",
    "It loads what it finds in the halves of the actual length, resizes the file, and copies the list into both "
    "slots without a digest: a crash before the next save loses the list.",
    _AGAIN,
    f"{_SOURCE}, init_file",
)
ONE_BYTE = Rule(
    "KNP007",
    "one-byte-file",
    Severity.WARNING,
    "a file of one byte stops the node at every start",
    "Half of one byte is zero, and the node divides the file into chunks of that size.",
    "It panics before anything else of the network starts, again at every start.",
    "Delete the file: the node then creates a new one. There is nothing in it to save.",
    _READ,
)
REFUSED_PEER = Rule(
    "KNP008",
    "peer-refused",
    Severity.WARNING,
    "a sealed list holds an entry that the node drops",
    "The id or one of the addresses does not parse. The digest holds, so the writer stored it like this.",
    'It drops the whole entry ("skipping peer entry", debug) and loads the others.',
    "inspector repair leaves the entry out.",
    _READ,
)
LIMITS = Rule(
    "KNP009",
    "over-the-limits",
    Severity.WARNING,
    "a sealed list is larger than the node ever writes",
    "A node writes at most as many peers as its cache holds, 30 addresses each, of at most 150 bytes each.",
    "It loads the list; the limits are the writer's, not the reader's.",
    "Another program wrote or changed the file. inspector repair keeps the limits.",
    f"{_SOURCE}, lines 32-34",
)
DUPLICATES = Rule(
    "KNP010",
    "duplicate-entries",
    Severity.NOTE,
    "a sealed list names the same peer or address more than once",
    "The node keeps its list in a map and writes each peer once.",
    "It loads the later entry over the earlier one.",
    "inspector repair merges them.",
    _READ,
)
GENERATIONS = Rule(
    "KNP011",
    "two-generations",
    Severity.NOTE,
    "the slots were written by different generations of the node",
    "After an upgrade the first save writes one slot; the other keeps the old form until the second save.",
    "It reads its own generation only and does not see the other slot.",
    "Nothing needs to be done.",
    _READ,
)
TIE = Rule(
    "KNP012",
    "equal-times",
    Severity.NOTE,
    "both slots are good and carry the same time",
    "Times count whole seconds.",
    "It takes slot A.",
    "Nothing needs to be done.",
    _READ,
)
STALE = Rule(
    "KNP013",
    "list-too-old",
    Severity.WARNING,
    "the newest list is older than 24 hours at the asked time",
    "Since 2024-05-30 a list that was written more than 24 hours ago is not used.",
    "It leaves the file alone and starts with an empty list.",
    "inspector repair --touch writes the list with the current time.",
    f"{_SOURCE} (13e24be30)",
)
FUTURE = Rule(
    "KNP014",
    "time-in-the-future",
    Severity.NOTE,
    "a list was written later than the asked time",
    "The clock of the machine was ahead, or the asked time is before the save.",
    "It counts the age as zero.",
    "Nothing needs to be done.",
    _SOURCE,
)
SLACK = Rule(
    "KNP015",
    "old-peers-in-slack",
    Severity.NOTE,
    "peers of earlier lists are still in the unused part of the slots",
    "The node does not clear the bytes behind a shorter list.",
    "It never reads them.",
    "inspector records lists them (state old). A repaired file does not contain them.",
    f"{_SOURCE}, write_known_peers",
)
ERASED = Rule(
    "KNP016",
    "slot-erased",
    Severity.WARNING,
    "slot A is all zero, although slot B was written",
    "A node writes its first list to slot A, and after each start again: where slot B holds a list, slot A held one.",
    "It takes the list of slot B, which may be the older one.",
    _AGAIN,
    f"{_SOURCE}, write_known_peers",
)
RULES = (
    CHECKSUM,
    TORN,
    NEVER_SEALED,
    CUT,
    MISPLACED,
    LENGTH,
    ONE_BYTE,
    REFUSED_PEER,
    LIMITS,
    DUPLICATES,
    GENERATIONS,
    TIE,
    STALE,
    FUTURE,
    SLACK,
    ERASED,
)
