"""A report as one HTML file: facts, map, findings with annotated bytes, log, timeline, ledger, host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from inspector.counted import plural
from inspector.render.diagnosis_documents import given_up_words
from inspector.render.hexdump import letter
from inspector.render.html_page import LIGHT, esc, page, table
from inspector.render.next_steps import script
from inspector.render.report_facts import (
    event_words,
    evidence_words,
    facts,
    issue_words,
    place_words,
    size_and_age,
    verdict_words,
)
from inspector.render.report_hex import data_of, folded, sign
from inspector.render.report_svg import bar, strip
from inspector.render.text import VERDICTS

MAX_FINDINGS = 200
MAX_ROWS = 500
MAX_EVENTS = 50
DUMPED = 1024  # bytes of one exhibit
LEVELS = {"error": "bad", "warning": "warn", "note": "quiet"}

Document = dict[str, Any]


def html(report: Document) -> str:
    """The whole page; deterministic, without a clock and without an address that is loaded."""
    return page(f"{report['source']['name']}: {verdict_words(report)}", _body(report))


def _body(report: Document) -> Iterator[str]:
    sections = [(name, title, body) for name, title, body in _sections(report) if body]
    yield '<a class="skip" href="#main">Skip to the report</a>\n'
    yield from _header(report)
    links = "".join(f'<li><a href="#{name}">{esc(title)}</a></li>' for name, title, _ in sections)
    yield f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n<main id="main">\n'
    for name, title, body in sections:
        yield f'<section id="{name}" aria-labelledby="h-{name}"><h2 id="h-{name}">{esc(title)}</h2>\n{body}</section>\n'
    tool = report["tool"]
    yield f'</main>\n<footer><p class="quiet">{esc(tool["name"])} {esc(tool["version"])}; offsets are bytes from 0, '
    yield "ends are not included.</p></footer>\n"


def _header(report: Document) -> Iterator[str]:
    counts = f" ({esc(report['severities'])})" if report["severities"] else ""
    yield f"<header><h1><code>{esc(report['source']['name'], 200)}</code>: "
    yield f'<span class="{VERDICTS[report["verdict"]]}">{esc(verdict_words(report))}</span>{counts}</h1></header>\n'


def _sections(report: Document) -> Iterator[tuple[str, str, str]]:
    yield "summary", "Summary", "".join(_summary(report))
    yield "map", "Map", "".join(_map(report))
    yield "findings", "Findings", "".join(_findings(report))
    yield "log", "Log lines", "".join(_log(report["log"])) if report["log"] else ""
    yield "timeline", "Timeline", "".join(_timeline(report["timeline"])) if report["timeline"] else ""
    yield "programs", "What the programs do with it", _loaders(report) if report["loaders"] else ""
    yield "repair", "What a repair would keep", "".join(_repair(report["repair"])) if report["repair"] else ""
    yield "records", "Records and bytes", "".join(_records(report))
    env = report["environment"]
    yield "environment", "Environment", "".join(_environment(env)) if env else ""


def _summary(report: Document) -> Iterator[str]:
    yield '<dl class="facts">'
    for title, words in facts(report):
        yield f"<dt>{esc(title)}</dt><dd>{esc(words)}</dd>"
    yield "</dl>\n"
    for words in report["words"]:
        yield f"<p>{esc(words)}</p>\n"
    told = report.get("diagnosis")
    if told and told["events"]:
        yield f"<h3>What happened, in {plural(told['events_total'], 'event')}</h3><ul>"
        yield "".join(f"<li>{esc(event_words(event))}</li>" for event in told["events"][:MAX_EVENTS]) + "</ul>\n"
        if told.get("given_up"):
            yield f"<p>{esc(given_up_words(told['given_up']))}</p>\n"
    if report["known_issues"]:
        yield "<h3>Known issues</h3><ul>"
        for issue in report["known_issues"]:
            link = f'<a rel="noreferrer" href="{esc(issue["url"])}">{esc(issue["id"])}</a>'
            yield f"<li>{link}: {esc(issue_words(issue))}. Affected: {esc(issue['affected'])}. "
            yield f"{esc(issue['advice'])}</li>"
        yield "</ul>\n"
    if report["next"]:
        yield "<h3>Next</h3>" + _block("Commands to run next", "\n".join(esc(c, 1000) for c in script(report)))


def _block(label: str, text: str) -> str:
    return f'<pre tabindex="0" role="region" aria-label="{esc(label)}">{text}</pre>\n'


def _map(report: Document) -> Iterator[str]:
    if not report["map"]:
        return
    yield '<ul class="legend"><li><span class="key k-sound"></span> records</li><li><span class="key k-opaque"></span> '
    yield 'content without a checksum</li><li><span class="key"></span> free</li><li><span class="key k-bad"></span> '
    yield "damaged, lost, or a finding (at least two thousandths wide)</li></ul>\n"
    for number, one in enumerate(report["map"], 1):
        yield bar(number, one, report["findings"])


def _findings(report: Document) -> Iterator[str]:
    if not report["findings"]:
        yield "<p>None.</p>\n"
        return
    told = ((esc(r["code"]), _level(r["worst"]), esc(r["rule"]), f"{r['count']:,}") for r in report["rules"])
    yield table("Rules that found something", ("code", "severity", "rule", "times>"), told)
    rules = {r["code"]: r for r in report["rules"]}
    exhibits = {name: e for e in report["exhibits"] for name in e["of"]}
    drawn: set[int] = set()
    for found in report["findings"][:MAX_FINDINGS]:
        yield from _finding(found, rules[found["code"]], exhibits.get(found["id"]), drawn)
    hidden = report["findings_total"] - min(len(report["findings"]), MAX_FINDINGS)
    if hidden > 0:
        yield f"<p>{hidden:,} more are counted and not listed here.</p>\n"


def _level(severity: str) -> str:
    return f'<span class="tag {LEVELS[severity]}">{esc(severity)}</span>'


def _finding(found: Document, rule: Document, exhibit: Document | None, drawn: set[int]) -> Iterator[str]:
    name, cause = found["id"], found["cause"]
    yield f'<article id="{name}" aria-labelledby="h-{name}"><h3 id="h-{name}">{_level(found["severity"])} '
    yield f'{esc(found["code"])} {esc(found["rule"])}</h3>\n<dl class="facts">'
    yield f"<dt>Where</dt><dd>{esc(place_words(found))}</dd><dt>What</dt><dd>{esc(found['message'])}</dd>"
    if cause["name"] != "unknown" or cause["because"]:
        yield f"<dt>Cause</dt><dd>{esc(cause['name'])} ({esc(cause['confidence'])}) {esc(cause['because'])}</dd>"
    if found["salvage"]:
        yield f"<dt>Salvage</dt><dd>{esc(found['salvage'])}</dd>"
    if found["evidence"]:
        told = ", ".join(f"{esc(name, 60)} <code>{esc(value, 200)}</code>" for name, value in evidence_words(found))
        yield f"<dt>Evidence</dt><dd>{told}</dd>"
    yield "</dl>\n<details><summary>What the rule means</summary>"
    for words in (rule["explanation"], rule["loader"], rule["advice"]):
        yield f"<p>{esc(words)}</p>"
    yield f'<p class="quiet">{esc(rule["source"])}</p></details>\n' if rule["source"] else "</details>\n"
    if exhibit is not None and id(exhibit) not in drawn:
        drawn.add(id(exhibit))
        yield from _exhibit(name, exhibit)
    elif exhibit is not None:
        first = exhibit["of"][0]
        yield f'<p>Its bytes are shown with <a href="#{first}">{first}</a>.</p>\n'
    yield "</article>\n"


def _exhibit(name: str, exhibit: Document) -> Iterator[str]:
    yield f"<h4>{esc(exhibit['title'])}: {esc(exhibit['state'])}</h4>\n"
    if exhibit["notes"]:
        yield "<ul>" + "".join(f"<li>{esc(note)}</li>" for note in exhibit["notes"]) + "</ul>\n"
    yield strip(exhibit)
    if exhibit["neighbours"]:
        told = (
            (f"{e['start']:,}", f"{e['end'] - e['start']:,}", esc(e["kind"]), esc(e["state"]), _fields(e["fields"]))
            for e in exhibit["neighbours"]
        )
        yield table("The records before and after it", ("offset>", "bytes>", "kind", "state", "what it says#"), told)
    if exhibit["fields"]:
        described = (
            (
                f'<span class="f{i % len(LIGHT)}">{letter(i)}</span>',
                f"{f['start']:#x}",
                f"{f['end'] - f['start']:,}",
                esc(f["name"]),
                esc(f["text"], 140),
                esc(f["meaning"]),
            )
            for i, f in enumerate(exhibit["fields"])
        )
        yield table("Its fields", ("key", "offset>", "bytes>", "name", "value#", "meaning"), described)
    if exhibit["data"]:
        yield _block(f"Bytes of {name}, each field in its colour", _dump(exhibit))


def _fields(fields: Document) -> str:
    return esc(", ".join(f"{k} {v}" for k, v in fields.items() if v not in (None, "", [])), 300)


def _dump(exhibit: Document) -> str:
    """Sixteen bytes to a line; every byte and its character in the colour of its field, whose name a pointer shows."""
    names = [esc(f["name"], 80) for f in exhibit["fields"]]
    lines = []
    for at, places in folded(exhibit, DUMPED):
        if places is None:
            lines.append('<span class="quiet">*</span>')
            continue
        hexes = "".join(_run(names, part, lambda p: f"{p[0]:02x}", " ") for part in _runs(places))
        signs = "".join(_run(names, part, lambda p: esc(sign(p[0])), "") for part in _runs(places))
        lines.append(f'<span class="quiet">{at:08x}</span>  {hexes} {signs}')
    hidden = exhibit["end"] - exhibit["start"] - len(data_of(exhibit))
    if hidden > 0:
        lines.append(f"… {plural(hidden, 'more byte')}")
    return "\n".join(lines)


Place = tuple[int, int | None]


def _runs(places: list[Place | None]) -> Iterator[list[Place | None]]:
    """Neighbours of the same field together, so that one element colours them."""
    held: list[Place | None] = []
    for place in places:
        if held and (place is None) == (held[-1] is None) and (place and place[1]) == (held[-1] and held[-1][1]):
            held.append(place)
        else:
            if held:
                yield held
            held = [place]
    if held:
        yield held


def _run(names: list[str], part: list[Place | None], show: Any, gap: str) -> str:
    text = gap.join(show(p) if p else "  " if gap else " " for p in part)
    owner = part[0][1] if part[0] else None
    if owner is None:
        return text + gap
    return f'<span class="f{owner % len(LIGHT)}" title="{names[owner]}">{text}</span>{gap}'


def _log(log: Document) -> Iterator[str]:
    told = (
        (
            _time(line["time"]),
            f"<code>{esc(line['text'], 300)}</code>",
            esc(line["meaning"]),
            esc(line["verdict"]),
            ", ".join(esc(i) for i in line["issues"]),
        )
        for line in log["lines"][:MAX_ROWS]
    )
    yield table("Known messages", ("time", "line#", "what it means", "in this store", "issues"), told)
    yield f"<p>{log['known']:,} known messages in all.</p>\n"
    for note in log["notes"]:
        yield f"<p>{esc(note)}</p>\n"


def _time(stamp: str | None) -> str:
    return f'<time datetime="{esc(stamp)}">{esc(stamp)}</time>' if stamp else '<span class="quiet">no time</span>'


def _timeline(events: Iterable[Document]) -> Iterator[str]:
    told = (
        (_time(e["time"]), esc(e["kind"]), f"{e['offset']:,}" if e["offset"] is not None else "", esc(e["what"], 400))
        for e in events
    )
    yield table("Oldest first", ("time", "kind", "byte>", "what"), told)


def _loaders(report: Document) -> str:
    names = ("program", "release", "outcome")
    told = ((*(esc(one[n]) for n in names), f"<code>{esc(one['message'])}</code>") for one in report["loaders"])
    return table("Outcome per program and release", (*names, "message"), told)


def _repair(repair: Document) -> Iterator[str]:
    if not repair["offered"]:
        yield f"<p>No: {esc(repair['why'])}</p>\n"
        return
    names = ("kept", "corrected", "dropped", "lost")
    told = (
        ("bytes", *(f"{repair['bytes'][n]:,}" for n in names), f"{repair['bytes']['added']:,}"),
        ("records", *("not known" if (c := repair["records"][n]) is None else f"{c:,}" for n in names), ""),
    )
    yield table("The ledger of a repair that was not carried out", ("", *(f"{n}>" for n in names), "added>"), told)
    if repair["notes"]:
        yield "<ul>" + "".join(f"<li>{esc(note)}</li>" for note in repair["notes"]) + "</ul>\n"
    if repair["changes"]:
        changes = (
            (
                esc(c["file"] or ""),
                "" if c["start"] is None else f"{c['start']:,}",
                "" if c["start"] is None else f"{c['end'] - c['start']:,}",
                esc(c["action"]),
                esc(c["proof"]),
                esc(c["why"]),
            )
            for c in repair["changes"]
        )
        columns = ("file", "offset>", "bytes>", "action", "proof", "why")
        yield table(f"Changes ({repair['changes_total']:,} in all)", columns, changes)


def _records(report: Document) -> Iterator[str]:
    kinds = ((esc(k), f"{n:,}") for k, n in report["records"]["by_kind"].items())
    yield table(f"{report['records']['total']:,} records by kind", ("kind", "count>"), kinds)
    roles = ((esc(k), f"{n:,}") for k, n in report["bytes"].items())
    yield table("Every byte once", ("role", "bytes>"), roles)


def _environment(env: Document) -> Iterator[str]:
    disk = env["file_system"]
    mounted = f"{disk['type']} {disk.get('release', '')} ({disk['options']})" if disk else "not told"
    yield f'<dl class="facts"><dt>System</dt><dd>{esc(env["system"])}, page size {env["page_size"]}</dd>'
    yield f"<dt>File system</dt><dd>{esc(mounted)}</dd></dl>\n"
    files = ((esc(f["name"], 200), esc(size_and_age(f, env)), _time(f["modified"])) for f in env["files"][:MAX_ROWS])
    yield table(f"Files; ages are before {env['ages_before']}", ("file#", "size and age", "written"), files)
