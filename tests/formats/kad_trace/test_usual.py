"""A step in the application's own form is read by one expression, and says what its tree says."""

from __future__ import annotations

from random import Random

import pytest

from inspector.formats.kad_trace import events
from inspector.formats.kad_trace.forms import read_line
from tests.builders import kad_trace as logs


def _lines() -> list[bytes]:
    found = []
    for form in (logs.full, logs.as_json, logs.flat_json, logs.docker, logs.coloured):
        log = logs.Log(form)
        log.bootstrap(5, None, 3, (2, 4))
        found += [line.rstrip(b"\r\n") for line in log.lines]
    return found


def test_a_step_says_the_same_read_by_its_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(2)
    lines = _lines()
    for line in list(lines):
        for _ in range(40):
            at = rng.randrange(len(line))
            put = rng.choice(
                (b"", b" count=4", b"Some(3)", b"None", b" ", b"=", b"9", bytes([line[at] ^ 1 << rng.randrange(8)]))
            )
            lines.append(line[:at] + put + line[at + rng.randrange(2) :])
    usual = [events.recognise(line, 0, len(line), 1) for line in lines]
    assert any(event and event.stats for event in usual)
    monkeypatch.setattr(events, "_usual_step", lambda _: None)
    assert usual == [events.recognise(line, 0, len(line), 1) for line in lines]


def test_the_application_s_own_form_is_read_without_a_tree() -> None:
    """A log has millions of them: what the tree says is right as well, and takes ten times as long."""
    read = [read_line(line, events.phrase_at) for line in _lines()]
    steps = [line.text for line in read if line is not None and "QueryStats" in line.text]
    assert len(steps) > 10
    assert all(events._usual_step(text) is not None for text in steps)
