"""What became of a bootstrap, told from its log to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector.errors import Exit, UsageError
from inspector.format import Query, Wishes
from inspector.formats.kad_trace import FORMAT
from inspector.formats.kad_trace.clock import show_time
from inspector.source import MemorySource
from tests.builders import kad_trace as build
from tests.builders.kad_trace import Form, Log
from tests.formats.kad_trace.support import boots, codes, scan, stalled, verdicts

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "kademlia"


@pytest.mark.parametrize("form", build.FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("end_of_line", [b"\n", b"\r\n"])
def test_a_stall_is_told_to_the_byte_in_every_form_of_line(form: Form, end_of_line: bytes) -> None:
    log = stalled(form, end_of_line=end_of_line)
    report = scan(log.data)
    assert report.exit_code() == Exit.DAMAGED
    (finding,) = report.tally.findings()
    told = finding.evidence
    assert finding.rule.code == "KDT001"
    assert (told["query"], told["run"], told["last_step"], told["expected_steps"]) == (0, 0, 7, 13)
    assert (told["last_good_offset"], told["resume_offset"]) == log.at["app0.7"]
    assert told["last_event_offset"] == log.at["event0.7"][0]
    assert told["gap_seconds"] == pytest.approx(576.390)
    assert told["median_gap_seconds"] == pytest.approx(12.0, abs=1.1)
    assert told["io_error_offsets"] == [log.at["yamux"][0]]
    assert told["io_errors_in_all"] == 1
    assert (finding.span.start, finding.span.end) == log.at["app0.7"]
    assert boots(report)[0]["app_steps"] == 7


@pytest.mark.parametrize("form", build.FORMS, ids=lambda f: f.__name__)
def test_a_bootstrap_that_finishes_is_clean_in_every_form_of_line(form: Form) -> None:
    report = scan(Log(form).bootstrap(13).data)
    assert verdicts(report) == ["finished"]
    assert codes(report) == []
    assert report.exit_code() == Exit.CLEAN
    assert boots(report)[0]["last_step"] == 13


def test_a_log_without_a_bootstrap_is_clean_and_says_so() -> None:
    log = Log()
    for _ in range(5):
        log.idle(5)
    report = scan(log.data)
    assert report.exit_code() == Exit.CLEAN
    assert report.answer.words == ("No bootstrap is in this log (5 lines).",)


def test_a_capture_that_ends_early_leaves_the_verdict_open() -> None:
    log = Log().bootstrap(13, 7)
    log.idle(30)
    report = scan(log.data)
    assert verdicts(report) == ["undetermined"]
    assert report.exit_code() == Exit.CLEAN


def test_a_last_line_that_is_cut_does_not_count_as_later_time() -> None:
    log = Log().bootstrap(13, 7)
    assert verdicts(scan(log.data[:-20])) == ["undetermined"]


def test_silence_between_one_timeout_and_the_limit_is_slow() -> None:
    log = Log().bootstrap(13, 7)
    log.idle(60)
    report = scan(log.data)
    assert (verdicts(report), codes(report)) == (["slow"], ["KDT002"])


def test_the_limits_can_be_set() -> None:
    log = Log().bootstrap(13, 7)
    log.idle(60)
    assert verdicts(scan(log.data, stall=50)) == ["stalled"]
    assert verdicts(scan(log.data, query_timeout=61)) == ["undetermined"]
    with pytest.raises(UsageError, match="no threshold is named"):
        scan(log.data, patience=3)


def test_without_event_lines_the_limit_is_five_minutes() -> None:
    for silence, verdict in ((290, "slow"), (310, "stalled")):
        log = Log(steps=False).bootstrap(13, 7)
        log.idle(silence)
        report = scan(log.data)
        assert verdicts(report) == [verdict]
        told = report.tally.findings()[0].evidence
        assert (told["last_step"], told["last_app_step"], told["query"]) == (7, 6, None)
        assert (told["last_good_offset"], told["resume_offset"]) == log.at["app0.7"]


def test_the_lines_of_the_issue_give_its_gaps() -> None:
    times = ["34:46.857429", "34:58.093234", "35:10.464213", "35:22.352168", "35:46.703529", "36:00.706340"]
    head = "2024-05-30T12:{}Z  INFO Consensus: " + build.NODE + ": Kademlia bootstrapping... bootstrap_step={}"
    rows = [head.format(t, i + 1) for i, t in enumerate(times)]
    error = "yamux::connection: 8dbe1bae: socket error: decode error: i/o error: unexpected end of file"
    rows.append(f"2024-05-30T12:36:24.450606Z ERROR Consensus: {error}")
    rows.append("2024-05-30T12:45:37.098341Z  INFO Consensus: substrate: Idle")
    data = ("\n".join(rows) + "\n").encode()
    report = scan(data)
    told = report.tally.findings()[0].evidence
    assert verdicts(report) == ["stalled"]
    assert told["median_gap_seconds"] == pytest.approx(12.370979)
    assert told["longest_gap_seconds"] == pytest.approx(24.351361)
    assert told["gap_seconds"] == pytest.approx(576.392001)
    assert told["resume_offset"] == data.index(b"2024-05-30T12:36:24")
    assert told["last_app_step"] == 6
    assert told["io_errors_near"] == 1


def test_a_newer_node_prints_event_lines_only_and_a_stall_is_found_all_the_same() -> None:
    log = stalled(app=False)
    report = scan(log.data)
    told = report.tally.findings()[0].evidence
    assert verdicts(report) == ["stalled"]
    assert (told["last_good_offset"], told["resume_offset"]) == log.at["event0.7"]
    assert verdicts(scan(Log(app=False).bootstrap(13).data)) == ["finished"]


def test_interleaved_bootstraps_are_kept_apart() -> None:
    log = Log(app=False)
    log.begin()
    log.begin()
    for count in range(1, 6):
        log.step(count, 5, 6, 3, took=12)
        log.step(count, 9, 6, 4, took=12)
    log.idle(500)
    report = scan(log.data)
    found = {b["query"]: b for b in boots(report)}
    assert (found[3]["verdict"], found[4]["verdict"]) == ("finished", "stalled")
    assert (found[4]["last_step"], found[4]["expected_steps"]) == (5, 9)
    assert found[4]["resume_offset"] == log.at["event4.5"][1]
    assert codes(report) == ["KDT001"]


def test_application_lines_of_interleaved_bootstraps_follow_their_event_line() -> None:
    log = Log()
    log.begin()
    for count in range(1, 4):
        log.step(count, 3, 5, 0)
    log.finish()
    log.begin()
    for count in range(1, 3):
        log.step(count, 6, 5, 8)
    log.idle(900)
    report = scan(log.data)
    assert verdicts(report) == ["finished", "stalled"]
    assert boots(report)[1]["resume_offset"] == log.at["app8.2"][1]
    assert codes(report) == ["KDT001"]


def test_steps_that_time_out_are_progress() -> None:
    log = Log().bootstrap(8, timeouts=(3, 4, 7))
    report = scan(log.data)
    assert verdicts(report) == ["finished"]
    assert codes(report) == []
    assert (boots(report)[0]["timeouts"], boots(report)[0]["app_steps"]) == (3, 5)


def test_a_timeout_of_the_last_step_ends_the_bootstrap() -> None:
    report = scan(Log().bootstrap(8, timeouts=(8,)).data)
    assert (verdicts(report), codes(report)) == (["finished"], [])


def test_the_last_but_one_step_may_print_zero_without_being_last() -> None:
    report = scan(Log().bootstrap(8, timeouts=(7,)).data)
    assert (verdicts(report), codes(report)) == (["finished"], [])


def test_a_first_step_that_times_out_ends_the_bootstrap_and_is_a_warning() -> None:
    log = Log(app=False)
    log.begin()
    log.step(1, 1, 40, 0, False)
    log.idle(500)
    report = scan(log.data)
    assert (verdicts(report), codes(report)) == (["finished"], ["KDT005"])


def test_a_stall_after_a_timeout_resumes_behind_the_line_about_it() -> None:
    log = Log()
    log.begin()
    log.step(1, 9)
    log.step(2, 9, 40, 0, False)
    log.idle(400)
    told = scan(log.data).tally.findings()[0].evidence
    assert (told["last_good_offset"], told["resume_offset"]) == log.at["failed0.2"]
    assert told["expected_steps"] == 9


def test_a_stall_before_the_first_step_resumes_behind_the_start() -> None:
    log = Log()
    log.begin()
    log.idle(200)
    report = scan(log.data)
    told = report.tally.findings()[0].evidence
    assert verdicts(report) == ["stalled"]
    assert (told["last_step"], told["last_good_offset"], told["resume_offset"]) == (None, None, log.at["started"][1])


def test_a_restart_ends_a_stall_and_the_next_run_has_its_own_bootstrap() -> None:
    log = Log()
    log.process_start()
    log.bootstrap(13, 7)
    resume = log.size
    log.wait(600)
    log.process_start()
    log.bootstrap(5)
    report = scan(log.data)
    assert verdicts(report) == ["stalled", "finished"]
    assert [b["run"] for b in boots(report)] == [0, 1]
    (finding,) = report.tally.findings()
    assert finding.evidence["resume_offset"] == resume
    assert finding.evidence["ended_by"] == "restart"
    assert finding.evidence["gap_seconds"] == pytest.approx(600)
    assert report.answer.summary["process_starts"] == 2


def test_the_same_query_counting_from_one_again_is_another_run() -> None:
    log = Log(app=False).bootstrap(13, 4)
    log.idle(20)
    log.step(1, 5, 9)
    for count in range(2, 6):
        log.step(count, 5, 9)
    report = scan(log.data)
    assert verdicts(report) == ["undetermined", "finished"]
    assert [(b["run"], b["query"]) for b in boots(report)] == [(0, 0), (1, 0)]


def test_no_known_peers_is_not_a_stall() -> None:
    log = Log()
    log.begin()
    log.say("Bootstrap error.", err="NoKnownPeers")
    log.idle(900)
    report = scan(log.data)
    assert (verdicts(report), codes(report)) == (["no peers"], ["KDT004"])


def test_an_application_that_gives_up_is_told_apart_from_a_stall() -> None:
    slow, hung = Log().bootstrap(30, 20), Log().bootstrap(13, 7)
    for log, seconds in ((slow, 20), (hung, 250)):
        log.wait(seconds)
        log.say("Bootstrapping timed out, moving on regardless", level="WARN")
        log.idle(900)
    assert (verdicts(scan(slow.data)), codes(scan(slow.data))) == (["timed out"], ["KDT003"])
    told = scan(hung.data).tally.findings()[0].evidence
    assert verdicts(scan(hung.data)) == ["stalled"]
    assert told["gap_seconds"] == pytest.approx(250)
    assert told["ended_by"] == "gave up"


def test_two_logs_put_together_never_make_a_stall_between_them() -> None:
    later, earlier = Log().bootstrap(13, 7), Log(now=build.START - 3600_000_000).bootstrap(13)
    report = scan(later.data + earlier.data)
    assert verdicts(report) == ["undetermined", "finished"]
    assert codes(report) == ["KDT012"]


def test_the_same_log_twice_is_two_runs() -> None:
    data = stalled().data
    report = scan(data + data)
    assert verdicts(report) == ["stalled", "stalled"]
    first, second = boots(report)
    assert second["resume_offset"] - first["resume_offset"] == len(data)


def test_a_clock_set_back_hides_no_stall_and_makes_none() -> None:
    log = Log(app=False).bootstrap(13, 7)
    log.idle(5)
    log.now -= 300_000_000
    log.idle(5)
    log.idle(60)
    report = scan(log.data)
    assert verdicts(report) == ["undetermined"]
    assert codes(report) == ["KDT012"]


def test_lines_two_seconds_out_of_order_are_no_clock_change() -> None:
    log = Log(app=False)
    log.begin()
    log.step(1, 3)
    log.now -= 1_900_000
    log.idle(0)
    log.now += 1_900_000
    log.step(2, 3)
    log.step(3, 3)
    report = scan(log.data)
    assert (verdicts(report), codes(report)) == (["finished"], [])


def test_a_raw_event_of_any_program_is_read() -> None:
    event = (
        "Behaviour(Kademlia(OutboundQueryProgressed {{ id: QueryId({q}), result: Bootstrap(Ok(BootstrapOk {{ peer: "
        'PeerId("1A"), num_remaining: {r} }})), stats: QueryStats {{ requests: 3, success: 2, failure: 1, start: None, '
        "end: None }}, step: ProgressStep {{ count: {c}, last: {last} }} }}))"
    )
    log = Log()
    for count in range(1, 4):
        log.wait(10)
        told = event.format(q=5, r=3 - count, c=count, last=str(count == 3).lower())
        log.raw(f"[{show_time(log.now)} INFO my_app] {told}".encode())
    report = scan(log.data)
    assert verdicts(report) == ["finished"]
    assert (boots(report)[0]["query"], boots(report)[0]["expected_steps"]) == (5, 3)
    cut = b"".join(log.lines[:2]) + f"{show_time(log.now + 130_000_000)} INFO later\n".encode()
    assert verdicts(scan(cut)) == ["stalled"]


def test_an_event_without_an_id_is_followed_by_what_remains() -> None:
    log = Log()
    for remaining in (2, 1, 0, 1, 0):
        log.wait(10)
        stamp = str(show_time(log.now)).replace("T", " ")[:23]
        event = f'Bootstrap(Ok(BootstrapOk {{ peer: PeerId("QmXi"), num_remaining: {remaining} }}))'
        log.raw(f"{stamp}  WARN tokio-runtime-worker sub-libp2p: Libp2p => Unhandled Kademlia event: {event}".encode())
    report = scan(log.data)
    assert verdicts(report) == ["finished", "finished"]
    assert [b["steps"] for b in boots(report)] == [3, 2]


def test_items_show_a_timeline_and_records_one_event_per_line() -> None:
    log = stalled()
    report = scan(log.data)
    assert FORMAT.items is not None
    assert FORMAT.records is not None
    (item,) = FORMAT.items(report.state)
    assert item.fields["timeline"].endswith("…")
    assert len(item.fields["timeline"]) == 8
    assert [s["step"] for s in item.fields["timed_steps"]] == list(range(1, 8))
    fresh = FORMAT.open(MemorySource(log.data), None, Wishes())
    assert [i.id for i in FORMAT.items(fresh)] == [item.id]
    kinds = [e.kind for e in FORMAT.records(report.state, Query())]
    assert kinds == ["started", *["step", "app-step"] * 7, "io-error"]
    (only,) = FORMAT.records(report.state, Query(kinds=frozenset({"io-error"})))
    assert (only.span.start, only.span.end) == log.at["yamux"]


def test_show_lays_a_line_open() -> None:
    log = stalled()
    report = scan(log.data)
    assert FORMAT.show is not None
    start, end = log.at["event0.7"]
    for at in (start, end - 1):
        shown = FORMAT.show(report.state, "", at)
        assert shown is not None
        assert (shown.span.start, shown.span.end) == (start, end)
        assert {f.name: f.text for f in shown.fields}["count"] == "7"
    assert FORMAT.show(report.state, "", len(log.data)) is None


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize("name", ["stalled_full.log", "normal_json.jsonl", "stalled_journald.log"])
def test_logs_with_known_contents_read_as_their_manifest_says(name: str) -> None:
    told = json.loads((DATA / "manifest.json").read_text())[name]
    report = scan((DATA / name).read_bytes())
    assert len(boots(report)) == len(told["bootstraps"])
    for found, expected in zip(boots(report), told["bootstraps"], strict=True):
        assert (found["query"], found["last_step"]) == (expected["query"], expected["last_count"])
        assert (found["app_steps"], found["finished"]) == (expected["app_steps"], expected["finished"])
        for key in ("last_good_offset", "resume_offset", "last_event_offset"):
            if key in told:
                assert found[key] == told[key]
    if "yamux_offset" in told:
        (finding,) = report.tally.findings()
        assert finding.evidence["io_error_offsets"] == [told["yamux_offset"]]
        assert report.exit_code() == Exit.DAMAGED
    else:
        assert report.exit_code() == Exit.CLEAN


def test_steps_in_a_form_that_is_not_known_are_not_called_none() -> None:
    def odd(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
        return json.dumps({"when": show_time(time), "said": message, **fields}).encode()

    told = scan(build.Log(odd).bootstrap(13, 5).data).answer
    assert told.summary["bootstraps_total"] == 0
    assert "not known" in told.words[0]
    assert "No bootstrap is in" not in told.words[0]
