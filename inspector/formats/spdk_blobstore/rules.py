"""Rules about the store: super block, masks and metadata pages. Those about blobs are in `blob_rules`."""

from __future__ import annotations

from inspector.finding import Rule, Severity

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_C = "spdk lib/blob/blobstore.c"
EXTRACT = "Copy the volumes out with `inspector extract`, or write a repaired image with `inspector repair`."
IMAGE_FIRST = "Image the disk before anything loads it: a load of a store that was not shut down writes to it."

SUPER_LOST = Rule(
    "SPB001", "super-block-lost", ERROR,
    "the super block is gone",
    "Page 0 carries neither the signature SPDKBLOB nor bytes one bit away from a sealed super block. There is no "
    "copy of it on disk; the geometry is taken from the masks and metadata pages around it.",
    "Every release refuses the store with -84 (EILSEQ) and prints nothing.",
    EXTRACT,
    f"{_C} bs_load_super_cpl",
)  # fmt: skip
SUPER_CHECKSUM = Rule(
    "SPB002", "super-block-checksum", ERROR,
    "the super block's checksum does not hold",
    "The CRC-32C over bytes 0 to 4091 differs from the one stored at 4092. One flipped bit is found from the "
    "checksum alone and corrected; anything else leaves the geometry to be recovered.",
    "Every release refuses the store with -84 (EILSEQ) and prints nothing.",
    EXTRACT,
    f"{_C} bs_load_super_cpl",
)  # fmt: skip
SUPER_IMPOSSIBLE = Rule(
    "SPB003", "super-block-impossible", ERROR,
    "the super block is sealed, but what it says cannot be",
    "Sizes or places that contradict each other: a software wrote them, not a failing medium.",
    "Releases refuse an unknown version or a size beyond the device with -84; other values may abort them.",
    EXTRACT,
    f"{_C} bs_super_validate",
)  # fmt: skip
CUT_SHORT = Rule(
    "SPB004", "store-cut-short", ERROR,
    "the image or device ends before the store does",
    "The super block gives a size that is larger than what is there: an incomplete copy, or a shrunken device.",
    "Every release refuses the store with -84 (EILSEQ) and prints nothing.",
    "Find the rest: copy the image again or restore the device's size. What lies before the end can be extracted.",
    f"{_C} bs_super_validate",
)  # fmt: skip
AMBIGUOUS = Rule(
    "SPB005", "geometry-ambiguous", ERROR,
    "the super block is lost and several cluster sizes fit",
    "The masks were never written, so the number of clusters is not on disk, and no snapshot carries a checksum "
    "that tells the candidates apart. They are listed with what speaks for each, the best first.",
    "The original program has no way to load this.",
    "Longhorn disks have 1 MiB clusters, SPDK's default is 4 MiB: give it with --cluster-size.",
)  # fmt: skip
NOT_CLEAN = Rule(
    "SPB006", "not-unloaded", NOTE,
    "the store was not shut down; the next load recovers it",
    "The clean flag is 0: masks are stale or were never written. All volumes are as their metadata pages say: one "
    "whose first page was zeroed is like a deleted one there, and nothing on the disk tells them apart.",
    "The load prints `Performing recovery on blobstore`, reads every metadata page and rewrites the masks on disk.",
    IMAGE_FIRST,
    f"{_C} bs_recover",
)  # fmt: skip
BSTYPE = Rule(
    "SPB007", "not-an-lvolstore", NOTE,
    "the store does not hold logical volumes of SPDK's lvol layer",
    "Its type is not LVOLSTORE: another user of the blobstore (blobfs, a test) made it.",
    "The lvol layer refuses it with -6 (ENXIO).",
    "Blobs are listed and can be extracted all the same.",
    "spdk lib/lvol/lvol.c lvs_load_cb",
)  # fmt: skip
ODD_END = Rule(
    "SPB009", "image-ends-in-sector", WARNING,
    "the image is longer than its store and ends inside a sector, as no disk does",
    "Bytes stand behind the last sector, or were put in before it: then all content behind them has moved, and where "
    "no checksum covers it nothing can tell.",
    "Not known for such a file; a disk cannot have such a size.",
    "Compare the size with the disk's and copy it again. A repair leaves the bytes out where they begin another way "
    "than the store ends (text behind zeroes); else it is refused: it would put moved content on a disk.",
    "sizes of disks",
)  # fmt: skip
MOVED = Rule(
    "SPB011", "store-moved", WARNING,
    "bytes were put in or lost before or inside the metadata; all behind them stands elsewhere",
    "Sealed pages name their places, and from one byte on all of them stand as far from it: a copy or a transfer did "
    "that. Everything behind is read where it stands now, and offsets tell where that is.",
    "A super block that moved is refused with -84; pages that moved are lost to the loader, and with them volumes.",
    "`inspector repair` writes an image with everything in its place. Content has no checksum: compare it with another "
    "copy if there is one.",
    f"{_C} bs_load_super_cpl, bs_recover",
)  # fmt: skip
PARTITION = Rule(
    "SPB008", "store-in-partition", NOTE,
    "the store does not start at the first byte",
    "The image is of a whole disk with a partition table. All offsets given here count from the first byte.",
    "spdk_tgt must be given the partition, not the disk.",
    "Nothing needs to be done.",
)  # fmt: skip
SECOND = Rule(
    "SPB019", "second-store-behind", NOTE,
    "another blobstore stands behind the store",
    "A super block whose checksum holds stands behind the last byte of this store, as where images were joined or "
    "copied to one disk. Its volumes are not listed here, and a repair copies it as it is.",
    "Every release loads the store at the start, and never looks behind it.",
    "If it is wanted, take it out as an image of its own: `tail -c +N`, N being its first byte counted from 1, or `dd` "
    "with skip=; then scan that.",
    f"{_C} bs_load_super_cpl",
)  # fmt: skip
MASK_HEAD = Rule(
    "SPB010", "mask-header", WARNING,
    "a mask does not start as one",
    "Type or length at its start is wrong. Masks have no checksum; their bits are not to be trusted either.",
    "Release builds check this by assert only and use the bits as they are; debug builds abort.",
    "`inspector repair` computes the masks anew from the metadata pages.",
    f"{_C} bs_load_used_pages_cpl",
)  # fmt: skip
CLUSTER_UNMARKED = Rule(
    "SPB012", "cluster-in-use-unmarked", ERROR,
    "clusters that hold a volume's data are marked free",
    "A sealed map names the cluster, the mask does not: the next write may give it to another volume.",
    "Volumes that use it fail to open with -22 (EINVAL); the store loads without them and may overwrite their data.",
    "Do not load the store. `inspector repair` computes the mask anew.",
    f"{_C} blob_parse_page, blob_parse_extent_page",
)  # fmt: skip
CLUSTER_LEAKED = Rule(
    "SPB013", "cluster-leaked", WARNING,
    "clusters are marked used and belong to no volume",
    "Space is lost, no data. Often what is left of a volume whose metadata was lost.",
    "The store loads with less free space than it has.",
    "Look for lost volumes with `inspector items --lost` before the space is given free.",
)  # fmt: skip
ROOT_UNMARKED = Rule(
    "SPB014", "blob-unmarked", WARNING,
    "a volume on disk is not in the mask of volumes",
    "Its root page is sealed and in place, the mask does not name it.",
    "The load does not see the volume and says nothing; its pages and clusters may be given to others.",
    "`inspector repair` marks it again.",
    f"{_C} bs_iter_first",
)  # fmt: skip
ROOT_MARKED = Rule(
    "SPB017", "blob-marked", WARNING,
    "the mask of volumes names a page where no volume is",
    "The page belongs to another volume, or is zero and unused in the mask of pages as well: the bit is wrong, and no "
    "volume was lost.",
    "Opening the volume that is not there fails, and with it the load of the lvolstore.",
    "`inspector repair` takes the mark away.",
    f"{_C} bs_iter_cpl",
)  # fmt: skip
PAGE_UNMARKED = Rule(
    "SPB015", "page-in-use-unmarked", WARNING,
    "a metadata page in use is marked free",
    "A volume's chain or map needs the page, the mask of used pages does not name it.",
    "The load succeeds; the next metadata write may overwrite the page.",
    "Do not load the store. `inspector repair` computes the mask anew.",
)  # fmt: skip
PAGE_LEAKED = Rule(
    "SPB016", "page-leaked", WARNING,
    "metadata pages are marked used and belong to no volume",
    "Left by a crash, or by a volume whose root was lost.",
    "The store loads; the pages are never used again.",
    "`inspector repair` computes the mask anew.",
)  # fmt: skip
PAGE_CHECKSUM = Rule(
    "SPB020", "page-checksum", ERROR,
    "a metadata page's checksum does not hold",
    "The CRC-32C over its first 4092 bytes differs from the stored one and the page is not all zero. One flipped "
    "bit is corrected where the page's structure notices it; a bit of a name or number that nothing else tells is "
    "corrected with --accept unique.",
    "A root: the volume is missing (clean store: `Metadata page N crc mismatch for blobid 0x...`; after a crash: "
    "silently, and its clusters are given free). A snapshot's root: all its descendants are missing, `Snapshot "
    "fail`. An extent page: the volume does not open (clean), the whole store is refused with -84 (after a crash).",
    IMAGE_FIRST,
    f"{_C} blob_load_cpl, bs_load_replay_extent_page_cpl",
)  # fmt: skip
PAGE_STRAY = Rule(
    "SPB021", "page-stray", WARNING,
    "a sealed metadata page lies where it does not belong",
    "It is a first page by its sequence number, but of a blob whose root lies elsewhere: a misdirected write. Or two "
    "extent pages for the same clusters of two volumes carry each other's id: they changed places.",
    "The load passes over it. Of extent pages that changed places it notices nothing: each volume reads the other's "
    "clusters.",
    "Compare it with the page at its right place.",
)  # fmt: skip
ROOT_LOST = Rule(
    "SPB022", "blob-lost", ERROR,
    "a volume's root page is lost",
    "The mask names a root page here, and there is no sealed one. Name, flags and the list of extent pages were in "
    "it; extent pages that it named may still be there.",
    "The volume is missing after the load; a snapshot takes its descendants with it (`Snapshot fail`).",
    "`inspector items --lost` lists what is left; `inspector extract --lost` writes it.",
    f"{_C} bs_iter_cpl",
)  # fmt: skip
ORPHAN_CHAIN = Rule(
    "SPB025", "continuation-orphan", NOTE,
    "a continuation page belongs to no chain",
    "Its checksum holds; no root leads to it. Old versions are zeroed after a change, so this is what a crash left, "
    "or what remains of a volume whose root was lost.",
    "The load passes over it.",
    "Nothing, unless a volume is missing: `inspector items --lost`.",
)  # fmt: skip
ORPHAN_EXTENT = Rule(
    "SPB026", "extent-page-orphan", NOTE,
    "an extent page belongs to no volume",
    "It maps up to 512 clusters and no volume's table names it. Its id tells who wrote it first, which need not be "
    "its owner: a snapshot keeps the pages its head wrote.",
    "The load passes over it; its clusters count as free unless the mask says otherwise.",
    "Nothing, unless a volume is missing: `inspector items --lost`.",
)  # fmt: skip
EXTENT_OF_LOST = Rule(
    "SPB018", "extent-page-of-lost-volume", ERROR,
    "an extent page whose volume has no first page",
    "It maps clusters that no volume has, and the volume that wrote it is not there, though a delete takes these pages "
    "before the first one. No mask tells which volumes there were.",
    "The load passes over it; its clusters count as free, and the next write may overwrite them.",
    "Do not load the store. `inspector items --lost` lists what is left of it, `inspector extract` takes it out.",
    f"{_C} bs_delete_blob, blob_persist_clear_extents",
)  # fmt: skip
TOO_MANY = Rule(
    "SPB070", "more-than-examined", WARNING,
    "the store has more metadata than inspector keeps in memory",
    "Sealed pages beyond 4,000,000 or blobs beyond 96 MiB of decoded pages were counted and not examined.",
    "Not known.",
    "The result is a lower bound. No real store is known to be that large.",
)  # fmt: skip

STORE_RULES = (
    SUPER_LOST, SUPER_CHECKSUM, SUPER_IMPOSSIBLE, CUT_SHORT, AMBIGUOUS, NOT_CLEAN, BSTYPE, PARTITION, MOVED, ODD_END,
    SECOND, MASK_HEAD,
    CLUSTER_UNMARKED, CLUSTER_LEAKED, ROOT_UNMARKED, ROOT_MARKED, PAGE_UNMARKED, PAGE_LEAKED, PAGE_CHECKSUM, PAGE_STRAY,
    ROOT_LOST, ORPHAN_CHAIN, ORPHAN_EXTENT, EXTENT_OF_LOST, TOO_MANY,
)  # fmt: skip
