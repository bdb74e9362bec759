"""The forms of a report by the suffix of its file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from inspector.errors import UsageError
from inspector.render.encoding import encode

Document = dict[str, Any]
Gate = Callable[[bytes], bytes]  # what every finished form passes before it may be written
Form = Callable[[Document], bytes]


def _markdown(report: Document) -> bytes:
    from inspector.render.report_markdown import markdown

    return markdown(report).encode()


def _html(report: Document) -> bytes:
    from inspector.render.report_html import html

    return html(report).encode()


def _json(report: Document) -> bytes:
    return encode(report) + b"\n"


def _sarif(report: Document) -> bytes:
    from inspector.render.report_sarif import sarif

    return encode(sarif(report)) + b"\n"


def _zip(report: Document, gate: Gate) -> bytes:
    """All other forms and a manifest of them; the same report gives the same bytes."""
    import zipfile

    parts = {f"report{suffix}": gate(form(report)) for suffix, form in SINGLE.items()}
    manifest = {
        "schema": "inspector/manifest/1",
        "tool": report["tool"],
        "files": [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(parts.items())
        ],
    }
    parts["manifest.json"] = encode(manifest) + b"\n"
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in sorted(parts.items()):
            info = zipfile.ZipInfo(name)  # its date is the first that a zip can tell: no clock in a report
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o600 << 16
            bundle.writestr(info, data)
    return held.getvalue()


SINGLE: dict[str, Form] = {".md": _markdown, ".html": _html, ".json": _json, ".sarif": _sarif}
SUFFIXES = (*SINGLE, ".zip")


def form_of(output: str) -> Callable[[Document, Gate], bytes]:
    """The renderer for this file name; Markdown for standard output."""
    suffix = ".md" if output == "-" else PurePath(output).suffix.lower()
    if suffix == ".zip":
        return _zip
    if suffix not in SINGLE:
        raise UsageError(f"{output}: a report's form is told by its suffix", f"known: {' '.join(SUFFIXES)}")
    form = SINGLE[suffix]
    return lambda report, gate: gate(form(report))
