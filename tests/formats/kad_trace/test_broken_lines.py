"""Logs that cannot be followed as they are: broken by a terminal, of two nodes, with times of day alone."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.formats import all_formats
from inspector.inspect import inspect
from inspector.render.next_steps import steps
from inspector.source import open_source
from tests.builders.kad_trace import START, Log
from tests.formats.kad_trace.support import boots, codes, scan, verdicts

DATE = re.compile(rb"\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d\.\d+)Z")


def node(
    stop: int | None = None, app: bool = True, own: bool = True, start: int = START, idle: int = 200
) -> list[bytes]:
    log = Log(end_of_line=b"\n")
    log.app, log.steps, log.now = app, own, start
    log.process_start()
    log.bootstrap(13, stop, 0, ())
    for _ in range(idle):
        log.idle(5)
    return list(log.lines)


def broken(lines: list[bytes], width: int) -> bytes:
    rows = (line[at : at + width].rstrip(b"\n") + b"\n" for line in lines for at in range(0, len(line) - 1, width))
    return b"".join(rows)


WRITERS = ((True, True), (True, False), (False, True))  # who speaks of the steps: the application, the library


@pytest.mark.parametrize(
    ("width", "app", "own"),
    # without the library's own messages no line is so long that 200 columns break it
    [(width, *who) for width in (80, 97, 120, 200) for who in WRITERS if who[1] or width <= 130],
)
def test_lines_that_a_terminal_broke_are_told_with_the_command_that_joins_them(
    width: int, app: bool, own: bool, tmp_path: Path
) -> None:
    lines = node(7, app, own)
    path = tmp_path / "a terminal's log"
    path.write_bytes(broken(lines, width))
    with open_source(str(path)) as source:
        report = inspect(source, all_formats(), forced="kad-trace")
        assert report.answer.summary["bootstraps"] == []
        assert [f.evidence.get("columns") for f in report.tally.findings()] == [width]
        (step,) = (step for step in steps(report) if "awk" in step.command)
    command = step.command.removesuffix(" | inspector scan -")
    assert command != step.command
    made = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True).stdout
    assert made == b"".join(lines)


def test_lines_that_are_cut_off_or_of_one_width_by_nature_are_no_broken_ones() -> None:
    lines = node(7)
    cut = b"".join(line[:150].rstrip(b"\n") + b"\n" for line in lines)
    assert verdicts(scan(cut)) == ["stalled"]
    padded = b"".join(line.rstrip(b"\n").ljust(600) + b"\n" for line in lines)
    assert verdicts(scan(padded)) == ["stalled"]


@pytest.mark.parametrize(("stop", "verdict"), [(7, "stalled"), (None, "finished")])
def test_times_of_day_are_enough_to_measure_silence(stop: int | None, verdict: str) -> None:
    report = scan(DATE.sub(rb"\1", b"".join(node(stop))))
    assert verdicts(report) == [verdict]
    assert boots(report)[0]["started"] == DATE.sub(rb"\1", node()[1].split()[0]).decode()


def test_midnight_is_no_clock_that_somebody_set() -> None:
    late = START - START % 86_400_000_000 + 86_000_000_000
    report = scan(DATE.sub(rb"\1", b"".join(node(None, start=late))))
    assert verdicts(report) == ["finished"]
    (found,) = (f for f in report.tally.findings() if f.rule.code == "KDT012")
    assert "midnight passed" in found.message


def together(*logs: list[bytes]) -> bytes:
    rows = sorted(
        (line.split(b" ", 1)[0], number, at, line) for number, log in enumerate(logs) for at, line in enumerate(log)
    )
    return b"".join(line for *_, line in rows)


@pytest.mark.parametrize(("app", "own"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("stops", [(None, None), (7, None), (None, 7), (7, 7)])
def test_steps_of_two_nodes_in_one_log_are_told(app: bool, own: bool, stops: tuple[int | None, int | None]) -> None:
    report = scan(together(node(stops[0], app, own), node(stops[1], app, own, START + 3_300_000)))
    assert [f.evidence["crossings"] for f in report.tally.findings() if "crossings" in f.evidence] != []
    assert any("Steps of two nodes seem to be mixed" in words for words in report.answer.words)


def test_one_node_is_never_taken_for_two() -> None:
    """Started again, copied twice, each line twice, its parts in the wrong order, lines lost."""
    lines = node(7)
    half = len(lines) // 2
    for data in (
        lines + node(start=START + 9_000_000_000),
        lines + lines,
        [line for one in lines for line in (one, one)],
        lines[12:] + lines[:12],
        lines[half:] + lines[:half],
        lines[:6] + lines[9:],
        [*lines[:5], lines[9], *lines[6:9], lines[5], *lines[10:]],
        [*lines[:5], *reversed(lines[5:12]), *lines[12:]],
    ):
        report = scan(b"".join(data))
        assert not any("crossings" in f.evidence for f in report.tally.findings()), codes(report)


def test_a_log_that_cannot_be_followed_is_not_called_checked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "node.log"
    for lines, code in ((node(), 0), (node(7), 3)):
        path.write_bytes(b"".join(lines))
        assert main(["scan", str(path), "--json"]) == code
        capfd.readouterr()
        path.write_bytes(broken(lines, 80))
        assert main(["scan", str(path), "--json"]) == 9
        told = json.loads(capfd.readouterr().out)
        assert (told["verdict"], told["partial"]) == ("partial", "bootstraps cannot be followed in these lines")
