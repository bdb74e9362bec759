"""How fast a ledger is checked: keys per second, and as a ratio to reading the same keys through RocksDB itself.

    .venv/bin/python -m benchmarks.bench_snarkos [BLOCKS]

20,000 blocks are some 1.8 million keys. Processor time is counted, so that a busy machine does not show.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from time import process_time

from inspector.finding import Tally
from inspector.format import Wishes
from inspector.formats.rocksdb import FORMAT as ROCKSDB
from inspector.formats.snarkos.ledger import entries, open_ledger
from inspector.formats.snarkos.verdict import judge_ledger
from inspector.source import open_source
from tests.builders.snarkos import Maker
from tests.builders.snarkos_stores import engine_rows, write_engine


def main(blocks: int) -> None:
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as place:
        folder = Path(place) / "ledger"
        maker = Maker()
        write_engine(folder, (block.rows() for block in maker.stream(blocks)), flush_every=max(1, blocks // 4))
        start = process_time()
        keys = len(engine_rows(folder))
        floor = process_time() - start
        with open_source(str(folder)) as source:
            lower = ROCKSDB.open(source, None, Wishes())
            tally = Tally()
            walked = _timed(lambda: ROCKSDB.check(lower, ROCKSDB.walk(lower), tally))  # type: ignore[misc]
            ledger = open_ledger(source, lower, Wishes())
            view = _timed(lambda: sum(1 for _ in entries(ledger)))
            judged = _timed(lambda: judge_ledger(ledger, tally))
        assert ledger.verdict is not None
        assert ledger.verdict.prefix == blocks
        print(f"{blocks} blocks, {keys} keys; rocksdict reads them in {floor:.1f} s of processor time")
        for name, took in (("walk every byte", walked), ("live view", view), ("live view and all checks", judged)):
            print(f"{name:26} {took:7.1f} s  {keys / took:10.0f} keys/s  {took / floor:5.1f} x rocksdict")


def _timed(work: object) -> float:
    start = process_time()
    assert callable(work)
    work()
    return process_time() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
