"""Small SPDK lvolstores of any shape, written from the layout alone; shares no code with the reader under test."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field

from crc32c import crc32c

PAGE = 4096
NONE = 0xFFFFFFFF
ROOM = 4072  # bytes of descriptors in a page


def seal(body: bytes) -> bytes:
    assert len(body) == 4092
    return body + struct.pack("<I", crc32c(body))


def md_page(blob: int, sequence: int, following: int, descriptors: bytes) -> bytes:
    assert len(descriptors) <= ROOM
    return seal(struct.pack("<QII", blob, sequence, 0) + descriptors.ljust(4072, b"\0") + struct.pack("<I", following))


def desc(kind: int, body: bytes) -> bytes:
    return struct.pack("<BI", kind, len(body)) + body


def xattr(name: bytes, value: bytes, internal: bool = False) -> bytes:
    return desc(4 if internal else 2, struct.pack("<HH", len(name), len(value)) + name + value)


def content(label: str, cluster: int, size: int) -> bytes:
    return hashlib.shake_128(f"{label}:{cluster}".encode()).digest(size)


@dataclass
class Long:
    """A descriptor that goes on in the next page, with its head again: an extent table, or runs of clusters."""

    kind: int
    head: bytes
    entries: list[bytes]

    def write(self, bodies: list[bytes]) -> None:
        left = self.entries
        while left or self.head:
            fit = (ROOM - len(bodies[-1]) - 5 - len(self.head)) // 8
            if fit < min(1, len(left)):
                bodies.append(b"")
                continue
            bodies[-1] += desc(self.kind, self.head + b"".join(left[:fit]))
            left = left[fit:]
            if not left:
                return


@dataclass
class Vol:
    id: int
    clusters: int
    map: dict[int, int]
    parent: int | None
    pages: list[int]
    extents: dict[int, int] = field(default_factory=dict)  # first cluster -> extent page


class Image:
    """Clusters are handed out from the lowest free one, pages likewise, as SPDK does."""

    def __init__(
        self,
        clusters: int = 32,
        cluster_size: int = 16384,
        page: int = PAGE,
        name_size: int = 64,
        lvs: bytes = b"disk-t",
        md_len: int | None = None,
    ) -> None:
        self.total, self.cluster_size, self.page, self.name_size = clusters, cluster_size, page, name_size
        self.md_len = md_len or clusters
        self.mask_len = -(-(5 + -(-clusters // 8)) // page)
        self.md_start = 1 + 3 * self.mask_len
        self.first_data = -(-(self.md_start + self.md_len) * page // cluster_size)
        self.data = bytearray(clusters * cluster_size)
        self.vols: dict[int, Vol] = {}
        self.pages: dict[int, bytes] = {}
        self.used: set[int] = set(range(self.first_data))
        self.extra_roots: set[int] = set()  # pages put by hand that are roots
        self.super_blob = self._super(lvs)

    def _super(self, lvs: bytes) -> int:
        body = desc(3, struct.pack("<QQQ", 4, 0, 0)) + xattr(b"uuid", uuid(0)) + xattr(b"name", lvs + b"\0")
        page = self.take_page()
        self.put_page(page, md_page(1 << 32 | page, 0, NONE, body + desc(5, struct.pack("<Q", 0))))
        self.vols[1 << 32 | page] = Vol(1 << 32 | page, 0, {}, None, [page])
        return 1 << 32 | page

    def take_page(self) -> int:
        page = next(p for p in range(self.md_len) if p not in self.pages)
        self.pages[page] = b""
        return page

    def put_page(self, page: int, data: bytes) -> None:
        self.pages[page] = data
        at = self.page_at(page)
        self.data[at : at + PAGE] = data

    def page_at(self, page: int) -> int:
        return (self.md_start + page) * self.page

    def take_cluster(self) -> int:
        cluster = next(c for c in range(self.total) if c not in self.used)
        self.used.add(cluster)
        return cluster

    def lvol(
        self,
        name: str,
        clusters: int,
        written: list[int],
        *,
        parent: int | None = None,
        snapshot: bool = False,
        thin: bool = True,
        rle: bool = False,
        xattrs: dict[bytes, bytes] | None = None,
        internal: dict[bytes, bytes] | None = None,
        flags: int = 0,
        at: dict[int, int] | None = None,
        tail: bytes = b"",
    ) -> int:
        """A volume with content in the `written` clusters; `at` places clusters by hand, `tail` ends its metadata."""
        root = self.take_page()
        blob = 1 << 32 | root
        places = {c: self.take_cluster() for c in written}
        for c, place in places.items():
            start = place * self.cluster_size
            self.data[start : start + self.cluster_size] = content(name, c, self.cluster_size)
        places |= at or {}
        vol = self.vols[blob] = Vol(blob, clusters, places, parent, [root])
        inner = dict(internal or {})
        if parent is not None:
            inner[b"SNAP"] = struct.pack("<Q", parent)
        invalid = flags | (1 if thin else 0) | (2 if inner else 0) | (0 if rle else 4)
        parts: list[bytes | Long] = [desc(3, struct.pack("<QQQ", invalid, 1 if snapshot else 0, 2))]
        parts.append(xattr(b"name", name.encode().ljust(self.name_size, b"\0") if name else b""))
        parts.append(xattr(b"uuid", uuid(root)))
        parts += [xattr(k, v) for k, v in (xattrs or {}).items()]
        parts += [xattr(k, v, internal=True) for k, v in inner.items()]
        parts += [self._rle(vol) if rle else self._table(vol), tail]
        self._chain(vol, parts)
        return blob

    def _rle(self, vol: Vol) -> Long:
        runs: list[tuple[int, int]] = []
        for c in range(vol.clusters):
            place = vol.map.get(c, 0)
            if runs and ((place == 0 and runs[-1][0] == 0) or (place and runs[-1][0] and place == sum(runs[-1]))):
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((place, 1))
        return Long(1, b"", [struct.pack("<II", *run) for run in runs])

    def _table(self, vol: Vol) -> Long:
        entries: list[tuple[int, int]] = []
        used = {c // 512 for c, place in vol.map.items() if place}
        for number in range(-(-vol.clusters // 512)):
            start = number * 512
            if number in used:
                words = [vol.map.get(start + i, 0) for i in range(min(512, vol.clusters - start))]
                page = self.take_page()
                vol.extents[start] = page
                count = len(words)
                self.put_page(page, md_page(vol.id, 0, NONE, desc(6, struct.pack(f"<I{count}I", start, *words))))
                entries.append((page, 1))
            elif entries and not entries[-1][0]:
                entries[-1] = (0, entries[-1][1] + 1)
            else:
                entries.append((0, 1))
        return Long(5, struct.pack("<Q", vol.clusters), [struct.pack("<II", *entry) for entry in entries])

    def _chain(self, vol: Vol, parts: list[bytes | Long]) -> None:
        bodies = [b""]
        for part in parts:
            if isinstance(part, Long):
                part.write(bodies)
                continue
            if len(bodies[-1]) + len(part) > ROOM:
                bodies.append(b"")
            bodies[-1] += part
        vol.pages += [self.take_page() for _ in bodies[1:]]
        for number, body in enumerate(bodies):
            following = vol.pages[number + 1] if number + 1 < len(bodies) else NONE
            self.put_page(vol.pages[number], md_page(vol.id, number, following, body))

    def logical(self, blob: int) -> bytes:
        """What a reader of the volume gets, by a second, plain resolution."""
        vol = self.vols[blob]
        out = bytearray()
        for c in range(vol.clusters):
            at: Vol | None = vol
            while at is not None and c < at.clusters and c not in at.map:
                at = self.vols[at.parent] if at.parent is not None else None
            place = at.map.get(c) if at is not None and c < at.clusters else None
            size = self.cluster_size
            out += self.data[place * size : (place + 1) * size] if place is not None else bytes(size)
        return bytes(out)

    def super_block(self, clean: int = 1, version: int = 3) -> bytes:
        m = self.mask_len
        masks = (1, m, 1 + m, m, self.md_start, self.md_len, b"LVOLSTORE", 1 + 2 * m, m if version > 2 else 0)
        tail = (len(self.data), 4096, 0 if self.page == PAGE else self.page)
        head = struct.pack("<8sIIIQI", b"SPDKBLOB", version, PAGE, clean, self.super_blob, self.cluster_size)
        head += struct.pack("<IIIIII16sIIQII", *masks, *tail)
        return seal(head.ljust(4092, b"\0"))

    def mask(self, kind: int, bits: set[int], length: int) -> bytes:
        raw = bytearray(-(-length // 8))
        for bit in bits:
            raw[bit // 8] |= 1 << bit % 8
        return struct.pack("<BI", kind, length) + bytes(raw)

    def build(self, clean: bool = True, masks: bool | None = None) -> bytearray:
        """The image; a store that was never unloaded has no masks."""
        out = bytearray(self.data)
        out[:PAGE] = self.super_block(1 if clean else 0)
        if clean if masks is None else masks:
            roots = {vol.pages[0] for vol in self.vols.values()} | self.extra_roots
            for number, (bits, length) in enumerate(
                ((set(self.pages), self.md_len), (self.used, self.total), (roots, self.md_len))
            ):
                at = (1 + number * self.mask_len) * self.page
                mask = self.mask(number, bits, length)
                out[at : at + len(mask)] = mask
        return out


def uuid(number: int) -> bytes:
    return f"00000000-0000-4000-8000-{number:012x}".encode() + b"\0"


REPLICA = "pvc-0d1c4d2a-7a4b-4a43-9a1e-5b6f0f0c1a11-r-21baaab4"


@dataclass
class Chain:
    """One replica: head on a newer snapshot on an older one, a thick volume and a volume with two extent pages."""

    image: Image
    old: int
    new: int
    head: int
    thick: int
    wide: int


def replica(name_size: int = 64) -> Chain:
    image = Image(name_size=name_size)
    old = image.lvol(f"{REPLICA}-snap-one", 6, [0, 1, 4], snapshot=True)
    new = image.lvol(f"{REPLICA}-snap-two", 8, [1, 7], parent=old, snapshot=True)
    head = image.lvol(REPLICA, 8, [2, 7], parent=new)
    thick = image.lvol("thick-rle", 2, [0, 1], thin=False, rle=True)
    wide = image.lvol("wide", 700, [0, 511, 512, 699])
    return Chain(image, old, new, head, thick, wide)
