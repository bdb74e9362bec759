"""The samples of the blobstore: each a store of at most 256 KiB, with one story."""

from __future__ import annotations

import struct
from collections.abc import Callable

from inspector.formats.spdk_blobstore.crc64 import crc64
from tests.builders.samples import Sample
from tests.builders.spdk import NONE, PAGE, Image, content, desc, md_page, seal, xattr

ROOT = 1 << 32


def tiny(md_len: int = 20, data: int = 8) -> Image:
    """4 KiB clusters, 20 metadata pages and 8 clusters of data: 128 KiB."""
    return Image(clusters=4 + md_len + data, cluster_size=PAGE, md_len=md_len)


def volumes() -> tuple[Image, int, int]:
    """A volume on its snapshot, and one that stands alone."""
    image = tiny()
    snap = image.lvol("vol-a-snap", 6, [0, 2], snapshot=True)
    head = image.lvol("vol-a", 6, [1, 2], parent=snap)
    image.lvol("vol-b", 4, [0])
    return image, snap, head


def hurt(data: bytearray, at: int, length: int = 64) -> None:
    for i in range(at, at + length):
        data[i] ^= 0x5A


def clean() -> bytes:
    return bytes(volumes()[0].build())


def dirty() -> bytes:
    return bytes(volumes()[0].build(clean=False))


def super_wiped() -> bytes:
    data = volumes()[0].build()
    data[:PAGE] = bytes(PAGE)
    return bytes(data)


def super_bit() -> bytes:
    data = volumes()[0].build()
    data[0x21] ^= 0x10
    return bytes(data)


def super_impossible() -> bytes:
    image = volumes()[0]
    data = image.build()
    data[:PAGE] = image.super_block(version=9)
    return bytes(data)


def cut_short() -> bytes:
    image = volumes()[0]
    return bytes(image.build()[: (image.total - 3) * PAGE])


def moved() -> bytes:
    data, at = clean(), tiny().page_at(1) + 100
    return data[:at] + b"xyz" + data[at:]


def put_in() -> bytes:
    data = volumes()[0].build()
    data[-PAGE:-PAGE] = b"\x5a"
    return bytes(data)


def ambiguous() -> bytes:
    image = Image(clusters=16)
    image.lvol("vol-a", 4, [0, 2])
    data = image.build(clean=False)
    data[:PAGE] = bytes(PAGE)
    return bytes(data)


def other_user() -> bytes:
    data = volumes()[0].build()
    body = bytes(data[:0x38]) + b"BLOBFS".ljust(16, b"\0") + bytes(data[0x48:4092])
    data[:PAGE] = seal(body)
    return bytes(data)


def partition() -> bytes:
    boot = bytearray(PAGE)
    data = volumes()[0].build()
    boot[446:462] = struct.pack("<8BII", 0, 0, 0, 0, 0x83, 0, 0, 0, PAGE // 512, len(data) // 512)
    boot[510:512] = b"\x55\xaa"
    return bytes(boot + data)


def second_store() -> bytes:
    other = Image(clusters=32, cluster_size=PAGE, md_len=20, lvs=b"lvs-two")
    other.lvol("vol-c", 4, [0, 1])
    return clean() + bytes(other.build())


def masks_wiped() -> bytes:
    data = volumes()[0].build()
    data[PAGE : 4 * PAGE] = bytes(3 * PAGE)
    return bytes(data)


def masks_old() -> bytes:
    """Masks of before the last changes: one bit of each kind is wrong both ways."""
    image, _, head = volumes()
    data = image.build()
    bits = ((0, image.vols[head].extents[0]), (0, 19), (1, image.vols[head].map[1]), (1, image.total - 1))
    for mask, bit in (*bits, (2, head - ROOT), (2, 18)):
        data[(1 + mask) * PAGE + 5 + bit // 8] ^= 1 << bit % 8
    return bytes(data)


def root_bit() -> bytes:
    image, _, head = volumes()
    data = image.build()
    data[image.page_at(head - ROOT) + 50] ^= 4
    return bytes(data)


def extent_lost() -> bytes:
    image, _, head = volumes()
    data = image.build()
    hurt(data, image.page_at(image.vols[head].extents[0]) + 20)
    return bytes(data)


def misdirected() -> bytes:
    image, _, head = volumes()
    data = image.build()
    at = image.page_at(head - ROOT)
    data[image.page_at(15) : image.page_at(16)] = data[at : at + PAGE]
    return bytes(data)


def root_zeroed() -> bytes:
    image, _, head = volumes()
    data = image.build()
    at = image.page_at(head - ROOT)
    data[at : at + PAGE] = bytes(PAGE)
    return bytes(data)


def root_gone() -> bytes:
    image, _, head = volumes()
    data = image.build(clean=False)
    at = image.page_at(head - ROOT)
    data[at : at + PAGE] = bytes(PAGE)
    return bytes(data)


def long_chain() -> tuple[Image, int]:
    image = tiny()
    snap = image.lvol("vol-a-snap", 6, [0, 3], snapshot=True)
    pads = {b"pad%d" % i: bytes([65 + i]) * 3000 for i in range(3)}
    return image, image.lvol("vol-a", 6, [1], parent=snap, xattrs=pads)


def chain_broken() -> bytes:
    image, head = long_chain()
    data = image.build()
    at = image.page_at(image.vols[head].pages[1])
    data[at : at + PAGE] = bytes(PAGE)
    return bytes(data)


def chain_stale() -> bytes:
    image, head = long_chain()
    data = image.build(clean=False)
    at = image.page_at(image.vols[head].pages[1])
    older = xattr(b"pad", b"y" * 100) + desc(5, struct.pack("<QII", 4, 0, 1))
    data[at : at + PAGE] = md_page(ROOT | 18, 1, NONE, older)
    return bytes(data)


def software() -> bytes:
    """Volumes that break the rules in their own ways; every page has its checksum."""
    image = tiny(md_len=36, data=8)
    image.lvol("good", 4, [0])
    image.lvol("unknown-flag", 2, [], flags=0x40)
    image.lvol("out-of-range", 2, [], at={0: 9999})
    image.lvol("thick-with-holes", 2, [0], thin=False)
    image.lvol("ignores-parent", 1, [0], thin=False, parent=ROOT | 1)
    first, count = image.first_data, image.total - image.first_data
    _bare(image, "overclaims", desc(1, struct.pack("<II", first, count) * 500))
    _bare(image, "overrun", struct.pack("<BI", 2, 60000))
    _bare(image, "newer", desc(9, b"what is this") + desc(1, b""))
    return bytes(image.build())


def _bare(image: Image, name: str, rest: bytes) -> int:
    page = image.take_page()
    body = desc(3, struct.pack("<QQQ", 1, 0, 0)) + xattr(b"name", name.encode() + b"\0")
    image.put_page(page, md_page(ROOT | page, 0, NONE, body + rest))
    image.extra_roots.add(page)
    return page


def shared() -> bytes:
    image = tiny()
    one = image.lvol("vol-a", 4, [0])
    image.lvol("vol-b", 4, [1], at={0: image.vols[one].map[0]})
    return bytes(image.build())


def create_half() -> bytes:
    """Power was lost after the second of four writes; the volume had a snapshot already."""
    image, snap, head = volumes()
    mark = {b"SNAPTMP": struct.pack("<Q", head)}
    image.lvol("vol-a-snap-2", 6, [], parent=snap, internal=mark, at=dict(image.vols[head].map))
    return bytes(image.build(clean=False))


def delete_half() -> bytes:
    """Power was lost after the second of six writes: both maps name the clusters."""
    image = tiny()
    child = ROOT | max(image.pages) + 3
    snap = image.lvol("vol-a-snap", 4, [0, 1], snapshot=True, internal={b"SNAPRM": struct.pack("<Q", child)})
    image.lvol("vol-a", 4, [2], parent=snap, at=dict(image.vols[snap].map))
    image.lvol("vol-z-snap", 4, [3], snapshot=True, internal={b"SNAPRM": struct.pack("<Q", ROOT | 19)})
    return bytes(image.build(clean=False))


def trees() -> bytes:
    """A lost snapshot, a circle of snapshots, and a volume on an external one."""
    image = tiny()
    image.lvol("orphan", 4, [0], parent=ROOT | 19)
    at = max(image.pages) + 1
    image.lvol("circle-a", 4, [0], parent=ROOT | at + 2)
    image.lvol("circle-b", 4, [1], parent=ROOT | at)
    image.lvol("external", 4, [2], flags=8, internal={b"EXTSNAP": b"6f1c6dcd-27e6-4bd4-b4c7-8b4c1a2e0d11\0"})
    return bytes(image.build())


def lvol_names() -> bytes:
    image = tiny()
    image.lvol("", 2, [0])
    image.lvol("same", 2, [0])
    image.lvol("same", 2, [1])
    image.name_size = 256
    image.lvol("x" * 100, 2, [0])
    return bytes(image.build())


def lvolstore_lost() -> bytes:
    image = volumes()[0]
    data = image.build()
    data[image.page_at(0) : image.page_at(1)] = bytes(PAGE)
    return bytes(data)


def content_changed() -> bytes:
    """A snapshot with a checksum attribute and a volume with a checksum per cluster; a byte of each was changed."""
    image = tiny()
    whole = crc64(content("vol-a-snap", 0, PAGE) + content("vol-a-snap", 2, PAGE))
    snap = image.lvol("vol-a-snap", 4, [0, 2], snapshot=True, xattrs={b"checksum": struct.pack("<Q", whole)})
    entry = struct.pack("<QIQI", crc64(content("vol-c", 0, PAGE)), 1, 0, 1)
    vol = image.lvol("vol-c", 2, [0], tail=desc(7, entry))
    for blob, cluster in ((snap, 2), (vol, 0)):
        image.data[image.vols[blob].map[cluster] * PAGE + 99] ^= 1
    return bytes(image.build())


def _sample(name: str, story: str, make: Callable[[], bytes], *rules: str, repairs: bool = True) -> Sample:
    return Sample("spdk_blobstore", f"{name}.img", story, rules, make, repairs)


SAMPLES: tuple[Sample, ...] = (
    _sample("clean", "nothing: a volume on its snapshot and one that stands alone", clean),
    _sample("dirty", "nothing that the next load does not recover: the store was never shut down", dirty, "SPB006"),
    _sample("super-wiped", "page 0 is all zero; the masks still tell the geometry", super_wiped, "SPB001"),
    _sample("super-bit", "one bit flipped in the super block", super_bit, "SPB002"),
    _sample("super-impossible", "a sealed super block of a version that does not exist", super_impossible, "SPB003"),
    _sample("cut-short", "the last 12 KiB of the image were not copied", cut_short, "SPB004"),
    _sample("put-in", "a byte was put in before the last cluster, behind all metadata", put_in, "SPB009",
            repairs=False),
    _sample("moved", "three bytes were put in inside a volume's first page: all behind moved", moved, "SPB011"),
    _sample("geometry-ambiguous", "the super block of a store that was never shut down is all zero, and "
            "several cluster sizes fit", ambiguous, "SPB001", "SPB005", repairs=False),
    _sample("other-user", "a blobstore of something else than logical volumes", other_user, "SPB007"),
    _sample("partition", "the store lies in the first partition of the image", partition, "SPB008"),
    _sample("second-store", "the images of two stores, one behind the other", second_store, "SPB019"),
    _sample("masks-wiped", "the three masks read as zeroes", masks_wiped, "SPB010"),
    _sample("masks-old", "the last write of the masks was lost", masks_old,
            "SPB012", "SPB013", "SPB014", "SPB015", "SPB016", "SPB017"),
    _sample("root-bit", "one bit flipped in a volume's root page", root_bit, "SPB020"),
    _sample("extent-page-lost", "an extent page is overwritten beyond correction", extent_lost, "SPB020", "SPB027"),
    _sample("misdirected", "a root page was written to another page's place, too", misdirected, "SPB021"),
    _sample("root-zeroed", "a volume's root page reads as zeroes; its extent page is left", root_zeroed,
            "SPB022", "SPB026"),
    _sample("root-gone", "the same in a store that was not shut down: no mask tells that there was a volume", root_gone,
            "SPB018"),
    _sample("chain-broken", "the second page of a volume's chain reads as zeroes", chain_broken, "SPB023"),
    _sample("chain-stale", "the second page of a chain shows an older volume's page (longhorn#13944)", chain_stale,
            "SPB024", "SPB025"),
    _sample("software", "metadata with valid checksums that breaks the format's rules in seven ways", software,
            "SPB030", "SPB031", "SPB032", "SPB034", "SPB035", "SPB036", "SPB046", "SPB053"),
    _sample("shared-cluster", "two volumes name one cluster (spdk#3431)", shared, "SPB033", repairs=False),
    _sample("create-half", "power was lost after the second write of a snapshot create: every loader dies on it",
            create_half, "SPB040"),
    _sample("delete-half", "power was lost after the second write of a snapshot delete", delete_half,
            "SPB041", "SPB042"),
    _sample("trees", "a lost snapshot, a circle of snapshots and an external one", trees,
            "SPB043", "SPB044", "SPB045"),
    _sample("names", "a volume without a name, two of one name, and one too long for upstream", lvol_names,
            "SPB050", "SPB051", "SPB052", repairs=False),
    _sample("lvolstore-lost", "the blob that describes the lvolstore reads as zeroes", lvolstore_lost,
            "SPB022", "SPB054", repairs=False),
    _sample("content-changed", "a byte changed in a snapshot with a checksum and in a cluster with one "
            "(seen with --checksums)", content_changed, "SPB060", "SPB061"),
)  # fmt: skip
