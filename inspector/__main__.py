"""`python -m inspector` and the console script: the last border, where every ending gets its exit code."""

from __future__ import annotations

import gc
import os
import sys
import time

from inspector import __version__

GARBAGE = 50_000  # objects between two searches for cycles, a few MiB; at Python's 700 a tenth of start-up is spent so


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    arguments = sys.argv[1:] if argv is None else argv
    gc.set_threshold(GARBAGE)
    try:
        _occupy_standard_files()
        if arguments == ["--version"]:
            sys.stdout.write(version())
            code = 0
        else:
            _lean_records()
            from inspector.cli.app import run

            code = run(arguments)
    except KeyboardInterrupt:
        code = _interrupted()
    except BrokenPipeError:
        code = 0
    except OSError as error:  # of a call between reading and writing: a look at a folder, a close
        code = _system(error)
    except MemoryError:
        sys.stderr.write("inspector: out of memory; the source was not changed, and no output is there\n")
        code = 6
    except ModuleNotFoundError as error:
        code = _not_installed(error)
    except Exception as error:  # noqa: BLE001  a bug of ours that no inner border caught
        code = _our_bug(error)
    return _flushed(code)


def _occupy_standard_files() -> None:
    """Where the caller closed 0, 1 or 2, no file that is opened later may take its place and be written to."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest free number: this one; writing to it is an error
    if sys.stdout is None:  # so when the caller closed it
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  closed with the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  closed with the process


def _lean_records() -> None:
    """Import msgspec as where typing_extensions is not installed: it takes typing instead, and saves 6 ms.

    None in place of a module tells Python that there is no such module.
    """
    name = "typing_extensions"
    if name not in sys.modules:
        sys.modules[name] = None  # type: ignore[assignment]
        try:
            import msgspec  # noqa: F401
        finally:
            del sys.modules[name]


def version() -> str:
    from inspector import kernels

    crc = "hardware" if kernels.hardware_crc() else "portable"
    return f"inspector {__version__} (kernel: {kernels.WHICH}, crc32c: {crc})\n"


def _system(error: OSError) -> int:
    from inspector.sanitize import clean

    place = f"{clean(os.fsdecode(error.filename), 160)}: " if isinstance(error.filename, str | bytes) else ""
    sys.stderr.write(f"inspector: {place}{error.strerror or error}; the source was not changed\n")
    return 6


def _not_installed(error: ModuleNotFoundError) -> int:
    """A package that inspector needs is missing: another Python runs it than the one it was installed for."""
    if (error.name or "").partition(".")[0] == "inspector":
        return _our_bug(error)
    sys.stderr.write(f"inspector: the Python package {error.name} is not there; the source was not changed\n")
    sys.stderr.write(f"  {sys.executable} runs this, and has to be the Python that inspector was installed for\n")
    return 1


def _our_bug(error: Exception) -> int:
    from inspector.sanitize import clean

    if os.environ.get("INSPECTOR_TRACEBACK") == "1":
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write(f"inspector: a bug of inspector: {type(error).__name__}: {clean(str(error))}\n")
    sys.stderr.write("  the source was not changed; INSPECTOR_TRACEBACK=1 shows where it happened\n")
    return 1


def _flushed(code: int) -> int:
    """Flush what is left; a reader that went away is no error and must not speak up at interpreter exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except (OSError, ValueError):
            code = code or 6
    return code


def _interrupted() -> int:
    sys.stderr.write("inspector: interrupted\n")
    return 130


def _listen(came: list[int]) -> None:
    """Let what ends a process from outside (a service manager, a closed terminal, a limit) undo what is half done.

    The first such signal is put into `came` and ends like a key press; a second one kills.
    """
    import signal
    from types import FrameType

    def stop(number: int, _: FrameType | None) -> None:
        came.append(number)
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, stop)


def entry() -> None:
    """The process of one command line."""
    came: list[int] = []
    try:
        if any(word.startswith("--timeout") for word in sys.argv):
            from inspector import pace

            pace.begun = time.monotonic() - time.process_time()
        if sys.argv[1:] != ["--version"]:
            _listen(came)
        code = main()
    except KeyboardInterrupt:  # before `main` could take it, or behind it
        code = _interrupted()
    if code == 130 and came:  # whoever sent it is to see that it did; a limit, which would dump core, sees 130
        import signal

        if came[0] != signal.SIGXCPU:
            os.kill(os.getpid(), came[0])
    if code == 130:  # else CPython kills itself with the signal where an `exec` (of a dataclass) was interrupted
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    entry()
