"""What is read from documents of a running system: each shape by itself, and shapes that are almost one."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from inspector.errors import UsageError
from inspector.formats.longhorn.memory import Memory, read

LVOL = {"name": "u1", "aliases": ["disk/vol-r-12345678"], "num_blocks": 64, "block_size": 512, "uuid": "u1",
        "driver_specific": {"lvol": {"lvol_store_uuid": "s1", "base_snapshot": "snap", "clone": True,
                                     "num_allocated_clusters": 3}}}  # fmt: skip
LISTED = {"alias": "disk/vol-r-12345678", "uuid": "u1", "name": "vol-r-12345678", "is_snapshot": False,
          "lvs": {"name": "disk", "uuid": "s1"}}  # fmt: skip
STORE = {"uuid": "s1", "name": "disk", "total_data_clusters": 9, "free_clusters": 2}


def seen(*documents: Any) -> Memory:
    return read(tuple((f"doc{n}", json.dumps(one).encode()) for n, one in enumerate(documents)))


@pytest.mark.parametrize(
    "wrap", [lambda d: [d], lambda d: {"jsonrpc": "2.0", "id": 1, "result": [d]}, lambda d: {"lvols": [d]}]
)
def test_a_document_may_be_a_list_an_answer_or_one_of_several(wrap: Any) -> None:
    found = seen(wrap(LVOL))
    assert (list(found.lvols), found.lists_all, found.stores) == (["vol-r-12345678"], True, {})
    (lvol,) = found.lvols.values()
    assert (lvol.uuid, lvol.size, lvol.store, lvol.parent, lvol.allocated) == ("u1", 64 * 512, "s1", "snap", 3)
    assert lvol.tells_parent


def test_a_list_of_stores_is_no_list_of_volumes() -> None:
    found = seen([STORE])
    assert (found.stores, found.lvols, found.lists_all) == ({"s1": STORE}, {}, False)


@pytest.mark.parametrize("gone", ["uuid", "total_data_clusters"])
def test_an_entry_that_is_almost_a_store_is_passed_over_and_a_document_of_such_is_refused(gone: str) -> None:
    almost = {key: value for key, value in STORE.items() if key != gone}
    with pytest.raises(UsageError, match="not an RPC answer"):
        seen([almost])
    assert list(seen([almost, LVOL]).stores) == []


def test_an_entry_that_tells_the_parent_stands_in_whichever_order_they_come() -> None:
    for order in ([LVOL], [LISTED]), ([LISTED], [LVOL]):
        found = seen(*order)
        assert found.lvols["vol-r-12345678"].tells_parent
        assert found.files == ["doc0", "doc1"]
    assert not seen([LISTED]).lvols["vol-r-12345678"].tells_parent


def test_a_log_says_which_heads_could_not_be_created_and_what_was_refused() -> None:
    lines = b"*ERROR*: lvs_verify_lvol_name: lvol with name a-r-12345678 already exists\n"
    lines += b"msg code: -17 b-r-12345678\nother\n"
    found = read((("log", lines),))
    assert list(found.exists) == ["a-r-12345678"]
    assert len(found.refused) == 1
    assert "b-r-12345678" in found.refused[0]


def test_a_bundle_is_its_documents() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        bundle.writestr("a/lvols.json", json.dumps([LVOL]))
        bundle.writestr("a/picture.png", json.dumps([STORE]))
    found = read((("bundle", packed.getvalue()),))
    assert (list(found.lvols), found.stores) == (["vol-r-12345678"], {})
