"""What the shell completes behind an option: names that inspector knows. Files are the shell's own business."""

from __future__ import annotations

from collections.abc import Callable, Iterable

PROOFS = ("anchored", "name", "unique", "unsealed")  # a test holds this against what the formats accept


def completion(of: str) -> Callable[[str], list[str]]:
    """A function for typer: what has been typed of a value -> the values that begin so."""
    values = _VALUES[of]

    def begun(incomplete: str) -> list[str]:
        return [value for value in values() if value.startswith(incomplete)]

    return begun


def _formats() -> list[str]:
    from inspector.formats import all_formats

    return [form.name for form in all_formats()]


def _carved() -> Iterable[str]:
    from inspector.carvers import MODULES

    return MODULES


def _networks() -> Iterable[str]:
    from inspector.formats.gossip_store.carving import NETWORKS

    return NETWORKS


def _rules() -> list[str]:
    from inspector.formats import all_formats
    from inspector.inspect import CORE_RULES

    return [rule.code for rules in (CORE_RULES, *(form.rules for form in all_formats())) for rule in rules]


def _documents() -> Iterable[str]:
    from inspector.render.schemas import SCHEMAS

    return SCHEMAS


def _damages() -> list[str]:
    from inspector.cli.dev import KindNames

    return KindNames.split()


_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "formats": _formats,
    "carved": _carved,
    "networks": _networks,
    "proofs": lambda: PROOFS,
    "rules": _rules,
    "documents": _documents,
    "damages": _damages,
}
