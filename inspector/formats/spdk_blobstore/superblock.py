"""The super block: geometry, and what is wrong with it."""

from __future__ import annotations

from msgspec import Struct

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.page import checksum

_SUPER = lay.SUPER_BLOCK.fast()
LVOLSTORE = b"LVOLSTORE".ljust(16, b"\0")
MAX_CLUSTERS = 1 << 32  # maps hold cluster numbers of 32 bits
MASK_HEAD = 5  # bytes before a mask's bits


class Geometry(Struct, frozen=True):
    """The fields of a super block, as stored; what 0 means is resolved by the properties."""

    version: int
    clean: int
    super_blob: int
    cluster_size: int
    page_mask: tuple[int, int]  # first page, pages
    cluster_mask: tuple[int, int]
    md_start: int
    md_len: int
    bstype: bytes
    blobid_mask: tuple[int, int]
    size: int  # bytes; 0 = the whole device
    io_unit_size: int
    md_page_size: int
    signature: bytes = lay.SIGNATURE
    length: int = lay.PAGE
    reserved: bytes = bytes(3996)

    @property
    def page_size(self) -> int:
        return self.md_page_size or lay.PAGE

    def total_clusters(self, device: int) -> int:
        return (self.size or device) // self.cluster_size if self.cluster_size else 0

    @property
    def first_data_cluster(self) -> int:
        """Clusters before it hold the super block, the masks and the metadata region."""
        return -(-(self.md_start + self.md_len) * self.page_size // self.cluster_size)

    def md_at(self, index: int) -> int:
        return (self.md_start + index) * self.page_size

    def cluster_at(self, index: int) -> int:
        return index * self.cluster_size


def parse(data: bytes) -> Geometry:
    """The geometry in a super block of 4096 bytes, whatever its bytes are."""
    f = _SUPER.unpack(data)
    masks_at = ((f[6], f[7]), (f[8], f[9]), (f[13], f[14]))
    return Geometry(
        signature=f[0],
        version=f[1],
        length=f[2],
        clean=f[3],
        super_blob=f[4],
        cluster_size=f[5],
        page_mask=masks_at[0],
        cluster_mask=masks_at[1],
        md_start=f[10],
        md_len=f[11],
        bstype=f[12],
        blobid_mask=masks_at[2],
        size=f[15],
        io_unit_size=f[16],
        md_page_size=f[17],
        reserved=f[18],
    )


def build(g: Geometry) -> bytes:
    """The sealed super block of a geometry."""
    body = _SUPER.pack(
        g.signature, g.version, g.length, g.clean, g.super_blob, g.cluster_size, *g.page_mask, *g.cluster_mask,
        g.md_start, g.md_len, g.bstype, *g.blobid_mask, g.size, g.io_unit_size, g.md_page_size, g.reserved, 0,
    )[: lay.BODY]  # fmt: skip
    return bytes(body) + checksum(body).to_bytes(4, "little")


def sealed(data: bytes) -> bool:
    """Signature and checksum hold."""
    return len(data) == lay.PAGE and data[:8] == lay.SIGNATURE and stored_crc(data) == checksum(data)


def stored_crc(data: bytes) -> int:
    return int.from_bytes(data[lay.BODY : lay.PAGE], "little")


def mask_pages(bits: int, page: int) -> int:
    """Pages of a mask of `bits` bits, header included."""
    return -(-(MASK_HEAD + -(-bits // 8)) // page)


def impossible(g: Geometry, device: int) -> list[str]:
    """Why no loader can use this geometry on a device of `device` bytes; empty when it can."""
    why = []
    page = g.page_size
    if not 1 <= g.version <= 3:
        why.append(f"version {g.version} is not 1, 2 or 3")
    if g.length != lay.PAGE:
        why.append(f"length {g.length} is not 4096")
    if page < lay.PAGE or page.bit_count() > 1 or page > 1 << 20:
        why.append(f"metadata page size {page} is not a power of two from 4096 to 1 MiB")
        return why
    if g.cluster_size < page or g.cluster_size % page:
        why.append(f"cluster size {g.cluster_size} is not a multiple of the page size {page}")
        return why
    end = g.size or device
    if not g.md_len or not g.md_start or (g.md_start + g.md_len) * page > end:
        why.append(f"metadata pages {g.md_start} + {g.md_len} do not fit in {end} bytes")
    bits = {"used page": g.md_len, "used cluster": g.total_clusters(device), "root": g.md_len}
    if bits["used cluster"] > MAX_CLUSTERS:
        why.append(f"{bits['used cluster']} clusters are more than a map can name")
    for name, (start, count) in masks(g).items():
        if count < mask_pages(bits[name], page):
            why.append(f"the {name} mask has {count} pages, too few for {bits[name]} bits")
        if count and (start == 0 or start + count > g.md_start):
            why.append(
                f"the {name} mask (page {start}, {count} pages) does not lie before the metadata at {g.md_start}"
            )
    return why


def masks(g: Geometry) -> dict[str, tuple[int, int]]:
    """The masks in the order of their types; root ids came with version 3."""
    found = {"used page": g.page_mask, "used cluster": g.cluster_mask}
    if g.blobid_mask[1]:
        found["root"] = g.blobid_mask
    return found
