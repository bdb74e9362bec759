"""The command line as a whole: which commands exist, and how a request that cannot be done is said."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module

import typer

from inspector.errors import Exit, InspectorError, UnknownFormatError

# command -> its group in the help; the module of the same name under inspector.cli holds its function and EXAMPLES
COMMANDS = {
    "scan": "Look",
    "records": "Look",
    "show": "Look",
    "items": "Look",
    "repair": "Save",
    "extract": "Save",
    "apply": "Save",
    "formats": "Learn",
    "explain": "Learn",
    "schema": "Learn",
}

# typer vendors click since 0.26 and used the real one before; both have this ancestor of a bad command line
_ParserError: type[Exception] = typer.BadParameter.__mro__[2]


def build(commands: Iterable[str]) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(
        name="inspector",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        help="Opens a damaged store, names the byte and the cause, and saves what can be saved.",
        epilog="Exit codes: 0 clean | 2 usage | 3 damage | 4 repaired with loss | 5 no known format | 6 I/O "
        "| 7 refused | 8 output failed verification | 9 not fully checked | 130 interrupted | 1 a bug of inspector",
    )
    app.callback(invoke_without_command=True)(_root)
    for name in commands:
        module = import_module(f"inspector.cli.{name}")
        app.command(name, rich_help_panel=COMMANDS[name], epilog=module.EXAMPLES)(getattr(module, name))
    return app


def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and which kernels run.", is_eager=True),
) -> None:
    if version:
        from inspector.__main__ import version as line

        sys.stdout.write(line())
        raise typer.Exit(0)


def run(arguments: list[str]) -> int:
    """Parse and carry out one command line; every InspectorError ends here as its message and exit code."""
    # only the asked command is loaded: the others cost as much time as a small scan
    asked = arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else COMMANDS
    app = build(COMMANDS if "_INSPECTOR_COMPLETE" in os.environ else asked)
    try:
        code = app(args=arguments, prog_name="inspector", standalone_mode=False)
    except InspectorError as error:
        complain(error)
        return int(error.code)
    except typer.Abort:
        code = Exit.INTERRUPTED
    except _ParserError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help text
            return int(Exit.USAGE)
        hint = "inspector --help lists the commands"
        if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
            from inspector.cli.inputs import nearest

            hint = nearest(arguments[0], list(COMMANDS))
        elif asked is not COMMANDS:
            hint = f"inspector {arguments[0]} --help lists its options"
        _say(str(getattr(error, "format_message", error.__str__)()), hint)
        return int(Exit.USAGE)
    if code == Exit.INTERRUPTED:  # typer makes a return value of the interrupt
        _say("interrupted")
    return int(code or 0)


def complain(error: InspectorError, path: str = "") -> None:
    """One line on standard error, what was tried, and what to do next."""
    prefix = f"{path}: " if path and not error.message.startswith(path) else ""
    tried = error.tried if isinstance(error, UnknownFormatError) else ()
    _say(prefix + error.message, error.hint, tried)


def _say(message: str, hint: str = "", tried: tuple[tuple[str, str], ...] = ()) -> None:
    from inspector.sanitize import clean

    lines = [f"inspector: {clean(message, 1000)}"]
    width = max((len(name) for name, _ in tried), default=0)
    lines += [f"  {clean(name):<{width}}  {clean(why, 400)}" for name, why in tried]
    if hint:
        lines.append(f"  {clean(hint, 1000)}")
    text = "\n".join(lines) + "\n"
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.flush()
