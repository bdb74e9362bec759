"""What the help promises: examples that can be pasted, and one line per command."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from typing import Any

import pytest
import typer

from inspector.cli.app import COMMANDS
from inspector.cli.dev import INJECT_EXAMPLES, SELFTEST_EXAMPLES
from inspector.cli.parser import build
from inspector.cli.summaries import SUMMARIES
from tests.cli.conftest import Run

WIDTH = 76  # of a terminal with 80 columns, behind the margin of the help: a wrapped command cannot be pasted
TEXTS = {name: str(import_module(f"inspector.cli.{name}").EXAMPLES) for name in COMMANDS} | {
    "dev inject": INJECT_EXAMPLES,
    "dev selftest": SELFTEST_EXAMPLES,
}
EXAMPLES = [line for text in TEXTS.values() for line in text.splitlines() if "inspector " in line]


@pytest.fixture(scope="module")
def group() -> Any:
    return typer.main.get_command(build(COMMANDS))


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_a_command_line_that_parses_and_fits_on_a_line(group: Any, line: str) -> None:
    assert len(line) <= WIDTH
    (command,) = re.findall(r"inspector ([^|<>]*)", line)
    name, *arguments = shlex.split(command)
    found = group.commands[name]
    if name == "dev":
        found = found.commands[arguments.pop(0)]
    assert found.make_context(name, list(arguments)).params, "it takes all of these arguments"


def test_every_command_has_an_example() -> None:
    for name, text in TEXTS.items():
        assert f"inspector {name}" in text


def test_the_list_of_commands_says_what_each_says_of_itself(group: Any, run: Run) -> None:
    said = {name: group.commands[name].get_short_help_str(limit=200) for name in COMMANDS}
    assert said == SUMMARIES
    plain = " ".join(run("--help").out.split())
    assert all(f"{name} {line}" in plain for name, line in said.items())


def test_no_short_help_is_cut_off(run: Run) -> None:
    for arguments in (("--help",), ("dev", "--help")):
        assert "..." not in re.sub(r"\[?(OPTIONS|ARGS)\]?[.]*", "", run(*arguments).out)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("scn", "x"), "Did you mean 'scan'?"),
        (("scan", "--jsn", "x"), "--json"),
        (("--json", "scan", "x"), "options come behind the command"),
        (("scan", "god.tiny"), "did you mean good.tiny?"),
        (("scan", "nowhere/god.tiny"), "nowhere is not there either"),
        (("scan", "good.tiny", "--format", "tinny"), "did you mean tiny?"),
    ],
)
def test_a_slip_of_the_fingers_gets_a_suggestion(run: Run, good: str, arguments: tuple[str, ...], hint: str) -> None:
    ran = run(*arguments)
    assert ran.code in (2, 6)
    assert hint in ran.err
    assert len(ran.err.splitlines()) <= 2


def test_a_name_that_fills_the_screen_does_not_hide_what_is_said_about_it(run: Run) -> None:
    err = run("scan", "a" * 4000).err
    assert len(err) < 250
    assert "File name too long" in err


def test_a_hint_lists_a_few_names_and_where_the_others_are(run: Run) -> None:
    assert len(run("explain", "ZZZ999").err) < 200
    assert len(run("schema", "nothing").err) < 300
