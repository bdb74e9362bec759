"""What a sample answers to each function of its format, a digest for each: filters, exhibits, plans under each wish.

`python -m tests.golden.told` writes it anew. A digest that changed names the request: ask it of both versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec

from msgspec.structs import replace

from inspector import formats
from inspector.carve import CarveWishes, carve
from inspector.carvers import MODULES, carver
from inspector.comparing import compare
from inspector.copies import Merge, Take
from inspector.errors import InspectorError
from inspector.follow import UnfollowableError
from inspector.format import Format, Query, State, Stretch, Wishes
from inspector.inspect import Report, inspect
from inspector.merge import merge
from inspector.redact import Redactor
from inspector.render import carve_documents, documents
from inspector.render.encoding import encode
from inspector.render.record_lines import as_csv
from inspector.render.scan_words import scan_blocks
from inspector.render.text import lay
from inspector.repair import repair
from inspector.source import MemorySource, Source
from inspector.span import Span
from tests.contract.corpus import Case, bottom_of, cases, damaged_again, memory, wishes_of
from tests.golden.digests import Tiles, digest, plain, step
from tests.golden.stores import small_stores
from tests.proof_stores import AGAINST, Store

HERE = Path(__file__).parent
FORMATS = formats.all_formats()
SHOWN = 60  # tiles of a sample that are shown
LISTED, FILTERED = 250, 50  # records and items, and those of a query
LARGE = 200_000  # bytes of a sample of which less is asked
P = ParamSpec("P")
AT = 1_700_000_000  # what stands for now
STEPS = 5  # in which a growing file is followed
KEEP = 500
MERGED = 1  # volumes of one
COPIES = 3  # damaged ones of each store that is made


def path_of(form: Format) -> Path:
    return HERE / f"{form.name.replace('-', '_')}.asked.txt"


def told(case: Case) -> Iterator[str]:
    """The lines of one sample."""
    places: list[Span] = []
    tiles = Tiles()

    def tap(_: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in tiles.seen(stretches):
            places.extend(stretch.span(i) for i in range(len(stretch)))
            yield stretch

    with memory(case.members()) as source:
        report = inspect(source, FORMATS, wishes_of(case), case.format.name, KEEP, tap=tap)
        yield f"# {case.path.name}"
        yield f"  words {digest(_words(report))}"
        yield f"  tiles {tiles.told()}"
        for form, state in zip(report.layers, report.states, strict=False):
            for name, lines in _asked(form, state, source, places, wishes_of(case)):
                yield f"  {form.name} {name} {answer(lines)}"
        if source.size < LARGE:
            for words, wanted in wishes_for(case.format, wishes_of(case)):
                yield f"  scan {words} {answer(_scanned, case, source, wanted)}"
                yield f"  repair {words} {answer(_planned, case, source, wanted)}"
            yield from _with_others(case, source)


def answer(ask: Callable[P, Iterable[str]], *given: P.args, **more: P.kwargs) -> str:
    """How many lines come of it and their digest, or why there are none."""
    try:
        found = list(ask(*given, **more))
    except (InspectorError, UnfollowableError) as error:
        return f"{type(error).__name__}: {error}"
    return f"{len(found)} {digest(found)}"


def _words(report: Report) -> Iterator[str]:
    for line in lay(scan_blocks(report, 100, True, 20), 100):
        yield "".join(part for part, _ in line)
    yield encode(documents.scan(report, int(report.exit_code()))).decode()


Asked = tuple[str, Callable[[], Iterator[str]]]


def _asked(form: Format, state: State, source: Source, places: list[Span], wishes: Wishes) -> Iterator[Asked]:
    if form.records is not None:
        for words, query in _queries(form, state):
            yield f"records{words}", partial(_records, form, state, query)
    if form.show is not None:
        yield "show", lambda: _shown(form, state, source, places)
    if form.items is not None:
        yield "items", lambda: _items(form, state)
    if form.identities is not None:
        yield "identities", lambda: _identities(form, state)
    if form.mask is not None:
        yield "mask", lambda: _masked(form, state)
    if form.disguised is not None:
        yield "disguised", lambda: _disguised(form, state)
    if form.plan is not None:
        yield "plan", lambda: _plan(form, state, wishes)
    if form.kin is not None:
        yield "kin", lambda: _kin(form, state, source, places)
    if form.excerpts is not None:
        yield "excerpts", lambda: _excerpts(form, state, places)
    if form.private.originals is not None:
        originals = form.private.originals
        yield "originals", lambda: (f"{noun} {text}" for noun, text in islice(originals(state), LISTED))
    if form.follow is not None and source.member("") is not None:
        yield "followed", lambda: followed(form, source)
    if form.compare is not None:
        order = form.compare
        yield "compare", lambda: iter(order([("one", 5, 1, state), ("two", 7, 2, state)]))
    if form.together is not None:
        join = form.together
        yield "together", lambda: iter(join([("one", state), ("two", state)]))


def _queries(form: Format, state: State) -> Iterator[tuple[str, Query]]:
    """One for each filter that it understands, with values that its first records have."""
    assert form.records is not None
    first = list(islice(form.records(state, Query()), LISTED))
    fields = [entry.fields for entry in first]
    last = first[len(first) // 2].span if first else Span(0, 0)
    known: Mapping[str, Any] = {
        "kinds": frozenset({first[len(first) // 2].kind}) if first else frozenset(),
        "flags": frozenset({"deleted"}),
        "damaged": True,
        "deleted": True,
        "start": last.start,
        "end": last.start,
        "member": last.member,
        "scid": next((f["scid"] for f in fields if f.get("scid")), None),
        "node": next((f["node_id"] for f in fields if f.get("node_id")), None),
        "text": True,
        "value_limit": 3,
        "dump": True,
    }
    yield "", Query()
    for name in sorted(form.filters):
        if known[name]:
            yield f" {name}", Query(**{name: known[name]})
    if "deleted" in form.filters:
        yield " alive", Query(deleted=False)


def _records(form: Format, state: State, query: Query) -> Iterator[str]:
    assert form.records is not None
    for number, entry in enumerate(islice(form.records(state, query), LISTED if query == Query() else FILTERED)):
        yield plain(documents.entry(entry)) + (as_csv(entry) if number < FILTERED else "")


def _shown(form: Format, state: State, source: Source, places: list[Span]) -> Iterator[str]:
    assert form.show is not None
    step_of = max(1, len(places) // SHOWN)
    for number, span in enumerate(places[::step_of]):
        at = (span.start, (span.start + span.end) // 2, max(span.start, span.end - 1))[number % 3]
        exhibit = form.show(state, span.member, at)
        yield plain(documents.show(source, form.name, exhibit)) if exhibit else "nothing"


def _items(form: Format, state: State) -> Iterator[str]:
    assert form.items is not None
    for item in islice(form.items(state), LISTED):
        yield plain(documents.item(item))
        yield from form.after(state, item, "out") if form.after is not None else ()
        if form.item is not None:
            found = form.item(state, item.id)
            yield plain(documents.item(found)) if found is not None else "none"
        if form.extents is not None:
            try:
                for run in form.extents(state, item.id):
                    yield f"{run.at} {run.length} {run.origin} {run.proof} {run.why} {run.data!r}"
            except InspectorError as error:
                yield str(error)


def _identities(form: Format, state: State) -> Iterator[str]:
    assert form.identities is not None
    found = form.identities(state)
    yield from sorted(repr(row) for row in found.rows)
    yield repr(found.kinds)


def _masked(form: Format, state: State) -> Iterator[str]:
    assert form.mask is not None
    redactor = Redactor()
    yield from (f"{at} {data.hex()}" for at, data in form.mask(state, redactor.name, lambda start, end: True))
    yield from (f"{at} {len(data)}" for at, data in form.mask(state, redactor.name, lambda start, end: False))


def _disguised(form: Format, state: State) -> Iterator[str]:
    assert form.disguised is not None
    for name, parts in form.disguised(state, Redactor().name, lambda start, end: True).items():
        yield name + " ".join(part.hex() if isinstance(part, bytes) else str(part) for part in parts)


def _plan(form: Format, state: State, wishes: Wishes) -> Iterator[str]:
    """What a plan says before the first of its steps."""
    assert form.plan is not None
    plan = form.plan(state, wishes)
    yield plain([plan.estimate, plan.folder, plan.size, plan.notes, plan.after("in", "out")])


def _kin(form: Format, state: State, source: Source, places: list[Span]) -> Iterator[str]:
    assert form.kin is not None
    for span in places[:SHOWN]:
        yield " ".join(raw.hex() for raw in form.kin(state, source.read(span.start, span.length, span.member)))


def _excerpts(form: Format, state: State, places: list[Span]) -> Iterator[str]:
    assert form.excerpts is not None
    for parts in form.excerpts(state, places[len(places) // 2 :][:1], 1):
        for name, pieces in sorted(parts.items()):
            yield name + " ".join(part.hex() if isinstance(part, bytes) else str(part) for part in pieces)


def followed(form: Format, source: Source) -> Iterator[str]:
    """The file as it grows, and the follower saved and taken up again at each step."""
    assert form.follow is not None
    data, saved = source.read(0, source.size), None
    for number in range(1, STEPS + 1):
        follower = form.follow(saved)
        with MemorySource(data[: len(data) * number // STEPS], "growing") as now:
            yield from (plain(landed) for landed in islice(follower.advance(now), LISTED))
            yield from (plain(landed) for landed in follower.revisit(now))
            yield from (plain(landed) for landed in follower.sweep(now, 1 << 12))
            yield f"{follower.at} {follower.settled()} {follower.sound(now, 0, follower.at)}"
            if number == STEPS:
                follower.skip(min(now.size, follower.at + 40))
                yield plain(follower.heal(now, 0, now.size))
        saved = follower.save()
        yield plain(saved)


def wishes_for(form: Format, plainly: Wishes) -> Iterator[tuple[str, Wishes]]:
    """One for each wish that its layers understand, and a few values of those that have values."""
    understood = form.wishes | bottom_of(form).wishes
    known: dict[str, list[Any]] = {
        "compact": [True], "touch": [True], "lost": [True], "archive": [True], "no_correct": [True],
        "verify_signatures": [True], "to_version": [9, 14, 16], "at": [AT],
        "release": ["v0.10.1", "v23.05", "v24.11", "v26.04", "spdk"], "checksums": [True],
        "max_unit": [1 << 15], "cluster_size": [4096],
        "accept": [frozenset({word}) for word in ("unique", "anchored", "unsealed", "name")],
        "thresholds": [{"stall": 1.0}],
    }  # fmt: skip
    for name in sorted(understood.intersection(known)):
        for value in known[name]:
            words = ", ".join(sorted(value)) if isinstance(value, frozenset) else value
            yield f"{name} {words}", replace(plainly, **{"at": AT if name == "touch" else None, name: value})


def _scanned(case: Case, source: Source, wanted: Wishes) -> Iterator[str]:
    """What is said of it under a wish, and its items."""
    report = inspect(source, FORMATS, wanted, case.format.name, KEEP)
    yield plain(documents.scan(report, int(report.exit_code())))
    if report.format.items is not None:
        yield from (plain(documents.item(item)) for item in islice(report.format.items(report.state), FILTERED))


def _planned(case: Case, source: Source, wanted: Wishes) -> Iterator[str]:
    done = repair(source, FORMATS, None, wanted, forced=case.format.name, dry_run=True, keep=KEEP)
    yield from (f"{step(edit)} {edit.why}" for edit in done.changes)
    yield plain([done.bytes, done.records, done.proof, done.notes, int(done.code)])


def _with_others(case: Case, source: Source) -> Iterator[str]:
    """The sample beside damaged copies of it: what differs, and one store made of them."""
    copies: list[Source] = [memory(members) for _, members in damaged_again(case, 2, 3)]
    if case.format.identities is not None:
        for copy in copies:
            yield f"  differs {answer(differs, case.format, source, copy)}"
    if case.format.merge is not None and copies:
        yield f"  merge {answer(merged, case.format, [source, *copies])}"
        yield f"  merge of the copies {answer(merged, case.format, copies)}"
    if source.member("") is not None:
        for name in MODULES:
            if name.startswith(case.format.name.split("-")[0]):
                for one in (source, *copies):
                    yield f"  carve {name} {answer(carved, name, one)}"


def differs(form: Format, one: Source, two: Source) -> Iterator[str]:
    assert form.identities is not None
    found = []
    for source in (one, two):
        state = inspect(source, FORMATS, Wishes(), form.name).state
        found.append(form.identities(state))
    compared = compare(*found)
    for difference in compared.differences():
        yield f"{difference!r} {difference.name} {difference.changed}"
    yield str(compared.total)


def merged(form: Format, copies: Sequence[Source]) -> Iterator[str]:
    """One store of several; of a store of volumes the first behind its own blob."""
    assert form.merge is not None
    join = form.merge
    takes: list[str] = []

    def noted(found: Iterable[Take]) -> Iterator[Take]:
        for take in found:
            takes.append(repr(take))
            yield take

    def tapped(states: Sequence[State], wishes: Wishes, item: str | None) -> Merge:
        plan: Merge = join(list(states), wishes, item)
        plan.takes = noted(plan.takes)
        return plan

    every = [replace(one, merge=tapped) if one is form else one for one in FORMATS]
    for item in _items_of(form, copies[0]):
        done = merge(copies, every, None, Wishes(), forced=form.name, dry_run=True, item=item)
        plan = done.plan
        yield from takes
        takes.clear()
        yield plain([done.taken, done.notes, int(done.code), list(plan.losses)])
        yield plain([done.size, done.made, done.proof, plan.estimate, plan.size, plan.order, plan.because, plan.counts])
        yield plain([plan.losses_total, plan.disagreements, plan.disagreements_total, plan.after("in", "out")])


def _items_of(form: Format, source: Source) -> list[str | None]:
    if form.extents is None or form.items is None:
        return [None]
    state = inspect(source, FORMATS, Wishes(), form.name).state
    return [item.id for item in islice(form.items(state), 1, 1 + MERGED)] or [None]


def carved(name: str, source: Source) -> Iterator[str]:
    lines: list[str] = []
    done = carve(
        source, carver(name), None, CarveWishes(),
        report=lambda carved: lines.extend(repr(found) for found in carved.haul.spans()),
    )  # fmt: skip
    haul = done.haul
    yield from lines
    yield plain([carve_documents.carve(done, []), haul.estimate, sorted(haul.lost), haul.choice, haul.after("out")])
    yield plain([done.notes, int(done.code), haul.version, haul.empty, haul.because])


def cases_of(form: Format) -> list[Case]:
    """Its samples, of those that are dear and alike some, and the stores that are made for these tables."""
    found = [case for case in cases() if case.format.name == form.name]
    return [
        *found[:: _EACH.get(form.name, 1)],
        *(case for store in small_stores() if store.form is form for case in _made(store)),
    ]


def _made(store: Store) -> Iterator[Case]:
    """A store, and damaged copies of it."""
    one = Case(store.form, Path(store.name), {name: data for name, data in store.members().items() if name != AGAINST})
    yield one
    for words, members in damaged_again(one, COPIES, 5):
        yield Case(store.form, Path(f"{store.name}, {words.removeprefix(f'{one.path.name}: ')}"), members)


_EACH = {"snarkos": 4, "gossip-store": 2, "spdk-blobstore": 2}


def lines_of(form: Format) -> Iterator[str]:
    for case in cases_of(form):
        yield from told(case)
