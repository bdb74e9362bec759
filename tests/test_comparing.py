"""Two stores held against each other, against a plain comparison of dictionaries."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import jsonschema
import pytest

import inspector.comparing
from inspector import formats
from inspector.__main__ import main
from inspector.comparing import Described, Identities, Row, compare, digest_of, key_of, pack
from inspector.render.schemas import schema
from inspector.runs import Runs
from inspector.span import Span
from tests import damage
from tests.builders.gossip import Store, grown, healthy
from tests.formats.gossip_store.merge_truth import compacted
from tests.formats.gossip_store.witness import walk


def things(of: list[tuple[int, bytes, bytes]]) -> Identities:
    rows = [pack(key_of(kind, name), digest_of(value), at, at + 1) for at, (kind, name, value) in enumerate(of)]

    def describe(row: Row) -> Described:
        _, name, value = of[row.start]
        return Described(name.decode(), Span(row.start, row.end), {"value": value.decode()})

    return Identities({1: "one", 2: "two"}, [rows[:3], rows[3:]], describe)


def test_a_comparison_is_that_of_dictionaries() -> None:
    rng = Random(1)
    for _ in range(200):
        sides = []
        for _ in range(2):
            named = {(rng.randrange(1, 3), b"%d" % rng.randrange(6)): b"%d" % rng.randrange(3) for _ in range(5)}
            sides.append(named)
        found = compare(*(things([(k, n, v) for (k, n), v in side.items()]) for side in sides))
        a, b = sides
        told = {(d.what, d.kind, d.name) for d in found.differences()}
        kinds = {1: "one", 2: "two"}
        wanted = {("only_a", kinds[k], n.decode()) for k, n in a.keys() - b.keys()}
        wanted |= {("only_b", kinds[k], n.decode()) for k, n in b.keys() - a.keys()}
        wanted |= {("changed", kinds[k], n.decode()) for k, n in a.keys() & b.keys() if a[k, n] != b[k, n]}
        assert told == wanted
        assert sum(found.same.values()) == sum(a[key] == b[key] for key in a.keys() & b.keys())


def test_things_of_one_name_are_paired_by_content_first(monkeypatch: pytest.MonkeyPatch) -> None:
    one = [(1, b"x", b"a"), (1, b"x", b"b"), (1, b"x", b"c")]
    two = [(1, b"x", b"c"), (1, b"x", b"d")]
    for limit in (10_000, 1):
        monkeypatch.setattr(inspector.comparing, "_UNPAIRED", limit)
        found = compare(things(one), things(two))
        assert found.same == {"one": 1}
        assert found.total == 2 if limit > 1 else found.total >= 2


def test_rows_beyond_memory_come_back_in_order() -> None:
    rng, runs = Random(2), Runs(5, held=7)
    rows = [rng.randbytes(5) for _ in range(100)]
    for row in rows[:50]:
        runs.add(row)
    runs.extend(rows[50:])
    assert list(runs) == sorted(rows)
    assert list(runs) == sorted(rows)
    runs.close()


def diff(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capfd.readouterr()
    code = main(["diff", *arguments])
    return code, capfd.readouterr().out


def test_a_compacted_store_holds_the_same_but_for_its_uuid(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = healthy(16, 40_000, 1)
    (tmp_path / "a").write_bytes(base)
    (tmp_path / "b").write_bytes(compacted(base, 1))
    code, out = diff(capfd, str(tmp_path / "a"), str(tmp_path / "b"), "--json")
    document = json.loads(out)
    jsonschema.validate(document, schema("diff", formats.all_formats()))
    assert (code, document["only_a"], document["only_b"], document["changed"]) == (3, {}, {}, {"uuid": 1})
    live = Counter(r.kind for r in walk(base) if r.live)
    assert document["same"]["channel_update"] == live[258]
    assert document["not_compared"]["a"]["deleted"] > 0
    code, out = diff(capfd, str(tmp_path / "a"), str(tmp_path / "a"))
    assert code == 0
    assert "no difference" in out


def test_a_changed_fee_is_told_with_both_offsets(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    net = grown(16, 20_000, 2)
    (tmp_path / "a").write_bytes(net.store.bytes())
    target = net.channels[0]
    before = target.updates[0]
    after = net.update(target, 0)
    (tmp_path / "b").write_bytes(net.store.bytes())
    code, out = diff(capfd, str(tmp_path / "a"), str(tmp_path / "b"), "--jsonl")
    (line,) = [json.loads(text) for text in out.splitlines()]
    assert code == 3
    assert (line["what"], line["kind"]) == ("changed", "channel_update")
    assert (line["a"]["start"], line["b"]["start"]) == (before, after)
    assert line["changed"]["timestamp"][0] < line["changed"]["timestamp"][1]
    assert "scid" not in line["changed"]


def test_a_damaged_record_is_only_on_the_other_side(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = healthy(16, 20_000, 3)
    hit = next(r for r in walk(base) if r.live and r.kind == 258)
    (tmp_path / "a").write_bytes(base)
    (tmp_path / "b").write_bytes(damage.flip_bit(base, hit.at + 80, 3).data)
    code, out = diff(capfd, str(tmp_path / "a"), str(tmp_path / "b"))
    assert code == 3
    assert "only in A channel_update" in out
    assert "1 damaged" in out
    assert f"at A {hit.at} " in out


def test_stores_of_two_formats_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_bytes(healthy(16, 20_000, 4))
    (tmp_path / "known_addresses.bin").write_bytes(bytes(961_284))
    assert diff(capfd, str(tmp_path / "a"), str(tmp_path / "known_addresses.bin"))[0] == 7


def test_an_empty_store_has_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_bytes(Store(16).bytes())
    (tmp_path / "b").write_bytes(healthy(16, 20_000, 5))
    code, out = diff(capfd, str(tmp_path / "a"), str(tmp_path / "b"), "--json")
    assert (code, json.loads(out)["only_a"]) == (3, {})
