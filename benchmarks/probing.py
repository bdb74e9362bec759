"""Which tests come by each place that is to be changed: `python -m benchmarks.probing FOLDER TESTS...`.

A probe that says it was met is put into each place, all at once, and the tests run once, at nearly their own speed:
what a tracer asks of every line costs many times that. FOLDER/places is read, FOLDER/reached is written.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec
import pytest

from benchmarks.mutating import ROOT, codes, functions, options
from benchmarks.mutations import Mutant

PROBE = "_inspector_probe"


class Reached(msgspec.Struct):
    """The tests that come by each place, by its number, and the processor seconds of every test."""

    tests: dict[int, list[str]]
    seconds: dict[str, float]
    failed: list[str]
    probed: set[int] = set()  # places that have a probe: what no test comes by there, none runs in its own process


def probed(text: bytes, places: list[tuple[int, Mutant]]) -> str:
    """The text with a probe in each of these places; all lines stay where they are."""
    put: list[tuple[int, bool, int, bytes]] = []  # at one offset what ends comes first, then what holds the most
    for number, mutant in places:
        start, end = mutant.span
        if mutant.statement:
            put.append((start, True, start - end - 1, b"%s(%r); " % (PROBE.encode(), _word(number))))
        else:  # a probe gives None
            put.append((start, True, start - end, b"(%s(%r) or (" % (PROBE.encode(), _word(number))))
            put.append((end, False, end - start, b"))"))
    made, last = [], 0
    for at, _, _, what in sorted(put):
        made += [text[last:at], what]
        last = at
    return b"".join([*made, text[last:]]).decode()


def _word(number: int) -> str:
    """What a probe says: no constant of the code itself."""
    return f"place {number}"


def place_probes(places: list[tuple[int, Mutant]]) -> set[int]:
    """Give the functions of this process the probes; the numbers of those that found a function."""
    by_path: dict[Path, list[tuple[int, Mutant]]] = defaultdict(list)
    for number, mutant in places:
        by_path[mutant.path].append((number, mutant))
    for path in by_path:  # what is imported late has no functions yet
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    known, said = functions(), set[object]()
    for path, inside in by_path.items():
        text = path.read_bytes()
        able = [one for one in inside if not one[1].loading and _compiles(probed(text, [one]))]
        new = codes(compile(probed(text, able), str(path), "exec", dont_inherit=True))
        for function in known.get(str(path), ()):
            found = new.get((function.__code__.co_qualname, function.__code__.co_firstlineno), ())
            if len(found) == 1 and found[0].co_freevars == function.__code__.co_freevars:
                function.__code__ = found[0]
                said.update(const for code in chain(*codes(found[0]).values()) for const in code.co_consts)
    return {number for number, _ in places if _word(number) in said}


def _compiles(text: str) -> bool:
    try:
        compile(text, "probed", "exec", dont_inherit=True)
    except SyntaxError:  # a number in a pattern
        return False
    return True


class Watch:
    """The plugin that places the probes once the tests are collected, and notes what each test comes by."""

    def __init__(self, places: list[tuple[int, Mutant]]) -> None:
        self.places, self.hits = places, set[str]()
        self.reached = Reached({}, {}, [])

    def pytest_collection_finish(self) -> None:
        setattr(builtins, PROBE, self.hits.add)
        self.reached.probed = place_probes(self.places)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.hits.clear()
        before = os.times()
        try:
            return (yield)
        finally:
            after = os.times()
            self.reached.seconds[item.nodeid] = sum(after[:4]) - sum(before[:4])
            for said in self.hits:
                self.reached.tests.setdefault(int(said.removeprefix("place ")), []).append(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.reached.failed.append(report.nodeid)


def main() -> int:
    folder, *tests = sys.argv[1:]
    places = msgspec.msgpack.decode(
        (Path(folder) / "places").read_bytes(), type=list[tuple[int, Mutant]], dec_hook=_path
    )
    watch = Watch(places)
    code = pytest.main([*options(Path(folder)), *tests], plugins=[watch])
    (Path(folder) / "reached").write_bytes(msgspec.json.encode(watch.reached))
    return 0 if code in (0, 1) else int(code)


def _path(_: type, value: object) -> Path:
    return Path(str(value))


if __name__ == "__main__":
    sys.exit(main())
