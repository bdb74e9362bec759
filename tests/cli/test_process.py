"""Whole processes: pipes, signals, terminals, exit codes."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inspector.cli.app import COMMANDS
from tests.cli.tiny_format import NAME, TEXT, record, store

ROOT = Path(__file__).parents[2]
TINY = [sys.executable, "-m", "tests.cli.tiny_main"]


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")}
    return kept | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"} | more


def call(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TINY, *arguments], check=False, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=60
    )


def on_a_terminal(*arguments: str, cwd: Path, columns: int = 80, variable: str = "") -> tuple[int, str]:
    """The exit code and all that a terminal of this width received on standard output."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*TINY, *arguments],
        cwd=cwd,
        env=environment(COLUMNS=str(columns), LINES="50") | dict([variable.split("=")] if variable else []),
        stdout=child,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    os.close(child)
    received = b""
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not piece:
            break
        received += piece
    os.close(parent)
    assert process.stderr is not None
    process.stderr.close()
    return process.wait(), received.decode()


@pytest.fixture
def bad(tmp_path: Path) -> str:
    data = bytearray(store(record(NAME, b"vol1"), record(TEXT, b"hello world " * 10), record(NAME, b"b/vol1")))
    data[30] ^= 1
    (tmp_path / "bad.tiny").write_bytes(data)
    return "bad.tiny"


@pytest.fixture
def large(tmp_path: Path) -> str:
    (tmp_path / "large.tiny").write_bytes(store(*[record(TEXT, b"x" * 100)] * 20_000))
    return "large.tiny"


def test_a_package_that_is_not_installed_is_told_as_such(tmp_path: Path) -> None:
    """As where another Python than that of the installation runs it."""
    script = (
        "import sys; sys.modules['msgspec'] = None\nfrom inspector.__main__ import main\nsys.exit(main(['scan', 'x']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("inspector: the Python package msgspec is not there; the source was not changed")
    assert sys.executable in done.stderr
    assert "bug" not in done.stderr


def test_the_version_says_which_kernels_run_without_loading_the_command_line() -> None:
    script = "import sys; from inspector.__main__ import main; main(['--version']); print('typer' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert re.fullmatch(
        r"inspector \d+\.\d+\.\d+ \(kernel: (compiled|plain), crc32c: (hardware|portable)\)\nFalse\n", told.stdout
    )


def test_a_scan_into_a_pipe_loads_no_rich(bad: str, tmp_path: Path) -> None:
    script = (
        "import sys; from tests.cli.tiny_main import run; sys.argv[1:] = ['scan', 'bad.tiny']; run();"
        "print([m for m in sys.modules if m.split('.')[0] == 'rich'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment()
    )
    assert told.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("style", [[], ["--jsonl"], ["--csv"]], ids=str)
def test_head_ends_the_stream_quietly(large: str, tmp_path: Path, style: list[str]) -> None:
    process = subprocess.Popen(
        [*TINY, "records", large, *style], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


def unread(*arguments: str, cwd: Path) -> tuple[int, bytes]:
    """How a command ends whose standard output nobody reads, and what it says on the other one."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        told = subprocess.run(
            [*TINY, *arguments], cwd=cwd, env=environment(), stdout=closed, stderr=subprocess.PIPE, check=False
        )
    return told.returncode, told.stderr


@pytest.mark.parametrize("style", [(), ("--json",)])
def test_a_scan_whose_reader_went_away_keeps_its_verdict(bad: str, tmp_path: Path, style: tuple[str, ...]) -> None:
    assert unread("scan", bad, *style, cwd=tmp_path) == (3, b"")


@pytest.mark.parametrize("arguments", [("records",), ("records", "--jsonl"), ("records", "--csv"), ("items",)])
def test_rows_whose_reader_went_away_are_no_failure(bad: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What was not printed cannot be judged: `records` ends with 3 for a damaged record that it printed."""
    assert call(*arguments, bad, cwd=tmp_path).returncode == (3 if arguments[0] == "records" else 0)
    assert unread(*arguments, bad, cwd=tmp_path) == (0, b"")


def test_a_full_disk_behind_standard_output_is_an_output_error(bad: str, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with open("/dev/full", "wb") as full:  # noqa: PTH123  a device
        told = subprocess.run(
            [*TINY, "scan", bad], cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert told.returncode == 6
    assert told.stderr == b"inspector: standard output: No space left on device\n"


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_output_is_an_output_error_and_nothing_is_written_to_the_source(
    bad: str, tmp_path: Path, redirection: str
) -> None:
    before = (tmp_path / bad).read_bytes()
    command = f"{' '.join(TINY)} scan {bad} {redirection}"
    told = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, check=False)
    assert told.returncode == 6
    assert (tmp_path / bad).read_bytes() == before
    quiet = subprocess.run(["sh", "-c", f"{command} -q"], cwd=tmp_path, env=environment(), check=False)
    assert quiet.returncode == 3


def test_the_first_record_is_printed_before_the_last_is_read(tmp_path: Path) -> None:
    """The source is a pipe to the reader, so only order can be seen: one row, long before the process ends."""
    (tmp_path / "huge.tiny").write_bytes(store(*[record(TEXT, b"x" * 10)] * 300_000))
    process = subprocess.Popen(
        [*TINY, "records", "huge.tiny", "--jsonl"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b'{"start":5,')
    assert process.poll() is None
    process.kill()
    process.stdout.close()
    process.wait()


def test_an_interrupt_is_one_line_and_130(tmp_path: Path) -> None:
    (tmp_path / "huge.tiny").write_bytes(store(*[record(TEXT, b"x" * 10)] * 300_000))
    process = subprocess.Popen(
        [*TINY, "records", "huge.tiny"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"inspector: interrupted\n")


def test_standard_input_is_a_source(bad: str, tmp_path: Path) -> None:
    told = subprocess.run(
        [*TINY, "scan", "-", "--json"], input=(tmp_path / bad).read_bytes(), cwd=tmp_path, env=environment(),
        capture_output=True, check=False,
    )  # fmt: skip
    assert told.returncode == 3
    assert b'"kind": "stdin"' in told.stdout


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal(bad: str, tmp_path: Path, columns: int) -> None:
    lines = [("scan", bad), ("records", bad), ("show", bad, "20"), ("items", bad), ("formats", "tiny")]
    for arguments in (*lines, ("explain", "TNY001")):
        _, text = on_a_terminal(*arguments, cwd=tmp_path, columns=columns)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert max(len(line) for line in plain.splitlines()) <= columns, arguments


def test_a_terminal_gets_colours_and_the_same_words(bad: str, tmp_path: Path) -> None:
    code, text = on_a_terminal("scan", bad, cwd=tmp_path, columns=100)
    assert code == 3
    assert "\x1b[1;31m" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n")
    assert plain == call("scan", bad, cwd=tmp_path).stdout


@pytest.mark.parametrize("variable", ["NO_COLOR=1", "TERM=dumb"])
def test_without_colour_no_escape_sequence_at_all(bad: str, tmp_path: Path, variable: str) -> None:
    for arguments in (("scan", bad), ("show", bad, "20"), ("records", bad)):
        _, text = on_a_terminal(*arguments, cwd=tmp_path, variable=variable)
        assert "\x1b" not in text


def test_colour_can_be_forced_into_a_pipe(bad: str, tmp_path: Path) -> None:
    assert "\x1b[" in call("scan", bad, cwd=tmp_path, FORCE_COLOR="1").stdout
    assert "\x1b[" not in call("scan", bad, cwd=tmp_path).stdout


def test_an_encoding_without_our_signs_gets_plain_ones(bad: str, tmp_path: Path) -> None:
    told = call("items", bad, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines()[1].startswith("` b  thing")


def test_long_work_on_a_terminal_shows_progress_and_wipes_it() -> None:
    script = (
        "import time\nfrom inspector.cli.progress import Progress\n"
        "with Progress('x') as p:\n    p(1, 4)\n    time.sleep(1.1)\n    p(1_500_000, 4_000_000)\n"
    )
    parent, child = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stderr=child, cwd=ROOT, env=environment())
    os.close(child)
    process.wait()
    received = b""
    while select.select([parent], [], [], 0.2)[0]:
        try:
            received += os.read(parent, 65536)
        except OSError:
            break
    os.close(parent)
    text = received.decode()
    assert re.search(r"\rx  1\.5 MB of 4\.0 MB  37 %  1\.\d MB/s  0:00:0\d left\x1b\[K\r\x1b\[K$", text), text


def test_progress_stays_out_of_a_pipe() -> None:
    script = (
        "import time\nfrom inspector.cli.progress import Progress\n"
        "with Progress('x') as p:\n    time.sleep(1.1)\n    p(1, 4)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=True)
    assert told.stderr == b""


def test_a_bug_of_ours_is_one_line_and_exit_1(bad: str, tmp_path: Path) -> None:
    script = (
        "import sys, inspector.cli.inputs as i\nfrom tests.cli.tiny_main import run\n"
        "def broken(path): raise ZeroDivisionError('by \\x1b[2J')\ni.open_path = broken\n"
        "sys.argv[1:] = ['scan', 'bad.tiny']; sys.exit(run())"
    )
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment(), check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("inspector: a bug of inspector: ZeroDivisionError: by \\x1b[2J\n")
    assert "Traceback" not in told.stderr
    traced = environment(INSPECTOR_TRACEBACK="1")
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=traced, check=False)
    assert "Traceback" in told.stderr


def test_help_is_grouped_and_every_option_is_explained(tmp_path: Path) -> None:
    told = call("--help", cwd=tmp_path, COLUMNS="100").stdout
    for group in ("Look", "Save", "Learn"):
        assert f"\n{group}:\n" in told
    for command in (name for name, group in COMMANDS.items() if group != "Prove"):
        told = call(command, "--help", cwd=tmp_path, COLUMNS="100").stdout
        assert "Examples:" in told, command
        options = told.partition("Options:")[2].partition("Examples:")[0]
        assert re.findall(r"^  (?:-\w, )?--[a-z-]+", options, re.MULTILINE)
        for option in re.split(r"^  (?=-)", options, flags=re.MULTILINE)[1:]:
            assert re.search(r" [A-Z][a-z]+:? .{8,}", " ".join(option.split())), option


def test_an_empty_command_line_prints_the_help(tmp_path: Path) -> None:
    told = call(cwd=tmp_path)
    assert told.returncode == 2
    assert "Usage: inspector" in told.stdout


def test_shell_completion_offers_the_commands(tmp_path: Path) -> None:
    told = call(cwd=tmp_path, _INSPECTOR_COMPLETE="complete_bash", COMP_WORDS="inspector re", COMP_CWORD="1")
    assert told.stdout.split() == ["records", "repair", "report"]


def test_time_flies_nowhere(tmp_path: Path, bad: str) -> None:
    """Two runs in different seconds print the same document."""
    first = call("scan", bad, "--json", cwd=tmp_path).stdout
    time.sleep(1.1 - time.time() % 1)
    assert call("scan", bad, "--json", cwd=tmp_path).stdout == first
