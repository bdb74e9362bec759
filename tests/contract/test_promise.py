"""What docs/json.md promises: no field, rule or exit code of a numbered schema goes away or becomes another one.

    python -m tests.contract.test_promise    writes down what is new since (tests/contract/promise.txt)

A line of that file that no longer holds needs a new schema number, not another line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inspector import formats
from inspector.errors import Exit
from inspector.inspect import CORE_RULES
from inspector.render.schemas import SCHEMAS, schema

PROMISED = Path(__file__).with_name("promise.txt")
VARIES = ("summary", "evidence")  # what a format says in its own words


def fields(shape: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Each field with its types, and whether it is always there."""
    for combined in ("anyOf", "oneOf", "allOf"):
        for one in shape.get(combined, ()):
            yield from fields(one, at)
    kind = shape.get("type", "const" if "const" in shape else "")
    if at and kind:
        yield f"{at}: {' or '.join(sorted([kind] if isinstance(kind, str) else kind))}"
    if "const" in shape:
        yield f"{at}: is {shape['const']}"
    if isinstance(shape.get("items"), dict):
        yield from fields(shape["items"], f"{at}[]")
    for name, one in shape.get("properties", {}).items():
        if name in shape.get("required", ()):
            yield f"{at}.{name}: always"
        if name not in VARIES:
            yield from fields(one, f"{at}.{name}")


def present() -> set[str]:
    every = formats.all_formats()
    found = {f"schema {name}{line}" for name in SCHEMAS for line in fields(schema(name, every))}
    rules = {*CORE_RULES, *(rule for form in every for rule in form.rules)}
    found |= {f"rule {rule.code} {rule.slug}" for rule in rules}
    return found | {f"exit {code.value} {code.name}" for code in Exit}


def test_nothing_that_was_promised_is_gone() -> None:
    promised = set(PROMISED.read_text().splitlines())
    assert len(promised) > 500
    assert not sorted(promised - present())


def test_a_field_that_goes_away_becomes_another_type_or_is_not_always_there_is_noticed() -> None:
    text = {"type": "string"}
    before = {"type": "object", "properties": {"a": text, "b": text}, "required": ["a"]}
    for properties, required in (
        ({"a": text}, ["a"]),
        ({"a": {"type": "integer"}, "b": text}, ["a"]),
        ({"a": text, "b": text}, []),
    ):
        after = {"type": "object", "properties": properties, "required": required}
        assert set(fields(before)) - set(fields(after))
    more = {"type": "object", "properties": {"a": text, "b": text, "c": text}, "required": ["a"]}
    assert set(fields(before)) < set(fields(more))


def main() -> None:
    kept = set(PROMISED.read_text().splitlines()) if PROMISED.exists() else set()
    if gone := sorted(kept - present()):
        sys.exit("\n".join(["a promise is broken:", *gone]))
    PROMISED.write_text("\n".join(sorted(present())) + "\n")


if __name__ == "__main__":
    main()
