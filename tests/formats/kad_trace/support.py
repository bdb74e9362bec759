"""What the tests of traces ask of a log."""

from __future__ import annotations

from typing import Any

from inspector.format import Wishes
from inspector.formats.kad_trace import FORMAT
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders import kad_trace as build
from tests.builders.kad_trace import Form, Log


def scan(data: bytes, **thresholds: float) -> Report:
    wishes = Wishes(thresholds={k.replace("_", "-"): v for k, v in thresholds.items()})
    report = inspect(MemorySource(data, "node.log"), (FORMAT,), wishes, "kad-trace")
    assert not report.account.holes
    assert sum(report.account.roles) == len(data)
    assert not any(f.rule.code == "INS001" for f in report.tally.findings())
    return report


def boots(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = report.answer.summary["bootstraps"]
    return found


def verdicts(report: Report) -> list[str]:
    return [b["verdict"] for b in boots(report)]


def codes(report: Report) -> list[str]:
    return sorted(f.rule.code for f in report.tally.findings())


def stalled(form: Form = build.full, **about: Any) -> Log:
    """Stops after 7 of 13 steps; a yamux error 23.7 s later, the next line after 576 s."""
    log = Log(form, **about).bootstrap(13, 7)
    log.yamux(23.744, "yamux")
    log.idle(552.646, "idle")
    return log
