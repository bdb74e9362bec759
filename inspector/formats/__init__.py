"""The one explicit list of formats, in order of detection; each is imported only when it is needed."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from inspector.format import Format

# module under inspector.formats -> its Format value is named FORMAT
MODULES: tuple[str, ...] = ("gossip_store",)


@cache
def load(module: str) -> Format:
    value = import_module(f"inspector.formats.{module}").FORMAT
    assert isinstance(value, Format)
    return value


def all_formats() -> tuple[Format, ...]:
    return tuple(load(module) for module in MODULES)
