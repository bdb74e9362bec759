"""Rules about Longhorn's replicas: what is on disk, and where a running system's memory disagrees with it."""

from __future__ import annotations

from inspector.finding import Rule, Severity

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_R = "longhorn-spdk-engine pkg/spdk/replica.go"
_KEEP = "Do not delete anything. Extract the volume first: `inspector extract`."

HEADLESS = Rule(
    "LHN001", "replica-without-head", WARNING,
    "snapshots of a replica whose head is not on disk",
    "A replica is found by its head's name only. Without the head its snapshots are there and nobody uses them.",
    "Longhorn does not see this replica and gives its space to nobody.",
    "The newest snapshot can be extracted; writes after it were in the head. `inspector items --lost` may have it.",
    "longhorn-spdk-engine pkg/spdk/server.go, verify",
)  # fmt: skip
HEAD_DOOMED = Rule(
    "LHN002", "head-would-be-deleted", WARNING,
    "Longhorn would delete this head when it starts",
    "A head must not be a snapshot, and must not be larger than the volume. One that is fails the validation, and "
    "what fails the validation is deleted before a new, empty head is made.",
    "ensureValidHeadLvol deletes it: all writes since the newest snapshot are gone.",
    "Do NOT start the instance manager on this disk. Extract the head first.",
    f"{_R} ensureValidHeadLvol, validateReplicaHead",
)  # fmt: skip
SNAPSHOT_WRITABLE = Rule(
    "LHN003", "snapshot-writable", WARNING,
    "a snapshot is not read-only",
    "Its name says snapshot, its read-only flag is clear and no unfinished operation explains it.",
    "It can be written to; volumes above it would change with it.",
    "Compare its checksum with another replica before it is trusted.",
    "spdk lib/blob/blobstore.c, snapshot create",
)  # fmt: skip
LEFTOVER = Rule(
    "LHN004", "replica-leftover", NOTE,
    "what an unfinished rebuild, clone or expiry left",
    "Its name says that it belongs to an operation that did not end.",
    "Longhorn cleans these up or ignores them.",
    "Nothing, once the replica itself is healthy.",
    "longhorn-spdk-engine pkg/spdk/types.go",
)  # fmt: skip
STRANGER = Rule(
    "LHN005", "lvol-not-longhorns", NOTE,
    "a volume that Longhorn did not name",
    "No pattern of Longhorn's names fits.",
    "Longhorn ignores it; its space is not counted as free.",
    "Somebody else uses this disk, or somebody renamed a volume.",
    "longhorn-spdk-engine pkg/spdk/types.go",
)  # fmt: skip
HEAD_NOT_IN_CHAIN = Rule(
    "LHN010", "head-not-in-chain", WARNING,
    "the head is on disk, and the running engine does not have it in its chain",
    "The disk is healthy; the engine's memory is not. It takes the head for missing, tries to create it under a name "
    "that exists, fails with -17 (File exists), and starts over, for ever.",
    "`lvs_verify_lvol_name: *ERROR*: lvol with name ... already exists`, then `File exists` (-17), in a loop. "
    "Engines before 2024-12-06 decide from their memory alone; some versions delete such a head.",
    "Do not repair this disk. Upgrade to an engine with commit 5c791cfa (longhorn-spdk-engine PR 263) or later, then "
    "restart the instance manager; it reads the chain from the disk again.",
    "longhorn/longhorn#9942; longhorn-spdk-engine pkg/spdk/replica.go IsHeadAvailable, prepareHead",
)  # fmt: skip
SNAPSHOT_NOT_IN_MEMORY = Rule(
    "LHN011", "snapshot-not-in-memory", WARNING,
    "a snapshot is on disk and the running engine does not know it",
    "The chain on disk has it, the map in memory does not.",
    "`snapshot lvol map length ... is not the same as ...`; a rebuild or purge may leave it out.",
    "Restart the instance manager on this node, so that it reads the disk again; compare replicas before a rebuild.",
    f"{_R} constructSnapshotLvolMap; longhorn/longhorn#13315",
)  # fmt: skip
SNAPSHOT_NOT_ON_DISK = Rule(
    "LHN012", "snapshot-not-on-disk", ERROR,
    "the running engine knows a snapshot that is not on disk",
    "What was read through it is gone from this replica, or this is not the disk that the engine speaks of.",
    "Reads of older data fail or give zeroes after the next start.",
    f"Rebuild this replica from a healthy one. {_KEEP}",
    f"{_R} constructSnapshotLvolMap",
)  # fmt: skip
PARENT_DIFFERS = Rule(
    "LHN013", "parent-differs", WARNING,
    "disk and memory name different parents",
    "What a volume did not write itself is read from its parent: two answers, two contents.",
    "The running engine goes on with its own; after a restart it takes the disk's.",
    "Stop writes, compare with the other replicas, then restart the instance manager.",
    f"{_R} constructActiveChainFromSnapshotLvolMap",
)  # fmt: skip
CHILDREN_DIFFER = Rule(
    "LHN014", "children-differ", WARNING,
    "disk and memory name different children of a snapshot",
    "A snapshot with more than one child must not be deleted; the engine decides that by its own list.",
    "A purge may delete what is still in use, or keep what is not.",
    "Restart the instance manager before any snapshot is deleted.",
    f"{_R} constructSnapshotLvolMap",
)  # fmt: skip
SIZE_DIFFERS = Rule(
    "LHN015", "size-differs", WARNING,
    "disk and memory disagree about a volume's size",
    "An expansion that was half done, or an object of another disk.",
    "A head larger than the specified size fails the validation and is deleted at the next start.",
    _KEEP,
    f"{_R} validateReplicaHead",
)  # fmt: skip
LVOL_NOT_ON_DISK = Rule(
    "LHN016", "lvol-not-on-disk", ERROR,
    "a running program has a volume that is not on disk",
    "It was deleted after the list was made, its metadata is lost, or the list is of another disk.",
    "It is gone after the next start.",
    _KEEP,
)  # fmt: skip
LVOL_NOT_IN_MEMORY = Rule(
    "LHN017", "lvol-not-in-memory", WARNING,
    "a volume is on disk and the running program does not have it",
    "Its load failed, or it was made after the list.",
    "Whoever uses it gets an error.",
    "Look at the log of spdk_tgt for this name.",
)  # fmt: skip
OTHER_DISK = Rule(
    "LHN018", "not-this-disk", NOTE,
    "a document is about another lvolstore",
    "The lvolstore uuid in it is not the one on this disk; it was not compared.",
    "Nothing.",
    "Give the documents of the node that this disk is from.",
)  # fmt: skip
IDENTITY_DIFFERS = Rule(
    "LHN019", "uuid-differs", WARNING,
    "disk and memory give one name different uuids",
    "The volume was deleted and made again under its old name, or one of both is stale.",
    "Requests by uuid fail.",
    "Compare contents before one is deleted.",
)  # fmt: skip
CHECKSUM_DIFFERS = Rule(
    "LHN020", "snapshot-checksum-differs", ERROR,
    "disk and Longhorn give a snapshot different checksums",
    "The checksum on disk covers the snapshot's own clusters; Longhorn compares it between replicas.",
    "A rebuild takes the snapshot from the other replica where they differ.",
    "`inspector scan --checksums` tells whether the data on this disk matches its own checksum.",
    "longhorn-spdk-engine pkg/api/types.go, Lvol.SnapshotChecksum",
)  # fmt: skip

# what is so on disk, and no new image can change
STANDING = frozenset(rule.code for rule in (HEADLESS, HEAD_DOOMED, SNAPSHOT_WRITABLE))

RULES = (
    HEADLESS, HEAD_DOOMED, SNAPSHOT_WRITABLE, LEFTOVER, STRANGER, HEAD_NOT_IN_CHAIN, SNAPSHOT_NOT_IN_MEMORY,
    SNAPSHOT_NOT_ON_DISK, PARENT_DIFFERS, CHILDREN_DIFFER, SIZE_DIFFERS, LVOL_NOT_ON_DISK, LVOL_NOT_IN_MEMORY,
    OTHER_DISK, IDENTITY_DIFFERS, CHECKSUM_DIFFERS,
)  # fmt: skip
