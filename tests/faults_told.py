"""What came of failing system calls: outcomes by command, and the table of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Told:
    """What came of all faults of one command."""

    name: str
    calls: int = 0
    skipped: int = 0  # faults of calls that are like others, with --sites
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0  # of the processor, with children

    def document(self) -> dict[str, object]:
        faults = self.outcomes.total()
        return {
            "name": self.name,
            "calls": self.calls,
            "faults": faults,
            "skipped": self.skipped,
            "outcomes": self.outcomes,
            "cpu_seconds": round(self.seconds, 1),
            "wrong": self.wrong,
        }


def line(told: Told, out: TextIO) -> None:
    sums = f"{told.calls:>5} calls {told.outcomes.total():>6} faults {told.seconds:>6.1f} s"
    sums += f"  {told.skipped} like them left out" if told.skipped else ""
    print(f"{told.name:<28} {sums}  {len(told.wrong)} wrong", file=out)
    for line in told.wrong[:20]:
        print(f"    {line}", file=out)
    out.flush()


def table(all_told: list[Told], total: Counter[str]) -> Iterator[str]:
    """How each way to fail ended, by exit code."""
    cells = {key: key.split(": exit ") for key in total}
    ways = list(dict.fromkeys(way for way, _ in cells.values()))
    codes = sorted({code for _, code in cells.values()}, key=int)
    yield f"\n{'exit code':<12}" + "".join(f"{code:>8}" for code in codes)
    for way in ways:
        counts = [total[f"{way}: exit {code}"] for code in codes]
        yield f"{way:<12}" + "".join(f"{count or '-':>8}" for count in counts)
    wrong, seconds = sum(len(t.wrong) for t in all_told), sum(t.seconds for t in all_told)
    sums = f"{total.total():,} system calls failed in {seconds:,.0f} s of processor"
    yield f"{len(all_told)} commands, {sums}: {wrong} times something was wrong"
    if left := sum(t.skipped for t in all_told):
        yield f"{left:,} left out: of what one place in the code calls only the first two, middle and last failed"
