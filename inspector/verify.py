"""The output is inspected whole before it gets its name, and opened by its own engine where that is a library."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from inspector.catalogue import Formats
from inspector.errors import OutputError, UnverifiedError
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.inspect import Report, inspect
from inspector.ledger import Result
from inspector.output import Place
from inspector.source import Member, Source, open_source

PIECE = 1 << 18  # is hashed while it is in a core's own cache


class _Hashing(threading.Thread):
    """The hash of what was written, beside its inspection; concurrent.futures is slow to load."""

    def __init__(self, written: Source) -> None:
        super().__init__()
        self._written = written
        self._digest = ""
        self.wanted = True  # a key press is not to wait for the rest of a large file
        self._failed: Exception | None = None

    def run(self) -> None:
        try:
            digest = hashlib.sha256()
            for _, data in self._written.windows(size=PIECE):
                if not self.wanted:
                    return
                digest.update(data)
            self._digest = digest.hexdigest()
        except Exception as error:  # noqa: BLE001  raised where the hash is asked for
            self._failed = error

    def result(self) -> str:
        if self._failed is not None:
            raise self._failed
        return self._digest


def verify_file(place: Place, result: Result, formats: Formats, wishes: Wishes, name: str = "") -> None:
    """Inspect what was written; `name` is the format of an output that no one source is the model of."""
    size, of = result.size, result.report
    called = of.source.name if of.format.named and not name else place.target.name
    written = Source(called, "file", None, [Member("", size, os.fstat(place.fd).st_mtime_ns)])
    written._files[""] = os.dup(place.fd)
    with written:
        hashing = _Hashing(written)
        hashing.start()
        try:
            again = inspected_again(written, result, formats, wishes, name)
            hashing.join()
        finally:
            hashing.wanted = False
            hashing.join()
        result.sha256 = hashing.result()
        if written.unreadable:
            raise OutputError(f"{place.target}: what was written cannot be read back; nothing stays of it")
        left = must_be_clean(again)
    result.verified = {"ok": True, "by": ["inspector"], **left, "engine": no_engine(result)}


def verify_folder(folder: Path, result: Result, formats: Formats, wishes: Wishes) -> None:
    with open_source(str(folder)) as written:
        again = inspected_again(written, result, formats, wishes)
        if written.unreadable or written.closed:
            raise OutputError(f"{folder.name}: what was written cannot be read back; nothing stays of it")
        left = must_be_clean(again)
    engine = next((f.engine for f in result.report.layers if f.engine), None)
    told = dict(engine(str(folder))) if engine else no_engine(result)
    result.verified = {"ok": True, "by": ["inspector"], **left, "engine": told}
    if told.get("ran"):
        if not told.get("ok"):
            raise UnverifiedError(
                f"the engine refuses the repaired store: {told.get('why', '')}", "nothing was written"
            )
        result.verified["by"] = ["inspector", "engine"]


def no_engine(result: Result) -> dict[str, Any]:
    return {"ran": False, "why": f"{result.report.format.name}: the original program is not a library"}


def inspected_again(written: Source, result: Result, formats: Formats, wishes: Wishes, name: str = "") -> Report:
    """The report of an output, for `must_be_clean`; `name` is the format where the source's is not that of the output.

    Its words are asked for where the source holds what the format does not read: they tell how much the output does.
    """
    before, forced = result.report, name or result.report.format.name
    return inspect(written, formats, wishes.of_a_copy(), forced, causes=False, answers=bool(before.answer.unjudged))


def must_be_clean(again: Report) -> dict[str, Any]:
    """What a repair may leave: under `standing` the rules of errors and warnings that none can take away.

    Under `unjudged` what the format does not read of the output, if `again` has its words.
    """
    standing = {code for form in again.layers for code in form.standing}
    found = [f for f in again.tally.findings() if f.level is not Severity.NOTE]
    wrong = [f for f in found if f.rule.code not in standing]
    if wrong:
        first = f"{wrong[0].rule.code} at {wrong[0].span.start}: {wrong[0].message}"
        raise UnverifiedError(
            f"the repaired copy does not pass its own inspection ({first})", "nothing was written; please report this"
        )
    if again.partial:
        raise OutputError(f"the repaired copy could not be inspected whole ({again.partial})", "nothing was written")
    left: dict[str, Any] = {"standing": sorted({f.rule.code for f in found})} if found else {}
    if again.answer.unjudged:
        left["unjudged"] = again.answer.unjudged
    return left


def sha256_of(source: Source) -> str:
    digest = hashlib.sha256()
    for _, data in source.windows(size=PIECE):
        digest.update(data)
    return digest.hexdigest()
