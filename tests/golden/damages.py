"""What inspector makes of small stores that were changed on purpose, a line for each change.

Exit code, findings with place, cause and certainty, units that hold, what a repair keeps, corrects, drops and loses;
then digests of all else that is said, of what is read, and of the steps of the repair. `python -m tests.golden.told`
writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from inspector import formats
from inspector.carvers import MODULES
from inspector.errors import InspectorError
from inspector.format import Format, Query, Wishes
from inspector.inspect import OUR_BUG, Report, inspect
from inspector.render import documents
from inspector.repair import repair
from inspector.source import MemorySource, Source
from tests.contract.corpus import SAMPLES, memory
from tests.golden.asked import answer, carved, differs, followed, merged, wishes_for
from tests.golden.changes import FAMILIES, Change, seen
from tests.golden.digests import Tiles, digest, place, plain, step
from tests.golden.stores import stores as more_stores
from tests.proof_stores import AGAINST, Store, sample, stores, wishes

HERE = Path(__file__).parent
FORMATS = formats.all_formats()
SHOWN = 4  # findings of a line that are written out
KEEP = 2000  # findings and steps that are in the digests
AROUND = bytes(range(1, 252)) * 9  # what stands before and behind a store that is carved
LOGS = ("finished.jsonl", "interleaved.log", "missing.log", "contradiction.log", "first-step.log", "gave-up.log",
        "repeated.log", "slow.log")  # fmt: skip
HELD = ("healthy", "crash-loop", "memory-differs", "odd", "replica-differs")  # samples with a document
ASKED_ONLY = ("spdk_blobstore/of known contents",)  # what a volume begins with is no matter of damage
STORES = [
    *(store for store in stores() if "1 MiB" not in store.name),
    *(sample(f"kad_trace/{name}") for name in LOGS),
    *(
        replace(sample(f"longhorn/{name}.img"), against=(SAMPLES / f"longhorn/{name}.against").read_bytes)
        for name in HELD
    ),
    *(store for store in more_stores() if store.name not in ASKED_ONLY),
]


def families_of(store: Store) -> list[str]:
    """Of a sample that is held against a document only what the document says: its image is large."""
    return ["said"] if store.name.endswith(".img") else list(FAMILIES)


def path_of(form: Format) -> Path:
    return HERE / f"{form.name.replace('-', '_')}.damages.txt"


def told(store: Store, family: str) -> Iterator[str]:
    """The lines of one family of changes of one store."""
    with store.within():
        yield f"# {store.name}: {family}"
        against = {name: data for name, data in store.members().items() if name == AGAINST}
        one = seen(store)
        wanted = [wishes(against), *(wish for _, wish in wishes_for(store.form, wishes(against)))]
        with memory(one.members) as sound:
            for number, change in enumerate(FAMILIES[family](store, one)):
                line = _line(store.form, change, wishes(against | change.members))
                if family in ("vocabulary", "units"):
                    line += _beside(store.form, sound, change, wanted[number % len(wanted)])
                yield f"{change.words}: {line}"
            if family == "units" and store.form.merge is not None:
                yield from _copies(store.form, sound, list(FAMILIES[family](store, one)))


def _copies(form: Format, sound: Source, changes: list[Change]) -> Iterator[str]:
    """Three copies that were changed in three ways become one store."""
    for number in range(len(changes) - 2):
        three = [memory(change.members) for change in changes[number : number + 3]]
        told = (
            answer(merged, form, three),
            answer(merged, form, [*three, sound]),
        )
        yield f"copies {number} to {number + 2}: {told[0]}; with the sound one {told[1]}"


def _line(form: Format, change: Change, wanted: Wishes) -> str:
    with memory({name: data for name, data in change.members.items() if name != AGAINST}) as source:
        tiles = Tiles()
        try:
            report = inspect(source, FORMATS, wanted, form.name, KEEP, tap=lambda _, found: tiles.seen(found))
        except InspectorError as error:
            return f"{type(error).__name__} {error}"
        found = sorted(report.tally.findings(), key=lambda f: (f.span, f.rule.code))
        assert not [f for f in found if f.rule is OUR_BUG], change.words
        sound = report.account.units - report.account.damaged
        said = digest([plain(documents.scan(report, 0)), *(f"{plain(f.evidence)} {f.message}" for f in found)])
        shown = [f"{f.rule.code} {place(f.span)} {f.cause.name}, {f.cause.confidence}" for f in found[:SHOWN]]
        more = [f"{len(found) - SHOWN} more"] * (len(found) > SHOWN)
        first = f"exit {int(report.exit_code())}, {sound} of {report.account.units} units"
        rest = [f"tiles {tiles.told()}", f"said {said}", f"read {_read(report)}", _mended(source, form, wanted)]
        return "; ".join([first, *shown, *more, *rest])


def _read(report: Report) -> str:
    """A digest of records, what is shown at each damage, items and their extents."""
    form, lines = report.format, list[str]()
    if form.records is not None:
        lines += [plain(documents.entry(entry)) for entry in form.records(report.state, Query())]
    if form.show is not None:
        for finding in list(report.tally.findings())[:SHOWN]:
            exhibit = form.show(report.state, finding.span.member, finding.span.start)
            lines.append(plain(documents.show(report.source, form.name, exhibit)) if exhibit else "nothing")
    if form.items is not None:
        for item in form.items(report.state):
            lines.append(plain(documents.item(item)))
            if form.extents is not None:
                try:
                    lines += [f"{x.at} {x.length} {x.origin} {x.proof}" for x in form.extents(report.state, item.id)]
                except InspectorError as error:
                    lines.append(str(error))
    return digest(lines)


def _mended(source: Source, form: Format, wanted: Wishes) -> str:
    try:
        done = repair(source, FORMATS, None, wanted, forced=form.name, dry_run=True, keep=KEEP)
    except InspectorError as error:
        return f"no repair: {error}"
    parts = " ".join(f"{action} {count}" for action, count in done.bytes.items() if count)
    return f"repair {parts} {digest([step(edit) for edit in done.changes] + done.notes)}"


def _beside(form: Format, sound: Source, change: Change, wanted: Wishes) -> str:
    """What comes of the changed store beside the sound one, as it grows, in foreign bytes, and under one more wish."""
    with memory(change.members) as other:
        told = f"; asked {_mended(other, form, wanted)}"
        if form.merge is not None:
            told += f"; merge {answer(merged, form, [sound, other])} {answer(merged, form, [other, sound])}"
        if form.identities is not None:
            told += f"; differs {answer(differs, form, sound, other)}"
        if form.follow is not None and sound.member("") is not None:
            told += f"; followed {answer(followed, form, other)}"
        for name in MODULES if sound.member("") is not None else ():
            if name.startswith(form.name.split("-")[0]):
                with MemorySource(AROUND + change.members[""] + AROUND, "device") as device:
                    told += f"; carve {answer(carved, name, device)}"
        return told


def lines_of(form: Format) -> Iterator[str]:
    for store in STORES:
        if store.form.name == form.name:
            for family in families_of(store):
                yield from told(store, family)
