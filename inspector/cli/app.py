"""The command line as a whole: which commands exist, and how a request that cannot be done is said."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from inspector.cli.privacy import active, by_default, keep, with_privacy
from inspector.errors import Exit, InspectorError, SourceError, UnknownFormatError

# command -> its group in the help; the module of the same name under inspector.cli holds its function and EXAMPLES
COMMANDS = {
    "scan": "Look",
    "records": "Look",
    "show": "Look",
    "items": "Look",
    "watch": "Look",
    "diff": "Look",
    "repair": "Save",
    "extract": "Save",
    "report": "Report",
    "capture": "Report",
    "carve": "Save",
    "excerpt": "Report",
    "apply": "Save",
    "merge": "Save",
    "formats": "Learn",
    "explain": "Learn",
    "schema": "Learn",
    "dev": "Prove",
}

_PSEUDONYM = re.compile(r"\bpath-\d+")
_LONG_NAME = re.compile(r"\S{200,}")
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


def run(arguments: list[str]) -> int:
    """Parse and carry out one command line; every InspectorError ends here as its message and exit code."""
    # only the asked command is loaded: the others cost as much time as a small scan
    asked: Iterable[str] = arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else COMMANDS
    if arguments in ([], ["-h"], ["--help"]) and not _rich():
        asked = ()  # plain help has its own list of them
    app = build(COMMANDS if "_INSPECTOR_COMPLETE" in os.environ else asked)
    try:
        try:
            code = app(args=arguments, prog_name="inspector", standalone_mode=False)
        finally:
            release()
    except InspectorError as error:
        complain(error)
        return int(error.code)
    except typer.Abort:
        code = Exit.INTERRUPTED
    except SystemExit as ended:  # so typer ends, with 1 and without a word, where any pipe broke
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        code = _broken(ended.__context__)
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
        _say(told, hint)
        return int(Exit.USAGE)
    if code == Exit.INTERRUPTED:  # typer makes a return value of the interrupt
        _say("interrupted")
    return int(code or 0)


def _broken(error: BrokenPipeError) -> int:
    """A reader of the output that went away is no error; a file that breaks like a pipe is one."""
    import select
    from contextlib import suppress

    with suppress(OSError, ValueError):  # no descriptor: nobody reads it through a pipe
        ready = select.poll()
        ready.register(sys.stdout.fileno(), 0)
        if ready.poll(0):  # nothing but errors was asked for
            return 0
    _say(f"{error.strerror} while reading or writing a file; the source was not changed")
    return int(Exit.IO)


def release() -> None:
    """Let out what a redacting command printed; raises RefusedError where something private is left in it."""
    if active() is not None:
        from inspector.cli.stdout import Output

        Output.release()
        keep()


def complain(error: InspectorError, path: str = "") -> None:
    """One line on standard error, what was tried, and what to do next."""
    prefix = f"{path}: " if path and not error.message.startswith(path) else ""
    tried = error.tried if isinstance(error, UnknownFormatError) else ()
    _say(prefix + error.message, error.hint or _permission(error), tried)


def _permission(error: InspectorError) -> str:
    if "Permission denied" not in error.message:
        return ""
    if isinstance(error, SourceError):
        return "run it as root or as the owner of the file; inspector opens it for reading only"
    return "name a file in a folder that you may write to"


def _shortened(name: re.Match[str]) -> str:
    """A file name that fills a screen hides what is said about it."""
    return f"{name[0][:60]}…{name[0][-60:]}"


def _say(message: str, hint: str = "", tried: tuple[tuple[str, str], ...] = ()) -> None:
    from inspector.sanitize import clean

    lines = [f"inspector: {clean(_LONG_NAME.sub(_shortened, message), 1000)}"]
    width = max((len(name) for name, _ in tried), default=0)
    lines += [f"  {clean(name):<{width}}  {clean(why, 400)}" for name, why in tried]
    if hint:
        lines.append(f"  {clean(hint, 1000)}")
    text = "\n".join(lines) + "\n"
    redactor = active()
    text = redactor.text(text) if redactor else text
    if by_default() and _PSEUDONYM.search(text):
        text += "  path-1 and the like stand for what this command redacts; with --no-redact it says the names\n"
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.flush()
