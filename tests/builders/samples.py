"""A sample: a small damaged store with one story, and what inspector must say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """`make` returns the bytes of `name`, or of a folder's members by relative path; always the same ones."""

    format: str  # folder below samples/
    name: str
    story: str  # what is wrong and how it came about, in one sentence
    rules: tuple[str, ...]  # codes of all errors and warnings, and of the notes the story is about
    make: Callable[[], bytes | dict[str, bytes]]
    repairs: bool = True  # a repair gives a store whose scan is clean
