"""The damaged gossip stores of samples/gossip_store: one story each, small, always the same bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests import damage
from tests.builders import gossip_messages as m
from tests.builders.gossip import DELETED, HEADER, Network, Store, grown
from tests.builders.gossip_signed import signed_store
from tests.builders.samples import Sample

SIZE = 9_000  # bytes before the damage: some 60 records
SEED = 20


def _town(version: int = 16, size: int = SIZE, seed: int = SEED) -> Network:
    return grown(version, size, seed)


def _end(net: Network, at: int) -> int:
    return at + HEADER + int.from_bytes(net.store.data[at + 2 : at + 4])


def _starts(net: Network) -> list[int]:
    at, found = 1, []
    while at < len(net.store.data):
        found.append(at)
        at = _end(net, at)
    return found


def _live_update(net: Network, after: int = 3000) -> int:
    """The first live channel_update that begins behind `after`."""
    for at in _starts(net):
        kind = int.from_bytes(net.store.data[at + HEADER : at + HEADER + 2])
        if at > after and kind == m.CHANNEL_UPDATE and not net.store.data[at] & DELETED >> 8:
            return at
    raise AssertionError("no live update there")


def _checksum_at_3044() -> bytes:
    """lightning#7309 asks about `bad checksum offset 3044`: a header stands exactly there."""
    net = _town(size=2_300)
    node = next(n for n in net.nodes if n.channels)
    node.words = m.NodeWords(b"padded", tlv=_tlv(3044 - len(net.store.data) - HEADER - 142))
    net.announce(node)
    at = net.update(net.channels[0], 1)
    assert at == 3044, at
    while len(net.store.data) < SIZE:
        net.update(net.channels[0], 0)
        net.update(net.channels[-1], 1)
    return damage.flip_bit(net.store.bytes(), at + HEADER + 117, 4).data


def _tlv(size: int) -> bytes:
    """A TLV stream of one entry and exactly `size` bytes."""
    value = size - 2 if size - 2 < 253 else size - 4
    return b"\x01" + _bigsize(value) + b"p" * value


def _bigsize(value: int) -> bytes:
    return bytes([value]) if value < 253 else b"\xfd" + struct.pack(">H", value)


def _zeroed_hole() -> bytes:
    return damage.zero(_town(size=24_000).store.bytes(), 8192, 12288).data


def _hole_then_record() -> bytes:
    """What ZFS gave back in lightning#8542: the file is longer, and the next append stands behind zeroes."""
    net = _town(size=8_000)
    hole = 4096 - len(net.store.data) % 4096
    net.store.data += bytes(hole)
    for _ in range(3):
        net.update(net.channels[0], 0)
    return net.store.bytes()


def _overwritten_at_1() -> bytes:
    net = _town()
    spare = _town(seed=SEED)
    at = spare.update(spare.channels[-1], 0)
    return damage.overwrite(net.store.bytes(), 1, bytes(spare.store.data[at:])).data


def _second_store() -> bytes:
    """lightning#2750: the temporary file was not emptied, so an older store follows the newer one."""
    return damage.append(_town(size=12_000).store.bytes(), _town(size=7_000).store.bytes()).data


def _length_bit(bit: int) -> Callable[[], bytes]:
    def make() -> bytes:
        net = _town()
        at = _live_update(net)
        return damage.flip_bit(net.store.bytes(), at + 3 - bit // 8, bit % 8).data

    return make


def _delete_entry() -> bytes:
    net = _town()
    return damage.flip_bit(net.store.bytes(), net.channels[0].announcement, 7).data


def _with(change: Callable[[Network], object], version: int = 16) -> Callable[[], bytes]:
    """A healthy store, one change by the writer, and then a few ordinary updates."""

    def make() -> bytes:
        net = _town(version)
        change(net)
        for side in (0, 1, 0):
            net.update(net.channels[-1], side)
        return net.store.bytes()

    return make


def _duplicate(net: Network) -> None:
    channel = net.channels[0]
    body = bytes(net.store.data[channel.announcement + HEADER : _end(net, channel.announcement)])
    net.store.append(body)
    net.store.append(m.amount(1_000_000))


def _no_amount(net: Network) -> None:
    one, two = net.nodes[0], net.nodes[1]
    channel = net.open(one, two)
    del net.store.data[channel.amount :]


def _no_announcement(net: Network) -> None:
    net.store.append(m.amount(1_000_000))


def _short_dying(net: Network) -> None:
    net.store.append(m.chan_dying(net.channels[0].scid, 700_100)[:10])


def _aliases(net: Network) -> None:
    for node, alias in zip(
        [n for n in net.nodes if n.channels],
        (b"\x1b]52;c;cm0gLXJm\x07\x1b[2J[/red][link=x]", "evil\u202etxt.exe\nOK \u2066".encode()),
        strict=False,
    ):
        node.words = m.NodeWords(alias, addresses=m.address_dns(b"\x1b[31mred.example"))
        net.announce(node)


def _latin_alias(net: Network) -> None:
    node = next(n for n in net.nodes if n.channels)
    node.words = m.NodeWords("Zürich-Bücher".encode("latin-1"))
    net.announce(node)


def _odd_flags(net: Network) -> None:
    net.store.flag(net.update(net.channels[0], 0), 0x0400)


def _strangers(net: Network) -> None:
    """An update and a node announcement whose channel is not in the store, and an update that was not retired."""
    net.store.append(m.channel_update(net.noise, m.scid(1, 1, 1), 0, net.tick()), net.time)
    body = m.node_announcement(net.noise, m.node_id(net.rng), net.tick(), m.NodeWords(b"nobody"))
    net.store.append(body, net.time)


def _interrupted(net: Network) -> None:
    """A stop between the append and the flag: two live updates of one side, two live announcements of one node."""
    channel = next(c for c in net.channels if c.updates[0])
    before = channel.updates[0]
    net.update(channel, 0)
    assert before is not None
    net.store.data[before] ^= DELETED >> 8
    node = next(n for n in net.nodes if n.announcement)
    earlier = node.announcement
    net.announce(node)
    assert earlier is not None
    net.store.data[earlier] ^= DELETED >> 8


def _tombstone_only(net: Network) -> None:
    net.store.append(m.delete_chan(net.channels[0].scid))


def _torn(count: int) -> Callable[[], bytes]:
    def make() -> bytes:
        net = _town()
        healthy = net.store.bytes()
        at = net.update(net.channels[0], 1)
        healthy = net.store.bytes()[:at]
        return damage.tear(healthy, net.store.bytes()[at:], count).data

    return make


def _not_completed() -> bytes:
    net = _town()
    at = net.update(net.channels[0], 1)
    return damage.flip_bit(net.store.bytes(), at, 5).data


def _planted() -> bytes:
    """A node announcement that carries a whole record in its TLV stream loses four bytes behind it.

    Its claimed end now lies in the next record, so the search for an anchor meets the planted one first.
    """
    net = _town(size=5_000)
    node = next(n for n in net.nodes if n.channels)
    trap = Store(16, bare=True)
    trap.append(m.delete_chan(net.channels[0].scid))
    inner = bytes(trap.data[1:])
    node.words = m.NodeWords(b"trojan", tlv=b"\x01" + _bigsize(len(inner) + 9) + inner + b"\xaa" * 9)
    net.announce(node)
    end = len(net.store.data)
    while len(net.store.data) < SIZE:
        net.update(net.channels[0], 0)
    return damage.cut(net.store.bytes(), end - 4, end).data


def _noise() -> bytes:
    net = _town()
    at = _live_update(net)
    return damage.noise(net.store.bytes(), at, at + 700, 3).data


def _deleted_bit() -> bytes:
    net = _town()
    at = next(a for a in _starts(net) if net.store.data[a] & DELETED >> 8 and a > 2000)
    return damage.flip_bit(net.store.bytes(), at + HEADER + 20, 0).data


def _length_past_end() -> bytes:
    """The top length bit of an announcement and a bit of its feature count: only the next record tells its end."""
    net = _town()
    at = net.channels[-1].announcement
    data = damage.flip_bit(net.store.bytes(), at + 2, 7).data
    return damage.flip_bit(data, at + HEADER + 259, 3).data


def _no_uuid() -> bytes:
    net = _town()
    return damage.cut(net.store.bytes(), 1, 47).data


def _healthy(version: int) -> Callable[[], bytes]:
    def make() -> bytes:
        return _town(version).store.bytes()

    return make


def _signed_flips() -> bytes:
    data = signed_store(channels=3, nodes=3)
    announcement = 47  # behind the version byte and the uuid
    update = announcement + HEADER + 432 + HEADER + 10
    node = update + 2 * (HEADER + 138)
    for at, bit in ((announcement + 200, 6), (update + HEADER + 70, 1), (update + HEADER + 120, 4)):
        data = damage.flip_bit(data, at, bit).data
    return damage.overwrite(data, node + HEADER + 70, b"junk").data


def _version(byte: int, version: int = 16) -> Callable[[], bytes]:
    return lambda: damage.overwrite(_town(version).store.bytes(), 0, bytes([byte])).data


def _sample(name: str, story: str, rules: tuple[str, ...], make: Callable[[], bytes], repairs: bool = True) -> Sample:
    return Sample("gossip_store", f"{name}.gossip_store", story, rules, make, repairs)


SAMPLES = (
    _sample("clean-v16", "nothing: a small healthy store of version 16", (), _healthy(16)),
    _sample("clean-v14", "nothing: version 14, before the COMPLETED bit", (), _healthy(14)),
    _sample("clean-v9", "nothing: version 9 with private channels, 130-byte updates and PUSH bits", (), _healthy(9)),
    _sample("checksum-at-3044", "one bit flipped in the channel_update at offset 3044", ("GSP003",), _checksum_at_3044),
    _sample("deleted-bit", "one bit flipped in a record that was deleted already: a note", ("GSP003",), _deleted_bit),
    _sample(
        "signed-flips",
        "real signatures; an announcement with one flipped bit, an update with two, a node with four bytes of rubbish",
        ("GSP003",),
        _signed_flips,
    ),
    _sample("zeroed-hole", "the 4096-byte page at 8192 reads as zeroes", ("GSP006",), _zeroed_hole),
    _sample(
        "zeroes-then-record",
        "zeroes up to a page boundary, then good records again (ZFS, lightning#8542)",
        ("GSP006",),
        _hole_then_record,
    ),
    _sample(
        "overwritten-at-1",
        "an append went to offset 1 over the uuid (lightning#8053)",
        ("GSP023", "GSP033"),
        _overwritten_at_1,
    ),
    _sample(
        "version-at-1",
        "a zero byte before the version byte (lightning#4453)",
        ("GSP025",),
        lambda: b"\0" + _town(9).store.bytes(),
    ),
    _sample("torn-body", "the disk was full: the last append ends inside its body", ("GSP007",), _torn(90)),
    _sample("torn-header", "the last append ends inside its header", ("GSP008",), _torn(7)),
    _sample(
        "second-store", "an older store follows the newer one (lightning#2750)", ("GSP017", "GSP026"), _second_store
    ),
    _sample("length-bit-low", "the lowest length bit of a channel_update is flipped", ("GSP004",), _length_bit(0)),
    _sample("length-bit-high", "the highest length bit of a channel_update is flipped", ("GSP004",), _length_bit(15)),
    _sample(
        "delete-entry",
        "DELETED on the announcement only; the log says `get delete entry offset X/Y` with this X",
        ("GSP016",),
        _delete_entry,
    ),
    _sample("duplicate-announcement", "one channel announced twice, both live", ("GSP017",), _with(_duplicate)),
    _sample(
        "announcement-without-amount", "an announcement whose amount was never written", ("GSP014",), _with(_no_amount)
    ),
    _sample(
        "amount-without-announcement", "an amount with no announcement before it", ("GSP015",), _with(_no_announcement)
    ),
    _sample(
        "short-dying",
        "a chan_dying without its height, checksum right: gossipd crashes at every start",
        ("GSP011",),
        _with(_short_dying),
    ),
    _sample(
        "ended-in-place",
        "an `ended` record in the file at the path",
        ("GSP022",),
        _with(lambda net: net.store.append(m.ended(1, bytes(32)))),
    ),
    _sample(
        "hostile-alias",
        "aliases with escape sequences, markup, newlines and bidirectional overrides",
        (),
        _with(_aliases),
    ),
    _sample(
        "latin-alias", "an alias in Latin-1: legal, and pyln's reader fails on it", ("GSP028",), _with(_latin_alias)
    ),
    _sample("odd-flags", "a flag bit that no release uses", ("GSP027",), _with(_odd_flags)),
    _sample(
        "strangers", "an update and a node whose channel is not in the store", ("GSP018", "GSP019"), _with(_strangers)
    ),
    _sample(
        "interrupted",
        "a stop between append and flag: an update and a node announcement live twice",
        ("GSP020", "GSP021"),
        _with(_interrupted),
    ),
    _sample(
        "tombstone-only", "a stop between a tombstone and the flags it announces", ("GSP034",), _with(_tombstone_only)
    ),
    _sample(
        "not-completed", "the last record is whole, its COMPLETED bit was not written", ("GSP009",), _not_completed
    ),
    _sample(
        "trailing-zeroes",
        "4096 zero bytes behind the last record",
        ("GSP010",),
        lambda: damage.append(_town().store.bytes(), bytes(4096)).data,
    ),
    _sample(
        "unknown-type",
        "a record of type 4242 with a good checksum",
        ("GSP013",),
        _with(lambda net: net.store.append(struct.pack(">HQ", 4242, 7))),
    ),
    _sample(
        "length-past-end",
        "an announcement that claims more bytes than the file has, and its feature count is damaged too",
        ("GSP012",),
        _length_past_end,
    ),
    _sample("noise", "700 bytes of noise over four records", ("GSP005",), _noise),
    _sample(
        "planted-record",
        "a damaged node announcement that carries a record of its own inside",
        ("GSP005", "GSP031"),
        _planted,
    ),
    _sample("uuid-missing", "version 16 without the uuid record at offset 1", ("GSP023",), _no_uuid),
    _sample(
        "uuid-in-the-middle",
        "a second uuid record",
        ("GSP024",),
        _with(lambda net: net.store.append(m.uuid(bytes(32)))),
    ),
    _sample("major-1", "a bit of the version byte flipped: 0x10 became 0x30", ("GSP002",), _version(0x30)),
    _sample("version-too-low", "a store of version 16 whose version byte says 12", ("GSP030",), _version(12)),
    _sample("unjudged-v5", "version 5, whose checksum function nobody can repeat", ("GSP029",), _healthy(5), False),
    _sample(
        "empty", "0 bytes: the machine stopped before the version byte was written", ("GSP001",), lambda: b"", False
    ),
)
