"""The command line as a whole: which commands exist, and how a request that cannot be done is said."""

from __future__ import annotations

import os
import re
import sys

from inspector.cli.privacy import active, by_default, keep
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

_PSEUDONYM = r"\bpath-\d+"
_LONG_NAME = r"\S{200,}"


def run(arguments: list[str]) -> int:
    """Parse and carry out one command line; every InspectorError ends here as its message and exit code."""
    try:
        try:
            code = _carried_out(arguments)
        finally:
            release()
    except InspectorError as error:
        complain(error)
        return int(error.code)
    except BrokenPipeError:
        raise
    except OSError as error:  # of a call between reading and writing: a look at a folder, a close
        return _system(error)
    if code == Exit.INTERRUPTED:
        say("interrupted")
    return code


def _carried_out(arguments: list[str]) -> int:
    if arguments and arguments[0] in COMMANDS and "_INSPECTOR_COMPLETE" not in os.environ:
        from inspector.cli import quick

        if call := quick.command(arguments[0], arguments[1:]):
            try:
                return call()
            except BrokenPipeError as error:
                return broken(error)
    from inspector.cli.parser import parse  # typer: as long in coming as a small scan

    return parse(arguments)


def broken(error: BrokenPipeError) -> int:
    """A reader of the output that went away is no error; a file that breaks like a pipe is one."""
    import select
    from contextlib import suppress

    with suppress(OSError, ValueError):  # no descriptor: nobody reads it through a pipe
        ready = select.poll()
        ready.register(sys.stdout.fileno(), 0)
        if ready.poll(0):  # nothing but errors was asked for
            return 0
    say(f"{error.strerror} while reading or writing a file; the source was not changed")
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
    say(prefix + error.message, error.hint or _permission(error), tried)


def _system(error: OSError) -> int:
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    hint = ""
    if isinstance(error, PermissionError):
        hint = "a folder on the way is not open to you: run it as root or as its owner, or name another place"
    say(f"{place}{error.strerror or error}; the source was not changed", hint)
    return int(Exit.IO)


def _permission(error: InspectorError) -> str:
    if "Permission denied" not in error.message:
        return ""
    if isinstance(error, SourceError):
        return "run it as root or as the owner of the file; inspector opens it for reading only"
    return "name a file in a folder that you may write to"


def _shortened(name: re.Match[str]) -> str:
    """A file name that fills a screen hides what is said about it."""
    return f"{name[0][:60]}…{name[0][-60:]}"


def say(message: str, hint: str = "", tried: tuple[tuple[str, str], ...] = ()) -> None:
    from inspector.sanitize import clean

    lines = [f"inspector: {clean(re.sub(_LONG_NAME, _shortened, message), 1000)}"]
    width = max((len(name) for name, _ in tried), default=0)
    lines += [f"  {clean(name):<{width}}  {clean(why, 400)}" for name, why in tried]
    if hint:
        lines.append(f"  {clean(hint, 1000)}")
    text = "\n".join(lines) + "\n"
    redactor = active()
    if redactor:  # the name may stand in the message as it is, and as it is redacted already
        text = re.sub(r"^(inspector: )([^:\n]+: )\2", r"\1\2", redactor.text(text))
    if by_default() and re.search(_PSEUDONYM, text):
        text += "  path-1 and the like stand for what this command redacts; with --no-redact it says the names\n"
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.flush()
