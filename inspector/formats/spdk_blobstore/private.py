"""Names, identities, attributes and content of volumes are private; where they lie is not."""

from __future__ import annotations

from typing import Final

from inspector.catalogue import later
from inspector.private import CONTENT, DIGEST, Private, from_items

FIELDS: Final = {
    "name": "volume",
    "lvs_name": "store",
    "uuid": "uuid",
    "lvs_uuid": "uuid",
    "external_snapshot": "uuid",
    "xattrs": CONTENT,
    "children": "volume",
    "content": CONTENT,
    "manifest": DIGEST,
    "stored": DIGEST,
    "computed": DIGEST,
    "crc": DIGEST,
    "crc64": DIGEST,
    "xattr": CONTENT,
    "internal-xattr": CONTENT,
    "descriptors": CONTENT,
}
PRIVATE: Final = Private(
    fields=FIELDS, originals=from_items(later("inspector.formats.spdk_blobstore.items", "items"), FIELDS)
)
