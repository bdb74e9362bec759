"""The command line as typer reads it: help, completion, mistakes, and whatever `quick` leaves to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from inspector.cli.app import COMMANDS, broken, say
from inspector.cli.privacy import with_privacy
from inspector.errors import Exit

# typer vendors click since 0.26 and used the real one before; both have this ancestor of a bad command line
_ParserError: type[Exception] = typer.BadParameter.__mro__[2]


class _Grouped(TyperGroup):
    """Commands by their group in plain help, too, which is what a pipe gets: rich costs more than a small scan."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        from inspector.cli.summaries import SUMMARIES

        for group in dict.fromkeys(COMMANDS.values()):
            with formatter.section(group):
                formatter.write_dl([(name, SUMMARIES[name]) for name, of in COMMANDS.items() if of == group])


def _rich() -> bool:
    return (sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))) and not os.environ.get("NO_COLOR")


def build(commands: Iterable[str]) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(
        cls=_Grouped,
        name="inspector",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if _rich() else None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        help="Opens a damaged store, names the byte and the cause, and saves what can be saved.",
        epilog="Exit codes: 0 clean | 2 usage | 3 damage | 4 repaired with loss | 5 no known format | 6 I/O "
        "| 7 refused | 8 output failed verification | 9 not fully checked | 130 interrupted | 1 a bug of inspector",
    )
    app.callback(invoke_without_command=True)(_root)
    for name in commands:
        module = import_module(f"inspector.cli.{name}")
        if hasattr(module, "group"):
            app.add_typer(module.group(), name=name, rich_help_panel=COMMANDS[name], epilog=module.EXAMPLES)
            continue
        command = with_privacy(name, getattr(module, name))
        app.command(name, rich_help_panel=COMMANDS[name], epilog=module.EXAMPLES)(command)
    return app


def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and which kernels run.", is_eager=True),
) -> None:
    if version:
        from inspector.__main__ import version as line

        sys.stdout.write(line())
        raise typer.Exit(0)


def parse(arguments: list[str]) -> int:
    """Parse and carry out one command line; every mistake in it is said here."""
    # only the asked command is loaded: the others cost as much time as a small scan
    asked: Iterable[str] = arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else COMMANDS
    if arguments in ([], ["-h"], ["--help"]) and not _rich():
        asked = ()  # plain help has its own list of them
    app = build(COMMANDS if "_INSPECTOR_COMPLETE" in os.environ else asked)
    try:
        code = app(args=arguments, prog_name="inspector", standalone_mode=False)
    except typer.Abort:
        code = Exit.INTERRUPTED  # typer may make a return value of the interrupt, too
    except SystemExit as ended:  # so typer ends, with 1 and without a word, where any pipe broke
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        code = broken(ended.__context__)
    except _ParserError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            help_text = "" if _rich() else str(getattr(error, "format_message", str)()) + "\n"
            sys.stdout.write(help_text)  # rich has printed it already
            return int(Exit.USAGE)
        hint = "inspector --help lists the commands"
        if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
            from inspector.cli.inputs import nearest

            hint = nearest(arguments[0], list(COMMANDS))
        elif asked is not COMMANDS:
            hint = f"inspector {arguments[0]} --help lists its options"
        told = str(getattr(error, "format_message", error.__str__)())
        if "Did you mean" in told:
            hint = ""
        elif asked is COMMANDS and arguments and arguments[0].startswith("-"):
            hint = "options come behind the command: inspector scan PATH --json"
        say(told, hint)
        return int(Exit.USAGE)
    return int(code or 0)
