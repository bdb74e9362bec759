"""Modules that are imported when they are first used: what a healthy store does not need costs its scan nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Postponed:
    """Stands for a module; each name is looked up in it once."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self._name), name)
        self.__dict__[name] = found
        return found
