"""Where bytes lie in an SPDK blobstore: every structure once. All integers little-endian, all packed.

Source of the layout: spdk lib/blob/blobstore.h. Nothing here judges; reserved bytes are fields.
"""

from __future__ import annotations

import construct as c

from inspector.layout import Layout

PAGE = 4096  # the part of a metadata page that carries structure, also where md_page_size is larger
BODY = 4092  # bytes covered by the CRC-32C at the page's end
DESCRIPTORS_AT = 16
DESCRIPTORS_END = 4088
NO_PAGE = 0xFFFFFFFF
NO_BLOB = 0xFFFFFFFFFFFFFFFF
SIGNATURE = b"SPDKBLOB"
PER_EXTENT_PAGE = 512  # clusters named by a full extent page

PADDING, RLE, XATTR, FLAGS, XATTR_INTERNAL, EXTENT_TABLE, EXTENT_PAGE, CHECKSUM = range(8)
DESCRIPTOR_NAMES = ("padding", "extent-rle", "xattr", "flags", "internal-xattr", "extent-table", "extent-page", "crc64")

THIN, HAS_INTERNAL, HAS_TABLE, EXTERNAL_SNAPSHOT = 1, 2, 4, 8
KNOWN_INVALID_FLAGS = THIN | HAS_INTERNAL | HAS_TABLE | EXTERNAL_SNAPSHOT
READ_ONLY = 1

SUPER_BLOCK = Layout(
    "super_block",
    "super block, the first page of the store; there is no copy of it",
    c.Struct(
        "signature" / c.Bytes(8) * "SPDKBLOB",
        "version" / c.Int32ul * "layout version, 1 to 3",
        "length" / c.Int32ul * "bytes of this structure, 4096",
        "clean" / c.Int32ul * "1 only after an unload; 0 from the first change of metadata",
        "super_blob" / c.Int64ul * "id of the blob that describes the lvolstore; all ones = none",
        "cluster_size" / c.Int32ul * "bytes per cluster",
        "used_page_mask_start" / c.Int32ul * "first page of the mask of used metadata pages",
        "used_page_mask_len" / c.Int32ul * "pages of that mask",
        "used_cluster_mask_start" / c.Int32ul * "first page of the mask of used clusters",
        "used_cluster_mask_len" / c.Int32ul * "pages of that mask",
        "md_start" / c.Int32ul * "first page of the metadata region",
        "md_len" / c.Int32ul * "pages of the metadata region",
        "bstype" / c.Bytes(16) * "what the store is used for, NUL padded: LVOLSTORE",
        "used_blobid_mask_start" / c.Int32ul * "first page of the mask of root pages",
        "used_blobid_mask_len" / c.Int32ul * "pages of that mask; 0 before version 3",
        "size" / c.Int64ul * "bytes of the store; 0 = the whole device",
        "io_unit_size" / c.Int32ul * "bytes of the smallest request; 0 = 4096",
        "md_page_size" / c.Int32ul * "bytes per page of all fields above; 0 = 4096",
        "reserved" / c.Bytes(3996) * "zero",
        "crc" / c.Int32ul * "CRC-32C of the 4092 bytes before",
    ),
)

MASK_HEADER = Layout(
    "mask_header",
    "start of a mask; its bits follow, lowest first; masks have no checksum",
    c.Struct(
        "type" / c.Int8ul * "0 used metadata pages, 1 used clusters, 2 used root pages",
        "length" / c.Int32ul * "bits that follow",
    ),
)

MD_PAGE = Layout(
    "md_page",
    "metadata page: root, continuation or extent page of a blob",
    c.Struct(
        "id" / c.Int64ul * "blob: 2^32 | index of its root page",
        "sequence_num" / c.Int32ul * "0 in a root or extent page, then 1, 2, ... along the chain",
        "reserved0" / c.Int32ul * "zero",
        "descriptors" / c.Bytes(4072) * "descriptors, one after the other; a zero one ends them",
        "next" / c.Int32ul * "index of the next page of the chain; all ones ends it",
        "crc" / c.Int32ul * "CRC-32C of the 4092 bytes before",
    ),
    private=frozenset({"descriptors", "crc"}),  # names and attributes of volumes
)

DESCRIPTOR = Layout(
    "descriptor",
    "head of a descriptor",
    c.Struct(
        "type" / c.Int8ul * "what follows, 0 to 7",
        "length" / c.Int32ul * "bytes that follow",
    ),
)

FLAGS_BODY = Layout(
    "flags",
    "descriptor 3: flags of the blob",
    c.Struct(
        "invalid" / c.Int64ul * "bits a loader must know: 1 thin, 2 internal xattrs, 4 extent table, 8 external parent",
        "data_ro" / c.Int64ul * "bits that make the data read-only: 1 snapshot",
        "md_ro" / c.Int64ul * "bits 0-1: how freed clusters are cleared: 0 default, 1 none, 2 unmap, 3 zeroes",
    ),
)

XATTR_HEAD = Layout(
    "xattr",
    "descriptors 2 and 4: one attribute; name and value follow without a separator",
    c.Struct(
        "name_length" / c.Int16ul * "bytes of the name",
        "value_length" / c.Int16ul * "bytes of the value",
    ),
)

RLE_ENTRY = Layout(
    "extent_rle",
    "descriptor 1, repeated: a run of clusters",
    c.Struct(
        "cluster" / c.Int32ul * "first cluster of the run; 0 = unallocated",
        "count" / c.Int32ul * "clusters",
    ),
)

TABLE_HEAD = Layout(
    "extent_table",
    "descriptor 5: size of the blob; table entries follow",
    c.Struct("num_clusters" / c.Int64ul * "clusters of the whole blob, the same in each page of the chain"),
)

TABLE_ENTRY = Layout(
    "extent_table_entry",
    "descriptor 5, repeated: an extent page, each for 512 clusters",
    c.Struct(
        "page" / c.Int32ul * "index of the extent page; 0 = absent",
        "count" / c.Int32ul * "absent extent pages in this run; 1 for a real one",
    ),
)

EXTENT_PAGE_HEAD = Layout(
    "extent_page",
    "descriptor 6: up to 512 clusters follow, u32 each, 0 = unallocated",
    c.Struct("start" / c.Int32ul * "first cluster of the blob that this page maps"),
)

CHECKSUM_ENTRY = Layout(
    "checksum",
    "descriptor 7 (newer Longhorn engines), repeated: checksum of a cluster",
    c.Struct(
        "crc64" / c.Int64ul * "CRC-64/ISO of the cluster; 0 in a run of unallocated ones",
        "count" / c.Int32ul * "clusters; 1 for an allocated one",
    ),
)

LAYOUTS = (
    SUPER_BLOCK,
    MASK_HEADER,
    MD_PAGE,
    DESCRIPTOR,
    FLAGS_BODY,
    XATTR_HEAD,
    RLE_ENTRY,
    TABLE_HEAD,
    TABLE_ENTRY,
    EXTENT_PAGE_HEAD,
    CHECKSUM_ENTRY,
)
