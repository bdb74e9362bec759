"""Only what a repair changes, as a small file that can be reviewed, applied in place and taken back.

One JSON object per line: a head, the changes in order with the hashes of what they replace, and a foot with the
hash of all lines before it. Applying checks every hash first and writes the way back before the first byte.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from inspector.descriptors import pread_all, pwrite_all
from inspector.errors import OutputError, RefusedError, SourceError, UnverifiedError, UsageError
from inspector.format import Edit, Plan
from inspector.output import place_file, writers_of
from inspector.sanitize import for_shell
from inspector.source import Source, open_source
from inspector.span import Run
from inspector.view import Laid

SCHEMA = "inspector/patch/1"
PIECE = 1 << 20  # bytes of one change; longer edits are cut into several
MAX_LINE = 4 << 20
MAX_CHANGES = 1_000_000
MODE = 0o600
IN_USE = "stop the program that owns the store, and make the patch again"


class Change(Struct, frozen=True):
    """Bytes [start, start + len(data)) become `data`; `before` is the SHA-256 of what must lie there."""

    start: int
    data: bytes
    before: str
    action: str = "corrected"
    proof: str = "derived"
    why: str = ""

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class Patch(Struct, frozen=True):
    """`size` is the one that the target must have."""

    size: int
    format: str
    changes: tuple[Change, ...]
    undoes: bool = False


class Applied(Struct, frozen=True):
    target: str
    undo: str
    changes: int
    bytes: int
    already: int  # changes whose bytes were there before


def changes_of(source: Source, plan: Plan) -> Iterator[Change]:
    """The changes of a plan that keeps every byte's place; raises RefusedError for any other plan."""
    if plan.folder or (plan.size is not None and plan.size != source.size) or source.kind == "folder":
        raise RefusedError("this repair is not a change in place", "write a whole new file: -o OUT")
    due = 0  # where the next edit of a plan begins that is written in one go
    for edit in plan.edits:
        if edit.action in ("dropped", "lost") and edit.data is None and plan.size is None:
            raise RefusedError("this repair leaves bytes out", "write a whole new file: -o OUT")
        if plan.size is None and edit.origin is not None:
            if edit.origin.start != due:
                raise RefusedError("this repair moves bytes", "write a whole new file: -o OUT")
            due = edit.origin.end
        if edit.action == "kept" and edit.origin is not None and edit.at in (None, edit.origin.start):
            continue
        yield from _cut(source, edit)


def _cut(source: Source, edit: Edit) -> Iterator[Change]:
    origin = edit.origin
    if origin is None or edit.at not in (None, origin.start) or len(edit.data or b"") not in (0, origin.length):
        raise RefusedError("this repair moves bytes", "write a whole new file: -o OUT")
    for at in range(origin.start, origin.end, PIECE):
        end = min(at + PIECE, origin.end)
        old = source.read(at, end - at)
        new = edit.data[at - origin.start : end - origin.start] if edit.data is not None else bytes(end - at)
        if old != new:
            yield Change(at, new, _sha(old), edit.action, edit.proof, edit.why)


def write(path: str, source: Source | None, patch: Patch, force: bool = False) -> int:
    """Write a patch file that appears whole or not at all; returns its size."""
    with place_file(path, source, 0, force, mode=MODE) as place:
        digest, at = hashlib.sha256(), 0
        for line in _lines(patch):
            digest.update(line)
            at = pwrite_all(place.fd, line, at)
        foot = {"changes": len(patch.changes), "sha256": digest.hexdigest()}
        at = pwrite_all(place.fd, _line(foot), at)
    return at


def _lines(patch: Patch) -> Iterator[bytes]:
    yield _line({"schema": SCHEMA, "size": patch.size, "format": patch.format, "undoes": patch.undoes})
    for change in patch.changes:
        data = base64.b64encode(change.data).decode() if any(change.data) else None  # null: zeroes
        yield _line(
            {
                "start": change.start,
                "length": len(change.data),
                "before": change.before,
                "after": _sha(change.data),
                "action": change.action,
                "proof": change.proof,
                "why": change.why,
                "data": data,
            }
        )


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def read(path: str) -> Patch:
    """A patch from a file; raises UsageError where one byte of it is not as it was written."""
    try:
        with Path(path).open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def _read(path: str, file: IO[bytes]) -> Patch:
    digest = hashlib.sha256()
    head = _object(path, file.readline(MAX_LINE), 1)
    if head.get("schema") != SCHEMA or not isinstance(head.get("size"), int):
        raise UsageError(f"{path}: not a patch of inspector", "inspector repair PATH --patch FILE writes one")
    digest.update(_line(head))
    changes: list[Change] = []
    while line := file.readline(MAX_LINE):
        entry = _object(path, line, len(changes) + 2)
        if "sha256" in entry:
            if entry["sha256"] != digest.hexdigest() or entry.get("changes") != len(changes) or file.read(1):
                raise UsageError(f"{path}: the patch was changed or cut after it was written", "make it again")
            return Patch(head["size"], str(head.get("format")), tuple(changes), bool(head.get("undoes")))
        digest.update(line)
        changes.append(_change(path, entry, changes[-1].end if changes else 0, head["size"]))
        if len(changes) > MAX_CHANGES:
            break
    raise UsageError(f"{path}: the patch is not whole", "make it again")


def _object(path: str, line: bytes, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: line {number} is not an entry of a patch", "make it again")
    return found


def _change(path: str, entry: dict[str, Any], least: int, size: int) -> Change:
    start, length, data = entry.get("start"), entry.get("length"), entry.get("data")
    if not (isinstance(start, int) and isinstance(length, int) and least <= start and 0 < length <= PIECE):
        raise UsageError(f"{path}: a change has no valid place", "make it again")
    if start + length > size:
        raise UsageError(f"{path}: a change lies beyond {size} bytes", "make it again")
    try:
        new = bytes(length) if data is None else base64.b64decode(str(data), validate=True)
    except ValueError as error:  # no base64, or not even ASCII
        raise UsageError(f"{path}: a change cannot be decoded: {error}", "make it again") from error
    if len(new) != length or _sha(new) != entry.get("after"):
        raise UsageError(f"{path}: a change does not have its hash", "make it again")
    words = (str(entry.get(name) or "") for name in ("action", "proof", "why"))
    return Change(start, new, str(entry.get("before")), *words)


class Patched(Laid):
    """A source as it would read after a patch; nothing is written."""

    def __init__(self, under: Source, patch: Patch) -> None:
        super().__init__(under)
        self._changes = patch.changes
        self._starts = [change.start for change in patch.changes]

    def _laid(self, read: bytes, at: int, member: str) -> bytes:
        data = bytearray(read)
        first = max(0, bisect_right(self._starts, at) - 1)
        for change in self._changes[first:]:
            if change.start >= at + len(data):
                break
            low, high = max(change.start, at), min(change.end, at + len(data))
            if low < high:
                data[low - at : high - at] = change.data[low - change.start : high - change.start]
        return bytes(data)

    def _touches(self, start: int, end: int, member: str) -> bool:
        first = max(0, bisect_right(self._starts, start) - 1)
        return any(change.start < end and start < change.end for change in self._changes[first : first + 2])

    def _runs(self, member: str, start: int) -> Iterator[Run]:
        first = max(0, bisect_right(self._starts, start) - 1)
        return ((one.start, one.end) for one in islice(self._changes, first, None) if one.end > start)


def apply(patch: Patch, target: str, undo: str) -> Applied:
    """Change the target in place. Raises RefusedError, having written nothing, where anything is not as expected."""
    with open_source(target) as source:
        if source.kind not in ("file", "device"):
            raise RefusedError(f"{target} is a {source.kind}", "a patch is applied to a file or a block device")
        _not_in_use(source, target)
        if source.size != patch.size:
            text = f"{target} has {source.size} bytes, the patch is for {patch.size}"
            raise RefusedError(text, "name the source that the patch was made from")
        before = [source.read(change.start, len(change.data)) for change in patch.changes]
        if source.unreadable:
            raise RefusedError(f"{target} cannot be read at {source.unreadable[0].start}", "image the medium first")
        already = _compare(target, patch, before)
        back = tuple(
            Change(c.start, old, _sha(c.data), c.action, c.proof, f"takes back: {c.why}")
            for c, old in zip(patch.changes, before, strict=True)
        )
        write(undo, source, Patch(patch.size, patch.format, back, undoes=not patch.undoes))
        try:
            _write(target, patch, before, os.fstat(source._fd("")))
        except RefusedError:  # nothing was written: there is nothing to take back
            Path(undo).unlink(missing_ok=True)
            raise
    return Applied(target, undo, len(patch.changes), sum(len(c.data) for c in patch.changes), already)


def _compare(target: str, patch: Patch, before: list[bytes]) -> int:
    already = 0
    for change, old in zip(patch.changes, before, strict=True):
        if old == change.data:
            already += 1
        elif _sha(old) != change.before:
            raise RefusedError(
                f"{target}: the {len(old)} bytes at {change.start} are not those that the patch replaces",
                "the target changed since the patch was made: make it again",
            )
    if patch.changes and already == len(patch.changes):
        raise RefusedError(f"{target}: every change of the patch is there already", "nothing is left to do")
    return already


def _not_in_use(source: Source, target: str) -> None:
    writers = writers_of(source)
    if writers:
        raise RefusedError(f"{target} is open for writing by {', '.join(writers)}", "stop that program first")


def _write(target: str, patch: Patch, before: list[bytes], compared: os.stat_result) -> None:
    try:
        info = Path(target).stat()
        # on Linux, O_EXCL without O_CREAT refuses a block device that is mounted or claimed (open(2))
        exclusive = os.O_EXCL if stat.S_ISBLK(info.st_mode) else 0
        fd = os.open(target, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | exclusive)
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror}") from error
    try:
        # another file may have taken the name since, or the same one been written to: neither was compared
        same = os.path.samestat(os.fstat(fd), compared)
        places = zip(patch.changes, before, strict=True)
        if not same or any(pread_all(fd, len(old), change.start) != old for change, old in places):
            raise RefusedError(f"{target} changed while it was looked at; nothing was written to it", IN_USE)
        for change in patch.changes:
            pwrite_all(fd, change.data, change.start)
        os.fsync(fd)
        for change in patch.changes:
            if pread_all(fd, len(change.data), change.start) != change.data:
                raise UnverifiedError(
                    f"{target}: the bytes at {change.start} read back differ from those written",
                    "apply the undo file, then image the medium",
                )
        if not os.path.samestat(os.stat(target), compared):  # noqa: PTH116  the fault tests replace os.stat
            raise OutputError(f"{target} is another file now: what was changed no longer has this name", IN_USE)
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror}; the undo file takes back what was written") from error
    finally:
        os.close(fd)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def after(label: str, output: str) -> tuple[str, ...]:
    """What to do with a patch that was written to `output`, and the way back."""
    made, target = for_shell(output), for_shell(label)
    return (
        f"look at {output}: one JSON object per line, with the hashes of what is replaced",
        f"stop the program that owns the store, then: inspector apply {made} {target} --undo {made}.undo",
        f"to take it back: inspector apply {made}.undo {target} --undo {made}.redo",
    )
