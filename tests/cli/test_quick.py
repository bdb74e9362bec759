"""A command line that is read without typer means what typer reads in it; every other is left to typer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from random import Random
from typing import Any, get_type_hints

import pytest
import typer

from inspector.cli import quick
from inspector.cli.app import COMMANDS
from inspector.cli.declare import declared
from inspector.cli.privacy import options_of_privacy, with_privacy
from tests.test_startup import imported

NAMES = [name for name in COMMANDS if name != "dev"]
VALUES = ["5", "0", "-3", "x", "a=b", "7_0", " 8", "", "-", "--json", "-q", "1e3", "warning", "--", "٣"]
WORDS = ["a", "b/c", "-", "", "12", "--", "--no-such", "-h"]


def function_of(name: str) -> Callable[..., int]:
    found: Callable[..., int] = getattr(import_module(f"inspector.cli.{name}"), name)
    return found


def quickly(name: str, words: list[str]) -> dict[str, Any] | None:
    """All parameters as the quick reading has them, with their defaults."""
    function = function_of(name)
    asked = quick._read(function, options_of_privacy(name), words)
    if asked is None:
        return None
    defaults = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    own = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)) | asked
    return {parameter: value for parameter, value in own.items() if parameter not in options_of_privacy(name)}


@functools.cache
def reader(name: str) -> tuple[Any, list[dict[str, Any]]]:
    """The command as typer reads it, and what it was called with."""
    calls: list[dict[str, Any]] = []
    function = function_of(name)

    @functools.wraps(function)
    def record(**given: Any) -> int:
        calls.append(given)
        return 0

    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(name)(with_privacy(name, record))
    return typer.main.get_command(app), calls


def by_typer(name: str, words: list[str]) -> dict[str, Any]:
    command, calls = reader(name)
    calls.clear()
    command.main(args=words, standalone_mode=False)
    assert len(calls) == 1, f"typer did not run {name} {words}"
    return calls[0]


def lines(name: str, rng: Random, count: int) -> list[list[str]]:
    """Command lines of this command, sensible and not."""
    options = [
        (part, declared(hint))
        for hint in get_type_hints(function_of(name), include_extras=True).values()
        if (found := declared(hint)) and found[1].option
        for one in found[1].names
        for part in one.split("/")
    ]
    made = []
    for _ in range(count):
        words = rng.choices(WORDS, [9, 6, 1, 1, 2, 1, 1, 1], k=rng.randrange(4))
        for part, found in rng.sample(options, min(len(options), rng.randrange(4))):
            at = rng.randrange(len(words) + 1)
            flag = found is not None and found[0] in (bool, bool | None)
            words[at:at] = [part] if flag else [part, rng.choice(VALUES)]
        made.append(words)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_both_readings_are_the_same(name: str) -> None:
    read = 0
    for words in lines(name, Random(name), 150):
        mine = quickly(name, words)
        if mine is not None:
            assert mine == by_typer(name, words), words
            read += 1
    assert read >= 1  # else nothing was shown


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--help"],
        ["a", "--json=1"],
        ["a", "--jobs", "0"],
        ["a", "--jobs", "two"],
        ["a", "--jobs", "2", "--jobs", "3"],
        ["a", "--jobs"],
        ["a", "--fail-on", "error"],
        ["a", "--no-such"],
        ["a", "--jso"],
        ["--", "a"],
        ["a", ""],
        ["a", "--log", "--json"],
    ],
)
def test_what_needs_judging_is_left_to_typer(words: list[str]) -> None:
    assert quick.command("scan", words) is None


def test_a_plain_line_is_read_without_typer() -> None:
    bare, asked = quickly("scan", ["a", "b"]), {"quiet": True, "jobs": 2, "log": ["x", "y"], "polite": False}
    words = ["a", "-q", "b", "--jobs", "2", "--log", "x", "--log", "y", "--no-polite"]
    assert bare is not None
    assert quickly("scan", words) == bare | asked
    assert "typer" not in imported("scan", "gossip_store/clean-v16.gossip_store", "--json")
