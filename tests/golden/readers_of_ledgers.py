"""Keys and values of every map of a ledger, as they are decoded and as the checks take them, and plaintexts."""

from __future__ import annotations

from functools import partial

from inspector.formats.snarkos import authority, maps, names, plaintext, values
from inspector.formats.snarkos.network import Network
from inspector.formats.snarkos.reading import whole
from inspector.formats.snarkos.rows import NOWHERE, Places
from inspector.formats.snarkos.takes import SHAPES, TAKES
from inspector.formats.snarkos.values import Decoder
from tests.builders.snarkos import element, ledger, name, state, u
from tests.golden.readers import Reader

EACH = 2  # rows of a map
SORTERS = ("values", "heights", "transactions", "transitions", "parts", "programs", "rejected")
LITERALS = (32, 1, 32, 32, 1, 2, 4, 8, 16, 1, 2, 4, 8, 16, 32, 128)  # bytes of each, by number; behind them is text


def readers() -> list[Reader]:
    found = []
    by_map: dict[int, dict[int, tuple[bytes, bytes]]] = {}
    for key, value in sorted(state(ledger(7)).items()):
        by_map.setdefault(key[2], {})[len(value)] = key[4:], value
    for number, rows in by_map.items():
        some = [*list(rows.values())[:EACH], *list(rows.values())[-1:]][: EACH + 1]
        what = maps.name_of(number)
        found.append(Reader(f"value of {what}", partial(maps.decode_value, number), [v for _, v in some]))
        found.append(Reader(f"key of {what}", partial(maps.decode_key, number), [some[0][0]]))
        if number in TAKES:
            found.append(Reader(f"taken of {what}", partial(_taken, number, some[-1][0]), [v for _, v in some]))
            found.append(Reader(f"taken by key of {what}", partial(_taken, number, value=some[0][1]), [some[0][0]]))
    return [*found, *_parts()]


def _parts() -> list[Reader]:
    """Parts of values that no row of this ledger has, each read as a whole."""
    kinds = [bytes([kind]) + u(7, 4) + b"\1" + u(9, 9) for kind in range(5)]
    sizes = [committee(version, members) for version in (1, 2) for members in (0, 1, 3)]
    read: list[tuple[str, Decoder, list[bytes]]] = [
        ("plaintext", plaintext.plaintext, plaintexts()),
        ("value of a mapping", plaintext.value, [b"\0" + PAIR, b"\1" + PAIR]),
        ("rewards", plaintext.ratifications, rewards()),
        ("operations", values.operation, operations()),
        ("confirmed", values.confirmed, kinds),
        ("committee", values.committee, sizes),
        ("quorum", authority.read_authority, quorums()),
    ]
    return [
        *(Reader(name, partial(whole, read=one, what=name), given) for name, one, given in read),
        Reader("names", lambda raw: [say(raw) for say in NAMES], [element("a"), element("b")[:8], bytes(32)]),
    ]


NAMES = (names.block_name, names.root_name, names.transaction_name, names.transition_name, names.solution_name,
         names.address_name, names.field_name)  # fmt: skip


def _taken(number: int, key: bytes, value: bytes) -> list[object]:
    """What the checks get of a row, whether its value fills its bytes, and the tips."""
    network = Network(0, Places())
    TAKES[number](network, key, value, NOWHERE)
    shape = SHAPES.get(number)
    tips = network.block_tip, network.committee_tip, network.round_tip, network.current_round
    rows = [(name, row) for name in SORTERS for row in getattr(network, name).rows()]
    return [rows, tips, shape(value) if shape else None]


def literal(number: int, raw: bytes) -> bytes:
    return b"\0" + u(number, 2) + raw


def inner(raw: bytes) -> bytes:
    return u(len(raw), 2) + raw


PAIR = b"\1\2" + name("one") + inner(literal(7, u(1 << 63, 8))) + name("two") + inner(literal(1, b"\1"))


def plaintexts() -> list[bytes]:
    """Each literal, a structure, arrays, and what is as deep as it may be, and deeper by one."""
    literals = [literal(n, element("literal", n)[:size].ljust(size, b"\7")) for n, size in enumerate(LITERALS)]
    nested = literal(1, b"\0")
    deep = []
    for depth in range(1, 35):
        nested = b"\2" + u(1, 4) + inner(nested)
        if depth >= plaintext.MAX_DEPTH - 1:
            deep.append(nested)
    array = b"\2" + u(3, 4) + b"".join(inner(literal(9, bytes([n]))) for n in range(3))
    return [*literals, literal(16, inner(b"t\xc3\xa4xt")), literal(17, b"x"), PAIR, array, b"\2" + u(0, 4), *deep]


def rewards() -> list[bytes]:
    one, two = b"\1\1" + u(500, 8), b"\1\2" + u(77, 8)
    return [b"\1" + u(2, 4) + one + two, b"\1" + u(1, 4) + b"\1\0" + bytes(8), b"\1" + u(0, 4)]


def operations() -> list[bytes]:
    return [bytes([tag]) + bytes(size - 1 + more) for tag, (_, size) in values.OPERATIONS.items() for more in (0, 8, 4)]


def committee(version: int, members: int) -> bytes:
    body = b"".join(element("author", i) + u(10**12 + i, 8) + bytes([i % 2, 5 + i]) for i in range(members))
    return bytes([version]) + element("committee id") + u(77, 8) + u(members, 2) + body + u(10**13, 8)


def quorums() -> list[bytes]:
    """A beacon, and a subdag of one certificate of each kind of transmission."""
    sent = b"\1" + element("puzzle")[:8] + bytes(16), b"\2" + element("tx") + bytes(16), b"\0"
    header = element("certificate") + element("author") + u(9, 8) + u(1_700_000_000, 8) + element("committee")
    found = [b"\0" + bytes(128)]
    for kind in sent:
        part = b"\1\1" + header + u(1, 4) + kind + u(1, 2) + element("before") + bytes(128) + u(1, 2) + bytes(128)
        found.append(b"\1\1" + u(1, 4) + u(9, 8) + u(1, 2) + part)
    return found
