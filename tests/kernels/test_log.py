"""The compiled reader of log lines, its plain twin, and the reader of single lines say the same."""

from __future__ import annotations

from array import array
from importlib import import_module
from importlib.util import find_spec
from random import Random
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inspector.formats.kad_trace import state as scan
from inspector.formats.kad_trace.bootstrap import Thresholds
from inspector.formats.kad_trace.events import LINES, recognise
from inspector.formats.kad_trace.lines import Block
from inspector.formats.kad_trace.tracker import Tracker
from inspector.kernels import plain_lines, plain_log, plain_stamp
from tests.builders import kad_trace as logs

WORDS, COUNTED = scan.SCANNED.hits, scan.SCANNED.counted
COMPILED: ModuleType | None = import_module("inspector.kernels._log") if find_spec("inspector.kernels._log") else None
TWINS: tuple[ModuleType, ...] = (plain_log, COMPILED) if COMPILED else (plain_log,)
needs_compiled = pytest.mark.skipif(COMPILED is None, reason="the extension was not built")

STAMPS = (
    b"2024-05-30T12:34:34.643710Z", b"2024-05-30 12:34:34", b"2024-05-30T12:34:35.1234567891Z", b"2024-02-30T00:00:00Z",
    b"2024-05-30T12:34:30+02:00", b"2024-05-30T12:34:30.5-0130", b"0000-01-01T00:00:00Z", b"9999-12-31T23:59:60Z",
    b"2024-05-30T12:30:00Z", b"2024-05-30T25:00:00Z", b"12024-05-30T12:34:36Z", b"2024-05-30T12:34:3",
)  # fmt: skip
PIECES = (
    *STAMPS, b" INFO", b" DEBUG ", b" WARN:", b" ERRORS ", b"\x1b[2m", b"[0m", b"\x1b[", b" ", b"  ", b"\t", b": ",
    b"subspace_networking::node_runner: ", b"[Consensus] ", b"Connection closed", b" with error", b" cause=Some(IO(",
    b"socket error", b"i/o error", b"Bootstrap started.", b"ootstrap", b"Kademlia bootstrapping... bootstrap_step=0",
    b"DSN instance configured.", b'{"', b'{"log":"', b'"}', b"\\u001b[2m", b"\\u0042", b"\\/", b"\0", b"\xff",
    b"\xc3\xa9", b"\r", b"x" * 300, b"\n", b"\n", b"\n", b"yamux: ", b" error", b"IO(",
)  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))
@example(b"x" * 493 + b"2024-05-30T12:34:34.643710Z INFO")
@example(b"2024-05-30T12:34:34Z2024-05-30T12:34:35Z INFO")
@needs_compiled
def test_the_time_of_a_line_is_the_same_compiled(line: bytes) -> None:
    assert COMPILED is not None
    assert COMPILED.line_time(line) == plain_stamp.line_time(line)


@needs_compiled
def test_the_time_of_a_line_is_the_same_after_any_flipped_byte() -> None:
    assert COMPILED is not None
    line = b"May 30 11:54:34 host x[1]: 2024-05-30T12:34:34.643710+01:30 \x1b[32m INFO\x1b[0m message"
    for at in range(len(line)):
        for value in range(256):
            damaged = line[:at] + bytes([value]) + line[at + 1 :]
            assert COMPILED.line_time(damaged) == plain_stamp.line_time(damaged), damaged


@given(TEXT, st.integers(0, 1 << 40), st.integers(0, 70))
def test_a_survey_says_what_a_search_for_each_word_does(data: bytes, at: int, more: int) -> None:
    starts = plain_lines.line_starts(data, at)
    hits = plain_lines.lines_with(data, starts, at, WORDS)
    never = plain_lines.lines_never_text(data, starts, at)
    for twin in TWINS:
        found, flags, counted = twin.survey(data + b"IO(\nConnection closed"[:more], len(data), at, WORDS, COUNTED)
        assert found == starts
        assert {i for i, flag in enumerate(flags) if flag & plain_stamp.HIT} == hits
        assert {i for i, flag in enumerate(flags) if flag & plain_stamp.NEVER} == never
        assert counted == data.count(COUNTED)


def test_a_survey_says_the_same_of_random_bytes_and_at_every_alignment() -> None:
    rng = Random(3)
    alphabet = b"ootstrapDSN instance configuredConnection closed errorIO(\n\0\xc0\xf5\xff"
    for size in (*range(80), 4096, 20_000):
        data = bytes(rng.choice(alphabet) for _ in range(size)) + b"IO( error"[: rng.randrange(10)]
        told = [twin.survey(data, len(data), 9, WORDS, COUNTED) for twin in TWINS]
        assert all(one == told[0] for one in told)
        word = b"a" * (size % 40) + b"Connection closed, ootstrap" + b"a" * 30
        told = [twin.survey(word, len(word), 0, WORDS, COUNTED) for twin in TWINS]
        assert all(one == told[0] and one[2] == 1 and one[1][0] == plain_stamp.HIT for one in told)


def test_a_survey_of_nothing_has_no_lines() -> None:
    for twin in TWINS:
        assert twin.survey(b"", 0, 7, WORDS, COUNTED) == (array("Q"), array("B"), 0)


def _followed(data: bytes, twin: ModuleType | None) -> Tracker:
    """The events of a block; with None each looked-at line is read, and nothing is passed over."""
    tracker = Tracker(Thresholds())
    starts, flags, counted = plain_log.survey(data, len(data), 5, WORDS, COUNTED)
    block = Block(5, data, len(data), starts, 1, False, flags, counted)
    if twin is None:
        count, looked = len(starts), set(range(0, len(starts), plain_stamp.SAMPLE))
        for index in range(count - 1, max(-1, count - 1 - plain_stamp.SAMPLE), -1):
            looked.add(index)
            if scan._time(tracker, block, index) is not None:
                break
        before = -1
        for index in sorted(looked | {i for i, flag in enumerate(flags) if flag & plain_stamp.HIT}):
            event = scan.event_at(block, index) if flags[index] & plain_stamp.HIT else None
            scan._line(tracker, block, index, before, event)
            before = index
        return tracker
    words = twin.LineWords(**{name: getattr(WORDS_OF, name) for name in WORDS_OF.__struct_fields__})
    glide = twin.Glide(data, len(data), 5, starts, flags, words)
    while (index := glide.on(tracker.latest, tracker.subspace, tracker.io_at, tracker.io_time, 1 << 20)) >= 0:
        tracker.glided(glide)
        event = scan.event_at(block, index) if flags[index] & plain_stamp.HIT else None
        scan._line(tracker, block, index, glide.before, event)
        glide.took(index)
    tracker.glided(glide)
    return tracker


WORDS_OF = plain_log.LineWords(
    needles=(b"ootstrap", b"DSN instance configured", b"Connection closed", b"i/o error", b"socket error"),
    told=(
        b"Bootstrap OutboundQueryProgressed step.", b"Kademlia bootstrapping...", b"Bootstrap started.",
        b"Bootstrap finished.", b"Bootstrap query step succeeded", b"Bootstrap query failed.", b"Bootstrap error.",
        b"Bootstrapping timed out, moving on regardless", b"DSN instance configured.", b"OutboundQueryProgressed {",
        b"Bootstrap(Ok(BootstrapOk", b"Bootstrap(Err(Timeout",
    ),
    closed=(b"Connection closed",),
    causes=(b"IO(", b"Io(", b"with error"),
    broken=(b"socket error", b"i/o error"),
)  # fmt: skip


def test_the_words_are_those_of_the_reader() -> None:
    assert type(LINES) is not plain_log.LineWords or LINES == WORDS_OF


def _all_alike(data: bytes) -> None:
    right = _followed(data, None)
    for twin in TWINS:
        assert _followed(data, twin) == right


@settings(max_examples=400)
@given(TEXT)
def test_lines_passed_over_tell_what_they_tell_when_they_are_read(data: bytes) -> None:
    _all_alike(data)


CARRIERS = (*logs.FORMS, lambda *a: b"plain " + logs.full(*a))


@pytest.mark.parametrize("seed", range(12))
def test_logs_healthy_and_damaged_tell_the_same_passed_over(seed: int) -> None:
    rng = Random(seed)
    log = logs.Log(CARRIERS[seed % len(CARRIERS)], end_of_line=rng.choice((b"\n", b"\r\n")))
    for query in range(3):
        log.process_start()
        log.bootstrap(6, None, query)
        for _ in range(120):
            log.yamux(rng.random() * 3 - 0.2)
            peer, cause = logs.random_peer(str(rng.randrange(5))), rng.choice(("Some(IO(Broken))", "Some(KeepAlive)"))
            log.say("Connection closed with peer", peer_id=peer, cause=cause)
            log.idle(rng.choice((0.1, 9.0, -1.0, -5.0)))
    _all_alike(log.data)
    damaged = bytearray(log.data)
    for _ in range(200):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    _all_alike(bytes(damaged))
    at = rng.randrange(len(damaged))
    _all_alike(bytes(damaged[:at]) + bytes(5000) + rng.randbytes(3000) + bytes(damaged[at + 4000 :]))


@pytest.mark.parametrize("twin", TWINS, ids=lambda m: m.__name__.rsplit(".", 1)[-1])
def test_what_a_line_passed_over_says_is_what_its_reader_says(twin: ModuleType) -> None:
    line = b"2024-05-30T12:34:35Z ERROR yamux::connection: a3: socket error: decode error: i/o error: end of file"
    data = b"2024-05-30T12:34:34Z  INFO first\n" + line + b"\n"
    event = recognise(line, 0, 0, 1)
    assert event is not None
    starts, flags, _ = twin.survey(data, len(data), 0, WORDS, COUNTED)
    words = twin.LineWords(**{name: getattr(WORDS_OF, name) for name in WORDS_OF.__struct_fields__})
    glide = twin.Glide(data, len(data), 0, starts, flags, words)
    at, times = array("Q"), array("q")
    assert glide.on(None, False, at, times, 9) == 0, "the first line with a time begins a segment"
    glide.took(0)
    assert glide.on(event.time, False, at, times, 9) == -1
    assert (list(at), list(times), glide.broken, glide.ticked) == ([starts[1]], [event.time], 1, starts[1])


def test_connections_in_json_tell_the_same_passed_over_after_any_damage() -> None:
    rng = Random(8)
    first = b"2024-05-30T12:34:30Z  INFO first\n"
    lines = []
    for form in (logs.docker, logs.as_json, logs.flat_json, logs.journald):
        log = logs.Log(form)
        log.say("Connection closed with peer", peer_id="12D3", cause='Some(IO(Custom { error: "TimedOut" }))')
        log.yamux(0.1)
        log.say("Connection closed", cause="with error", num="3")
        lines.append(log.data)
    lines.append(lines[0].replace(b'{"log":"', b'{"log":"\\u001b[2m'))
    lines.append(
        b'{"MESSAGE":"2024-05-30T12:34:36Z ERROR yamux: socket error","__REALTIME_TIMESTAMP":"1717070076000000"}\n'
    )
    for data in lines:
        _all_alike(first + data)
        for _ in range(150):
            at = rng.randrange(len(data))
            put = rng.choice(
                (b"", b'"', b"\\", b"{", b"}", b"\\u0042", b"1e5", b",", bytes([data[at] ^ 1 << rng.randrange(8)]))
            )
            _all_alike(first + data[:at] + put + data[at + rng.randrange(2) :])


@needs_compiled
def test_connections_in_the_usual_json_are_passed_over() -> None:
    assert COMPILED is not None
    for form in (logs.docker, logs.as_json, logs.flat_json):
        log = logs.Log(form)
        log.idle(0.1)
        log.say("Connection closed with peer", peer_id="12D3", cause='Some(IO(Custom { error: "TimedOut" }))')
        log.yamux(0.1)
        starts, flags, _ = COMPILED.survey(log.data, log.size, 0, WORDS, COUNTED)
        words = COMPILED.LineWords(**{name: getattr(WORDS_OF, name) for name in WORDS_OF.__struct_fields__})
        glide = COMPILED.Glide(log.data, log.size, 0, starts, flags, words)
        assert glide.on(0, False, array("Q"), array("q"), 9) == -1
        assert glide.broken == 2
