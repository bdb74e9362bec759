"""What each format declares: kinds, rules and layouts, which scripts and reports rely on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inspector import formats
from inspector.format import Format
from tests.golden.digests import digest

HERE = Path(__file__).parent
FORMATS = formats.all_formats()


def path_of(form: Format) -> Path:
    return HERE / f"{form.name.replace('-', '_')}.declared.txt"


def lines_of(form: Format) -> Iterator[str]:
    yield f"kinds {dict(form.kinds)}, damaged {sorted(form.damaged)}"
    yield f"filters {sorted(form.filters)}, wishes {sorted(form.wishes)}, names {form.names}, brief {form.brief}"
    yield f"addresses {form.addresses}, appends {form.appends}, rotates {form.rotates}, splices {form.splices}"
    for rule in form.rules:
        words = rule.summary, rule.explanation, rule.loader, rule.advice, rule.source
        yield f"{rule.code} {rule.slug}: {rule.severity.name.lower()}, {digest(words)}"
    for layout in form.layouts:
        for row in layout.rows():
            yield f"{layout.name} {row.at} {row.size} {row.type} {row.name} ({row.privacy})"
