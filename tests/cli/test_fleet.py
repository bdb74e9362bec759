"""Scans from cron: baselines, limits, labels, metrics, and a state that never makes damage look clean."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest

from inspector import formats, pace, source
from inspector.__main__ import main
from inspector.render.metrics import exposition
from inspector.render.schemas import schema
from tests.builders import gossip_messages as m
from tests.builders.gossip import DELETED, healthy
from tests.builders.live_store import LiveStore
from tests.cli.conftest import GOOD, Ran, Run


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "pace", None)
    monkeypatch.setattr(pace, "lower_io_priority", lambda: True)  # it would stay for all later tests


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_only_what_the_baseline_does_not_have_fails(run: Run, bad: str, tmp_path: Path) -> None:
    assert run("scan", bad, "--write-baseline", "known.json").code == 3
    ran = run("scan", bad, "--baseline", "known.json", "--json")
    assert (ran.code, ran.document["verdict"], ran.document["exit_code"]) == (0, "damaged", 0)
    assert ran.document["baseline"] == {"known": 1, "new": 0, "gone": 0}
    assert [f["new"] for f in ran.document["findings"]] == [False]
    data = (tmp_path / bad).read_bytes()
    (tmp_path / bad).write_bytes(flipped(data, len(data) - 1))
    ran = run("scan", bad, "--baseline", "known.json", "--json")
    assert (ran.code, ran.document["baseline"]) == (3, {"known": 1, "new": 1, "gone": 0})
    assert sorted(f["new"] for f in ran.document["findings"]) == [False, True]


def test_other_damage_in_the_same_place_is_new(run: Run, bad: str, tmp_path: Path) -> None:
    run("scan", bad, "--write-baseline", "known.json")
    data = (tmp_path / bad).read_bytes()
    (tmp_path / bad).write_bytes(flipped(data, GOOD.index(b"hello") + 3))
    assert run("scan", bad, "--baseline", "known.json").code == 3


def test_damage_that_is_gone_is_told(run: Run, bad: str, tmp_path: Path) -> None:
    run("scan", bad, "--write-baseline", "known.json")
    (tmp_path / bad).write_bytes(GOOD)
    ran = run("scan", bad, "--baseline", "known.json")
    assert (ran.code, "nothing new, 0 known, 1 gone" in ran.out) == (0, True)


def test_a_fingerprint_is_the_same_under_every_name(run: Run, bad: str, tmp_path: Path) -> None:
    (tmp_path / "other.tiny").write_bytes((tmp_path / bad).read_bytes())
    one, two = run("scan", bad, "other.tiny", "--json").document["results"]
    assert one["findings"][0]["fingerprint"] == two["findings"][0]["fingerprint"]


def test_a_store_that_was_moved_keeps_what_was_known_of_it(run: Run, bad: str, good: str, tmp_path: Path) -> None:
    first, other = tmp_path / "a" / "one.tiny", tmp_path / "two.tiny"
    first.parent.mkdir()
    first.write_bytes((tmp_path / bad).read_bytes())
    known = str(tmp_path / "known.json")
    run("scan", str(first), good, "--write-baseline", known)
    assert run("scan", f"{first.parent}/../a/one.tiny", "--baseline", known).code == 0  # another spelling
    other.write_bytes(first.read_bytes())
    assert run("scan", str(other), "--baseline", known).code == 3  # a copy: the store itself is still there
    first.unlink()
    assert run("scan", str(other), "--baseline", known).code == 0
    other.write_bytes(GOOD.replace(b"hello", b"hullo"))
    assert run("scan", str(other), "--baseline", known).code == 3  # new damage is new wherever it is


@pytest.mark.parametrize(
    "options",
    [
        ("--baseline", "absent.json"),
        ("--baseline", "good.tiny"),
        ("--state", "good.tiny"),
        ("--label", "no-value"),
        ("--label", "path=x"),
        ("--label", "1x=x"),
        ("--max-rate", "fast"),
        ("--max-rate", "0"),
        ("--timeout", "soon"),
        ("--timeout", "0"),
        ("--write-baseline", "b.json", "--fail-on", "note"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused(run: Run, good: str, options: tuple[str, ...]) -> None:
    ran = run("scan", good, *options)
    assert ran.code in (2, 6)
    assert ran.out == ""
    assert ran.err.startswith("inspector: ")


def test_labels_go_into_every_document(run: Run, good: str) -> None:
    ran = run("scan", good, "missing", "--label", "host=a", "--label", "site=b=c", "--json")
    assert [r["labels"] for r in ran.document["results"]] == [{"host": "a", "site": "b=c"}] * 2


def test_metrics_are_a_prometheus_text_file(run: Run, good: str, bad: str, tmp_path: Path) -> None:
    assert run("scan", good, bad, "missing", "--metrics", "m.prom", "--label", "host=a").code == 6
    text = (tmp_path / "m.prom").read_text()
    assert 'inspector_exit_code{host="a",path="bad.tiny"} 3\n' in text
    assert 'inspector_exit_code{host="a",path="missing"} 6\n' in text
    assert 'inspector_findings{host="a",path="bad.tiny",format="tiny",code="TNY001",severity="error"} 1\n' in text
    assert (tmp_path / "m.prom").stat().st_mode & 0o777 == 0o644
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_what_a_file_name_holds_stays_inside_its_quotes() -> None:
    from inspector.render.metrics import Sample

    text = exposition([Sample("inspector_exit_code", 0, {"path": 'a"} 1\nx{b="\\\x1b'})], {})
    assert text.splitlines()[2] == 'inspector_exit_code{path="a\\"} 1\\nx{b=\\"\\\\\\\\u001b"} 0'


def test_a_rate_is_kept_and_short_reads_lose_nothing() -> None:
    now = [0.0]
    slow = pace.Pace(1000, now=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
    fd = os.open(__file__, os.O_RDONLY)
    try:
        read = b"".join(slow.pread(fd, 500, at) for at in range(0, 3000, 500))
    finally:
        os.close(fd)
    assert read == Path(__file__).read_bytes()[:3000]
    assert now[0] >= (3000 - 1000) / 1000


def test_the_page_cache_is_left_as_it_was_found(tmp_path: Path) -> None:
    path, data, half = tmp_path / "file", os.urandom(1 << 20), 1 << 19
    path.write_bytes(data)
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        pace.forget(fd, 0, 1 << 20)
        os.pread(fd, 4096, half)
        before = resident(fd, 1 << 20)
        if sum(before) != 1:
            pytest.skip("this file system does not let pages go")
        polite = pace.Pace(polite=True)
        for at, n in ((0, 4096), (100, 9_000), (half - 50, 100), (half, 4096), (1_000_000, 1 << 20), (70_000, 700_000)):
            assert polite.pread(fd, n, at) == data[at : at + n]
        assert resident(fd, 1 << 20) == before
    finally:
        os.close(fd)


def resident(fd: int, size: int) -> list[int]:
    """Which pages are in the page cache, by mincore(2)."""
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    told = (ctypes.c_ubyte * (size // 4096))()
    address = libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
    libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), told)
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
    return [page & 1 for page in told]


def test_a_time_limit_ends_with_a_partial_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gossip_store"
    store = LiveStore(path, 1)
    while len(store.store.data) < 300_000:
        store.grow(50)
    began = time.monotonic()
    code = main(["scan", str(path), "--timeout", "0.3", "--max-rate", "100k", "--json"])
    assert time.monotonic() - began < 5
    told = json.loads(capfd.readouterr().out)
    assert (code, told["exit_code"]) == (9, 9)
    assert "time limit" in told.get("partial", "") or "time limit" in told["error"]["message"]


# -- a state never makes damage look clean -----------------------------------------------------


class Cron:
    """A store that changes between scans with --state."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.capfd = folder / "gossip_store", capfd
        self.store = LiveStore(self.path, 7)
        self.now = time.time() + 100  # long after the last write
        monkeypatch.setattr(time, "time", lambda: self.now)
        self.validator = jsonschema.Draft202012Validator(schema("scan", formats.all_formats()))

    def scan(self, *more: str, state: bool = True) -> Ran:
        self.capfd.readouterr()
        self.now += 3600
        extra = ("--state", str(self.path.with_name("state.json"))) if state else ()
        code = main(["scan", str(self.path), "--json", *extra, *more])
        told = self.capfd.readouterr()
        ran = Ran(code, told.out, told.err)
        self.validator.validate(ran.document)
        return ran

    def read(self) -> str:
        return str(self.scan().document["state"]["read"])


@pytest.fixture
def cron(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cron:
    made = Cron(tmp_path, capfd, monkeypatch)
    made.store.grow(60)
    return made


def test_nothing_and_then_only_new_bytes_are_read(cron: Cron) -> None:
    assert [cron.read(), cron.read()] == ["whole", "nothing"]
    cron.store.grow(20)
    ran = cron.scan()
    assert (ran.code, ran.document["state"]["read"]) == (0, "new bytes")
    whole = cron.scan(state=False).document
    assert ran.document["records"] == whole["records"]
    assert ran.document["bytes"] == whole["bytes"]
    assert ran.document["source"] == whole["source"]
    assert cron.read() == "nothing"


def test_after_a_day_everything_is_read_again(cron: Cron) -> None:
    cron.read()
    cron.now += 86_400
    assert cron.read() == "whole"


def test_other_options_and_another_file_are_read_whole(cron: Cron) -> None:
    cron.read()
    assert cron.scan("--for", "v26.04").document["state"]["read"] == "whole"
    cron.read()
    data = cron.path.read_bytes()
    cron.path.unlink()
    cron.path.write_bytes(data)
    assert cron.read() == "whole"


def test_bytes_changed_with_the_times_put_back_are_read_whole(cron: Cron) -> None:
    cron.read()
    info = cron.path.stat()
    cron.store.flip()
    os.utime(cron.path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert cron.scan().code == 3


def _tail(body: bytes) -> Callable[[Cron], Any]:
    return lambda cron: cron.store.store.append(body)


def _twice(cron: Cron) -> None:
    net = cron.store.net
    net.open(net.nodes[0], net.nodes[1], scid=net.channels[0].scid)


def _half_flagged(cron: Cron) -> None:
    net = cron.store.net
    channel = net.channels[0]
    cron.store.store.append(m.delete_chan(channel.scid))
    cron.store.store.flag(channel.amount, DELETED)


def _no_amount(cron: Cron) -> None:
    net = cron.store.net
    body = m.channel_announcement(net.noise, m.scid(900_000, 1, 1), net.nodes[0].id, net.nodes[1].id)
    cron.store.store.append(body)
    cron.store.grow(3)


DOUBTS: dict[str, Callable[[Cron], Any]] = {
    "torn": lambda c: c.store.tear(),
    "hole": lambda c: c.store.hole(),
    "unknown type": _tail(b"\x7f\xff" + bytes(20)),
    "short": _tail(b"\x10\x0a" + bytes(4)),
    "ended": _tail(m.ended(5, bytes(32))),
    "announced twice": _twice,
    "half flagged": _half_flagged,
    "no amount": _no_amount,
    "zero tail": lambda c: os.pwrite(c.store.store.fd, bytes(64), len(c.store.store.data)),
    "second store": lambda c: os.pwrite(c.store.store.fd, bytes(c.store.store.data), len(c.store.store.data)),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_scan_with_a_state_ends_as_one_without(doubt: str, cron: Cron) -> None:
    cron.read()
    DOUBTS[doubt](cron)
    whole = cron.scan(state=False)
    ran = cron.scan()
    assert ran.code == whole.code == 3, doubt
    assert ran.document["state"]["read"] == "whole"
    assert cron.scan().code == 3  # damage is never remembered as clean


def test_random_damage_behind_what_was_read_is_always_found(cron: Cron) -> None:
    cron.read()
    rng = Random(5)
    for _ in range(10):
        at = len(cron.store.store.data)
        cron.store.grow(rng.randrange(1, 6))
        where = rng.randrange(at, len(cron.store.store.data))
        before = bytes(cron.store.store.data[where : where + 1])
        os.pwrite(cron.store.store.fd, bytes([before[0] ^ 1 << rng.randrange(8)]), where)
        whole, ran = cron.scan(state=False), cron.scan()
        assert ran.code == whole.code
        assert ran.document["verdict"] == whole.document["verdict"]
        os.pwrite(cron.store.store.fd, before, where)
        assert cron.scan().code == 0


def test_three_days_of_hourly_scans_of_a_living_store_alarm_nobody(cron: Cron) -> None:
    """benchmarks/month_of_scans.py does the whole month."""
    rng = Random(11)
    read = []
    for _ in range(72):
        if rng.random() < 0.85:
            cron.store.grow(rng.randrange(1, 8))
        if rng.random() < 0.05:
            cron.store.rotate()
        ran = cron.scan()
        assert ran.code == 0
        read.append(ran.document["state"]["read"])
    assert read.count("new bytes") > 30
    assert read.count("nothing") > 3
    assert read.count("whole") >= 3


def test_a_polite_scan_leaves_nothing_in_the_page_cache(tmp_path: Path) -> None:
    """One read that is not polite is enough: the kernel reads ahead, and that looks as if it had been there."""
    path = tmp_path / "gossip_store"
    path.write_bytes(healthy(16, 1_000_000, 1))
    fd, size = os.open(path, os.O_RDWR), path.stat().st_size // 4096 * 4096
    try:
        os.fsync(fd)
        pace.forget(fd, 0, size + 4096)
        if any(resident(fd, size)):
            pytest.skip("this file system does not let pages go")
        command = [sys.executable, "-m", "inspector", "scan", str(path), "--polite", "--quiet"]
        assert subprocess.run(command, check=False).returncode == 0
        if pace.Pace(polite=True)._cached is None:
            pytest.skip("this kernel has no cachestat")
        assert not any(resident(fd, size))
    finally:
        os.close(fd)
