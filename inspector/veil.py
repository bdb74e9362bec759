"""Formats behind a veil: the same values of the contract, with private things under their pseudonyms.

Every command gets its formats from one list; putting the veil there means that none can forget it. Bytes that are
damaged or that no field claims are private, too: a misdirected write holds somebody's data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from inspector.catalogue import Catalogue, Formats
from inspector.comparing import Described, Identities, Row
from inspector.errors import InspectorError
from inspector.field import Field
from inspector.finding import Finding, Severity
from inspector.format import Answer, Entry, Exhibit, Format, Item, Query, State
from inspector.private import CONTENT, DIGEST, ITEM, Private, sound
from inspector.redact import Redactor, Shown, as_text, entropy_words, without_quotes
from inspector.source import Source
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.inspect import Report

MOST_COLLECTED: Final = 20_000  # items, and foreign file names, that are looked up before anything is printed
MOST_EXACT: Final = 1000  # names whose replacement is remembered
# what inspector itself says of a damaged unit, as opposed to what the unit says
OWN: Final = frozenset(
    ("length", "why", "page", "slot", "offset", "element", "line", "text_start", "text_end", "problem", "torn_at")
)
# functions that make finished output faster than from values: left out, the values are there as well
PRINTS_BY_ITSELF: Final = frozenset({"lines"})
_CHECKSUMS: Final = re.compile(r"\b(stored|computed)( checksum| digest| [A-Z][A-Z0-9-]+)?,? (0x)?[0-9a-f]{8,}\b")


def veiled(formats: Formats, redactor: Redactor) -> Formats:
    """The same list; of a catalogue still only those that are asked are imported."""
    made: dict[str, Format] = {}

    def veil(form: Format) -> Format:
        if form.name not in made:
            made[form.name] = _Veil(form, redactor).format()
        return made[form.name]

    if isinstance(formats, Catalogue):
        load = formats.load
        return replace(formats, load=lambda module: veil(load(module)))
    return tuple(veil(form) for form in formats)


class _Veil:
    """One format's functions, wrapped."""

    def __init__(self, form: Format, redactor: Redactor) -> None:
        self.form, self.redactor, self.private = form, redactor, form.private
        self.source: Source | None = None
        self._collected = False
        self.values = Values(redactor, form.private)

    def format(self) -> Format:
        form = self.form
        without: dict[str, Any] = dict.fromkeys(PRINTS_BY_ITSELF & set(form.__struct_fields__))
        return replace(
            form,
            **without,
            open=self.open,
            records=form.records and self.records,
            show=form.show and self.show,
            items=form.items and self.items,
            item=form.item and self.item,
            extents=form.extents and self.extents,
            after=form.after and self.after,
            veil=self.report,
        )

    def open(self, source: Source, lower: State | None, wishes: Any) -> State:
        self.source, self._collected = source, False
        try:
            state = self.form.open(source, lower, wishes)
        except (InspectorError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  a bug of ours; its words may be data and go no further
            raise RuntimeError(f"{type(error).__name__} while the source was opened") from None
        self._collect_files(source)
        return state

    def _collect_files(self, source: Source) -> None:
        for member in islice(source.members if self.private.files else (), MOST_COLLECTED):
            for part in member.name.split("/"):
                if part and not any(fnmatchcase(part, pattern) for pattern in self.private.files):
                    self.redactor.know("file", part)

    def _collect(self, state: State) -> None:
        """What running text may name: what the format's own items are called. After the walk: it reads the state."""
        if self.private.originals is not None and not self._collected:
            self._collected = True
            for noun, original in islice(self.private.originals(state), MOST_COLLECTED):
                if original not in self.private.public:
                    self.redactor.know(noun, original)

    def records(self, state: State, query: Query) -> Iterator[Entry]:
        assert self.form.records is not None
        self._collect(state)
        scid, node, member = map(self._plain, (query.scid, query.node, query.member))
        found = self.form.records(state, replace(query, scid=scid, node=node, member=member, pick=None))
        return map(self.entry, found if query.pick is None else query.pick(found))

    def _plain(self, name: str | None) -> str | None:
        return None if name is None else self.redactor.resolve(name)

    def show(self, state: State, member: str, at: int) -> Exhibit | None:
        assert self.form.show is not None
        self._collect(state)
        found = self.form.show(state, member, at)
        return None if found is None else self.exhibit(found)

    def items(self, state: State) -> Iterator[Item]:
        assert self.form.items is not None
        self._collect(state)
        return map(self.values.item, self.form.items(state))

    def item(self, state: State, wanted: str) -> Item | None:
        assert self.form.item is not None
        self._collect(state)
        found = self.form.item(state, self.redactor.resolve(wanted))
        return None if found is None else self.values.item(found)

    def extents(self, state: State, wanted: str) -> Iterator[Any]:
        assert self.form.extents is not None
        return self.form.extents(state, self.redactor.resolve(wanted))

    def after(self, state: State, item: Item, path: str) -> tuple[str, ...]:
        assert self.form.after is not None
        return tuple(map(self.values.words, self.form.after(state, item, path)))

    def entry(self, entry: Entry) -> Entry:
        span = self.values.span(entry.span)
        private = self.private
        if not sound(entry.state) and not self.redactor.show_bytes:
            told = {
                k: v for k, v in entry.fields.items() if k in OWN and (isinstance(v, int) or k in ("why", "problem"))
            }
            kept = self.values.mapping(told)
            kept["withheld"] = self._bytes_of(entry.span)
            return Entry(span, entry.kind, self.values.words(entry.state), kept)
        if entry.kind in private.kinds:
            return Entry(span, entry.kind, entry.state, self.values.inside(entry.fields))
        return Entry(span, entry.kind, self.values.words(entry.state), self.values.mapping(entry.fields))

    def _bytes_of(self, span: Span) -> str:
        raw = self.source.read(span.start, min(span.length, 4096), span.member) if self.source else b""
        return self.redactor.withhold(raw, pieces=False).replace(f"({len(raw)} bytes", f"({span.length} bytes")

    def exhibit(self, exhibit: Exhibit) -> Exhibit:
        """Bytes are shown as far as public fields claim them, from the first one on."""
        private, values = self.private, self.values
        whole = exhibit.title.split(" ")[0] in private.kinds
        hidden = whole or not (sound(exhibit.state) or self.redactor.show_bytes)
        fields, patched = [], bytearray(exhibit.data)
        for found in exhibit.fields:
            fields.append(self._field(found, hidden, whole, patched, exhibit.span.start))
        end = exhibit.span.start
        for one in sorted(exhibit.fields, key=lambda f: f.start):
            if hidden or one.start > end or not self._public(one):
                break
            end = max(end, one.end)
        shown = bytes(patched[: end - exhibit.span.start])
        if self.redactor.show_bytes and not exhibit.fields and not whole:
            shown = exhibit.data
        notes = [values.words(note) for note in exhibit.notes]
        if len(shown) < len(exhibit.data):
            told = self.redactor.withhold(bytes(exhibit.data[len(shown) :]), pieces=False)
            notes.append(f"bytes from {exhibit.span.start + len(shown)} on are private: {told}")
        title = values.words(exhibit.title)
        return replace(
            exhibit,
            title=without_quotes(title, exhibit.data) if hidden else title,
            span=values.span(exhibit.span),
            state=values.words(exhibit.state),
            data=shown,
            fields=tuple(fields),
            notes=tuple(notes),
            neighbours=tuple(map(self.entry, exhibit.neighbours)),
            findings=tuple(self._unquoted(values.finding(one), one.span) for one in exhibit.findings),
        )

    def _unquoted(self, finding: Finding, at: Span) -> Finding:
        """Without what its words quote of bytes that are lost; `at` is its span under the true name of the file."""
        if self.source is None or self.redactor.show_bytes or finding.level is not Severity.ERROR:
            return finding
        raw = self.source.read(at.start, min(at.length, 4096), at.member) if finding.bytes_known else b""
        because = without_quotes(finding.cause.because, raw)
        return replace(
            finding, message=without_quotes(finding.message, raw), cause=replace(finding.cause, because=because)
        )

    def _public(self, found: Field) -> bool:
        bare = found.name not in ("rest", "body") or self.redactor.show_bytes
        return bare and found.privacy == "public" and found.name not in self.private.fields

    def _field(self, found: Field, hidden: bool, whole: bool, data: bytearray, base: int) -> Field:
        bits = self.private.bits.get(found.name.rstrip("?"))
        if bits and isinstance(found.value, int) and found.value & bits:
            size = found.end - found.start
            at = found.start - base
            for order in ("big", "little"):
                if bytes(data[at : at + size]) == found.value.to_bytes(size, order):
                    data[at : at + size] = (found.value & ~bits).to_bytes(size, order)
                    break
            found = replace(found, value=found.value & ~bits, text=str(found.value & ~bits))
        if not hidden and self._public(found):
            return replace(found, text=self.values.words(found.text))
        noun = (self.private.inside if whole else self.private.fields).get(found.name, CONTENT)
        if noun in (DIGEST, CONTENT):
            raw = found.value if isinstance(found.value, bytes) else None
            declared = whole or found.privacy != "public" or found.name in self.private.fields
            # of what is only damaged the whole is searched for; a field of it may rightly stand elsewhere
            tell = self.redactor.withhold if declared and noun != DIGEST else entropy_words
            told = tell(raw) if raw is not None else "(private)"
        else:
            told = self.redactor.name(noun, found.text)
        return replace(found, value=told, text=told, privacy="private")

    def report(self, report: Report) -> Report:
        """What is known once the inspection is over; formats and diagnosis worked with the plain values until now."""
        self._collect(report.state)
        values = self.values
        owners = {rule.code: Values(self.redactor, layer.private) for layer in report.layers for rule in layer.rules}
        shown = Shown(self.redactor, lambda f: self._unquoted(owners.get(f.rule.code, values).finding(f), f.span))
        report.tally.view = shown.of
        told = {"source", "layers", "claim", "state", "account", "tally", "answer", "partial", "lower"}
        more: dict[str, Any] = {}
        more |= {name: values.anything(getattr(report, name)) for name in report.__struct_fields__ if name not in told}
        return replace(
            report,
            **more,
            answer=values.answer(report.answer),
            claim=replace(report.claim, because=values.words(report.claim.because)),
            partial=values.words(report.partial),
        )


class Values:
    """Values of the contract with private fields replaced, by one format's declaration."""

    def __init__(self, redactor: Redactor, private: Private) -> None:
        self.redactor, self.private = redactor, private
        self._texts = tuple((re.compile(pattern), noun) for pattern, noun in private.texts)
        self._exact: dict[str, str] = {}  # names of fields come again with each record
        self._learnt = 0

    def words(self, text: str) -> str:
        for pattern, noun in self._texts:
            text = pattern.sub(lambda m, noun=noun: self.redactor.name(noun, m.group()), text)  # type: ignore[misc]
        text = _CHECKSUMS.sub(lambda m: f"{m[1]}{m[2] or ''} (private)", text)
        for mark in self.private.marks:
            text = re.sub(rf"\b{mark}\b ?", "", text)
        return self.redactor.text(text)

    def of(self, name: str, value: Any, noun: str = "") -> Any:
        """The value of the field `name`; `noun` is that of the private field around it."""
        noun = self.private.fields.get(name, noun)
        if noun:
            return self.hidden(noun, value)
        if name in self.private.bits and isinstance(value, int):
            return value & ~self.private.bits[name]
        if isinstance(value, str):
            return self.words(value)
        if isinstance(value, Mapping):
            return self.mapping(value)
        if isinstance(value, list | tuple):
            return [self.of("", one) for one in value if not (isinstance(one, str) and one in self.private.marks)]
        return value

    def mapping(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {self.exact(str(k)): self.of(str(k), v) for k, v in fields.items()}

    def exact(self, text: str) -> str:
        """A name that stands by itself, however short; else running text."""
        if self._learnt != self.redactor.learnt or len(self._exact) >= MOST_EXACT:
            self._exact.clear()
            self._learnt = self.redactor.learnt
        found = self._exact.get(text)
        if found is None:
            found = self._exact[text] = self.redactor.known(text) or self.redactor.text(text)
        return found

    def hidden(self, noun: str, value: Any) -> Any:
        """A private value: what tells things apart gets a name, all else goes."""
        if isinstance(value, Mapping):
            return {self.exact(str(k)): self.of(str(k), v, noun) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.hidden(noun, one) for one in value]
        if value is None or noun == DIGEST:
            return None
        if isinstance(value, bool | int | float):
            return value
        if as_text(value) in self.private.public:
            return value
        if noun == CONTENT:
            raw = value if isinstance(value, bytes) else _unhexed(str(value))
            return self.redactor.withhold(raw)
        return self.redactor.name(noun, as_text(value))

    def inside(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A record that is private as a whole: who is in it, under other names, and nothing else."""
        kept: dict[str, Any] = {}
        for name, value in fields.items():
            noun = self.private.inside.get(name)
            if isinstance(value, Mapping):
                kept[name] = self.inside(value)
            elif noun is not None:
                kept[name] = self.hidden(noun, value)
            elif name in OWN and isinstance(value, int):
                kept[name] = value
        return kept

    def span(self, span: Span) -> Span:
        return Span(span.start, span.end, self.redactor.text(span.member)) if span.member else span

    def item(self, item: Item) -> Item:
        fields = self.mapping(item.fields)  # first: it may make the id known
        noun = self.private.fields.get(ITEM)
        known = self.exact if noun is None else lambda text: self.hidden(noun, text)
        parent = None if item.parent is None else known(item.parent)
        return replace(item, id=known(item.id), parent=parent, fields=fields, spans=tuple(map(self.span, item.spans)))

    def finding(self, finding: Finding) -> Finding:
        evidence = {k: self.of(k, v) for k, v in finding.evidence.items() if self._tells(k)}
        message = finding.message
        if "traceback" in evidence:  # a bug of ours: the exception's words may be data
            lines = str(finding.evidence["traceback"]).splitlines()
            evidence["traceback"] = "\n".join(line for line in lines if line.startswith('  File "'))
            message = message.partition(":")[0]
        return replace(
            finding,
            span=self.span(finding.span),
            message=self.words(message),
            evidence=evidence,
            cause=replace(finding.cause, because=self.words(finding.cause.because)),
        )

    def _tells(self, name: str) -> bool:
        return self.private.fields.get(name) != DIGEST

    def anything(self, value: Any) -> Any:
        """A value of plain parts, whatever it is, with its texts replaced."""
        if isinstance(value, Finding):
            return self.finding(value)
        if isinstance(value, Span):
            return self.span(value)
        if isinstance(value, str) and type(value) is str:
            return self.words(value)
        if isinstance(value, Struct):
            return replace(value, **{name: self.anything(getattr(value, name)) for name in value.__struct_fields__})
        if isinstance(value, Mapping):
            return self.mapping(value)
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            return type(value)(self.anything(one) for one in value)
        return value

    def answer(self, answer: Answer) -> Answer:
        return replace(
            answer,
            version=self.words(answer.version),
            because=self.words(answer.because),
            summary=self.mapping(answer.summary),
            words=tuple(map(self.words, answer.words)),
            loaders=tuple(replace(one, message=self.words(one.message)) for one in answer.loaders),
            next=tuple(map(self.words, answer.next)),
        )


def _unhexed(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode("utf-8", "surrogatepass")


def unnamed(things: Identities, redactor: Redactor, private: Private) -> Identities:
    """What a comparison tells of each thing, with its private values replaced; a key is its thing's whole name."""
    values, told = Values(redactor, private), things.describe

    def describe(row: Row) -> Described:
        thing = told(row)
        name = redactor.name("key", thing.name) if "key" in private.fields else values.words(thing.name)
        return replace(thing, name=name, fields=values.mapping(thing.fields))

    return replace(things, describe=describe)
