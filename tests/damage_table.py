"""The whole damage table on a 2 MB store, printed as Markdown: `python -m tests.damage_table [BYTES]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.formats.gossip_store.judge import judge
from tests.formats.gossip_store.kinds import KINDS
from tests.formats.gossip_store.matrix import base_of


def main(size: int) -> int:
    base = base_of(size)
    out = sys.stdout.write
    live = sum(r.live for r in base.records)
    out(f"{len(KINDS)} kinds of damage on {len(base.data):,} bytes, {len(base.records):,} records, {live:,} live\n\n")
    out("| damage | found as | untouched | kept | gossipd v26.06, model | notes agree | complaints |\n")
    out("|---|---|---|---|---|---|---|\n")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            v = judge(kind, base, Path(folder))
            agrees = {None: "not measured", True: "yes", False: "NO"}[v.agrees]
            failed += bool(v.complaints)
            out(
                f"| {v.name} | {' '.join(v.codes) or 'clean'} | {v.untouched} | {v.kept} | {v.loaders[0]} | {agrees} | "
            )
            out("; ".join(v.complaints) + " |\n")
    out(f"\n{len(KINDS) - failed} of {len(KINDS)} rows as they must be\n")
    return failed


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000)))
