"""Rules about blobs: chains, maps, snapshots, names and content."""

from __future__ import annotations

from inspector.finding import Rule, Severity
from inspector.formats.spdk_blobstore.rules import STORE_RULES

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_C = "spdk lib/blob/blobstore.c"
_LVOL = "spdk lib/lvol/lvol.c"
_EXTRACT = "Copy out what is known with `inspector extract`; what is not known is listed beside it."

CHAIN_BROKEN = Rule(
    "SPB023", "chain-broken", ERROR,
    "a volume's chain of metadata pages breaks off",
    "The next page of the chain is zero, unreadable, out of range, or the chain runs in a circle. Attributes, "
    "parent and map that were on the rest are not known.",
    "The volume does not open; the rest of the store loads.",
    "If the later pages are still there they are named: `--accept anchored` takes them.",
    f"{_C} blob_load_cpl",
)  # fmt: skip
CHAIN_STALE = Rule(
    "SPB024", "chain-stale", ERROR,
    "a volume's chain leads to a sealed page of another volume",
    "A continuation page was due here; what lies here has a valid checksum and another id or sequence number: the "
    "write was lost (a write cache without power) and an older page shows through.",
    "No release checks this. Debug builds abort: `blob_parse: Assertion 'page->id == blob->id' failed`. Release "
    "builds load the volume with the other's attributes and without its own map and parent: it reads as zeroes.",
    "Do not let anything write to this volume. If its later pages are still there, `--accept anchored` takes them.",
    f"{_C} blob_parse (no check of id and sequence_num); longhorn/longhorn#13944",
)  # fmt: skip
EXTENT_LOST = Rule(
    "SPB027", "extent-page-lost", ERROR,
    "a volume's extent page is lost",
    "The table names a page that is not a sealed extent page for these clusters. Where up to 512 clusters of the "
    "volume lie is not known; they are unknown, not zero.",
    "After a clean shutdown the volume does not open, without a message; after a crash the whole store is refused "
    "with -84.",
    _EXTRACT,
    f"{_C} blob_load_cpl_extents_cpl, bs_load_replay_extent_page_cpl",
)  # fmt: skip
REFUSED = Rule(
    "SPB030", "blob-refused", ERROR,
    "a volume's metadata contradicts itself",
    "Flags that no known release writes, two kinds of map in one volume, or pages that disagree about its size.",
    "The volume fails to open with -22 (EINVAL).",
    "A newer release may have written it: look at the flags.",
    f"{_C} blob_parse_page",
)  # fmt: skip
OVERRUN = Rule(
    "SPB031", "descriptor-overrun", ERROR,
    "a descriptor claims more bytes than its page has",
    "The checksum holds, so a software wrote it this way. What follows on the page is not read.",
    "The volume fails to open, or an assert aborts the load.",
    "The part before it is used.",
    f"{_C} blob_parse_page",
)  # fmt: skip
OUT_OF_RANGE = Rule(
    "SPB032", "cluster-out-of-range", ERROR,
    "a map names clusters outside of the store's data",
    "The number is beyond the last cluster or inside the metadata. What the volume holds there is not known.",
    "The volume fails to open with -22 (EINVAL); a recovery may write beyond its bit arrays.",
    _EXTRACT,
    f"{_C} blob_parse_page",
)  # fmt: skip
SHARED = Rule(
    "SPB033", "cluster-shared", ERROR,
    "a cluster belongs to two volumes",
    "Two sealed maps name it and no half-done snapshot explains it: one volume's writes land in the other. Which of "
    "them the bytes belong to is not on disk.",
    "Release builds load it and go on writing; a later delete frees the cluster under the other volume.",
    "Stop writing. Compare both volumes with a replica or backup before either is used.",
    f"{_C} bs_load_replay_md_parse_page; spdk/spdk#3431",
)  # fmt: skip
THICK_HOLES = Rule(
    "SPB034", "thick-with-holes", WARNING,
    "a thick volume has unallocated clusters",
    "Only a thin volume may have them; the thin flag is not set.",
    "The volume fails to open with -22 (EINVAL).",
    _EXTRACT,
    f"{_C} blob_parse_page",
)  # fmt: skip
OVERCLAIM = Rule(
    "SPB035", "map-overclaims", ERROR,
    "a map names more clusters than the store has",
    "Run lengths add up to more than the whole store. The map was made to mislead, or is not a map.",
    "The load fails or takes very long.",
    "Nothing of this volume can be trusted.",
)  # fmt: skip
NEWER = Rule(
    "SPB036", "descriptor-unknown", NOTE,
    "metadata that only newer releases understand",
    "Type 7 holds a checksum per cluster (newer Longhorn engines); other numbers are not known at all.",
    "Releases that do not know it ignore it on a cleanly shut down store, and refuse the whole store with -84 after "
    "a crash.",
    "Load this store with the release that wrote it.",
    f"{_C} bs_load_replay_md_parse_page",
)  # fmt: skip
HALF_CREATE = Rule(
    "SPB040", "snapshot-create-half-done", NOTE,
    "a crash interrupted the making of a snapshot",
    "The snapshot still carries SNAPTMP. Four writes make one; the evidence says which was the last to reach the "
    "disk. Original and snapshot read the same at every step, nothing is lost.",
    "The load finishes or discards the snapshot. When it was cut after write 2 and the original had a parent that "
    "was loaded before, discarding dereferences a missing list entry: debug builds abort (`Assertion '*clone_entry "
    "!= NULL' failed`), release builds die with SIGSEGV in bs_blob_list_remove, at every start.",
    "If it crashes the loader, `inspector repair` writes an image without the half-made snapshot.",
    f"{_C} bs_examine_clone, bs_delete_corrupted_blob, bs_blob_list_remove",
)  # fmt: skip
HALF_DELETE = Rule(
    "SPB041", "snapshot-delete-half-done", NOTE,
    "a crash interrupted the deletion of a snapshot",
    "The snapshot still carries SNAPRM. Its child reads the same at every step, nothing is lost.",
    "The load finishes or undoes it. Cut after write 2: it keeps both, and both own the same clusters from then on. "
    "Cut after write 3: shared clusters are subtracted twice from the free ones, in a nearly full store the load "
    "then fails with -84.",
    "`inspector repair` writes an image in which it is finished or undone, with right counts.",
    f"{_C} bs_examine_clone, bs_load_replay_extent_pages; spdk/spdk#3431, spdk/spdk#3621",
)  # fmt: skip
HALF_STUCK = Rule(
    "SPB042", "snapshot-operation-stuck", NOTE,
    "a snapshot waits for a volume that is not there",
    "It carries SNAPTMP or SNAPRM, and the volume it names cannot be opened.",
    "The load prints `Failed to open clone of a corrupted blob` and leaves it as it is.",
    "Nothing is lost by it.",
    f"{_C} bs_examine_clone",
)  # fmt: skip
PARENT_LOST = Rule(
    "SPB043", "parent-lost", ERROR,
    "a volume's snapshot is not on disk",
    "What the volume did not write itself is read from the snapshot; those ranges are unknown, not zero.",
    "The volume is missing after the load: `Snapshot fail`.",
    "Its own clusters can be extracted. `inspector items --lost` may have what is left of the snapshot.",
    f"{_C} blob_load_snapshot_cpl",
)  # fmt: skip
PARENT_CYCLE = Rule(
    "SPB044", "parent-cycle", ERROR,
    "a chain of snapshots runs in a circle",
    "Following the parents leads back to the same volume; no chain ends.",
    "The load hangs or overflows its stack.",
    "Its own clusters can be extracted.",
)  # fmt: skip
EXTERNAL = Rule(
    "SPB045", "external-snapshot", NOTE,
    "a volume stands on an external snapshot",
    "What it did not write itself lies in another block device, which is not in this image.",
    "The load needs that device.",
    "Ranges of the external snapshot are listed as unknown by an extract.",
)  # fmt: skip
PARENT_IGNORED = Rule(
    "SPB046", "parent-ignored", NOTE,
    "a thick volume names a parent",
    "Only thin volumes read from a parent; the attribute has no effect.",
    "It is ignored.",
    "Nothing.",
    f"{_C} blob_load_backing_dev",
)  # fmt: skip
NAME_MISSING = Rule(
    "SPB050", "lvol-without-name", WARNING,
    "a volume has no name",
    "The attribute `name` is missing or empty.",
    "The load of the whole lvolstore fails: `Cannot assign lvol name`.",
    "`inspector repair --accept name` gives it a name made of its id.",
    f"{_LVOL} load_next_lvol",
)  # fmt: skip
NAME_LONG = Rule(
    "SPB051", "name-too-long-for-upstream", NOTE,
    "names longer than upstream SPDK allows",
    "The attribute `name` is longer than 64 bytes: Longhorn's engine writes 256.",
    "Upstream SPDK refuses the whole store with -22, `Cannot assign lvol name`; Longhorn's engine loads it.",
    "Load the store with Longhorn's engine only.",
    f"{_LVOL} load_next_lvol",
)  # fmt: skip
NAME_TWICE = Rule(
    "SPB052", "name-twice", WARNING,
    "two volumes have the same name",
    "Names must be unique in a store; a half-done rename or restore leaves two.",
    "The second one does not get its alias; which one that is depends on the order of their root pages.",
    "Compare both before one is deleted.",
)  # fmt: skip
UUID_BAD = Rule(
    "SPB053", "uuid-missing", NOTE,
    "a volume has no valid uuid",
    "The attribute `uuid` is missing or does not parse.",
    "The load makes up an id from the store's uuid and the blob id.",
    "Nothing.",
    f"{_LVOL} load_next_lvol",
)  # fmt: skip
SUPER_BLOB = Rule(
    "SPB054", "super-blob-lost", ERROR,
    "the blob that describes the lvolstore is lost",
    "It holds the store's name and uuid. The volumes themselves are not touched.",
    "The load fails with -19 (ENODEV), every volume is unreachable.",
    "Volumes can be extracted; the store's name and uuid cannot be known from the image.",
    f"{_LVOL} lvs_open_super",
)  # fmt: skip
SNAPSHOT_CONTENT = Rule(
    "SPB060", "snapshot-content", ERROR,
    "a snapshot's content does not match its checksum",
    "The attribute `checksum` is a CRC-64 over the clusters that the snapshot itself owns, in order.",
    "Nothing checks it at load; Longhorn compares it between replicas.",
    "Take this snapshot from another replica.",
    "longhorn's fork: lib/blob/blobstore.c, snapshot checksum",
)  # fmt: skip
CLUSTER_CONTENT = Rule(
    "SPB061", "cluster-content", ERROR,
    "a cluster's content does not match its checksum",
    "A type-7 descriptor holds a CRC-64 for each allocated cluster.",
    "Nothing checks it at load.",
    "Take this cluster from another replica.",
    "longhorn's fork: lib/blob/blobstore.h, descriptor 7",
)  # fmt: skip

BLOB_RULES = (
    CHAIN_BROKEN, CHAIN_STALE, EXTENT_LOST, REFUSED, OVERRUN, OUT_OF_RANGE, SHARED, THICK_HOLES, OVERCLAIM, NEWER,
    HALF_CREATE, HALF_DELETE, HALF_STUCK, PARENT_LOST, PARENT_CYCLE, EXTERNAL, PARENT_IGNORED, NAME_MISSING, NAME_LONG,
    NAME_TWICE, UUID_BAD, SUPER_BLOB, SNAPSHOT_CONTENT, CLUSTER_CONTENT,
)  # fmt: skip
RULES = (*STORE_RULES, *BLOB_RULES)
