"""What `make quality` measured is kept piece by piece, and nothing of another tree or question is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import covered, quality
from benchmarks.kept import Kept, tree
from benchmarks.mutants import Judged, Score
from benchmarks.mutations import Mutant
from benchmarks.quality_parts import Damaged


def _counted(task: tuple[str, Path, bool]) -> Damaged:
    """Says that it ran in a file, also from another process."""
    name, folder, breaks = task
    with (folder / "ran").open("a") as ran:
        ran.write(name)
    if breaks and not (folder / "mended").exists():
        raise RuntimeError(name)
    return Damaged(name, copies=len(name))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_part_that_was_stopped_goes_on_with_what_is_missing(jobs: int, tmp_path: Path) -> None:
    def run() -> list[Damaged]:
        return Kept(tmp_path / "kept", "a tree").side_by_side("damage", Damaged, _counted, tasks, jobs)

    tasks = [("a", tmp_path, False), ("bb", tmp_path, True)]
    kept = Kept(tmp_path / "kept", "a tree")
    assert kept.side_by_side("damage", Damaged, _counted, tasks[:1], jobs) == [Damaged("a", copies=1)]
    with pytest.raises(RuntimeError, match="bb"):
        run()
    (tmp_path / "mended").touch()
    assert run() == run() == [Damaged("a", copies=1), Damaged("bb", copies=2)]
    assert (tmp_path / "ran").read_text() == "a" + "bb" + "bb"


def test_nothing_is_taken_of_another_tree_another_question_or_where_it_is_to_be_measured_again(tmp_path: Path) -> None:
    mutant = Mutant(covered.ROOT / "inspector/correct.py", 4, "x", "source")
    found = Score(3, [Judged(mutant, "killed", "t", 1)])
    kept = Kept(tmp_path, "a tree")
    kept.keep("mutants", (60, 3), found)
    assert kept.taken("mutants", (60, 3), Score) == found
    assert kept.taken("mutants", (60, 4), Score) is None
    assert kept.taken("damage", (60, 3), Score) is None
    assert Kept(tmp_path, "a tree", fresh=True).taken("mutants", (60, 3), Score) is None
    assert Kept(tmp_path, "a tree").taken("mutants", (60, 3), Score) == found
    assert Kept(tmp_path, "another").taken("mutants", (60, 3), Score) is None
    assert Kept(tmp_path, "a tree").taken("mutants", (60, 3), Score) is None  # it was taken away


def test_each_part_is_told_and_written_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second part is stopped by a key press: the first is there, and is not measured again."""
    asked: list[str] = []

    def damaged(task: tuple[str, float, int]) -> Damaged:
        asked.append(task[0])
        return Damaged(task[0], copies=8, sealed=4, detected=3)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(quality, "damaged", damaged)
    monkeypatch.setattr(quality, "measured", stopped)
    words = ["quality", "--part", "damage", "--part", "coverage", "--format", "rocksdb", "--jobs", "1"]
    monkeypatch.setattr("sys.argv", [*words, "--kept", str(tmp_path), "--json", str(tmp_path / "told.txt")])
    for _ in range(2):
        assert quality.main() == 130
        out, err = capsys.readouterr()
        assert "| rocksdb | 8 | 4 | 75.0 % |" in out
        assert "| detected, of these | 75.0 % |" in out
        assert "not measured: coverage" in out
        assert "stopped" in err
        assert '"detected": 3' in (tmp_path / "told.txt").read_text()
    assert asked == ["rocksdb"]


def test_what_is_measured_depends_on_the_code_and_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    monkeypatch.setattr("benchmarks.kept.digest_of", seen.extend)
    tree()
    names = {str(path.relative_to(covered.ROOT)) for path in seen}
    assert {"inspector/correct.py", "benchmarks/kept.py", "tests/test_kept.py"} <= names
    assert any(name.startswith("samples/rocksdb/clean-db/") for name in names)


def test_what_is_left_out_of_the_coverage_run_is_a_test() -> None:
    for name in covered.LEFT_OUT:
        path, function = name.split("[")[0].split("::")
        assert f"def {function}(" in (covered.ROOT / path).read_text()
