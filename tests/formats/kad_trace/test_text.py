"""Logs whose bytes are damaged: what is still read, what a repair keeps."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.errors import Exit, RefusedError
from inspector.format import Query, Wishes
from inspector.formats.kad_trace import FORMAT
from inspector.formats.kad_trace.clock import line_time, parse_time, show_time
from inspector.formats.kad_trace.debug_form import parse_debug, value_end
from inspector.formats.kad_trace.events import recognise
from inspector.formats.kad_trace.lines import MAX_LINE, blocks
from inspector.formats.kad_trace.packed import Unpacked
from inspector.repair import Result, repair
from inspector.source import MemorySource, open_source
from tests.builders.kad_trace import FORMS, Log, full
from tests.formats.kad_trace.support import boots, codes, scan, stalled, verdicts


def mend(data: bytes, tmp_path: Path, **wishes: frozenset[str]) -> tuple[bytes, Result]:
    source, target = tmp_path / "node.log", tmp_path / "out.log"
    source.write_bytes(data)
    with open_source(str(source)) as opened:
        result = repair(opened, (FORMAT,), str(target), Wishes(**wishes), forced="kad-trace", force=True)  # type: ignore[arg-type]
    assert source.read_bytes() == data
    return target.read_bytes(), result


def test_a_healthy_log_is_copied_also_with_a_stall_in_it(tmp_path: Path) -> None:
    data = stalled().data
    fixed, result = mend(data, tmp_path)
    assert fixed == data
    assert (result.code, result.bytes["kept"]) == (Exit.CLEAN, len(data))


def test_zeroes_of_a_power_cut_cost_only_themselves(tmp_path: Path) -> None:
    log = stalled()
    cut = log.at["yamux"][0]
    data = log.data[:cut] + bytes(1024) + log.data[cut:]  # too few to hide the six steps that are left
    report = scan(data)
    assert codes(report) == ["KDT001", "KDT021"]
    zeroes = next(f for f in report.tally.findings() if f.rule.code == "KDT021")
    assert (zeroes.span.start, zeroes.span.end) == (cut, cut + 1024)
    assert zeroes.cause.name == "zeroed-range"
    told = report.tally.findings()[0].evidence
    assert told["io_error_offsets"] == [cut + 1024]
    assert report.account.units == len(log.lines)
    fixed, result = mend(data, tmp_path)
    assert fixed == log.data
    assert (result.code, result.bytes["lost"]) == (Exit.LOST, 1024)


def test_a_line_of_binary_is_left_out_and_the_others_stay_byte_for_byte(tmp_path: Path) -> None:
    log = stalled()
    at = log.at["app0.3"][1]
    junk = bytes(random.Random(3).randbytes(700).replace(b"\n", b"\xff")) + b"\n"
    data = log.data[:at] + junk + log.data[at:]
    report = scan(data)
    assert codes(report) == ["KDT001", "KDT020"]
    assert report.answer.summary["unreadable_lines"] == 1
    assert report.account.damaged == 1
    assert FORMAT.records is not None
    (entry,) = FORMAT.records(report.state, Query(damaged=True))
    assert (entry.span.start, entry.span.end, entry.state) == (at, at + len(junk), "unreadable")
    fixed, result = mend(data, tmp_path)
    assert fixed == log.data
    assert result.records["lost"] == 1


def test_a_line_with_wrong_utf8_and_a_time_is_read_and_kept(tmp_path: Path) -> None:
    log = stalled()
    data = log.data.replace(b"unexpected end", b"unexpect\xff\xfed end")
    report = scan(data)
    assert codes(report) == ["KDT001"]
    assert report.tally.findings()[0].evidence["io_errors_near"] == 1
    assert mend(data, tmp_path)[0] == data


def test_a_line_over_a_mebibyte_is_skipped_wherever_it_lies(tmp_path: Path) -> None:
    log = stalled()
    at = log.at["yamux"][0]
    for length in (MAX_LINE + 1, 5 << 20):
        long = b"x" * length + b"\n"
        data = log.data[:at] + long + log.data[at:]
        report = scan(data)
        assert codes(report) == ["KDT001", "KDT022"]
        span = next(f.span for f in report.tally.findings() if f.rule.code == "KDT022")
        assert (span.start, span.end) == (at, at + len(long))
        assert report.answer.summary["lines"] == len(log.lines) + 1
        assert mend(data, tmp_path)[0] == log.data
    assert codes(scan(log.data + b"y" * (MAX_LINE - 1) + b"\n")) == ["KDT001"]


def test_a_packed_log_gives_offsets_of_the_unpacked_text() -> None:
    log = stalled()
    report = scan(gzip.compress(log.data, mtime=0))
    (finding,) = report.tally.findings()
    assert finding.evidence["resume_offset"] == log.at["app0.7"][1]
    assert finding.evidence["offsets_of"] == report.answer.summary["offsets_of"] == "unpacked text"
    assert not finding.bytes_known
    assert FORMAT.records is not None
    assert FORMAT.show is not None
    told = [e.fields for e in FORMAT.records(report.state, Query(kinds=frozenset({"io-error"})))]
    assert (told[0]["text_start"], told[0]["text_end"]) == log.at["yamux"]
    shown = FORMAT.show(report.state, "", 5)
    assert shown is not None
    assert shown.title == "a gzip member"
    assert report.account.units == 1


def test_two_gzip_members_are_one_log() -> None:
    log = stalled()
    cut = log.at["event0.4"][0] + 50
    data = gzip.compress(log.data[:cut], mtime=0) + gzip.compress(log.data[cut:], mtime=0)
    report = scan(data)
    assert report.tally.findings()[0].evidence["resume_offset"] == log.at["app0.7"][1]
    assert report.account.units == 2


def test_a_cut_gzip_is_read_up_to_the_cut(tmp_path: Path) -> None:
    log = stalled()
    packed = gzip.compress(log.data, mtime=0)
    report = scan(packed[:-9])
    assert "KDT023" in codes(report)
    assert boots(report)[0]["last_step"] == 7
    with pytest.raises(RefusedError, match="no gzip member has a good checksum"):
        mend(packed[:-9], tmp_path)
    kept, result = mend(packed[:-9], tmp_path, accept=frozenset({"unsealed"}))
    assert log.data.startswith(kept)
    assert len(kept) > len(log.data) * 0.9
    assert result.proof["none"] == len(kept)


def test_a_damaged_second_member_leaves_the_first_proved(tmp_path: Path) -> None:
    log = stalled()
    cut = log.at["event0.4"][0]
    first = gzip.compress(log.data[:cut], mtime=0)
    second = bytearray(gzip.compress(log.data[cut:], mtime=0))
    second[-6] ^= 0x10  # its CRC
    report = scan(first + bytes(second) + b"")
    problem = next(f for f in report.tally.findings() if f.rule.code == "KDT023")
    assert (problem.span.start, problem.span.end) == (len(first), len(first) + len(second))
    kept, result = mend(first + bytes(second), tmp_path)
    assert kept == log.data[:cut]
    assert result.proof["sealed"] == cut


def test_bytes_behind_gzip_are_a_note() -> None:
    report = scan(gzip.compress(stalled().data, mtime=0) + bytes(512))
    assert codes(report) == ["KDT001", "KDT024"]
    assert report.account.roles[2] == 512


def test_a_gzip_bomb_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.packings.SPARE", 1 << 20)
    monkeypatch.setattr("inspector.packings.RATIO", 5)
    report = scan(gzip.compress(b"x" * 999 + b"\n" + bytes(20 << 20), mtime=0))
    assert "KDT023" in codes(report)
    assert report.answer.summary["text_size"] <= 6 << 20


def test_binary_data_is_not_taken_for_a_log() -> None:
    claim = FORMAT.claim(MemorySource(random.Random(1).randbytes(100_000)), None)
    assert claim.strength == 0
    report = scan(random.Random(1).randbytes(300_000))
    assert "KDT020" in codes(report)


def test_detection_prefers_a_log_with_bootstraps() -> None:
    plain = Log()
    plain.idle(1)
    assert FORMAT.claim(MemorySource(stalled().data), None).strength == 95
    assert FORMAT.claim(MemorySource(gzip.compress(stalled().data)), None).strength == 95
    assert 0 < FORMAT.claim(MemorySource(plain.data), None).strength < 30
    assert FORMAT.claim(MemorySource(b"no time here\n" * 50), None).strength == 0


@given(
    st.lists(st.sampled_from([b"", b"\n", b"a\n", b"\r\n", b"x" * 40, b"\0" * 9, b"\xff\n"]), max_size=30),
    st.integers(1, 50),
)
def test_blocks_keep_every_byte_and_every_line(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    found = list(blocks(data[i : i + size] for i in range(0, len(data), size)))
    assert b"".join(b.data for b in found) == data
    lines = [b.line(i) for b in found for i in range(len(b.starts))]
    expected = data.split(b"\n")
    assert lines == [line.removesuffix(b"\r") for line in (expected if expected[-1] else expected[:-1])]
    starts = [s for b in found for s in b.starts]
    assert starts == [0, *(i + 1 for i, c in enumerate(data) if c == 10 and i + 1 < len(data))][: len(starts)]
    assert [b.first for b in found] == [1 + sum(len(p.starts) for p in found[:i]) for i in range(len(found))]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_damage_to_a_log_keeps_the_promises(data: st.DataObject) -> None:
    log = stalled(data.draw(st.sampled_from(FORMS)))
    text = bytearray(log.data)
    for _ in range(data.draw(st.integers(1, 6))):
        text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    scan(bytes(text[data.draw(st.integers(0, 200)) : data.draw(st.integers(len(text) - 900, len(text)))]))


def test_every_truncation_of_a_small_log_is_read() -> None:
    log = Log(app=False).bootstrap(3)
    for cut in range(0, len(log.data), 7):
        report = scan(log.data[:cut])
        assert set(verdicts(report)) <= {"finished", "undetermined"}


def test_every_truncation_of_a_small_gzip_is_read() -> None:
    packed = gzip.compress(Log(app=False).bootstrap(3).data, mtime=0)
    for cut in range(4, len(packed), 5):
        assert "KDT023" in codes(scan(packed[:cut]))


@given(st.text(alphabet='OkErr({[]}) ,:"\\abc_19.', max_size=200))
def test_any_debug_text_is_read_or_refused(text: str) -> None:
    parse_debug(text)
    assert 0 <= value_end(text, 0) <= len(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_line(raw: bytes) -> None:
    for prefix in (b"", b'{"fields":{"message":"Kademlia bootstrapping..."', b"Bootstrap(Ok(BootstrapOk"):
        recognise(prefix + raw, 0, len(prefix) + len(raw), 1)


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"' + b"[" * 900_000 + b"ootstrap",
        b'{"a":' + b"[" * 900_000 + b"ootstrap",
        b"Bootstrap(Ok(BootstrapOk" + b"{a:" * 300_000,
        b"Bootstrap(Ok(BootstrapOk {" + b'"' * 900_000,
        b"Kademlia bootstrapping..." + b" k=" * 300_000,
        b"Kademlia bootstrapping..." + b' k="\\' * 200_000,
        b"2024-" * 180_000 + b"Bootstrap started.",
        b"\x1b[" + b"0" * 900_000 + b"Bootstrap started.",
        b"a::" * 300_000 + b"Bootstrap started.",
    ],
)
def test_a_hostile_line_is_read_once_and_not_again_and_again(hostile: bytes) -> None:
    event = recognise(hostile, 0, len(hostile), 1)  # a reader that is not linear would not come back
    assert event is None or event.kind in ("started", "app-step", "step")


def test_times_are_read_in_every_form() -> None:
    right = parse_time(b"2024-05-30T12:34:34.643710Z")
    assert show_time(right) == "2024-05-30T12:34:34.643710Z"
    for text in (
        b"May 30 12:34:46 host x[1]: 2024-05-30T12:34:34.643710Z DEBUG a",
        b"2024-05-30T12:00:00Z stderr F 2024-05-30T14:34:34.643710+02:00  INFO a",
        b"\x1b[2m2024-05-30T12:34:34.643710Z\x1b[0m \x1b[32m INFO\x1b[0m a",
        b"2024-05-30 12:34:34.643710 a",
    ):
        assert line_time(text) == right
    assert parse_time(b"2024-02-30T12:34:34Z") is None
    assert line_time(b"2024-05-30") is None


def test_a_stall_is_found_far_before_the_end_of_a_long_log() -> None:
    log = Log(full).bootstrap(13, 7)
    later = [full(log.now + i * 1_000_000, "INFO", "substrate", "Idle", {}) + b"\n" for i in range(60_000)]
    report = scan(log.data + b"".join(later))
    assert report.answer.summary["lines"] == len(log.lines) + 60_000
    assert verdicts(report) == ["stalled"]
    assert boots(report)[0]["gap_seconds"] == pytest.approx(59_999, abs=1)


def test_a_log_without_dates_tells_how_far_it_came_and_calls_nothing_a_stall() -> None:
    lines = stalled().data.splitlines(keepends=True)
    bare = b"".join(line.split(b" ", 1)[1] for line in lines)
    assert FORMAT.claim(MemorySource(bare, "node.txt"), None).strength > 0
    report = scan(bare)
    assert (verdicts(report), codes(report)) == (["undetermined"], [])
    words = " ".join(report.answer.words)
    behind = len(bare) - boots(report)[0]["resume_offset"]
    assert f"came to step 7 of 13 (bootstrap_step=6); the log goes on for {behind:,} bytes" in words
    assert "--timestamps" in words


def test_bytes_with_words_of_a_bootstrap_among_them_are_no_log() -> None:
    data = bytes(4096) + b"Bootstrap started.\n" + random.Random(1).randbytes(4096)
    assert FORMAT.claim(MemorySource(data, "core"), None).strength == 0


def test_unpacking_counts_every_byte() -> None:
    parts = [gzip.compress(b"abc\n" * n, mtime=0) for n in (1, 100, 50_000)]
    packed = b"".join(parts)
    for size in (1, 7, 1 << 20):
        unpacked = Unpacked(len(packed))
        text = b"".join(unpacked.text(packed[i : i + size] for i in range(0, len(packed), size)))
        assert text == b"abc\n" * 50_101
        assert [m.end for m in unpacked.members] == [len(parts[0]), len(parts[0] + parts[1]), len(packed)]
        assert unpacked.rest == len(packed)
