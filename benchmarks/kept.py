"""What was measured, kept piece by piece until what it was measured of is edited: a run that was stopped goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

from msgspec.json import decode, encode

from benchmarks.covered import ROOT, digest_of

T = TypeVar("T")
R = TypeVar("R")


class Kept:
    """A folder of answers, one file each, named by what was asked; those of another tree are taken away.

    `fresh`: nothing that was kept is taken, and what is measured now takes its place.
    """

    def __init__(self, folder: Path, tree: str, *, fresh: bool = False) -> None:
        self._folder, self._fresh = folder, fresh
        folder.mkdir(parents=True, exist_ok=True)
        tree_now = folder / "tree"
        if not tree_now.exists() or tree_now.read_text() != tree:
            for old in folder.glob("*.json"):
                old.unlink()
            tree_now.write_text(tree)

    def taken(self, part: str, asked: object, kind: type[R]) -> R | None:
        """What was measured when just this was asked of this part, None where it was not."""
        path = self._path(part, asked)
        if self._fresh or not path.exists():
            return None
        return decode(path.read_bytes(), type=kind, dec_hook=_as_path)

    def keep(self, part: str, asked: object, found: object) -> None:
        path = self._path(part, asked)
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(encode(found, enc_hook=str))
        unfinished.replace(path)

    def once(self, part: str, asked: object, kind: type[R], work: Callable[[], R]) -> R:
        found = self.taken(part, asked, kind)
        if found is None:
            found = work()
            self.keep(part, asked, found)
        return found

    def side_by_side(self, part: str, kind: type[R], work: Callable[[T], R], tasks: Sequence[T], jobs: int) -> list[R]:
        """What `work` makes of each task, in their order; each is kept as soon as it is there."""
        found = {n: one for n, task in enumerate(tasks) if (one := self.taken(part, task, kind)) is not None}
        left = [n for n in range(len(tasks)) if n not in found]
        if jobs == 1:
            for n in left:
                found[n] = work(tasks[n])
                self.keep(part, tasks[n], found[n])
        elif left:
            with ProcessPoolExecutor(jobs) as pool:
                begun = {pool.submit(work, tasks[n]): n for n in left}
                try:
                    for future in as_completed(begun):
                        n = begun[future]
                        found[n] = future.result()
                        self.keep(part, tasks[n], found[n])
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        return [found[n] for n in range(len(tasks))]

    def _path(self, part: str, asked: object) -> Path:
        return self._folder / f"{part}-{hashlib.sha256(encode(asked, enc_hook=str)).hexdigest()[:24]}.json"


def tree() -> str:
    """Of all that the figures depend on, but for the other programs that a part asks."""
    return digest_of(
        [path for name in ("inspector", "tests", "benchmarks") for path in (ROOT / name).rglob("*.py")]
        + list((ROOT / "inspector").rglob("*.so"))
        + [path for path in (ROOT / "samples").rglob("*") if path.is_file()]
    )


def _as_path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)
