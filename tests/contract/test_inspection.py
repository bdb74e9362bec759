"""Promises of every inspection: each byte once, damage is data, nothing is written, the same answer twice."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import msgspec
import pytest

from inspector import formats
from inspector.errors import InspectorError, UnknownFormatError
from inspector.format import Format, Stretch
from inspector.inspect import Report, detect, inspect
from inspector.source import MemorySource, Source
from tests.contract.corpus import Case, bottom_of, case_id, cases, damaged_again, memory, wishes_of

FORMATS = formats.all_formats()
BOTTOMS = tuple(form for form in FORMATS if form.on is None)
CASES = cases()
each_case = pytest.mark.parametrize("case", CASES, ids=case_id)
each_bottom = pytest.mark.parametrize("form", BOTTOMS, ids=lambda f: f.name)

# rules that no small file can show, and why
UNSHOWN: dict[str, str] = {
    "KNP013": "needs a time to judge by (--at); shown in tests/formats/known_peers",
    "KNP014": "needs a time to judge by (--at); shown in tests/formats/known_peers",
    "RDB034": "needs a process that holds the lock; shown in tests/formats/rocksdb",
    "SPB070": "needs more than 4,000,000 sealed metadata pages",
    "GSP035": "needs --verify-signatures; shown in tests/formats/gossip_store/test_signatures.py",
    "GSP036": "as GSP035",
    "GSP032": "needs a file larger than 4 GiB; shown on a sparse file in tests/test_bad_input.py",
}


def account_is_whole(report: Report, source: Source, words: str) -> None:
    bugs = [f for f in report.tally.findings() if f.rule.code == "INS001"]
    assert not bugs, f"{words}: {bugs[0].message}\n{bugs[0].evidence.get('traceback')}"
    assert sum(report.account.roles) == source.size, words
    for finding in report.tally.findings():
        if finding.bytes_known:
            assert finding.span.end <= source.length(finding.span.member), (words, finding)


def told(report: Report) -> bytes:
    """Everything an inspection says, as bytes."""
    findings = [
        (f.rule.code, f.level.value, f.span.member, f.span.start, f.span.end, f.message, dict(f.evidence), f.salvage)
        for f in report.tally.findings()
    ]
    counts = sorted((code, level.value, n) for (code, level), n in report.tally.counts.items())
    answer = report.answer
    plain: list[Any] = [
        findings,
        counts,
        list(report.account.roles),
        sorted(report.account.kinds.items()),
        answer.version,
        answer.words,
        dict(answer.summary),
        [(o.program, o.release, o.outcome, o.message) for o in answer.loaders],
        answer.next,
    ]
    return msgspec.json.encode(plain)


@each_case
def test_a_sample_is_claimed_by_exactly_one_bottom_format(case: Case) -> None:
    with case.open() as source:
        claims = {form.name: form.claim(source, None).strength for form in BOTTOMS}
        assert [name for name, strength in claims.items() if strength > 0] == [bottom_of(case.format).name], claims


def _alike(_: object, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
    """Each tile has a start, a role, a kind and a mark, and the starts grow."""
    for one in stretches:
        assert len(one.starts) == len(one.roles) == len(one.kinds) == len(one.marks)
        assert all(before < after for before, after in pairwise([*one.starts, one.end]))
        yield one


@each_case
def test_every_byte_of_a_sample_is_accounted_for_once(case: Case) -> None:
    with case.open() as source:
        report = inspect(source, FORMATS, tap=_alike)
        account_is_whole(report, source, case_id(case))
        assert case.format in report.layers
        assert report.answer.words


@each_case
def test_an_inspection_says_the_same_twice(case: Case) -> None:
    with case.open() as one, case.open() as two:
        assert told(inspect(one, FORMATS)) == told(inspect(two, FORMATS))


@each_case
def test_the_summary_keeps_the_schema_that_the_format_prints(case: Case) -> None:
    with case.open() as source:
        report = inspect(source, FORMATS)
    if report.format.schema:
        plain = msgspec.json.decode(msgspec.json.encode(dict(report.answer.summary)))
        jsonschema.validate(plain, dict(report.format.schema))


@each_case
def test_damage_to_a_sample_is_told_and_never_raised(case: Case) -> None:
    for words, members in damaged_again(case, 24, seed=1):
        source = memory(members)
        account_is_whole(inspect(source, FORMATS, forced=case.format.name), source, words)


def smallest(form: Format) -> Case | None:
    files = [case for case in CASES if bottom_of(case.format) is form and case.path.is_file()]
    return min((c for c in files if c.path.stat().st_size > 64), key=lambda c: c.path.stat().st_size, default=None)


@each_bottom
def test_any_byte_may_be_wrong_and_the_file_may_end_anywhere(form: Format) -> None:
    """Some of them; `make proof` (tests/proof.py) tries every byte and every length of small samples."""
    case = smallest(form)
    if case is None:
        return  # its samples are folders, damaged in the test above
    data = case.path.read_bytes()
    for number, at in enumerate(range(0, len(data), max(1, len(data) // 40))):
        change = (0x01, 0x80, 0xFF)[number % 3]
        for words, hurt in (
            (f"byte {at} ^ {change:#x}", data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]),
            (f"cut to {at} bytes", data[:at]),
        ):
            source = MemorySource(hurt)
            account_is_whole(inspect(source, FORMATS, forced=form.name), source, words)


@each_bottom
def test_random_bytes_are_tiled_by_every_format_that_is_forced_on_them(form: Format) -> None:
    rng = Random(form.name)
    for size in (0, 1, 2, 11, 12, 13, 14, 100, 4096, 70_000):
        for data in (rng.randbytes(size), bytes(size), b"\xff" * size, bytes([16]) + bytes(size)):
            source = MemorySource(data)
            try:
                report = inspect(source, FORMATS, forced=form.name)
            except InspectorError:
                continue  # a request that cannot be done, one clear line; nothing to tile
            account_is_whole(report, source, f"{size} bytes beginning with {data[:4].hex()}")


NOT_STORES = {
    "random": Random(5).randbytes(100_000),
    "json": b'{"schema": "inspector/scan/1", "results": [1, 2, 3]}\n' * 200,
    "sqlite": b"SQLite format 3\0\x10\0\1\1\0\x40\x20\x20" + bytes(8176),
    "text": b"lightningd: Server started with public key 02aa, alias X (color #03aced)\n" * 300,
    "gzip": b"\x1f\x8b\x08\0" + Random(6).randbytes(9000),
    "zeroes": bytes(50_000),
    "elf": b"\x7fELF\x02\x01\x01" + bytes(9) + Random(7).randbytes(5000),
}


@pytest.mark.parametrize("name", NOT_STORES)
def test_what_is_no_store_is_claimed_by_nobody(name: str) -> None:
    with pytest.raises(UnknownFormatError) as refusal:
        detect(MemorySource(NOT_STORES[name]), FORMATS)
    if refusal.value.tried:  # else it is told what it is
        assert {tried for tried, _ in refusal.value.tried} == {form.name for form in BOTTOMS}
    else:
        assert ": no known format: " in refusal.value.message
    assert all(because for _, because in refusal.value.tried)


@pytest.mark.parametrize("form", FORMATS, ids=lambda f: f.name)
def test_every_rule_is_shown_by_a_sample(form: Format) -> None:
    shown: set[str] = set()
    for case in CASES:
        if case.format is form:
            with case.open() as source:
                shown |= {code for code, _ in inspect(source, FORMATS, wishes_of(case)).tally.counts}
    declared = {rule.code for rule in form.rules}
    assert declared - shown - set(UNSHOWN) == set()
    assert shown & set(UNSHOWN) == set(), "shown after all: take it out of UNSHOWN"


class _Watch:
    """Notes every file that this process opens for writing; an audit hook cannot be taken out again."""

    def __init__(self) -> None:
        self.on, self.written = False, list[str]()
        sys.addaudithook(self.note)

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on or event != "open":
            return
        path, mode, flags = args
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
            self.written.append(str(path))


WATCH = _Watch()


def _print(path: Path) -> dict[str, tuple[str, int, int]]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns, p.stat().st_size) for p in files}


@each_case
def test_an_inspection_opens_nothing_for_writing_and_changes_nothing(case: Case) -> None:
    before = _print(case.path)
    WATCH.written.clear()
    WATCH.on = True
    try:
        with case.open() as source:
            inspect(source, FORMATS)
    finally:
        WATCH.on = False
    assert WATCH.written == []
    assert _print(case.path) == before


def test_the_watch_itself_sees_a_file_that_is_opened_for_writing(tmp_path: Path) -> None:
    WATCH.written.clear()
    WATCH.on = True
    try:
        (tmp_path / "x").write_bytes(b"x")
    finally:
        WATCH.on = False
    assert WATCH.written == [str(tmp_path / "x")]
