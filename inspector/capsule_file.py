"""What a capsule is written as: a zip file that the same source gives again, byte for byte."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from typing import IO, Any, Final

from inspector import capsule
from inspector.errors import RefusedError

COPY: Final = 4 << 20  # bytes at a time
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same source gives the same capsule
TEXT: Final = """A capsule of inspector: parts of a damaged store, at their original offsets.

`inspector scan FILE.capsule` (and records, show, items, repair --patch) reads it like the store itself.
Without inspector: capsule.json lists the members of the store. `ranges` of all members, in the order of the list,
lie one after the other in `data`; `zeros` were read and are zero; `vouched` ranges verified when this was made, and
are not in it but for what inspection takes from them (in `vouched`); what is in no list was not looked at.
"""


class _Stream:
    """A file that can only be written to."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def pack(file: IO[bytes], manifest: Mapping[str, Any], data: IO[bytes], told: IO[bytes]) -> None:
    """Write it all: the manifest first, then how to open it, the captured bytes and what walks took.

    RefusedError where the manifest is larger than a reader takes.
    """
    # as to a pipe: where a seek fails zipfile goes on in that way, and the same source would give another capsule
    with zipfile.ZipFile(_Stream(file), "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        # the manifest comes first: by its name at the beginning of the file a capsule is known
        text = json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()
        if len(text) > capsule.MAX_MANIFEST or text.count(b"[") > capsule.MAX_LISTS:
            raise RefusedError(
                "too many places of the store were read to list them in a capsule",
                "capture one of its files, or image it: a capsule is for what is small",
            )
        archive.writestr(_entry(capsule.MANIFEST), text, zipfile.ZIP_DEFLATED)
        archive.writestr(_entry(capsule.README), TEXT.encode(), zipfile.ZIP_DEFLATED)
        for name, content in ((capsule.DATA, data), (capsule.VOUCHED, told)):
            content.seek(0)
            with archive.open(_entry(name), "w", force_zip64=True) as packed:
                while piece := content.read(COPY):
                    packed.write(piece)


def _entry(name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, EPOCH)
    made.compress_type = zipfile.ZIP_DEFLATED
    made.external_attr = 0o600 << 16
    return made
