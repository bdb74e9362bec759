"""A list of formats of which only those that are asked are imported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from inspector.format import Format

Formats = Collection[Format]


@dataclass(frozen=True, slots=True)
class Catalogue(Collection[Format]):
    """Module names in order of detection; `uppers` says which stand on which format."""

    modules: tuple[str, ...]
    uppers: dict[str, tuple[str, ...]]  # name of a lower format -> modules that stand on it
    load: Callable[[str], Format]

    def __iter__(self) -> Iterator[Format]:
        return map(self.load, self.modules)

    def __len__(self) -> int:
        return len(self.modules)

    def __contains__(self, item: object) -> bool:
        return any(item is one for one in self)


def standing_on(formats: Formats, name: str | None) -> Iterator[Format]:
    """The formats that stand on the one of this name, None: the bottom formats; one after the other."""
    if not isinstance(formats, Catalogue):
        yield from (f for f in formats if f.on == name)
    elif name is not None:
        yield from map(formats.load, formats.uppers.get(name, ()))
    else:
        above = {module for modules in formats.uppers.values() for module in modules}
        yield from map(formats.load, (m for m in formats.modules if m not in above))


def later(module: str, name: str) -> Callable[..., Any]:
    """A function that is imported when it is called: what few commands need costs the others nothing."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(module), name)(*arguments)

    return call
