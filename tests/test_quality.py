"""What `make quality` measures with is right itself: mutants, the place a tool names, the sums of its tables."""

from __future__ import annotations

import ast
import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from benchmarks import against, probing, quality_table
from benchmarks.covered import Covered, Share
from benchmarks.mutants import ROOT, Judged, Score, chosen_tests, packages, sample, score
from benchmarks.mutating import Task, judged
from benchmarks.mutations import Mutant, mutants
from benchmarks.probing import PROBE, Reached, probed
from benchmarks.quality_parts import Damaged, Failed, Fuzzed, Mutated, _shuffled, fault_names
from inspector.span import Span
from tests.faults_cases import CASES

CODE = '''
from dataclasses import dataclass
Both = Left | Right
LIMIT = 3

@dataclass(frozen=True)
class Thing:
    size: int | None = 4

def f(a: int, b: int | None = 1) -> int | str:
    """Text 7."""
    if a < b and not b:
        a += 2
    while g(a):
        h(a)
        break
    return f"{a + 1}" if a else (a & b) * True

for x in zip(a, b, strict=True):
    register(x)
'''


def _mutants(tmp_path: Path, code: str) -> list[Mutant]:
    path = tmp_path / "code.py"
    path.write_text(code)
    return list(mutants(path))


def test_each_mutant_is_one_mistake_that_runs(tmp_path: Path) -> None:
    found = _mutants(tmp_path, CODE)
    kinds = Counter((m.line, m.what) for m in found)
    assert set(kinds.values()) == {1}
    assert {what for _, what in kinds} == {
        "3 to 4", "4 to 5", "1 to 2", "And to Or", "Lt to LtE", "not removed", "Add to Sub, in place", "2 to 3",
        "the opposite condition", "without h()", "break to continue", "Mult to FloorDiv", "BitAnd to BitOr",
        "True to False",
    }  # fmt: skip
    assert {m.what for m in found if m.loading} == {"3 to 4", "4 to 5", "1 to 2"}
    for mutant in found:
        assert ast.dump(ast.parse(mutant.source)) != ast.dump(ast.parse(CODE))
        changed = [n for n, pair in enumerate(zip(CODE.splitlines(), mutant.source.splitlines(), strict=True), 1)
                   if pair[0] != pair[1]]  # fmt: skip
        assert changed == [mutant.line]


def test_a_mutant_of_a_part_keeps_what_stands_around_it(tmp_path: Path) -> None:
    (found,) = [m for m in _mutants(tmp_path, "y = a & b & c\n") if m.source.count("|") == 1 and "(a | b)" in m.source]
    assert found.source == "y = (a | b) & c\n"
    named = _mutants(tmp_path, "größe = 'ä' + b\n")
    assert [m.source for m in named] == ["größe = ('ä' - b)\n"]


def test_every_format_gives_its_share_of_the_sample_and_a_seed_gives_it_again() -> None:
    names = len(packages())
    chosen = sample(names + 2, 5, None)
    assert len(chosen) == names + 2
    assert len({m.path.relative_to(ROOT).parts[:3] for m in chosen}) == names
    assert [(m.path, m.line, m.what) for m in chosen] == [(m.path, m.line, m.what) for m in sample(names + 2, 5, None)]


def test_a_mutant_meets_the_tests_that_come_by_it_the_quickest_first() -> None:
    format_test, other = "tests/formats/kad_trace/test_text.py::t", "tests/carve/test_logs.py::t"
    seconds = {"t::slow": 295.0, "t::quick": 10.0, "t::fails": 0.1, format_test: 5.0, other: 1.0}
    found = Reached({1: ["t::slow", "t::fails", "t::quick"]}, seconds, ["t::fails"])
    mutant = Mutant(ROOT / "inspector/formats/kad_trace/lines.py", 1, "", "")
    assert chosen_tests(1, mutant, found) == ([("t::quick", 10.0)], 1)  # both would take too long
    assert chosen_tests(2, mutant, found) == ([(format_test, 5.0)], 0)  # nothing came by: those of its format
    found.probed.add(2)
    assert chosen_tests(2, mutant, found) == ([], 0)  # it would have been met


def test_probes_leave_a_text_as_it_is_but_for_saying_that_they_were_met(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(CODE)
    places = [(number, mutant) for number, mutant in enumerate(mutants(path)) if not mutant.loading]
    made = ast.parse(probed(path.read_bytes(), places))
    met = [node.args[0] for node in ast.walk(made)
           if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == PROBE]  # fmt: skip
    assert sorted(ast.literal_eval(word) for word in met) == sorted(probing._word(number) for number, _ in places)
    assert ast.dump(_Without().visit(made)) == ast.dump(ast.parse(CODE))


class _Without(ast.NodeTransformer):
    """Takes probes out again."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        return node.values[1] if _is_probe(node.values[0]) else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if _is_probe(node.value) else self.generic_visit(node)


def _is_probe(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == PROBE


def test_a_probe_tells_which_tests_come_by_and_a_number_in_a_pattern_has_none(tmp_path: Path) -> None:
    line = "        result = left + right"
    text = f"def meet(left, right):\n    match left:\n      case 3:\n{line}\n    return result\n"
    path = tmp_path / "pattern.py"
    path.write_text(text)
    number, added = list(mutants(path))
    assert (number.what, added.what) == ("3 to 4", "Add to Sub")
    assert not probing._compiles(probed(path.read_bytes(), [(0, number)]))
    assert probing._compiles(probed(path.read_bytes(), [(1, added)]))


MEETING = {
    "same": ("return min(1.0, ", "return min(1.0, 0 + ", "survived"),
    "wrong": ("return min(1.0, ", "return 2 + min(1.0, ", "killed"),
    "loaded": ("import crc32c", "import crc33c", "killed"),
}


def test_a_mutant_is_killed_by_what_its_tests_say() -> None:
    path = ROOT / "inspector/correct.py"
    text = path.read_text()
    made = []
    for old, new, _ in MEETING.values():
        line = text[: text.index(old)].count("\n") + 1
        made.append(Mutant(path, line, "", text.replace(old, new, 1), old.startswith("import")))
    test = "tests/test_correct.py::test_the_chance_of_error_is_the_share_of_all_checksums_that_was_tried"
    met = {number: [test] for number, mutant in enumerate(made) if not mutant.loading}
    found = score(made, 0, 1, Reached(met, {test: 0.01}, []))
    assert [one.outcome for one in found.judged] == [outcome for _, _, outcome in MEETING.values()]
    assert found.dead == 2


def _one_always_fails(task: Task, limits: dict[str, float], pipe: int) -> None:
    for name in limits:
        os.write(pipe, f"begun\t{name}\n".encode())
        if name == "t::always" or "mutant" in task.source:
            os.write(pipe, f"failed\t{name}\n".encode())


def test_a_test_that_fails_without_a_mutant_too_kills_none() -> None:
    tests = [("t::always", 0.1), ("t::sees", 0.1)]
    task = Task(0, str(ROOT / "inspector/correct.py"), "a mutant", False, tests)
    sound: dict[str, bool] = {}
    assert judged(task, [tests[:1]], _one_always_fails, sound).outcome == "survived"
    met = judged(task, [tests], _one_always_fails, sound)
    assert (met.outcome, met.by, met.unsound) == ("killed", "t::sees", ["t::always"])


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("Corruption: block checksum mismatch in /x/000009.sst offset 4648 size 402", True),
        ("Corruption: block checksum mismatch in /x/000011.sst offset 4648 size 402", False),
        ("Corruption: block checksum mismatch in /x/000009.sst offset 464800 size 402", False),
        ("Corruption: /x/000009.sst", False),
        ("000009.sst read, last offset 4648", False),
    ],
)
def test_a_place_is_named_by_a_complaint_about_the_file_with_an_offset_at_the_damage(words: str, right: bool) -> None:
    harmed = against.Harmed(Path("/x"), (Span(5000, 5004, "000009.sst"),))
    assert against.placed(against.Said(words, 1), harmed) is right


def test_what_a_reader_tells_is_held_to_what_the_store_holds_and_held() -> None:
    row = against.Told("store", "tool", there=3)
    against._judge(row, frozenset("abxy"), frozenset("abc"), frozenset("abcx"))
    assert (row.kept, row.older, row.invented) == (2, 1, 1)


def test_places_are_shuffled_and_each_comes_once() -> None:
    for count in (0, 1, 2, 97):
        assert sorted(_shuffled(count, Random(count))) == list(range(count))


def test_every_command_line_is_in_one_part_of_the_faults() -> None:
    parts = fault_names(3)
    for case in CASES:
        assert sum(case.name.startswith(name) for part in parts for name in part) == 1, case.name


def test_the_summary_adds_up_and_what_must_never_be_is_counted() -> None:
    found = {
        "bytes": [Mutated("a", 30, 10, [], 0.5), Mutated("b", 3, 1, ["it broke"], 0.25)],
        "fuzz": [Fuzzed("a", 1000, 0.5, 1, "0.1 s", "90 MiB")],
        "faults": [Failed("scan", 9, {"EIO: exit 5": 3, "kill: exit -9": 1}, ["the input changed"])],
        "damage": [Damaged("a", 14, 12, 11, 10, 9, 10, 9, 200, 190, 4, 0),
                   Damaged("b", 8, 8, 8, 8, 8, 0, 0, 0, 0, 0, 1)],
        "against": [against.Told("s", "ldb", 4, 1, 0, 0, 5, 0, 9, 10),
                    against.Told("s", "inspector: x", 4, 4, there=10)],
        "coverage": Covered(7, [], {"inspector/a.py": Share(10, 9, 4, 3)}, {}),
        "mutants": Score(1, [Judged(Mutant(ROOT / "inspector/correct.py", 4, "x", ""), "killed", "t", 1),
                             Judged(Mutant(ROOT / "inspector/correct.py", 5, "y", ""), "unrun", "", 0)]),
    }  # fmt: skip
    told = dict(quality_table.figures(found))
    assert told["bytes mutated"] == "33"
    assert told["fuzz runs"] == "1,000 in 0.5 minutes"
    assert told["faults injected"] == "4 in 1 command lines, 1 with something wrong after"
    assert told["detected, of these"] == "95.0 %"
    assert told["salvage: units that the damage left alone and that verify"] == "95.0 %"
    assert told["branch coverage"] == "75.0 % of 4 branches"
    assert told["mutation score of formats and correct.py"] == "50.0 % (1 of 2, seed 1; 95 %: 9 to 91)"
    assert quality_table.wrong(found) == 4  # one each: failure, crash, fault, wrong correction
    assert list(quality_table.summary(found))[2:-1] == [f"| {name} | {value} |" for name, value in told.items()]
    text = "\n".join(line for part in found for line in quality_table.details(part, found))
    assert "| a | 30 | 10 | 0 | 0.50 s | 1,000 | 0.5 | 1 | 0.1 s | 90 MiB |" in text
    assert "- unrun: inspector/correct.py:5: y" in text
