"""Lines of several nodes in one log: no steps are missing, and the command that is told gives each one's log."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.format import Wishes
from inspector.formats.kad_trace import FORMAT
from inspector.formats.kad_trace.streams import streams
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.kad_trace import Log
from tests.formats.kad_trace.support import codes, scan, stalled, verdicts

PREFIXES: dict[str, Callable[[int], bytes]] = {
    "compose": lambda n: b"node-%d  | " % n,
    "compose, coloured": lambda n: b"\x1b[3%dmnode-%d  | \x1b[0m" % (n, n),
    "kubectl": lambda n: b"[pod/node-%d/subspace] " % n,
    "stern": lambda n: b"node-%d subspace " % n,
    "journal": lambda n: b"May 30 12:34:46 host%d subspace-node[3470]: " % n,
    "journal, iso": lambda n: b"2024-05-30T12:34:46+0000 host node%d[3470]: " % n,
}


def among(logs: list[Log], prefix: Callable[[int], bytes]) -> bytes:
    rows = [(i, n, line) for n, log in enumerate(logs, 1) for i, line in enumerate(log.lines)]
    return b"".join(prefix(n) + line for _, n, line in sorted(rows))


def ended() -> Log:
    log = Log().bootstrap(13)
    for _ in range(100):
        log.idle(5)
    return log


@pytest.mark.parametrize("form", PREFIXES)
def test_each_node_is_told_with_the_command_that_gives_its_log(form: str, tmp_path: Path) -> None:
    path = tmp_path / "two nodes.log"
    path.write_bytes(among([stalled(), ended()], PREFIXES[form]))
    with open_source(str(path)) as source:
        report = inspect(source, (FORMAT,), Wishes())
    assert codes(report) == ["KDT012"]
    assert report.answer.summary["bootstraps"] == []
    told = [words for words in report.answer.words if words.endswith(" | inspector scan -")]
    found = []
    for words in told:
        assert " ".join(words.split()) == words  # a terminal shows words with one space between them
        command = words.removesuffix(" | inspector scan -")
        found.append(subprocess.run(command, shell=True, check=True, capture_output=True).stdout)
    assert [verdicts(scan(text)) for text in found] == [["stalled"], ["finished"]]


def test_other_programs_beside_one_node_are_no_matter() -> None:
    log = stalled()
    lines = [b"node-1  | " + line for line in log.lines]
    lines[3:3] = [b"db-1    | 2024-05-30T12:34:46.857429Z LOG: checkpoint\n"] * 20
    assert verdicts(scan(b"".join(lines))) == ["stalled"]


def test_a_line_without_a_prefix_is_of_no_program() -> None:
    assert streams(b"Bootstrap started.\n\nBootstrap started.", (b"ootstrap",)) == ()
    assert streams(b"a  | Bootstrap\nBootstrap\nb  | Bootstrap", (b"ootstrap",)) == (b"a  | ", b"b  | ")
    assert streams(b"a  | Bootstrap Bootstrap\na  | Bootstrap\n", (b"ootstrap",)) == ()


def test_a_level_is_no_program() -> None:
    lines = (
        b"INFO main 2024-05-30T12:34:46Z Bootstrap",
        b"DEBUG main 2024-05-30T12:34:46Z Bootstrap",
        b"WARN | Bootstrap",
    )
    assert streams(b"\n".join(lines), (b"ootstrap",)) == ()
