"""A store that was not checked whole is called clean nowhere, and nothing is made from half of it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from inspector import diagnosis, finding, formats, pace
from inspector import inspect as inspection
from inspector import repair as repairing
from inspector.__main__ import main
from inspector.account import Account
from inspector.errors import Exit, OutOfTime
from inspector.inspect import Report
from inspector.render.schemas import schema
from inspector.reporting import logs
from inspector.source import open_source
from inspector.span import Span

SAMPLES = Path(__file__).parents[2] / "samples"
HEALTHY = SAMPLES / "gossip_store" / "clean-v16.gossip_store"
DAMAGED = SAMPLES / "gossip_store" / "zeroed-hole.gossip_store"


@pytest.fixture
def _half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory ends behind the last stretch of every walk."""
    real = Account.through

    def through(self: Account, *args: Any) -> Iterator[Any]:
        yield from real(self, *args)
        raise MemoryError

    monkeypatch.setattr(Account, "through", through)


@pytest.mark.usefixtures("_half")
@pytest.mark.parametrize(("store", "verdict", "code"), [(HEALTHY, "partial", 9), (DAMAGED, "damaged", 3)])
def test_a_verdict_alone_tells_what_was_not_checked(
    store: Path, verdict: str, code: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    prom = tmp_path / "m.prom"
    assert main(["scan", str(store), "--json", "--metrics", str(prom)]) == code
    told = json.loads(capfd.readouterr().out)
    jsonschema.Draft202012Validator(schema("scan", formats.all_formats())).validate(told)
    assert (told["verdict"], bool(told["partial"])) == (verdict, True)
    assert f'inspector_partial{{path="{store}"}} 1\n' in prom.read_text()


@pytest.mark.parametrize("form", ["md", "html", "json", "sarif"])
def test_no_form_of_a_report_calls_it_clean(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(report: Report) -> None:
        report.partial = "it moved while it was read"

    monkeypatch.setattr(inspection, "_say_whether_it_changed", moved)
    out = tmp_path / f"out.{form}"
    assert main(["report", str(HEALTHY), "-o", str(out), "--no-environment"]) == 9
    text = out.read_text()
    if form in ("md", "html"):
        assert "gossip_store: clean" not in text
        assert "no damage in what was checked" in text
        assert "neither: no damage found" not in text
    else:
        told = json.loads(text)
        run = told["runs"][0] if form == "sarif" else {}
        assert (run["properties"] if form == "sarif" else told)["verdict"] == "partial"
        if form == "sarif":
            assert "it moved" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_a_whole_scan_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    prom = tmp_path / "m.prom"
    assert main(["scan", str(HEALTHY), "--json", "--metrics", str(prom)]) == 0
    assert json.loads(capfd.readouterr().out)["verdict"] == "clean"
    assert f'inspector_partial{{path="{HEALTHY}"}} 0\n' in prom.read_text()


@pytest.mark.usefixtures("_half")
@pytest.mark.parametrize(
    "line",
    [
        f"repair {DAMAGED} -o {{}}",
        f"repair {DAMAGED} --patch {{}}",
        f"merge {DAMAGED} {HEALTHY} -o {{}}",
        f"capture {HEALTHY} -o {{}} --no-environment",
        f"excerpt {DAMAGED} -o {{}}",
        f"report {HEALTHY} -o {{}}.md --no-environment",
        f"dev selftest {HEALTHY} --rounds 1 --json",
    ],
    ids=lambda line: " ".join(line.split()[:2]),
)
def test_nothing_is_made_from_half_of_a_store(line: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(line.format(out).split()) == Exit.IO
    told = capfd.readouterr()
    assert "out of memory" in told.err
    assert not told.out
    assert not list(tmp_path.iterdir())


def test_logs_are_read_within_the_time_limit(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "hear", lambda *_: time.sleep(20))
    began = time.monotonic()
    code = main(["scan", str(HEALTHY), "--timeout", "0.5", "--log", str(HEALTHY), "--json"])
    assert time.monotonic() - began < 10
    told = json.loads(capfd.readouterr().out)
    assert (code, told["verdict"], told["log"]["lines"]) == (9, "partial", [])


def test_causes_are_named_within_the_time_limit(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What was found stands."""
    monkeypatch.setattr(diagnosis, "diagnose_within", lambda *_: time.sleep(20))
    assert main(["scan", str(DAMAGED), "--timeout", "0.5", "--json"]) == 3
    told = json.loads(capfd.readouterr().out)
    assert (told["verdict"], told["diagnosis"], told["partial"]) == ("damaged", None, inspection.LATE)
    assert told["findings_total"] == 3


def test_a_finding_that_is_being_made_when_time_ends_is_counted_nowhere(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made: list[int] = []
    add = finding.Tally.add

    def late(self: finding.Tally, rule: finding.Rule, make: Any, severity: Any = None) -> None:
        def slow() -> finding.Finding:
            made.append(1)
            if len(made) == 2:
                raise OutOfTime
            return make()  # type: ignore[no-any-return]

        add(self, rule, slow, severity)

    monkeypatch.setattr(finding.Tally, "add", late)
    assert main(["scan", str(DAMAGED), "--json"]) == 3
    told = json.loads(capfd.readouterr().out)
    assert told["partial"] == inspection.LATE
    assert told["findings_total"] == len(told["findings"]) == sum(told["counts"].values()) == 1


@pytest.fixture
def _over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is over before anything is looked at."""

    def guarded(self: pace.TimeLimit) -> None:
        raise OutOfTime

    monkeypatch.setattr(pace.TimeLimit, "guarded", guarded)


@pytest.mark.usefixtures("_over")
@pytest.mark.parametrize("style", ["--json", "--jsonl"])
@pytest.mark.parametrize("store", [HEALTHY, SAMPLES / "rocksdb" / "clean-db"])
def test_time_that_ends_before_a_store_is_looked_at_leaves_an_empty_document(
    store: Path, style: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", str(store), "--timeout", "1", style]) == 9
    out, err = capfd.readouterr()
    told = json.loads(out)
    jsonschema.Draft202012Validator(schema("scan", formats.all_formats())).validate(told)
    assert (told["verdict"], told["findings"], told["exit_code"]) == ("partial", [], 9)
    assert told["partial"]
    assert "time limit" in err


@pytest.mark.usefixtures("_over")
def test_time_that_ends_before_each_of_several_inputs(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(HEALTHY), str(DAMAGED), "--timeout", "1", "--json"]) == 9
    told = json.loads(capfd.readouterr().out)
    jsonschema.Draft202012Validator(schema("scans", formats.all_formats())).validate(told)
    assert [(one["verdict"], one["exit_code"]) for one in told["results"]] == [("partial", 9)] * 2


def test_a_repair_after_a_bug_of_ours_ends_with_1_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real = inspection.inspect

    def failing(*args: Any, **kw: Any) -> Report:
        report = real(*args, **kw)
        report.tally.put(finding.Finding(inspection.OUR_BUG, Span(0, 0), "KeyError: 1", bytes_known=False))
        return report

    monkeypatch.setattr(repairing, "inspect", failing)
    out = tmp_path / "out"
    assert main(["repair", str(DAMAGED), "-o", str(out), "--json"]) == 1
    told = json.loads(capfd.readouterr().out)
    assert "do not rely on this output" in " ".join(told["notes"])
    assert out.exists()
    assert told["verified"]["ok"]


def test_start_up_is_a_part_of_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(signal, "setitimer", lambda _, seconds: asked.append(seconds))
    for gone in (0.75, 3.0):
        monkeypatch.setattr(pace, "begun", time.monotonic() - gone)
        pace.TimeLimit(1.0)
    assert 0.1 < asked[0] <= 0.25
    assert asked[1] == pace.SOON  # 0 would never ring


def test_a_round_of_a_self_test_that_ran_out_of_memory_is_not_counted_as_missed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The healthy store was read whole; memory ends before a finding in the first damaged copy."""
    real, walks = Account.through, []

    def through(self: Account, *args: Any) -> Iterator[Any]:
        walks.append(1)
        if len(walks) > 1:
            raise MemoryError
        yield from real(self, *args)

    monkeypatch.setattr(Account, "through", through)
    assert main(["dev", "selftest", str(HEALTHY), "--rounds", "1", "--json"]) == Exit.IO
    assert not capfd.readouterr().out


def test_no_causes_are_looked_for_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """That may take longer than the walk did."""
    real = Account.through

    def through(self: Account, *args: Any) -> Iterator[Any]:
        yield from real(self, *args)
        raise OutOfTime

    monkeypatch.setattr(Account, "through", through)
    monkeypatch.setattr(diagnosis, "diagnose_within", lambda *_: pytest.fail("it was asked for causes"))
    with open_source(str(DAMAGED)) as source:
        report = inspection.inspect(source, formats.all_formats())
    assert (report.verdict, report.partial, report.diagnosis) == ("damaged", inspection.LATE, None)
