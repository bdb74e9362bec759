"""Every signature of a store's sound messages checked, on several cores, for --verify-signatures.

libsecp256k1 runs beside Python's lock, so threads are enough; with OpenSSL they take turns.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from msgspec import Struct, field

from inspector.finding import Cause
from inspector.format import Stretch
from inspector.formats.gossip_store.kinds import kind_name
from inspector.formats.gossip_store.known import Known
from inspector.formats.gossip_store.signed import ANNOUNCEMENT, SIGNED, Judgement, judge
from inspector.formats.gossip_store.walk import ANCHORED, OK, Store
from inspector.span import Span
from inspector.windowed import Windowed

MESSAGES = 256  # judged as one piece of work
STATES = ("held", "failed", "absent", "unknown")
_NAMES = ("node_signature_1", "node_signature_2", "bitcoin_signature_1", "bitcoin_signature_2")

Job = tuple[Span, int, bytes]  # the record, its type, its body


class Verifier(Struct):
    """Takes stretches as they pass; findings come in the order of the file."""

    store: Store
    add: Callable[..., None]  # Checker.add
    counts: Counter[str] = field(default_factory=Counter)  # signatures by state, and "messages"
    _pool: ThreadPoolExecutor | None = None
    _jobs: list[Job] = field(default_factory=list)
    _pending: deque[Future[list[tuple[Span, int, Judgement]]]] = field(default_factory=deque)
    _known: Known | None = None
    _cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    _read: Windowed | None = None

    def __enter__(self) -> Verifier:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def stretch(self, stretch: Stretch) -> None:
        batch = stretch.columns.get("batch")
        if batch is None:
            return
        for i, (kind, mark) in enumerate(zip(batch.kinds, batch.marks, strict=True)):
            if kind not in SIGNED or mark not in (OK, ANCHORED):
                continue
            start = batch.starts[i]
            end = batch.starts[i + 1] if i + 1 < len(batch.starts) else batch.end
            if kind == ANNOUNCEMENT:
                self._announced(batch.owners[i], start)
            read = self._read = self._read or Windowed(self.store.source.read, self.store.source.sparing)
            self._jobs.append((Span(start, end), kind, read(start, end - start)[12:]))
            if len(self._jobs) >= MESSAGES:
                self._submit()

    def _announced(self, scid: int, at: int) -> None:
        known = self._known = self._known or Known(self.store)
        known.index.announce(scid, at)

    def _submit(self) -> None:
        known = self._known or Known(self.store)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._cores)
        self._pending.append(self._pool.submit(_judge, self._jobs, known))
        self._jobs = []
        while len(self._pending) > 2 * self._cores:  # no more bodies in memory than the cores need
            self._take(self._pending.popleft().result())

    def _take(self, judged: list[tuple[Span, int, Judgement]]) -> None:
        for span, kind, verdict in judged:
            self.counts.update(verdict.which)
            self.counts["messages"] += 1
            if verdict.failed:
                self._finding(span, kind, verdict)

    def _finding(self, span: Span, kind: int, verdict: Judgement) -> None:
        names = _NAMES if kind == ANNOUNCEMENT else ("signature",)
        failed = [name for name, state in zip(names, verdict.which, strict=False) if state == "failed"]
        text = f"{kind_name(kind)}: the checksum is right, {', '.join(failed)} does not hold"
        why = Cause("software-rule-violation", "possible", "it was written this way, or forged with its checksum")
        told = {"failed": failed, "signatures": len(verdict.which)}
        self.add("signature-invalid", span, text, lambda: (why, told), None, "kept")

    def finish(self) -> dict[str, Any]:
        """What became of all signatures."""
        if self._jobs:
            self._submit()
        while self._pending:
            self._take(self._pending.popleft().result())
        total = sum(self.counts[state] for state in STATES)
        if self.counts["absent"]:
            text = f"{self.counts['absent']:,} of {total:,} signatures are all zero: this store was made without them"
            why = Cause("software-rule-violation", "certain", "no message of the network has a signature of zeroes")
            self.add("signatures-absent", Span(0, self.store.size), text, lambda: (why, {}), None, "kept")
        return {"messages": self.counts["messages"], **{state: self.counts[state] for state in STATES}}


def _judge(jobs: list[Job], known: Known) -> list[tuple[Span, int, Judgement]]:
    return [(span, kind, judge(body, known.node)) for span, kind, body in jobs]
