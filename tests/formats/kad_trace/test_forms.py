"""What a line says in each form, whole: its time, its text from the message on, its target and its fields."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inspector.formats.kad_trace.clock import show_time
from inspector.formats.kad_trace.events import phrase_at, recognise
from inspector.formats.kad_trace.forms import Line, fields_of, read_line
from tests.builders import kad_trace as build
from tests.builders.kad_trace import NODE, START

MESSAGE = "Kademlia bootstrapping..."
FIELDS = {"bootstrap_step": "3", "peer": '"1A"'}
TEXT = f'{MESSAGE} bootstrap_step=3 peer="1A"'
SHOWN = str(show_time(START))


def line(form: build.Form) -> Line | None:
    return read_line(form(START, "DEBUG", NODE, MESSAGE, FIELDS), phrase_at)


def read(told: Any) -> Line | None:
    return read_line(json.dumps(told).encode(), phrase_at)


@pytest.mark.parametrize(
    "form", [build.full, build.substrate, build.coloured, build.uncoloured, build.journald, build.kubernetes,
             build.docker, build.loki],
)  # fmt: skip
def test_a_line_of_text_says_its_time_message_and_target_whatever_carries_it(form: build.Form) -> None:
    assert line(form) == Line(START, TEXT, NODE)


def test_other_fields_of_a_line_are_part_of_its_text() -> None:
    assert line(build.compact) == Line(START, f"{TEXT} plot_index=97", NODE)
    assert fields_of(TEXT) == FIELDS


def test_a_line_in_json_says_its_fields_beside_its_message() -> None:
    around = {"timestamp": SHOWN, "level": "DEBUG", "target": NODE}
    assert line(build.as_json) == Line(START, MESSAGE, NODE, FIELDS)
    assert line(build.flat_json) == Line(START, MESSAGE, NODE, around | FIELDS)
    assert line(build.google) == Line(START, MESSAGE, NODE, {"target": NODE, **FIELDS})
    assert line(build.slog) == Line(START, MESSAGE, NODE, {"ts": SHOWN, "level": "DEBUG", "target": NODE, **FIELDS})
    told = {"@timestamp": SHOWN, "log.level": "DEBUG", "target": NODE, **FIELDS}
    assert line(build.elastic) == Line(START, MESSAGE, NODE, told)


@pytest.mark.parametrize("name", ["message", "msg", "_msg", "body"])
@pytest.mark.parametrize("stamp", ["timestamp", "time", "@timestamp", "ts", "_time"])
@pytest.mark.parametrize("holder", ["fields", "jsonPayload", "attributes", None])
def test_messages_times_and_holders_have_any_of_the_usual_names(name: str, stamp: str, holder: str | None) -> None:
    inside = {name: MESSAGE, "bootstrap_step": 7, "last": True, "ok": False, "none": None}
    told = {stamp: SHOWN, "level": "INFO", **(inside if holder is None else {holder: inside})}
    beside = {"bootstrap_step": "7", "last": "true", "ok": "false", "none": "None"}
    more: dict[str, str] = {stamp: SHOWN, "level": "INFO"} if holder is None else {}
    assert read(told) == Line(START, MESSAGE, "", beside | more)


def test_a_message_stands_beside_its_fields_as_well() -> None:
    assert read({"message": f"so: {MESSAGE}", "fields": {"a": "b"}}) == Line(None, MESSAGE, "", {"a": "b"})
    assert read({"message": 5, "msg": MESSAGE}) == Line(None, MESSAGE, "", {})
    assert read({"message": "another", "msg": MESSAGE}) is None
    assert read({"level": "INFO"}) is None
    assert read_line(b'{"message": "' + MESSAGE.encode(), phrase_at) is None


def test_the_target_of_json_is_beside_its_fields_or_among_them() -> None:
    for told in ({"target": "a::b", "fields": {"message": MESSAGE, "target": "c"}},
                 {"fields": {"message": MESSAGE, "target": "a::b"}}):  # fmt: skip
        found = read(told)
        assert found is not None
        assert found.target == "a::b"


@pytest.mark.parametrize(
    ("body", "clock"), [("log", "time"), ("MESSAGE", "__REALTIME_TIMESTAMP"), ("line", "timestamp")]
)
@pytest.mark.parametrize(
    ("stamp", "time"), [(SHOWN, START), (str(START), START), (START, START), ("9" * 18, int("9" * 18)),
                        ("9" * 19, None), ("yesterday", None), ("", None)],
)  # fmt: skip
def test_a_carrier_gives_its_own_time_to_a_line_without_one(
    body: str, clock: str, stamp: object, time: int | None
) -> None:
    assert read({body: f"x: {TEXT}\r\n", clock: stamp}) == Line(time, TEXT, "x")
    assert read({body: f"{SHOWN} x: {TEXT}", clock: stamp}) == Line(START, TEXT, "x")
    assert read({body: TEXT, clock: stamp, "level": "INFO"}) is None  # no carrier has a level: it is the line itself


def test_a_line_in_a_log_in_another_is_read_and_one_deeper_is_not() -> None:
    inner = json.dumps({"message": MESSAGE, "level": "INFO"})
    once = json.dumps({"log": inner, "time": SHOWN})
    twice = json.dumps({"line": once})
    assert read_line(inner.encode(), phrase_at) == Line(None, MESSAGE, "", {"level": "INFO"})
    assert read_line(once.encode(), phrase_at) == Line(START, MESSAGE, "", {"level": "INFO"})
    assert read_line(twice.encode(), phrase_at) == Line(START, MESSAGE, "", {"level": "INFO"})
    deeper = read_line(json.dumps({"line": twice}).encode(), phrase_at)
    assert deeper is not None
    assert (deeper.text[: len(MESSAGE)], deeper.beside) == (MESSAGE, {})  # what is left is taken for text


@pytest.mark.parametrize(
    ("before", "target"),
    [
        ("", ""), ("x: ", "x"), ("a b-c_d::e9: ", "b-c_d::e9"), (": ", ""), ("x:", ""), ("x ", ""), ("(x): ", ""),
        ("n: [Consensus] ", "n"), ("n: [] ", "n"), (f"n: [{'c' * 40}] ", "n"), (f"n: [{'c' * 41}] ", ""),
        ("n [Consensus] ", ""), ("x" * 254 + ": ", "x" * 254), ("x" * 255 + ": ", "x" * 254),
    ],
)  # fmt: skip
def test_a_target_is_the_name_before_the_colon_before_the_message(before: str, target: str) -> None:
    assert read_line(f"{before}{MESSAGE} ".encode(), phrase_at) == Line(None, MESSAGE, target)
    event = recognise(f"{before}Bootstrap started.".encode(), 0, 9, 1)
    assert event is not None
    assert not event.subspace


def test_json_begins_within_the_first_4096_bytes_of_a_line() -> None:
    told = json.dumps({"message": MESSAGE}).encode()
    assert read_line(b" " * 4094 + told, phrase_at) == Line(None, MESSAGE, "", {})
    found = read_line(b" " * 4095 + told, phrase_at)
    assert found is not None
    assert found.text == f'{MESSAGE}"}}'


def test_fields_are_cut_where_there_are_too_many_or_they_are_too_long() -> None:
    many = {f"k{n}": "v" for n in range(70)}
    found = read({"fields": {**many, "message": MESSAGE}})
    assert found is not None
    assert list(found.beside) == [f"k{n}" for n in range(64)]
    assert len(fields_of(" a=" + "x" * ((64 << 10) + 1))["a"]) == 64 << 10
    for value in ("x" * ((64 << 10) + 1), ["x" * (64 << 10)]):
        found = read({"fields": {"message": MESSAGE, "long": value}})
        assert found is not None
        assert len(found.beside["long"]) == 64 << 10
