"""A step whose event line is lost or stands behind the application's line is one of its bootstrap, not another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.builders.kad_trace import Form, Log, as_json, full, journald
from tests.formats.kad_trace.support import boots, codes, scan, stalled

FORMS = (full, as_json, journald)
EVENT, APP = b"OutboundQueryProgressed step", b"Kademlia bootstrapping"


def lines_of(log: Log) -> list[bytes]:
    return bytes(log.data).splitlines(keepends=True)


def places(lines: list[bytes], word: bytes) -> list[int]:
    return [number for number, line in enumerate(lines) if word in line]


def story(lines: list[bytes]) -> list[tuple[str, str, int]]:
    return [(b["id"], b["verdict"], b["last_step"]) for b in boots(scan(b"".join(lines)))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("log", "end"), [(stalled, ("stalled", 7)), (lambda f: Log(f).bootstrap(13, 13), ("finished", 13))]
)
def test_a_lost_event_line_begins_no_second_bootstrap(
    form: Form, log: Callable[[Form], Log], end: tuple[str, int]
) -> None:
    lines = lines_of(log(form))
    assert story(lines) == [("run0/query0", *end)]
    for place in places(lines, EVENT):
        without = lines[:place] + lines[place + 1 :]
        assert story(without) == [("run0/query0", *end)]


@pytest.mark.parametrize("form", FORMS)
def test_a_log_that_begins_between_the_two_lines_of_a_step_has_one_bootstrap(form: Form) -> None:
    lines = lines_of(stalled(form))
    for place in places(lines, APP):
        report = scan(b"".join(lines[place:]))
        assert [(b["verdict"], b["last_step"]) for b in boots(report)] == [("stalled", 7)]


@pytest.mark.parametrize("form", FORMS)
def test_the_two_lines_of_a_step_in_the_other_order_are_one_step(form: Form) -> None:
    lines = lines_of(stalled(form))
    for place in places(lines, EVENT):
        other = [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]
        assert [(b["verdict"], b["last_step"], b["steps"]) for b in boots(scan(b"".join(other)))] == [("stalled", 7, 7)]


@pytest.mark.parametrize("form", FORMS)
def test_a_line_of_the_application_that_is_there_twice_is_told_as_such(form: Form) -> None:
    lines = lines_of(stalled(form))
    for place in places(lines, APP):
        twice = [*lines[: place + 1], *lines[place:]]
        report = scan(b"".join(twice))
        assert [(b["verdict"], b["last_step"]) for b in boots(report)] == [("stalled", 7)]
        assert codes(report) == ["KDT001", "KDT013"]


def test_lines_that_are_missing_are_told_once() -> None:
    lines = lines_of(stalled())
    first, second = places(lines, EVENT)[2:4]
    report = scan(b"".join(lines[:first] + lines[second:]))
    assert sum(c.startswith("KDT010") for c in codes(report)) <= 2
    assert [(b["verdict"], b["last_step"]) for b in boots(report)] == [("stalled", 7)]
