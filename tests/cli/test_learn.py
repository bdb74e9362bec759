from __future__ import annotations

import jsonschema
import pytest

from inspector.render.schemas import SCHEMAS
from tests.cli.conftest import Run


def test_formats_lists_what_each_can(run: Run) -> None:
    assert "scan, records, show, items, extract, repair" in run("formats").out


def test_a_formats_field_tables_come_from_its_layouts(run: Run) -> None:
    out = run("formats", "tiny").out
    assert "   2     4  u32be  crc     CRC-32 of the body" in out
    assert "TNY001  error     checksum-mismatch" in out


@pytest.mark.parametrize("code", ["TNY001", "tny001", "checksum-mismatch", "INS002", "unreadable"])
def test_a_rule_is_explained_by_code_and_by_name(run: Run, code: str) -> None:
    ran = run("explain", code)
    assert ran.code == 0
    for title in ("What it means", "What the original program does", "What to do"):
        assert title in ran.out


def test_unknown_names_are_usage_errors_with_a_hint(run: Run) -> None:
    for arguments in (("explain", "TNY01"), ("formats", "tinny"), ("schema", "scann"), ("scan", "x", "--format", "t")):
        ran = run(*arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert len(ran.err.splitlines()) == 2


def test_every_schema_is_a_schema(run: Run) -> None:
    names = run("schema").out.split()
    assert names == list(SCHEMAS)
    for name in names:
        jsonschema.Draft202012Validator.check_schema(run("schema", name).document)


def _holds(run: Run, name: str, document: object) -> None:
    schema = run("schema", name).document
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


def test_every_document_holds_to_its_schema(run: Run, good: str, bad: str, torn: str) -> None:
    for path in (good, bad, torn, "missing"):
        _holds(run, "scan", run("scan", path, "--json").document)
    _holds(run, "scans", run("scan", good, bad, "missing", "--json").document)
    _holds(run, "scans", run("scan", ".", "--json").document)
    for line in run("records", bad, "--jsonl").lines:
        _holds(run, "records", line)
    _holds(run, "show", run("show", bad, "40", "--json").document)
    _holds(run, "show", run("show", bad, "snap", "--json").document)
    _holds(run, "items", run("items", good, "--json").document)
    for line in run("items", bad, "--jsonl").lines:
        _holds(run, "item", line)
    _holds(run, "repair", run("repair", bad, "--dry-run", "--json").document)
    _holds(run, "repair", run("repair", bad, "-o", "out.tiny", "--json", "--hash").document)
    _holds(run, "extract", run("extract", good, "leaf", "-o", "raw", "--json").document)
    _holds(run, "explain", run("explain", "TNY001", "--json").document)
    _holds(run, "formats", run("formats", "--json").document)
    _holds(run, "formats", run("formats", "tiny", "--json").document)


def test_the_summary_is_held_to_the_formats_own_schema(run: Run, good: str) -> None:
    document = run("scan", good, "--json").document
    document["summary"] = {"names": "not a list"}
    with pytest.raises(jsonschema.ValidationError):
        _holds(run, "scan", document)
