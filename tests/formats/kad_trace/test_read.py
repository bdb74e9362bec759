"""How much of a log is read: what claims it, where unpacked text ends, and which lines are looked at closely."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest

from inspector import packings
from inspector.format import Query
from inspector.formats.kad_trace import FORMAT, packed
from inspector.formats.kad_trace.debug_form import parse_debug, value_end
from inspector.formats.kad_trace.events import Event, Stats, recognise
from inspector.formats.kad_trace.forms import fields_of
from inspector.formats.kad_trace.lines import MAX_LINE, Block, Words, blocks, surveyed_text
from inspector.formats.kad_trace.packed import Member, Unpacked, until_damage
from inspector.formats.kad_trace.state import LOOK, claim
from inspector.formats.kad_trace.views import records, show
from inspector.source import MemorySource
from tests.builders.kad_trace import START, Log, full
from tests.formats.kad_trace.support import codes, scan, stalled

TIMED = full(START, "INFO", "substrate", "Idle", {}) + b"\n"
SAYS = full(START, "INFO", "node", "Bootstrap started.", {}) + b"\n"


@pytest.mark.parametrize(
    ("data", "strength"),
    [
        (b"", 0),
        (b"\n\n\0\n", 0),
        (TIMED, 15),
        (TIMED + b"x\n" * 7, 15),
        (TIMED + b"x\n" * 8, 0),
        (TIMED + b"\0\0\n" * 8, 15),  # rows of zeroes are none
        (b"x\n" * 175 + TIMED * 25, 15),
        (b"x\n" * 176 + TIMED * 90, 0),  # of the first 200 rows
        (SAYS, 95),
        (SAYS + bytes(9), 65),
        (TIMED * (LOOK // len(TIMED) + 1) + SAYS, 60),
        (gzip.compress(SAYS, mtime=0), 95),
        (gzip.compress(SAYS, mtime=0)[:-1], 95),
        (gzip.compress(TIMED, mtime=0), 15),
        (b"\x1f\x8b\x08" + bytes(40), 0),
        (b"\x1f\x8b\x09" + SAYS, 95),
    ],
)
def test_a_log_is_known_by_the_times_of_its_lines_and_by_what_they_say(data: bytes, strength: int) -> None:
    assert claim(MemorySource(data, "node.log"), None).strength == strength


def test_a_packed_log_that_fails_late_is_known_by_what_comes_out_before() -> None:
    data = bytearray(gzip.compress(SAYS + b"".join(TIMED[:-1] + b"%d\n" % (n * n) for n in range(30_000)), mtime=0))
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    assert claim(MemorySource(bytes(data), "node.log"), None).strength == 95


@pytest.mark.parametrize("where", [0, 1, 100, 4095, 4096, 5000])
def test_what_comes_out_before_the_damage_is_all_that_does(where: int) -> None:
    """Packed by hand: stored blocks of one byte, of which one has a length that is none."""
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    good = b"\0\1\0\xfe\xff%c"
    stream = head + b"".join(good % (n % 256) for n in range(where)) + b"\0\1\0\1\0x" + b"\0" * 9000
    made = b"".join(until_damage(zlib.decompressobj(wbits=31), stream))
    assert made == bytes(n % 256 for n in range(where))


def lines(text: bytes, size: int, **kept: Any) -> tuple[int, list[Member], str]:
    unpacked = Unpacked(size)
    made = sum(text.count(b"\n") for text in unpacked.text([text]))
    return made, unpacked.members, unpacked.stopped


def test_a_packed_log_has_a_line_for_two_packed_bytes_and_some_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "SPARE_LINES", 1000)
    for more, stops in ((0, False), (1, True)):
        count = 1000
        for _ in range(3):  # the packed length and with it the limit hardly changes
            data = gzip.compress(b"\n" * count, mtime=0)
            count = 1000 + len(data) // 2 + more
        data = gzip.compress(b"\n" * count, mtime=0)
        assert count == 1000 + len(data) // 2 + more
        _, members, stopped = lines(data, len(data))
        assert bool(stopped) == stops
        assert [bool(m.problem) for m in members] == [stops]
        assert f"more than {count - more} lines" in (stopped or f"more than {count} lines")


def test_a_packed_log_grows_a_hundredfold_and_some_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packings, "SPARE", 50_000)
    for more, stops in ((0, False), (1, True)):
        count = 50_000
        for _ in range(3):
            data = gzip.compress(b"x" * count, mtime=0)
            count = 50_000 + 100 * len(data) + more
        data = gzip.compress(b"x" * count, mtime=0)
        assert count == 50_000 + 100 * len(data) + more
        _, members, stopped = lines(data, len(data))
        assert bool(stopped) == stops
        assert [(m.start, m.end, m.text_start, m.text_end) for m in members] == [(0, len(data), 0, count)]


def test_lines_with_bytes_that_text_never_has_are_suspect_and_no_others() -> None:
    text = b"one\ntwo\x00\nthree\n\xff\xfe\nfive\n"
    (block,) = surveyed_text([text], Words((b"zzz",), b"yyy"))
    assert block.suspects() == {1, 3}
    (plain,) = blocks([text])
    assert plain.suspects() == {1, 3}
    (clean,) = surveyed_text([b"one\ntwo\n"], Words((b"zzz",), b"yyy"))
    assert clean.suspects() == set()
    (hit,) = surveyed_text([b"one zzz\nzzz \x01\x00\n"], Words((b"zzz",), b"yyy"))
    assert hit.suspects() == {1}


@pytest.mark.parametrize("length", [MAX_LINE, MAX_LINE + 1])
def test_a_line_of_more_than_a_mebibyte_stands_alone(length: int) -> None:
    before, after = b"ab\n" * 5, b"cd\n" * 4
    text = before + b"x" * (length - 1) + b"\n" + after
    found = list(blocks([text]))
    shape = [(b.at, b.size, b.first, b.over, len(b.starts)) for b in found]
    if length == MAX_LINE:
        assert [over for *_, over, _ in shape] == [False] * len(shape)
        assert sum(count for *_, count in shape) == 10
        return
    assert shape == [(0, 15, 1, False, 5), (15, length, 6, True, 1), (15 + length, 12, 7, False, 4)]
    assert b"".join(b.data[: b.size] for b in found) == text


def test_a_long_line_is_cut_where_the_text_is_and_counted_once() -> None:
    text = b"ab\n" + b"x" * (3 * MAX_LINE) + b"\nlast"
    pieces = [text[at : at + 700_000] for at in range(0, len(text), 700_000)]
    found: list[Block] = list(blocks(pieces))
    assert b"".join(b.data[: b.size] for b in found) == text
    assert [b.first for b in found if not b.over] == [1, 3]
    assert {b.first for b in found if b.over} == {2}
    assert sum(b.data.endswith(b"\n") for b in found if b.over) == 1


def test_lines_about_a_step_in_an_unknown_form_are_counted_and_others_are_not() -> None:
    odd = b'{"when":1,"said":"Bootstrap OutboundQueryProgressed step."}\n'
    other = b'{"when":1,"said":"Bootstrap started."}\n'
    assert scan(TIMED + odd + other + odd).state.tracker.unread_at.tolist() == [len(TIMED), len(TIMED + odd + other)]
    assert scan(TIMED + other).state.tracker.unread_at.tolist() == []


def event(text: str, target: str = "node") -> Event:
    found = recognise(f"2024-05-30T12:34:34.643710Z DEBUG {target}: {text}".encode(), 10, 99, 3)
    assert found is not None
    return found


def test_texts_of_events_are_kept_in_part() -> None:
    """A peer has 52 characters, and what an error says may be any length."""
    assert event(f"DSN instance configured. peer_id={'p' * 128}").peer == "p" * 128
    assert event(f"DSN instance configured. peer_id={'p' * 129}").peer == "p" * 128
    for message, key in (
        ("Bootstrap query failed.", "error"),
        ("Bootstrap error.", "err"),
        ("Bootstrap error.", "error"),
    ):
        assert event(f"{message} {key}={'e' * 201}").text == "e" * 200
    assert len(event("a socket error " + "x" * 300).text) == 200
    assert len(event("Connection closed " + "x" * 300).text) == 200


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Connection closed", "closed"),
        ("Connection closed cause=IO(x)", "io-error"),
        ("Connection closed cause=Io(x)", "io-error"),
        ("Connection closed with error", "io-error"),
        ("yamux: i/o error", "io-error"),
        ("Bootstrap finished.", "finished"),
        ("Bootstrapping timed out, moving on regardless", "timed-out"),
    ],
)
def test_a_line_is_the_event_of_its_first_known_message(text: str, kind: str) -> None:
    found = event(text)
    assert (found.kind, found.start, found.end, found.line, found.time) == (kind, 10, 99, 3, 1_717_072_474_643_710)


def test_numbers_of_events_are_decimal_and_below_20_digits() -> None:
    for text, number in (("5", 5), ('"5"', 5), ("9" * 19, int("9" * 19)), ("9" * 20, None), ("-1", None), ("x", None)):
        assert event(f"Kademlia bootstrapping... bootstrap_step={text}").app_step == number
    for text, flag in (("true", True), ("false", False), ("yes", None)):
        assert event(f"Bootstrap query step succeeded num_remaining=3 last={text}").last is flag


def test_a_raw_event_says_what_its_tree_holds() -> None:
    told = event(
        'Event(OutboundQueryProgressed { id: QueryId(5), result: Bootstrap(Ok(BootstrapOk { peer: PeerId("1A"), '
        "num_remaining: Some(3) })), stats: QueryStats { requests: 3, success: 2, failure: 1, start: "
        "Some(Instant { tv_sec: 7, tv_nsec: 5 }), end: Some(Instant { tv_sec: 9, tv_nsec: 4 }) }, "
        "step: ProgressStep { count: 4, last: false } })"
    )
    assert (told.query, told.count, told.last, told.ok, told.remaining, told.peer) == (5, 4, False, True, 3, "1A")
    assert told.stats == Stats(3, 2, 1, 7_000_000_005, 9_000_000_004)
    assert told.stats.took == 1_999_999_999
    assert told.fields["stats"] == {"requests": 3, "success": 2, "failure": 1, "took_seconds": 2.0}
    bare = event('Bootstrap(Err(Timeout { peer: PeerId("1A"), num_remaining: None }))')
    assert (bare.query, bare.count, bare.last, bare.ok, bare.remaining, bare.stats) == (
        None,
        None,
        None,
        False,
        None,
        None,
    )
    assert bare.fields == {"ok": False, "peer": "1A"}


def test_a_value_ends_at_the_space_that_no_bracket_or_string_holds() -> None:
    for text, end in (
        ("a b", 1), ("(a b) c", 5), ('"a b" c', 5), ("A { x: 1 } d", 10), ("A {x} d", 5), ("[1, 2]\tz", 6),
        ('"a \\" b" c', 8), ("a) b", 2), ("abc", 3), ("", 0),
    ):  # fmt: skip
        assert value_end(text, 0) == end, text
    assert fields_of("m a=1 b=(2 3) a=9 c.d=x") == {"a": "1", "b": "(2 3)", "c.d": "x"}
    assert len(fields_of("m " + " ".join(f"k{n}={n}" for n in range(70)))) == 64


def test_a_tree_has_its_parts_by_name() -> None:
    tree = parse_debug('A { b: 1, c: Some(2), d: ["x", y], e: f::G(-3) } rest')
    assert tree is not None
    assert tree.name == "A"
    assert [key for key, _ in tree.parts] == ["b", "c", "d", "e"]
    numbers = [part.number for _, part in tree.parts]
    assert numbers == [1, 2, None, None]
    assert [node.text or node.name for node in tree.walk()] == ["A", "1", "Some", "2", "", "x", "y", "f::G", "-3"]
    for text in ("A) (", "A { b: 1 } ( [", "A(1)) :", "A } {"):  # what stands behind a value is none of it
        read = parse_debug(text)
        assert read is not None
        assert (read.name, len(list(read.walk()))) == ("A", 2 if "1" in text else 1)
    assert parse_debug("A { b: 1") is None
    assert parse_debug("") is None
    assert parse_debug("(" * 64 + ")" * 64) is not None
    assert parse_debug("(" * 65 + ")" * 65) is None
    assert parse_debug("(" + "1," * 4096 + ")") is not None
    assert parse_debug("(" + "1," * 4097 + ")") is None


def test_records_of_a_range_are_those_that_touch_it() -> None:
    log = stalled()
    state = scan(log.data).state
    every = [(e.kind, e.span.start, e.span.end) for e in records(state, Query())]
    for start, end in ((every[3][1], every[5][1]), (every[3][1] + 1, every[5][1] + 1), (every[3][2], every[3][2] + 1)):
        asked = [(e.kind, e.span.start, e.span.end) for e in records(state, Query(start=start, end=end))]
        assert asked == [one for one in every if one[2] > start and one[1] < end]
    assert list(records(state, Query(start=len(log.data)))) == []
    assert list(records(state, Query(end=0))) == []


def test_a_byte_is_shown_in_its_line_or_its_member() -> None:
    log = Log().bootstrap(2)
    state = scan(log.data).state
    starts = [0]
    for line in log.lines:
        starts.append(starts[-1] + len(line))
    for number, line in enumerate(log.lines):
        for at in (starts[number], starts[number + 1] - 1):
            shown = show(state, "", at)
            assert shown is not None
            assert (shown.span.start, shown.span.end, shown.data) == (starts[number], starts[number + 1], line)
    assert show(state, "", len(log.data)) is None
    two = gzip.compress(log.data, mtime=0), gzip.compress(log.data[:50], mtime=0)
    state = scan(b"".join(two)).state
    for at, start, end in (
        (0, 0, len(two[0])),
        (len(two[0]) - 1, 0, len(two[0])),
        (len(two[0]), len(two[0]), sum(map(len, two))),
    ):
        shown = show(state, "", at)
        assert shown is not None
        assert (shown.span.start, shown.span.end, shown.state) == (start, end, "ok")
    assert show(state, "", sum(map(len, two))) is None


def test_zeroes_and_other_bytes_that_are_no_text_are_told_with_their_lines() -> None:
    log = Log()
    for n in range(4):
        log.idle(n)
    data = log.lines[0] + bytes(700) + b"\n" + b"\xff\xfe\n" * 3 + log.lines[1] + bytes(5) + log.lines[2]
    at = len(log.lines[0])
    found = {(f.rule.code, f.span.start, f.span.end): dict(f.evidence) for f in scan(data).tally.findings()}
    assert found == {
        ("KDT021", at, at + 701): {"length": 701, "lines": 0},
        ("KDT020", at + 701, at + 710): {"length": 9, "lines": 3},
        ("KDT021", at + 710 + len(log.lines[1]), at + 715 + len(log.lines[1])): {"length": 5, "lines": 0},
    }
    assert FORMAT.damaged
    assert codes(scan(data)) == ["KDT020", "KDT021", "KDT021"]
