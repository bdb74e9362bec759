"""What a message says about bytes, held against the bytes: still bad, good now, not there any more, another file."""

from __future__ import annotations

from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from inspector.counted import plural
from inspector.errors import InspectorError
from inspector.format import Exhibit
from inspector.messages.message import Said, filled

if TYPE_CHECKING:
    from inspector.inspect import Report

MAX_ITEMS = 100_000  # of a store, looked through for one name
WRAP = 1 << 32  # offsets of gossipd before v24.11 were kept in 32 bits

Document = dict[str, Any]


class Tie(Struct, frozen=True):
    """Where a message points to in this store; `verdict` begins with the answer in two or three words."""

    verdict: str
    member: str = ""
    start: int | None = None
    end: int | None = None
    state: str = ""
    codes: tuple[str, ...] = ()

    def document(self) -> Document:
        return {
            "verdict": self.verdict,
            "file": self.member or None,
            "start": self.start,
            "end": self.end,
            "state": self.state,
            "findings": list(self.codes),
        }


def tie(said: Said, report: Report) -> Tie | None:
    """None for a message that names no byte and no file, or one about another kind of store."""
    message = said.message
    if not message.formats & {layer.name for layer in report.layers}:
        return None
    if "number" in said.values and "have" in said.values:
        return _table(said, report)
    if message.item and said.values.get(message.item):
        return _item(said, report, said.values[message.item])
    member = ""
    if message.file and said.values.get(message.file):
        found = _member(said.values[message.file], report)
        if isinstance(found, Tie):
            return found
        member = found
    if said.at is None or not message.convention:
        return _sizes(said, report, member) if said.size is not None or member else None
    at = said.at if message.convention != "page" else _page(said, report)
    if at is None:
        return None
    return _at(said, report, member, at)


def _at(said: Said, report: Report, member: str, at: int) -> Tie:
    convention = said.message.convention
    size = report.source.length(member)
    told = _size_words(said, size)
    if at >= size:
        return Tie(f"past the end: this store has {size:,} bytes{told}", member)
    exhibit = exhibit_at(report, member, at)
    if exhibit is None:
        return Tie(f"not known: nothing is known of byte {at} here{told}", member, at)
    span = exhibit.span
    codes = tuple(sorted({f.rule.code for f in report.tally.findings() if f.bytes_known and f.span.overlaps(span)}))
    begins = span.start == at if convention != "body" else _is_body(exhibit, at)
    bad = exhibit.state != "ok"
    what = f"{exhibit.title}: {exhibit.state}"
    if not begins and convention in ("header", "body", "unread", "block"):
        verdict = f"moved: no record begins at byte {at} now, it lies inside {what}; the store was rewritten since"
    elif bad:
        verdict = f"still bad: {what}"
    elif convention == "unread" and at == size:
        verdict = "good now: every record is whole"
    else:
        verdict = f"good now: {what}; the store was rewritten since, or the read was transient"
    if said.message.id == "cln-delete-entry":
        verdict = _deleted(exhibit, at, begins)
    flags = next((n for n in exhibit.notes if n.startswith("flags")), "")
    extra = f" ({flags})" if flags else ""
    return Tie(f"{verdict}{extra}{told}", member, span.start, span.end, exhibit.state, codes)


def _deleted(exhibit: Exhibit, at: int, begins: bool) -> str:
    what = f"{exhibit.title}: {exhibit.state}"
    if not begins:
        return f"moved: no record begins at byte {at} now, it lies inside {what}; the store was rewritten since"
    if any(n.startswith("flags") and "DELETED" in n for n in exhibit.notes):
        return f"as the message says: {what}, and it is marked as deleted"
    return f"live now: {what}; the store was rewritten since, or gossipd read another place"


def believed_words(said: Said) -> str:
    """What the size in a message says about its offset, without looking at any store."""
    believed, at = said.size, said.at
    if believed is None or at is None or not said.message.size:
        return ""
    if at > believed:
        return (
            f"offset {at} lies past the {believed:,} bytes that the program believed in: its map was of an older, "
            f"longer file than the one it wrote"
        )
    if believed > WRAP and at < WRAP:
        return (
            f"the program believed in {believed:,} bytes, more than 32-bit offsets reach: before v24.11 the offset "
            f"may have lost a multiple of 4 GiB"
        )
    if said.message.id == "cln-delete-entry":
        return (
            f"offset {at} lies inside the {believed:,} bytes: a stale view of the file through its memory map, or one "
            f"record twice in the store"
        )
    return ""


def _size_words(said: Said, size: int) -> str:
    """The size that the program believed in, against the size of the file."""
    believed = said.size
    if believed is None or not said.message.size:
        return ""
    if believed == size:
        told = "the size it names is this store's: nothing was appended since"
    elif believed < size:
        told = f"this store is {plural(size - believed, 'byte')} longer than it says: appended since, or another file"
    else:
        told = f"the program believed in {believed:,} bytes, this store is shorter: it was rewritten since"
    return f"; {told}"


def _is_body(exhibit: Exhibit, at: int) -> bool:
    """Whether the record's body begins there: its first field is the type that follows the header."""
    names = ("type", "body")
    return any(f.start == at and f.name in names for f in exhibit.fields)


def _sizes(said: Said, report: Report, member: str) -> Tie | None:
    if said.size is not None and not member:
        return Tie(f"compared: {_size_words(said, report.source.size).removeprefix('; ')}")
    wrong = [f for f in report.tally.findings() if f.span.member == member and f.level.value != "note"]
    codes = tuple(sorted({f.rule.code for f in wrong}))
    name = member or report.source.label
    if wrong:
        return Tie(
            f"still bad: {name} has {', '.join(codes)}", member, wrong[0].span.start, wrong[0].span.end, "", codes
        )
    return Tie(f"good now: nothing is wrong with {name}", member)


def _member(name: str, report: Report) -> str | Tie:
    """The file of the store that a message names by any path."""
    base = PurePath(name).name
    if report.source.kind != "folder":
        if PurePath(report.source.label).name == base:
            return ""
        return Tie(f"another file: the message is about {base}")
    found = next((m.name for m in report.source.members if PurePath(m.name).name == base), None)
    return found if found is not None else Tie(f"gone: this store has no {base} now")


def _table(said: Said, report: Report) -> Tie | None:
    """A table that the info log says was written, against the file of that number."""
    number, size = int(said.values["number"]), int(said.values["have"])
    found = next(
        (
            m
            for m in report.source.members
            for n in [PurePath(m.name)]
            if n.suffix in (".sst", ".ldb") and n.stem.isascii() and n.stem.isdigit() and int(n.stem) == number
        ),
        None,
    )
    if found is None:
        return Tie(f"gone: table {number} is not here now; compactions remove tables")
    if found.size == size:
        return Tie(f"as written: {found.name} has {size:,} bytes", found.name, 0, size)
    return Tie(f"changed: {found.name} has {found.size:,} bytes, {size:,} were written", found.name, 0, found.size)


def _item(said: Said, report: Report, value: str) -> Tie | None:
    """What the store has under the name that the message tells: a block by its height, a volume by its name."""
    wanted = filled(said.message.item_id, said.values)
    for layer, state in zip(report.layers, report.states, strict=False):
        found = layer.item(state, wanted) if layer.item is not None else None
        if found is None and layer.items is not None:
            found = next((i for i in islice(layer.items(state), MAX_ITEMS) if i.id == wanted), None)
        if found is None:
            continue
        state_words = str(found.fields.get("state", "") or "listed")
        span = found.spans[0] if found.spans else None
        bad = any(word in state_words for word in ("damaged", "partial", "missing", "lost", "incomplete"))
        verdict = f"{'still bad' if bad else 'there'}: {found.kind} {value}: {state_words}"
        return Tie(verdict, span.member if span else "", span.start if span else None, span.end if span else None)
    return Tie(f"not there: this store has no {wanted}")


def _page(said: Said, report: Report) -> int | None:
    """The byte at which a metadata page lies, as the store's own geometry says."""
    summary = report.answer.summary
    number = said.values.get(said.message.at, "")
    page = int(number, 16) if number.startswith("0x") else int(number) if number.isdigit() else None
    keys = ("base", "md_start", "page_size")
    places = [v for k in keys if isinstance(v := summary.get(k), int)]
    if page is None or len(places) != len(keys):
        return None
    base, start, size = places
    return base + (start + page) * size


def exhibit_at(report: Report, member: str, at: int) -> Exhibit | None:
    """The bytes at one place as the most specific format shows them that shows any."""
    for layer, state in zip(report.layers, report.states, strict=False):
        if layer.show is not None:
            try:
                return layer.show(state, member, at)
            except InspectorError:  # the format has nothing to say about this place
                return None
    return None
