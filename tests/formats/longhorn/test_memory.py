"""What is read from documents of a running system: each shape by itself, and shapes that are almost one."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from inspector.errors import UsageError
from inspector.formats.longhorn import memory
from inspector.formats.longhorn.memory import Memory, number, read

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
    assert (lvol.uuid, lvol.size, lvol.store, lvol.parent) == ("u1", 64 * 512, "s1", "snap")
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


CALL = "method bdev_lvol_create, params { ee6243ce-f323-4de5-8d71-baed8d6c8711 %s 4096 unmap true}: "
NO = r"{\"code\": -17,\"message\": \"File exists\"}"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"error sending message, id 5, {CALL % 'a-r-12345678'}{NO}", "a-r-12345678"),
        ("Failed to prepare head replicaName=a-r-12345678 error=code: -17", "a-r-12345678"),
        (f"replicaName=a-r-12345678 {CALL % 'a-r-12345678-snap-one'}{NO}", None),  # a snapshot is no head
        (f"{CALL % 'a-r-12345678'}{NO.replace('-17', '-28').replace('File exists', 'No space left')}", None),
        (f"method bdev_lvol_snapshot, params {{a-r-12345678}} {NO}", None),
    ],
)
def test_the_engines_own_line_names_the_head_that_exists(line: str, name: str | None) -> None:
    assert list(read((("log", b"level=error " + line.encode()),)).created) == ([name] if name else [])


def test_a_bundle_is_its_documents() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        bundle.writestr("a/lvols.json", json.dumps([LVOL]))
        bundle.writestr("a/picture.png", json.dumps([STORE]))
    found = read((("bundle", packed.getvalue()),))
    assert (list(found.lvols), found.stores) == (["vol-r-12345678"], {})


REPLICA = {"name": "vol-r-12345678", "spec_size": "64", "snapshots": {}, "lvs_uuid": "s1"}


def test_each_thing_that_is_understood_counts_once() -> None:
    assert seen([LVOL, LISTED, STORE, REPLICA]).understood == 4
    assert seen(REPLICA).understood == seen({"a": REPLICA}).understood == 1
    log = b"code: -17 b-r-12345678\nlvs_verify_lvol_name: lvol with name a-r-12345678 already exists\nother\n"
    assert read((("log", log),)).understood == 2


def test_an_envelope_says_its_version_and_has_a_result() -> None:
    assert seen({"result": STORE}).stores == {"s1": STORE}  # an object by name, as any other
    assert seen({"jsonrpc": "2.0", "answers": [STORE]}).stores == {"s1": STORE}
    with pytest.raises(UsageError, match="not an RPC answer"):
        seen({"jsonrpc": "2.0", "result": STORE})  # the calls that are read answer with lists


@pytest.mark.parametrize("gone", ["alias", "lvs"])
def test_an_entry_that_is_almost_a_volume_is_passed_over(gone: str) -> None:
    almost = {key: value for key, value in LISTED.items() if key != gone}
    assert seen([STORE, almost]).lvols == {}


@pytest.mark.parametrize("gone", ["snapshots", "name", "spec_size"])
def test_an_entry_that_is_almost_a_replica_is_passed_over(gone: str) -> None:
    almost = {key: value for key, value in REPLICA.items() if key != gone}
    assert seen([STORE, almost]).replicas == []
    assert len(seen([STORE, REPLICA]).replicas) == 1


def test_numbers_may_be_text_of_up_to_24_digits() -> None:
    assert [number(value) for value in ("7", 7, "1" * 24)] == [7, 7, int("1" * 24)]
    assert [number(value) for value in ("1" * 25, True, None, "7.0", "-7", "")] == [None] * 6


def test_of_a_long_log_the_first_lines_of_each_kind_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_LINES", 2)
    names = [f"vol{n}-r-1234567{n}" for n in range(3)]
    log = "".join(f"lvs_verify_lvol_name: lvol with name {name} already exists\ncode: -17 {name}\n" for name in names)
    found = read((("log", log.encode()),))
    assert list(found.exists) == names[:2]
    # a third that exists is no longer kept as such, and says no code; each refusal names its own
    assert [line.split()[-1] for line in found.refused] == names[:2]


def test_a_bundle_is_read_up_to_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    lists = [json.dumps([{**LVOL, "aliases": [f"disk/{name}"], "more": [[]] * 300}]) for name in "abc"]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for number_of, text in enumerate(lists):
            bundle.writestr(f"{number_of}.json", text)
    data = packed.getvalue()
    monkeypatch.setattr(memory, "MAX_BUNDLE", len(lists[0]) + len(lists[1]))
    assert list(read((("bundle", data),)).lvols) == ["a", "b"]
    monkeypatch.setattr(memory, "MAX_BUNDLE", len(lists[0]) + len(lists[1]) + 1)  # one byte of the third is no JSON
    assert list(read((("bundle", data),)).lvols) == ["a", "b"]
    brackets = sum(text.count("[") + text.count("{") for text in lists[:2])
    monkeypatch.setattr(memory, "MAX_BUNDLE", len(lists[0]) + len(lists[1]))
    monkeypatch.setattr(memory, "MAX_NESTED", brackets - len(data) // 4)
    assert list(read((("bundle", data),)).lvols) == ["a", "b"]
    monkeypatch.setattr(memory, "MAX_NESTED", brackets - len(data) // 4 - 1)
    with pytest.raises(UsageError, match="unpacks to more than is taken for real"):
        read((("bundle", data),))


def test_a_volume_has_its_own_name_or_the_end_of_its_alias() -> None:
    assert list(seen([{**LISTED, "name": "own", "alias": "disk/other"}]).lvols) == ["own"]
    assert list(seen([{**LISTED, "name": "", "alias": "disk/other"}]).lvols) == ["other"]


def test_a_head_that_says_nothing_is_none() -> None:
    heads = [seen({**REPLICA, "head": head}).replicas[0].head for head in ({}, "x", None, {"name": "h"})]
    assert heads == [None, None, None, {"name": "h"}]


def packed(**members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as bundle:
        for name, text in members.items():
            bundle.writestr(name.replace("_", "."), text)
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "log"),
    [
        (packed(a_png="x"), True),
        (b"P", False),
        (b"nothing to see", False),
        (b"time=1 level=info msg=started", True),
        (b"x *NOTICE* y", True),
        (b"x *ERROR* y", True),
        (b" " * (65536 - 6) + b"level=", True),
        (b" " * (65536 - 5) + b"level=", False),
    ],
)
def test_a_log_without_a_word_on_volumes_is_taken_and_anything_else_refused(data: bytes, log: bool) -> None:
    if log:
        assert (read((("doc", data),)).files, read((("doc", data),)).understood) == (["doc"], 0)
    else:
        with pytest.raises(UsageError, match="doc: not an RPC answer"):
            read((("doc", data),))


@pytest.mark.parametrize("limit", ["MAX_JSON", "MAX_NESTED"])
def test_a_document_is_read_up_to_its_limits_and_beyond_them_by_lines(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.dumps([LVOL]).encode()
    most = len(data) if limit == "MAX_JSON" else data.count(b"[") + data.count(b"{")
    monkeypatch.setattr(memory, limit, most)
    assert list(read((("doc", data),)).lvols) == ["vol-r-12345678"]
    monkeypatch.setattr(memory, limit, most - 1)
    with pytest.raises(UsageError):
        read((("doc", data),))
    lines = b"[\nmsg code: -17 b-r-12345678\n" + data
    assert (read((("doc", lines),)).lvols, len(read((("doc", lines),)).refused)) == ({}, 1)


def test_what_is_no_object_is_passed_over_among_those_that_are() -> None:
    found = seen([7, None, LVOL, "x", [STORE], STORE])
    assert (list(found.lvols), list(found.stores)) == (["vol-r-12345678"], ["s1"])
    assert list(seen({"a": 7, "b": None, "c": [3, LVOL], "d": STORE}).lvols) == ["vol-r-12345678"]


def test_an_object_of_a_volume_may_lack_any_of_its_fields() -> None:
    def lvol(**changes: Any) -> Any:
        found = seen([{**LVOL, **changes}, STORE])
        return next(iter(found.lvols.values()), None)

    assert lvol(aliases=[7, "disk/x-r-12345678", "disk/y"]).name == "x-r-12345678"
    assert lvol(aliases="disk/x") is lvol(aliases=[]) is lvol(aliases=["disk/"]) is None
    assert lvol(aliases=["bare"]).name == "bare"
    assert (lvol(uuid="").uuid, lvol(uuid=5, name="n").uuid, lvol(uuid=None, name=None).uuid) == ("u1", "n", None)
    assert (lvol(num_blocks="64").size, lvol(block_size=None).size, lvol(num_blocks=3).size) == (None, None, 1536)
    assert (lvol().children, lvol().tells_parent, lvol().where) == ((), True, "doc0")
    inner = {"lvol_store_uuid": "", "clones": ["c", 7, "d"], "base_snapshot": 9}
    told = lvol(driver_specific={"lvol": inner})
    assert (told.children, told.parent, told.store) == (("c", "d"), None, None)
    assert lvol(driver_specific={"lvol": {"clones": "c"}}).children == ()
    assert lvol(driver_specific={"lvol": 7}) is lvol(driver_specific=7) is None


def test_an_object_of_a_replica_may_lack_any_of_its_fields() -> None:
    (told,) = seen(
        {**REPLICA, "snapshots": {"a": {"name": "a"}, "b": 7}, "state": "error", "error_msg": "why"}
    ).replicas
    assert (told.name, told.where, told.store_uuid, told.spec_size) == ("vol-r-12345678", "doc0", "s1", 64)
    assert (told.snapshots, told.state, told.error) == ({"a": {"name": "a"}}, "error", "why")
    (bare,) = seen({"name": "n", "head": {}, "snapshots": {}, "state": None}).replicas
    assert (bare.store_uuid, bare.spec_size, bare.state, bare.error) == (None, None, "", "")


def test_a_line_is_kept_up_to_400_characters_and_searched_whole() -> None:
    long = "code: -17 " + "x" * 500 + " b-r-12345678"
    found = read((("log", f"  {long}\n".encode()),))
    assert found.refused == [f"log: {long[:400]}"]
    named = "lvs_verify_lvol_name: " + "y" * 70 + " name disk/a-r-12345678 already exists" + "z" * 400
    found = read((("log", named.encode()),))
    assert found.exists == {"a-r-12345678": f"log: {named[:400]}"}
    twice = read((("log", b"lvs_verify_lvol_name name a-r-12345678 already exists 1\n" * 2),))
    assert twice.understood == 2


def test_a_thousand_lines_of_a_kind_are_kept() -> None:
    lines = "".join(f"code: -17 vol{n}-r-12345678\n" for n in range(1002))
    found = read((("log", lines.encode()),))
    assert (len(found.refused), found.understood) == (1000, 1000)
    assert found.refused[-1] == "log: code: -17 vol999-r-12345678"


@pytest.mark.parametrize(("before", "seen_whole"), [(0, True), (1, False)])
def test_a_line_is_looked_at_in_pieces_of_64_kib(before: int, seen_whole: bool) -> None:
    said = b"code: -17 b-r-12345678"
    line = b" " * ((1 << 16) - len(said) + before) + said + b" and more\n"
    assert len(read((("log", b"level=x\n" + line),)).refused) == seen_whole


@pytest.mark.parametrize(("more", "seen"), [(0, True), (1, False)])
def test_the_answer_to_a_call_stands_within_a_thousand_characters_behind_it(more: int, seen: bool) -> None:
    head, answer = "pvc-1-r-abcdefgh ", "File exists"
    between = "x" * (1000 - len(head) - len(answer) - 2 + more)
    memory = read((("log", f"level=error bdev_lvol_create {between} {head}{answer}".encode()),))
    assert list(memory.created) == (["pvc-1-r-abcdefgh"] if seen else [])
    assert len(memory.refused) == 1


def test_a_document_has_half_a_million_lists_and_objects_at_most() -> None:
    own = json.dumps([LVOL]).encode()
    room = 500_000 - own.count(b"[") - own.count(b"{")
    for count, understood in ((room, True), (room + 1, False)):
        data = own[:-1] + b",[]" * count + b"]"
        if understood:
            assert list(read((("doc", data),)).lvols) == ["vol-r-12345678"]
        else:
            with pytest.raises(UsageError):
                read((("doc", data),))


def test_a_document_has_16_mib_at_most() -> None:
    own = json.dumps([LVOL]).encode()
    whole = own[:-1].ljust((16 << 20) - 1) + b"]"
    assert list(read((("doc", whole),)).lvols) == ["vol-r-12345678"]
    with pytest.raises(UsageError):
        read((("doc", whole + b" "),))
