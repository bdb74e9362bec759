"""SPDK's blobstore and lvol layers, Longhorn's engine above them: lib/blob/blobstore.c, lib/lvol/lvol.c,
module/bdev/lvol/vbdev_lvol.c, longhorn-spdk-engine."""

from __future__ import annotations

from inspector.messages.message import Message, family

_SCAN = "inspector scan {store}"
_IMAGE = "dd if=DISK of=disk.img bs=1M conv=sparse   # a load that recovers writes to the disk"
_ITEMS = "inspector items {store}"
_said = family("spdk", frozenset({"spdk-blobstore"}), "spdk/spdk", (_SCAN, _ITEMS))
_longhorn = family("longhorn", frozenset({"longhorn", "spdk-blobstore"}), "longhorn/longhorn", (_SCAN, _ITEMS))
_N = r"\d{1,19}"
_X = r"(?:0x)?[0-9a-fA-F]{1,16}"

MESSAGES: tuple[Message, ...] = (
    _said(
        "page-crc",
        "SPDK blobstore",
        "crc mismatch for blobid",
        rf"Metadata page (?P<at>{_N}) crc mismatch for blobid (?P<blob>{_X})",
        "Page {at} of the metadata region (a number of 4096-byte pages, not a byte) does not match its CRC-32C; it "
        "belongs to blob {blob}.",
        "That volume does not open; a store that was not shut down cleanly may refuse to load as a whole.",
        "page",
        issues=("3621",),
        next_=(_IMAGE, _SCAN, "inspector repair {store} -o repaired.img"),
    ),
    _said(
        "recovery",
        "SPDK blobstore",
        "erforming recovery on blobstore",
        r"Performing recovery on blobstore",
        "The store was not shut down cleanly: its masks are not trusted, and every metadata page is read to find what is "
        "in use.",
        "The masks are written anew. Volumes whose root page is damaged are dropped and their clusters become free: "
        "image the disk first.",
        issues=("3621", "3431", "openebs/openebs#3825"),
        next_=(_IMAGE, _SCAN),
    ),
    _said(
        "recover-blob",
        "SPDK blobstore",
        "Recover: blob",
        rf"Recover: blob (?P<at>{_X})",
        "During recovery the root of a volume was found on page {at} of the metadata region.",
        "Recovery goes on. When the load fails afterwards, the last blob named is where to look.",
        "page",
        issues=("3621", "openebs/openebs#3825"),
        next_=(_SCAN, _ITEMS),
    ),
    _said(
        "snapshot-fail",
        "SPDK blobstore",
        "Snapshot fail",
        r"Snapshot fail\s*$",
        "A volume could not be opened because the snapshot it stands on could not: the damage is in the snapshot.",
        "The volume and everything above it is missing from the list.",
        next_=(_ITEMS, _SCAN),
    ),
    _said(
        "page-id-assert",
        "SPDK blobstore",
        "page->id == blob->id",
        r".{0,160}?Assertion .page->id == blob->id. failed",
        "A page in the chain of a volume belongs to another volume: the page that should be there was never written or "
        "is an old one, and only its checksum is looked at.",
        "Debug builds abort at every load; release builds load the volume with foreign attributes and without data.",
        issues=("longhorn/longhorn#13944",),
        whole=False,
        next_=(_IMAGE, _SCAN, "inspector repair {store} -o repaired.img"),
    ),
    _said(
        "clone-entry-assert",
        "SPDK blobstore",
        "*clone_entry != NULL",
        r".{0,160}?Assertion .\*clone_entry != NULL. failed",
        "A snapshot create was cut after its second write: the half-made snapshot is not on its parent's list of clones.",
        "The process dies at every load; release builds with a segmentation fault in bs_blob_list_remove.",
        whole=False,
        next_=(_IMAGE, _SCAN, "inspector repair {store} -o repaired.img"),
    ),
    _said(
        "claim-cluster-assert",
        "SPDK blobstore",
        "used_clusters, cluster_num) == false",
        r".{0,160}?Assertion .spdk_bit_array_get\(bs->used_clusters, cluster_num\) == false. failed",
        "Two volumes claim one cluster.",
        "The process aborts at every load.",
        issues=("291",),
        whole=False,
    ),
    _said(
        "lvol-name",
        "SPDK lvol",
        "Cannot assign lvol name",
        r"Cannot assign lvol name",
        "A volume's name attribute is longer than the 64 bytes that upstream SPDK takes: a disk of Longhorn, whose names "
        "may have 256.",
        "Upstream SPDK refuses the whole store with -22; nothing is damaged.",
        next_=(_ITEMS,),
    ),
    _said(
        "lvol-list",
        "SPDK lvol",
        "Failed to fetch blobs list",
        r"Failed to fetch blobs list",
        "The metadata of one blob could not be read while the lvolstore was loaded: a page does not verify or cannot be "
        "read. The line before it names the page.",
        "The lvolstore is unloaded again: no volume of the disk appears.",
        next_=(_IMAGE, _SCAN, "inspector repair {store} -o repaired.img"),
    ),
    _said(
        "lvol-exists",
        "SPDK lvol",
        "already exists",
        r"lvol with name (?P<name>\S{1,256}) already exists",
        "A volume named {name} was to be created and is on the disk already: the engine's memory and the disk disagree.",
        "The create fails with -17; Longhorn tries again without end until its engine asks the disk.",
        issues=("longhorn/longhorn#9942", "longhorn/longhorn#9919"),
        releases="Longhorn before the fix of 2024-12-06 (longhorn-spdk-engine pull request 263)",
        item="name",
        item_id="{name}",
        next_=("inspector scan {store} --against LOG", _ITEMS),
    ),
    _said(
        "load-84",
        "SPDK lvol",
        "oad",
        r"(?:.{0,80}?(?:[Ff]ailed to load|[Ll]oad(?:ing)?)[^\n]{0,60}?(?:blobstore|lvol ?store|lvs)|blobstore load fails)"
        r"[^\n]{0,60}?(?:-84\b|\bEILSEQ\b|Invalid or incomplete multibyte)",
        "The store refused to load with -84: the super block does not verify, or (after a crash) one extent page or an "
        "unknown descriptor stopped the recovery of all volumes.",
        "No volume of the disk appears.",
        issues=("3621", "3431"),
        next_=(_IMAGE, _SCAN, "inspector repair {store} -o repaired.img"),
    ),
    _longhorn(
        "prepare-head",
        "Longhorn SPDK engine",
        "repare head",
        r"(?:time=.{0,200}?)?[Ff]ailed to prepare head\b.{0,400}?(?:code: ?-17|File exists)",
        "Longhorn could not create the head of a replica because a volume of that name is on the disk: it did not ask the "
        "disk first.",
        "The replica is tried again without end.",
        issues=("9942", "9919"),
        releases="before longhorn-spdk-engine pull request 263 (2024-12-06)",
        next_=("inspector scan {store} --against LOG", _ITEMS),
        whole=False,
    ),
    _longhorn(
        "create-exists",
        "Longhorn SPDK engine",
        "bdev_lvol_create",
        r"(?:time=.{0,200}?)?[Ff]ailed to create replica\b.{0,400}?bdev_lvol_create\b.{0,200}?"
        r"(?P<name>[\w.-]{1,200}-r-[a-zA-Z0-9]{8}) .{0,200}?(?:\bcode\W{1,6}-17\b|File exists)",
        "Longhorn asked SPDK to create {name}, the head of a replica, and a volume of that name is on the disk: what the "
        "engine has in memory (r.ActiveChain) lacks a head that exists.",
        "The replica is tried again without end: a crash loop.",
        issues=("9942", "9919"),
        releases="before longhorn-spdk-engine pull request 263 (2024-12-06)",
        item="name",
        item_id="{name}",
        next_=("inspector scan {store} --against LOG", _ITEMS),
        whole=False,
    ),
    _longhorn(
        "no-lvstore",
        "Longhorn SPDK engine",
        "bdev_lvol_get_lvstores",
        r"failed to get lvstore\b.{0,300}?bdev_lvol_get_lvstores\b.{0,300}?(?:\bcode\W{1,6}-19\b|No such device)",
        "The disk was opened and SPDK found no lvolstore on it: none was made, its super block does not verify, or the "
        "load failed (SPDK's own lines say which).",
        "The disk is not ready; replicas on it are taken for failed.",
        issues=("10183",),
        next_=(_IMAGE, _SCAN),
        whole=False,
    ),
    _longhorn(
        "snapshot-map",
        "Longhorn SPDK engine",
        "snapshot lvol map length",
        rf"snapshot lvol map length (?P<have>{_N}) is not the same as .{{0,120}}?(?P<want>{_N})",
        "The replica in memory has {have} snapshots, the disk has {want}.",
        "The replica is marked as failed; the snapshots are still on the disk.",
        issues=("13315", "10033"),
        next_=(_ITEMS, "inspector scan {store} --against LOG"),
        whole=False,
    ),
)
