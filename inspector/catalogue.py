"""A list of formats of which only those that are asked are imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from msgspec import Struct

from inspector.format import Format
from inspector.packings import LONGEST, MARKS
from inspector.source import Source

Formats = Collection[Format]


class Catalogue(Struct, frozen=True):
    """Module names in order of detection; `uppers` says which stand on which format."""

    modules: tuple[str, ...]
    uppers: dict[str, tuple[str, ...]]  # name of a lower format -> modules that stand on it
    load: Callable[[str], Format]
    likely: Callable[[Source], str | None] = lambda source: None  # the module to ask first

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


def named(formats: Formats, name: str) -> Format | None:
    """The format of this name; its module is usually called so, and then no other is imported."""
    module = name.replace("-", "_")
    if isinstance(formats, Catalogue) and module in formats.modules and formats.load(module).name == name:
        return formats.load(module)
    return next((form for form in formats if form.name == name), None)


def bottoms(formats: Formats, source: Source) -> Iterator[Format]:
    """The bottom formats in the order in which they are to be asked about a source: the likely one first."""
    name = formats.likely(source) if isinstance(formats, Catalogue) else None
    first = formats.load(name) if name and isinstance(formats, Catalogue) else None
    if first is not None:
        yield first
    yield from (form for form in standing_on(formats, None) if form is not first)


def later(module: str, name: str) -> Callable[..., Any]:
    """A function that is imported when it is called: what few commands need costs the others nothing."""

    def call(*arguments: Any) -> Any:
        return getattr(sys.modules.get(module) or import_module(module), name)(*arguments)

    return call


class LaterSequence(Sequence[Any]):
    """A module's tuple that is imported when it is looked at."""

    __slots__ = ("_module", "_name")

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def _values(self) -> tuple[Any, ...]:
        values: tuple[Any, ...] = getattr(import_module(self._module), self._name)
        return values

    def __getitem__(self, i: Any) -> Any:
        return self._values()[i]

    def __len__(self) -> int:
        return len(self._values())


class LaterMapping(Mapping[str, Any]):
    """A module's dict that is imported when it is looked at."""

    __slots__ = ("_module", "_name")

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def _values(self) -> Mapping[str, Any]:
        values: Mapping[str, Any] = getattr(import_module(self._module), self._name)
        return values

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())


def is_packed(source: Source) -> bool:
    """Whether a file is an archive or an image that has to be unpacked: it begins like one, and goes on like one."""
    if not source.read(0, LONGEST).startswith(MARKS):
        return False
    from inspector.unpacking import unpacks

    return unpacks(source)
