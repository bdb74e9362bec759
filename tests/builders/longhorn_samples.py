"""The samples of Longhorn's replicas: images, and `.against` documents of what a running system would say."""

from __future__ import annotations

import json
import struct
from typing import Any

from tests.builders.samples import Sample
from tests.builders.spdk import PAGE, Image, uuid

R1 = "pvc-0d1c4d2a-7a4b-4a43-9a1e-5b6f0f0c1a11-r-21baaab4"
R2 = "pvc-5f3b7c90-2222-4c1d-8e2b-0a9b8c7d6e5f-r-7c0ffee1"
LVS = uuid(0)[:-1].decode()


def replica() -> Image:
    image = Image(clusters=32, cluster_size=PAGE, md_len=20, name_size=256)
    checksum = {b"checksum": struct.pack("<Q", 42)}
    one = image.lvol(f"{R1}-snap-one", 6, [0, 2], snapshot=True, xattrs={b"user_created": b"true\0", **checksum})
    two = image.lvol(f"{R1}-snap-rebuild-27ffb272", 6, [1], parent=one, snapshot=True)
    image.lvol(R1, 6, [2, 5], parent=two)
    return image


def healthy() -> bytes:
    return bytes(replica().build())


def head_bit() -> bytes:
    image = replica()
    data = image.build()
    data[image.page_at(max(image.vols) & 0xFFFF) + 50] ^= 4
    return bytes(data)


def odd_image() -> Image:
    """A head that is a snapshot, snapshots without a head, a writable one, what a rebuild left, and a stranger."""
    image = Image(clusters=40, cluster_size=PAGE, md_len=24, name_size=256)
    head = image.lvol(R1, 4, [0])
    image.lvol(f"{R1}-snap-one", 4, [1], parent=head)
    image.lvol(f"{R2}-snap-one", 4, [0], snapshot=True)
    image.lvol(f"{R2}-rebuilding", 4, [0])
    image.lvol("somebody-elses", 4, [0])
    return image


def odd() -> bytes:
    return bytes(odd_image().build())


def bdev(image: Image, blob: int, name: str, parent: str | None, children: list[str]) -> dict[str, Any]:
    """An entry of bdev_get_bdevs by the field rules of vbdev_lvol.c."""
    lvol: dict[str, Any] = {
        "lvol_store_uuid": LVS,
        "base_bdev": "disk-t-aio",
        "thin_provision": True,
        "num_allocated_clusters": len(image.vols[blob].map),
        "snapshot": bool(children),
        "clone": parent is not None,
    }
    lvol |= {"base_snapshot": parent} if parent else {}
    lvol |= {"clones": children} if children else {}
    return {
        "name": uuid(blob & 0xFFFF)[:-1].decode(),
        "aliases": [f"disk-t/{name}"],
        "product_name": "Logical Volume",
        "block_size": PAGE,
        "num_blocks": image.vols[blob].clusters,
        "uuid": uuid(blob & 0xFFFF)[:-1].decode(),
        "driver_specific": {"lvol": lvol},
    }


def bdevs() -> list[dict[str, Any]]:
    """What a running system says about `replica()`."""
    image = replica()
    one, two, head = sorted(image.vols)[1:]
    names = f"{R1}-snap-one", f"{R1}-snap-rebuild-27ffb272", R1
    return [
        bdev(image, one, names[0], None, [names[1]]),
        bdev(image, two, names[1], names[0], [names[2]]),
        bdev(image, head, names[2], names[1], []),
    ]


def dump(document: object) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def agreeing() -> bytes:
    return dump(bdevs())


def loop_log() -> bytes:
    """The two lines of longhorn#9942, over and over."""
    lines = (
        f"[2024-12-01 10:00:00.000000] lvol.c:1154:lvs_verify_lvol_name: *ERROR*: lvol with name {R1} already exists\n"
        f'[longhorn-instance-manager] time="2024-12-01T10:00:00Z" level=error msg="Failed to create replica {R1}" '
        'func="spdk.(*Replica).Create.func2" file="replica.go:671" error="error sending message, id 652083, method '
        f"bdev_lvol_create, params {{ ee6243ce-f323-4de5-8d71-baed8d6c8711 {R1} 4096 unmap true}}: "
        '{\\"code\\": -17,\\"message\\": \\"File exists\\"}" lvsName=disk-t '
        f"lvsUUID=ee6243ce-f323-4de5-8d71-baed8d6c8711 replicaName={R1}\n"
    )
    return (lines * 3).encode()


def differing_bdevs() -> bytes:
    """Another parent, another child, another uuid and size, a volume that is gone, and one of another disk."""
    one, two, head = bdevs()
    head["driver_specific"]["lvol"]["base_snapshot"] = f"{R1}-snap-one"
    head["uuid"] = head["name"] = uuid(77)[:-1].decode()
    two["driver_specific"]["lvol"]["clones"] = []
    two["num_blocks"] = 99
    gone = json.loads(json.dumps(one))
    gone["aliases"] = ["disk-t/somebody-elses"]
    other = json.loads(json.dumps(head))
    other["aliases"] = [f"disk-u/{R2}"]
    other["driver_specific"]["lvol"]["lvol_store_uuid"] = uuid(9)[:-1].decode()
    return dump({"bdev_get_bdevs": [two, head, gone, other]})


def replica_object() -> bytes:
    """Longhorn's own view: a smaller volume, a snapshot too few, one too many, another checksum."""
    snapshots = {
        "one": {"name": "one", "parent": "", "children": {"rebuild-27ffb272": True}, "snapshot_checksum": "43"},
        "never": {"name": "never", "parent": "one", "children": {}},
    }
    head = {"name": "volume-head", "parent": "rebuild-27ffb272", "children": {}}
    entry = {"name": R1, "lvs_name": "disk-t", "lvs_uuid": LVS, "spec_size": "16384", "head": head}
    return dump([{**entry, "snapshots": snapshots, "state": "running", "error_msg": ""}])


def unlisted() -> bytes:
    """A full list that lacks the volume somebody else made, and the writable snapshot."""
    image = odd_image()
    head, rest = sorted(image.vols)[1], sorted(image.vols)[4]
    return dump([bdev(image, head, R1, None, [f"{R1}-snap-one"]), bdev(image, rest, f"{R2}-rebuilding", None, [])])


def _image(name: str, story: str, make: Any, *rules: str, repairs: bool = True) -> Sample:
    return Sample("longhorn", f"{name}.img", story, rules, make, repairs)


def _words(name: str, story: str, make: Any) -> Sample:
    return Sample("longhorn", f"{name}.against", story, (), make)


SAMPLES: tuple[Sample, ...] = (
    _image("healthy", "nothing: a head on two snapshots, and memory says the same", healthy),
    _words("healthy", "bdev_get_bdevs that agrees with healthy.img", agreeing),
    _image("crash-loop", "the head is on disk and the engine cannot create it: longhorn#9942", healthy, "LHN010"),
    _words("crash-loop", "the log of the crash loop", loop_log),
    _image("memory-differs", "what bdev_get_bdevs says is not what is on disk", healthy,
           "LHN011", "LHN013", "LHN014", "LHN015", "LHN016", "LHN018", "LHN019"),
    _words("memory-differs", "a list with another parent, child, uuid and size", differing_bdevs),
    _image("replica-differs", "Longhorn's replica object is not what is on disk", healthy,
           "LHN002", "LHN011", "LHN012", "LHN020"),
    _words("replica-differs", "a replica object with a smaller size, other snapshots and checksum", replica_object),
    _image("head-bit", "one bit flipped in the head's root page", head_bit, "SPB020"),
    _image("odd", "a head that Longhorn would delete, snapshots without a head, and what others left", odd,
           "LHN001", "LHN002", "LHN003", "LHN004", "LHN005", "LHN011", "LHN017", repairs=False),
    _words("odd", "a list that lacks some of the volumes", unlisted),
)  # fmt: skip
