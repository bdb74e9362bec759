"""The changes of a small store that `tests.golden.damages` tells of: made from seeds, at the places that matter.

Families: the vocabulary of damage anywhere; cuts at, before and behind the end of each unit; units left out, put in
again and exchanged; fields set to their least, greatest and next values, and bytes anywhere in units, with the
checksums made right after; two damages of any size, one made on the other; numbers and words of text; rows of a
ledger; and what a document says that the store is held against.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from typing import Any

from msgspec import Struct

from inspector import damage, formats
from inspector.errors import RefusedError
from inspector.field import Field
from inspector.format import UNIT, Exhibit, State, Stretch
from inspector.inject import harm
from inspector.inspect import inspect
from inspector.span import Span
from tests.builders.snarkos import Rows, ledger
from tests.builders.snarkos_wal import write_wal
from tests.contract.corpus import memory
from tests.fuzz.seals import sealed
from tests.golden.stores import MADE
from tests.proof_stores import AGAINST, Store, wishes

Members = dict[str, bytes]
SEEDS = 2  # of each kind of damage; one of a store that is only made for these tables
ENDS, UNITS, VALUES, INSIDE, TWO, NUMBERS, SAID = 10, 12, 36, 18, 24, 24, 60  # of each store, at most
SIZES = (None, 4, 16, 48, 64, 130, 300)  # bytes of one of two damages
OF_A_KIND = 2  # units of one kind whose fields are changed


class Change(Struct, frozen=True):
    """Members after a change, in words."""

    words: str
    members: Members


class Seen(Struct):
    """A store as it is: its units, and what is shown of some of them."""

    members: Members
    units: list[tuple[Span, str]]
    exhibits: list[tuple[str, Exhibit]]


def seen(store: Store) -> Seen:
    members = store.members()
    files = {name: data for name, data in members.items() if name != AGAINST}
    found = Seen(files, [], [])
    kinds = next(f for f in formats.all_formats() if f.name == (store.form.on or store.form.name)).kinds

    def tap(_: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            found.units += [
                (stretch.span(i), kinds.get(stretch.kinds[i], "?"))
                for i in range(len(stretch))
                if stretch.roles[i] == UNIT and stretch.span(i).length
            ]
            yield stretch

    report = inspect(memory(files), formats.all_formats(), wishes(members), store.form.name, tap=tap)
    met: dict[str, int] = {}
    for span, kind in found.units:
        met[kind] = met.get(kind, 0) + 1
        if met[kind] <= OF_A_KIND and report.bottom.show is not None:
            exhibit = report.bottom.show(report.state_of_bottom, span.member, span.start)
            if exhibit is not None:
                found.exhibits.append((kind, exhibit))
    return found


def vocabulary(store: Store, one: Seen) -> Iterator[Change]:
    source = memory(one.members)
    for seed in range(1 if store.name in MADE else SEEDS):
        for number, kind in enumerate(damage.KINDS):
            able = [name for name, data in one.members.items() if len(data) > 1]
            name = Random(f"{store.name}/{kind}/{seed}").choice(able)
            try:
                damaged, harms = harm(source, [kind], 1000 * seed + number, name, None, None)
            except RefusedError:  # it would change nothing here
                continue
            member = harms[0].member
            where = ", ".join(f"{span.start}-{span.end}" for span in harms[0].before[:2])
            words = f"{kind} {member}@{where}" + (f" and {len(harms[0].before) - 2} more" * (len(harms[0].before) > 2))
            yield Change(words, {**one.members, member: damaged.read(0, damaged.length(member), member)})


def ends(store: Store, one: Seen) -> Iterator[Change]:
    rng = Random(f"{store.name}/ends")
    places = sorted({(span.member, span.end + d) for span, _ in one.units for d in (-1, 0, 1)})
    able = [(member, at) for member, at in places if at < len(one.members[member])]
    for member, at in sorted(rng.sample(able, min(ENDS, len(able)))):
        yield Change(f"cut {member}@{at}", {**one.members, member: one.members[member][:at]})


def units(store: Store, one: Seen) -> Iterator[Change]:
    rng = Random(f"{store.name}/units")
    spans = [span for span, _ in one.units]
    for number in range(min(UNITS, 3 * len(spans))):
        span = rng.choice(spans)
        data = one.members[span.member]
        unit = data[span.start : span.end]
        if number % 3 == 0:
            words, made = f"without {_place(span)}", data[: span.start] + data[span.end :]
        elif number % 3 == 1:
            words, made = f"twice {_place(span)}", data[: span.end] + unit + data[span.end :]
        else:
            other = rng.choice([s for s in spans if s.member == span.member])
            first, last = sorted((span, other))
            words = f"exchanged {_place(first)} and {_place(last)}"
            made = data if first == last else (
                data[: first.start] + data[last.start : last.end] + data[first.end : last.start]
                + data[first.start : first.end] + data[last.end :]
            )  # fmt: skip
        if made != data:
            yield Change(words, {**one.members, span.member: made})


def values(store: Store, one: Seen) -> Iterator[Change]:
    """Of each field one of its values after the other, so that no field is left out where there are too many."""
    rng = Random(f"{store.name}/values")
    able = [(exhibit.span.member, kind, field) for kind, exhibit in one.exhibits for field in exhibit.fields]
    rng.shuffle(able)
    made = (change for turn in range(5) for member, kind, field in able
            for change in _valued(store, one, member, kind, field, turn))  # fmt: skip
    yield from islice(made, VALUES)


def _valued(store: Store, one: Seen, member: str, kind: str, field: Field, turn: int) -> Iterator[Change]:
    data = one.members[member]
    raw = data[field.start : field.end]
    options = list(dict.fromkeys(_others(raw, field.value)))
    # each field begins with another of its values
    if turn >= len(options):
        return
    words, new = options[(turn + field.start) % len(options)]
    changed = data[: field.start] + new + data[field.end :]
    yield Change(
        f"{kind} {field.name} {member}@{field.start} {words}",
        {**one.members, member: sealed(store.form.name, member, changed, data)},
    )


def _others(raw: bytes, value: Any) -> Iterator[tuple[str, bytes]]:
    size = len(raw)
    if not raw:
        return
    order = "big" if value == int.from_bytes(raw, "big") else "little"
    if size <= 8:
        number = int.from_bytes(raw, order)  # type: ignore[arg-type]
        for words, other in (("= 0", 0), ("= most", 256**size - 1), ("+ 1", number + 1), ("- 1", number - 1)):
            if 0 <= other < 256**size and other != number:
                yield words, other.to_bytes(size, order)  # type: ignore[arg-type]
    else:
        yield "first bit", bytes([raw[0] ^ 0x80]) + raw[1:]
        yield "last bit", raw[:-1] + bytes([raw[-1] ^ 1])
        if raw.strip(b"\0"):
            yield "= 0", bytes(size)


def inside(store: Store, one: Seen) -> Iterator[Change]:
    """What writes a right checksum over wrong bytes: memory that went bad, and programs."""
    rng = Random(f"{store.name}/inside")
    for number in range(INSIDE if one.units else 0):
        span = rng.choice(one.units)[0]
        data = one.members[span.member]
        at, mask = rng.randrange(span.start, span.end), (1 << rng.randrange(8), 0xFF)[number % 3 == 0]
        changed = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
        made = sealed(store.form.name, span.member, changed, data)
        if made != data:
            yield Change(f"inside {span.member}@{at} ^ {mask:#x}", {**one.members, span.member: made})


def two(store: Store, one: Seen) -> Iterator[Change]:
    """Two damages that may lie in one unit or in two, small enough that small stores hold both."""
    source = memory(one.members)
    rng = Random(f"{store.name}/two")
    able = [name for name, data in one.members.items() if len(data) > 1]
    for number in range(TWO):
        kinds, name = rng.choices(list(damage.KINDS), k=2), rng.choice(able)
        size = rng.choice(SIZES)
        try:
            damaged, harms = harm(source, kinds, number, name, None, size)
        except RefusedError:  # one of them would change nothing here, or has no size
            continue
        where = " and ".join(f"{one.kind} {one.before[0].start}-{one.before[0].end}" for one in harms)
        yield Change(f"{name}@{where}", {**one.members, name: damaged.read(0, damaged.length(name), name)})


def numbers(store: Store, one: Seen) -> Iterator[Change]:
    """Each in the text of a member gets other ones by turns: none, one more, ten times as much."""
    rng = Random(f"{store.name}/numbers")
    for member, data in one.members.items():
        if not data.isascii():
            continue
        found = list(re.finditer(rb"(?<![\w.])\d{1,9}(?![\w.])|true|false|None|Some|remaining|peers?\b", data))
        for number, word in enumerate(sorted(rng.sample(found, min(NUMBERS, len(found))), key=lambda m: m.start())):
            old = word[0]
            new = (b"0", b"%d" % (int(old) + 1), old + b"0")[number % 3] if old.isdigit() else _WORDS.get(old, b"other")
            if new != old:
                words = f"{old.decode()} {member}@{word.start()} = {new.decode()}"
                yield Change(words, {**one.members, member: data[: word.start()] + new + data[word.end() :]})


_WORDS = {b"true": b"false", b"false": b"true", b"None": b"Some(0)", b"Some": b"None"}


def rows(store: Store, one: Seen) -> Iterator[Change]:
    """A ledger of three blocks in which one row of each map is gone or another one, or a stranger is among them."""
    if store.form.name != "snarkos":
        return
    blocks = [block.rows() for block in ledger(3)]
    strange = ledger(3, seed=99)[2].rows()
    by_map: dict[int, list[tuple[int, bytes]]] = {}
    for height, plain in enumerate(blocks):
        for key in plain:
            by_map.setdefault(key[2], []).append((height, key))
    for number, able in sorted(by_map.items()):
        rng = Random(f"rows/{number}")
        for words in ("gone", ("another value", "a shorter value", "another key", "another's value")[number % 4]):
            height, key = rng.choice(able)
            changed = _changed(rng, blocks[height], key, words, [blocks[h][k] for h, k in able])
            if changed != blocks[height]:
                made = write_wal([*blocks[:height], changed, *blocks[height + 1 :]])
                yield Change(f"map {number} of block {height}: {words}", made)
        found = {key: value for key, value in strange.items() if key[2] == number}
        if found:
            yield Change(f"map {number}: a stranger", write_wal([*blocks, dict([rng.choice(sorted(found.items()))])]))


def _changed(rng: Random, plain: Rows, key: bytes, words: str, values: list[bytes]) -> Rows:
    value, changed = plain[key], {k: v for k, v in plain.items() if k != key}
    at = rng.randrange(max(1, len(value)))
    if words == "another value":
        changed[key] = value[:at] + bytes(b ^ 1 << rng.randrange(8) for b in value[at : at + 1]) + value[at + 1 :]
    elif words == "a shorter value":
        changed[key] = value[:-1]
    elif words == "another's value":
        changed[key] = rng.choice(values)
    elif words == "another key":
        changed[key[:-1] + bytes([key[-1] ^ 1])] = value
    return changed


def said(store: Store, one: Seen) -> Iterator[Change]:
    """The document that the store is held against, without each of its parts, and with each of its values another."""
    document = store.members().get(AGAINST)
    if document is None:
        return
    try:
        json.loads(document)
    except ValueError:  # the log of a program
        lines = document.splitlines(keepends=True)
        for number, line in enumerate(lines):
            without = b"".join(lines[:number] + lines[number + 1 :])
            yield Change(f"without line {number}", {**one.members, AGAINST: without})
            cut = b"".join([*lines[:number], line[: len(line) // 2] + b"\n", *lines[number + 1 :]])
            yield Change(f"half of line {number}", {**one.members, AGAINST: cut})
        return
    paths = list(_paths(json.loads(document)))
    for path in Random(f"{store.name}/said").sample(paths, min(SAID, len(paths))):
        changed = json.loads(document)
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        words, old = ".".join(map(str, path)), parent[path[-1]]
        if len(path) % 2 or isinstance(old, dict | list):
            del parent[path[-1]]
            words = f"without {words}"
        else:
            parent[path[-1]] = _other(old)
            words = f"{words} = {parent[path[-1]]!r}"
        yield Change(words, {**one.members, AGAINST: json.dumps(changed).encode()})


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*above, key)
        yield from _paths(value[key], (*above, key))


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value[:-1] if isinstance(value, str) and value else [value]


def _place(span: Span) -> str:
    return f"{span.member}@{span.start}-{span.end}"


FAMILIES: dict[str, Callable[[Store, Seen], Iterator[Change]]] = {
    "vocabulary": vocabulary, "ends": ends, "units": units, "values": values, "inside": inside, "two": two,
    "numbers": numbers, "rows": rows, "said": said,
}  # fmt: skip
