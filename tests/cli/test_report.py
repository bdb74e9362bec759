"""`inspector report`: every form, the same bytes for the same input, and never longer than an issue may be."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from inspector.finding import Cause, Finding, Rule, Severity, Tally
from inspector.format import Wishes
from inspector.inspect import Report, inspect
from inspector.render import html_page, report_forms
from inspector.render.report_html import html
from inspector.render.report_markdown import LIMIT, markdown
from inspector.render.report_sarif import sarif
from inspector.reporting.chart import SLICES, Chart
from inspector.reporting.document import Asked, report_document
from inspector.reporting.hide import hiding
from inspector.source import MemorySource
from inspector.span import Span
from tests.cli import tiny_format as tiny
from tests.cli.conftest import GOOD, HELLO, Ran, Run
from tests.cli.page_check import contrast, read_page

SUFFIXES = ("md", "html", "json", "sarif", "zip")


def report_of(run: Run, path: str, output: str, *options: str) -> Ran:
    """The tiny format quotes damaged bytes in its messages, which a redacted report leaves out."""
    return run("report", path, "-o", output, "--no-redact", *options)


def made(data: bytes = GOOD, tally: Tally | None = None, environment: bool = True) -> dict[str, Any]:
    """The document of one store in memory; `tally` in place of its own findings."""
    source = MemorySource(data)
    chart = Chart(source)
    report: Report = inspect(source, (tiny.FORMAT,), tap=chart.tap)
    if tally is not None:
        report.tally = tally
    return report_document(report, chart, Asked(Wishes(), environment), hiding(None, ()))


def damaged() -> bytes:
    data = bytearray(GOOD)
    data[GOOD.index(b"hello")] ^= 1
    return bytes(data)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_input_gives_the_same_bytes(run: Run, bad: str, tmp_path: Path, suffix: str) -> None:
    for name in ("one", "two"):
        assert report_of(run, bad, f"{name}.{suffix}").code == 3
    assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
    assert (tmp_path / f"one.{suffix}").stat().st_mode & 0o777 == 0o600


def test_a_report_is_not_written_over_anything(run: Run, bad: str, tmp_path: Path) -> None:
    (tmp_path / "old.md").write_text("mine")
    assert report_of(run, bad, "old.md").code == 7
    assert (tmp_path / "old.md").read_text() == "mine"
    assert report_of(run, bad, "old.md", "--force").code == 3
    assert report_of(run, bad, bad, "--force").code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.tiny", "old.md"]


def test_a_redacted_report_quotes_no_damaged_bytes(run: Run, bad: str, tmp_path: Path) -> None:
    assert "iello world" in report_of(run, bad, "-").out
    for suffix in SUFFIXES:
        assert run("report", bad, "-o", f"r.{suffix}").code == 3
        if suffix == "zip":
            with zipfile.ZipFile(tmp_path / "r.zip") as packed:
                parts = [packed.read(name) for name in packed.namelist()]
        else:
            parts = [(tmp_path / f"r.{suffix}").read_bytes()]
        assert not any(b"iello world" in part for part in parts), suffix
    assert "the body (11 private characters) is not what was written" in (tmp_path / "r.md").read_text()


def test_a_redacted_report_that_still_holds_private_bytes_is_not_written(
    run: Run, bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = (tmp_path / bad).read_bytes()[slice(*HELLO)]
    for leak in (record, record.hex().encode(), base64.b64encode(record)):
        monkeypatch.setattr(report_forms, "form_of", lambda _, leak=leak: lambda _, gate: gate(b"# " + leak))
        ran = run("report", bad, "-o", "r.md")
        assert (ran.code, "private" in ran.err) == (7, True)
    assert [p.name for p in tmp_path.iterdir()] == ["bad.tiny"]


def test_a_form_that_does_not_exist_is_refused_before_anything_is_read(run: Run) -> None:
    ran = run("report", "missing.tiny", "-o", "report.pdf")
    assert (ran.code, ".md .html .json .sarif .zip" in ran.err) == (2, True)


def test_a_clean_store_has_a_report_too(run: Run, good: str) -> None:
    ran = report_of(run, good, "-")
    assert ran.code == 0
    assert "clean" in ran.out.splitlines()[0]


def test_the_first_ten_lines_tell_what_a_maintainer_asks(run: Run, bad: str) -> None:
    head = "\n".join(report_of(run, bad, "-").out.splitlines()[:10])
    titles = (
        "Bug or disk",
        "Store",
        "Cause",
        "First damage",
        "Records around it",
        "Known issue",
        "File system",
        "Files",
    )
    for title in titles:
        assert f"**{title}:**" in head, title
    assert f"at {HELLO[0]}" in head


def test_nothing_about_the_host_is_left_without_the_environment(run: Run, bad: str) -> None:
    told = report_of(run, bad, "-", "--no-environment").out
    assert "File system" not in told
    assert "Linux" not in told
    report_of(run, bad, "r.json", "--no-environment")
    document = json.loads(Path("r.json").read_text())
    assert document["environment"] is None
    assert all(e["kind"] != "file" for e in document["timeline"])


def test_a_zip_holds_all_forms_and_their_digests(run: Run, bad: str, tmp_path: Path) -> None:
    report_of(run, bad, "r.zip")
    with zipfile.ZipFile(tmp_path / "r.zip") as bundle:
        names = sorted(bundle.namelist())
        assert names == ["manifest.json", "report.html", "report.json", "report.md", "report.sarif"]
        manifest = json.loads(bundle.read("manifest.json"))
        for file in manifest["files"]:
            data = bundle.read(file["name"])
            assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert len(manifest["files"]) == 4
    report_of(run, bad, "r.md")
    assert manifest["files"][2]["sha256"] == hashlib.sha256((tmp_path / "r.md").read_bytes()).hexdigest()


def test_a_folder_of_several_stores_is_asked_which_one(run: Run, good: str, bad: str) -> None:
    ran = report_of(run, ".", "r.md")
    assert (ran.code, "2 stores" in ran.err) == (2, True)


def many(count: int) -> Tally:
    """A million findings of forty rules, each as long and as unfriendly as can be."""
    tally = Tally(100)
    text = "`|<details>](x) \u202e `` @everyone https://evil.example #1 " * 50
    for n in range(40):
        rule = Rule(f"TNX{n:03}", f"rule-{n}", Severity.ERROR, text, text, text, text, text)
        finding = Finding(rule, Span(n, n + 1), text, {"value": text}, Cause("unknown", "certain", text))
        make = partial(replace, finding)
        for _ in range(count // 40):
            tally.add(rule, make)
    return tally


def test_markdown_fits_an_issue_whatever_is_found() -> None:
    document = made(damaged(), many(1_000_000))
    document["words"] = ["w" * 5000] * 500
    document["loaders"] = [dict.fromkeys(("program", "release", "outcome", "message"), "`" * 3000)] * 500
    document["timeline"] = [{"time": "t", "kind": "log", "file": None, "offset": 1, "what": "| " * 3000}] * 500
    issue = ("id", "program", "title", "affected", "fixed", "confidence", "because", "url", "advice")
    document["known_issues"] = [dict.fromkeys(issue, "https://github.com/" + "x" * 3000)] * 9
    document["environment"]["files"] = [{"name": "n" * 250, "size": 1, "modified": "m", "age_seconds": 1}] * 1000
    document["records"]["by_kind"] = {f"kind {i}": i for i in range(5000)}
    text = markdown(document)
    assert len(text.encode()) <= LIMIT
    lines = text.splitlines()
    assert sum(line.startswith("<details") for line in lines) == lines.count("</details>") == 8
    assert "more of this section" in text
    assert document["findings_total"] == 1_000_000
    assert read_page(html(document)).faults == []
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
        for child in token.children or ():
            assert child.type != "text" or not re.search("@everyone|evil|#1", child.content), child.content


def test_markdown_is_read_as_it_was_meant(run: Run, bad: str) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(report_of(run, bad, "-").out)
    kinds = {t.type for t in tokens} | {c.type for t in tokens for c in t.children or ()}
    assert not kinds & {"link_open", "image"}
    assert {"heading_open", "bullet_list_open", "table_open", "fence", "code_inline"} <= kinds
    markup = {c.content for t in tokens for c in [t, *(t.children or ())] if c.type.startswith("html")}
    assert all("<details" in m or "</details" in m or "sub>" in m for m in markup), markup


def test_the_page_holds_together_and_loads_nothing(run: Run, bad: str, tmp_path: Path) -> None:
    report_of(run, bad, "r.html")
    page = read_page((tmp_path / "r.html").read_text())
    assert page.faults == []
    assert "default-src 'none'" in page.policy
    assert "unsafe" not in page.policy
    assert {"main", "header", "footer", "nav", "h1", "h2", "caption", "th", "svg", "figure"} <= page.tags
    assert not page.tags & {"img", "link", "iframe", "object", "embed", "form", "base", "a:visited"}
    assert {"f1", "map", "findings", "summary", "repair"} <= page.ids


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everything_on_the_page_can_be_read(theme: str) -> None:
    fields = html_page.LIGHT if theme == "light" else html_page.DARK
    ink, paper = html_page.INK[theme], html_page.PAPER[theme]
    assert len(set(fields)) == len(fields)
    assert min(contrast(ink, colour) for colour in fields) >= 4.5
    for colour in (ink, html_page.MUTED[theme], html_page.LINK[theme], *html_page.MARKS[theme].values()):
        assert contrast(colour, paper) >= 4.5, colour


def test_the_map_shows_damage_where_it_is() -> None:
    document = made(damaged())
    bar = document["map"][0]
    assert bar["damaged"] == [list(HELLO)]
    assert sum(sum(part[1:]) for part in bar["slices"]) == len(GOOD)
    assert len(bar["slices"]) <= SLICES


def test_sarif_names_the_bytes_of_each_finding() -> None:
    run = sarif(made(damaged()))["runs"][0]
    (result,) = run["results"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {"byteOffset": HELLO[0], "byteLength": HELLO[1] - HELLO[0]}
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "TNY001"


def test_the_document_holds_to_its_schema(run: Run, bad: str, good: str, tmp_path: Path) -> None:
    import jsonschema

    schema = run("schema", "report").document
    for name in (bad, good):
        for options in ((), ("--no-environment",)):
            report_of(run, name, "r.json", "--force", *options)
            jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), schema)


def test_times_of_records_and_logs_stand_in_one_line(run: Run, bad: str, tmp_path: Path) -> None:
    log = "2024-05-14T05:43:21.046Z **BROKEN** gossipd: gossip_store: bad checksum offset 30: 00\n"
    (tmp_path / "a.log").write_text("noise\n" * 100 + log)
    report_of(run, bad, "r.json", "--log", "a.log")
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["log"]["counts"] == {"cln-bad-checksum": 1}
    assert document["log"]["lines"][0]["line"] == 101
    assert [e["time"] for e in document["timeline"]] == sorted(e["time"] for e in document["timeline"])
    assert any(e["kind"] == "log" for e in document["timeline"])
