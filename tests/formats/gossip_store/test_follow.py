"""A store followed as gossipd writes it: what landed, what has to change because of it, and what did not."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator

import pytest

from inspector.follow import Landed, UnfollowableError
from inspector.formats.gossip_store import follow as module
from inspector.formats.gossip_store.follow import GossipFollower, follow
from inspector.source import MemorySource
from tests.builders import gossip_messages as m
from tests.builders.gossip import COMPLETED, DELETED, Channel, Network, Store

HEADER = 12


def source(data: bytes | bytearray) -> MemorySource:
    return MemorySource(bytes(data), "gossip_store")


def landed(follower: GossipFollower, data: bytes | bytearray) -> list[tuple[str, int, int]]:
    return [(one.what, one.start, one.end) for one in follower.advance(source(data))]


def changes(follower: GossipFollower, data: bytes | bytearray) -> list[tuple[str, int]]:
    return [(one.what, one.start) for one in follower.revisit(source(data))]


@pytest.fixture
def net() -> Network:
    """Two nodes with one channel, announced and updated once on each side."""
    made = Network(Store(16), seed=3)
    channel = made.open(made.node(), made.node())
    made.update(channel, 0)
    made.update(channel, 1)
    made.announce(made.nodes[0])
    return made


def test_an_empty_file_says_nothing_and_a_version_that_cannot_be_judged_is_refused() -> None:
    assert landed(GossipFollower(), b"") == []
    for version in (0, 6, 17):
        with pytest.raises(UnfollowableError):
            landed(GossipFollower(), bytes([version]))
    for version in (7, 16):
        assert landed(GossipFollower(), bytes([version])) == []


def test_all_that_is_sound_lands_once_with_its_kinds(net: Network) -> None:
    data, follower = net.store.bytes(), GossipFollower()
    (one,) = follower.advance(source(data))
    assert one == Landed("sound", 1, len(data), "", {
        "uuid": 1, "channel_announcement": 1, "channel_amount": 1, "channel_update": 2, "node_announcement": 1,
    })  # fmt: skip
    assert (landed(follower, data), follower.at, follower.settled()) == ([], len(data), True)


def test_what_is_not_whole_yet_waits_and_is_whole_when_it_is(net: Network) -> None:
    before, follower = len(net.store.data), GossipFollower()
    landed(follower, net.store.data)
    body = m.delete_chan(77)
    net.store.append(body)
    data = net.store.bytes()
    for cut in range(before + 1, len(data)):
        assert landed(follower, data[:cut]) == [("unfinished", before, cut)]
    flagless = data[:before] + bytes([data[before] & ~(COMPLETED >> 8)]) + data[before + 1 :]
    (one,) = follower.advance(source(flagless))
    assert (one.what, one.start, one.end) == ("unfinished", before, len(data))
    assert one.text == "delete_chan without its COMPLETED bit"
    assert landed(follower, data) == [("sound", before, len(data))]


def test_what_does_not_verify_before_something_else_is_broken(net: Network) -> None:
    follower, before = GossipFollower(), len(net.store.data)
    landed(follower, net.store.data)
    at = net.store.append(m.delete_chan(77))
    end = len(net.store.data)
    net.store.append(m.delete_chan(78))
    data = net.store.data
    for byte, mask in ((at + 13, 1), (at, COMPLETED >> 8)):
        hurt = bytearray(data)
        hurt[byte] ^= mask
        assert landed(follower, hurt) == [("broken", before, end)]
        assert follower.at == before
    follower.skip(end)
    follower.skip(before)
    assert landed(follower, hurt) == [("sound", end, len(data))]


def test_an_announcement_waits_for_its_amount_and_without_it_is_odd(net: Network) -> None:
    follower, before = GossipFollower(), len(net.store.data)
    landed(follower, net.store.data)
    net.store.append(m.channel_announcement(net.noise, 5, *sorted(n.id for n in net.nodes)))
    end = len(net.store.data)
    assert landed(follower, net.store.data) == [("unfinished", before, end)]
    net.store.append(m.delete_chan(77))
    assert landed(follower, net.store.data) == [("sound", before, len(net.store.data)), ("odd", before, end)]


def test_a_dead_announcement_needs_no_amount(net: Network) -> None:
    follower = GossipFollower()
    before = net.store.append(m.channel_announcement(net.noise, 5, *(n.id for n in net.nodes)), flags=DELETED)
    assert landed(follower, net.store.data) == [("sound", 1, len(net.store.data))]
    assert before > 1


ODD = {
    "ended": (m.ended(9, bytes(32)), "an `ended` record: the program says that it goes on in another file"),
    "short": (m.chan_dying(5, 9)[:10], "chan_dying is shorter than its type needs: gossipd crashes on it"),
    "unknown": (b"\x12\x34abc", "type 4660, which no known release writes"),
    "uuid": (m.uuid(bytes(32)), "a uuid record that is not the first record: an appended store"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_verifies_and_troubles_a_reader_is_odd(name: str, net: Network) -> None:
    body, text = ODD[name]
    at = net.store.append(body)
    found = list(GossipFollower().advance(source(net.store.data)))
    assert found[1:] == [Landed("odd", at, at + HEADER + len(body), text)]


def replaced(net: Network, how: str) -> tuple[int, ...]:
    """Appends what replaces older records, without flagging them; where those stand."""
    (channel,) = net.channels
    if how in ("update 0", "update 1"):
        side = int(how[-1])
        before = channel.updates[side]
        assert before is not None
        net.store.append(m.channel_update(net.noise, channel.scid, side, net.tick()), net.time)
        return (before,)
    if how == "node":
        node = net.nodes[0]
        assert node.announcement is not None
        net.store.append(m.node_announcement(net.noise, node.id, net.tick(), node.words), net.time)
        return (node.announcement,)
    net.store.append(m.delete_chan(channel.scid))
    assert channel.updates[0] is not None
    assert channel.updates[1] is not None
    return channel.announcement, channel.amount, channel.updates[0], channel.updates[1]


@pytest.mark.parametrize("how", ["update 0", "update 1", "node", "tombstone"])
def test_what_a_new_record_replaces_has_to_be_flagged_and_is_told_when_it_is(how: str, net: Network) -> None:
    follower = GossipFollower()
    landed(follower, net.store.data)
    old = replaced(net, how)
    landed(follower, net.store.data)
    assert not follower.settled()
    assert changes(follower, net.store.data) == []
    for count, at in enumerate(old, 1):
        net.store.flag(at, DELETED)
        assert changes(follower, net.store.data) == [("changed", at)]
        assert follower.settled() is (count == len(old))
    assert changes(follower, net.store.data) == []


def test_a_replaced_record_that_does_not_verify_any_more_is_broken(net: Network) -> None:
    follower = GossipFollower()
    landed(follower, net.store.data)
    (old,) = replaced(net, "update 0")
    landed(follower, net.store.data)
    net.store.data[old + 20] ^= 1
    assert changes(follower, net.store.data) == [("broken", old)]
    assert follower.settled()


def test_the_record_of_a_dying_channel_has_to_go_with_it(net: Network) -> None:
    (channel,) = net.channels
    at = net.store.append(m.chan_dying(channel.scid, 900_000))
    follower = GossipFollower()
    landed(follower, net.store.data)
    old = (*replaced(net, "tombstone"), at)
    landed(follower, net.store.data)
    for one in old:
        net.store.flag(one, DELETED)
    assert sorted(changes(follower, net.store.data)) == [("changed", one) for one in sorted(old)]


def test_a_node_of_a_closed_channel_may_be_flagged_and_need_not(net: Network) -> None:
    follower = GossipFollower()
    landed(follower, net.store.data)
    old = replaced(net, "tombstone")
    landed(follower, net.store.data)
    for at in old:
        net.store.flag(at, DELETED)
    changes(follower, net.store.data)
    assert follower.settled()
    assert net.nodes[0].announcement is not None
    net.store.flag(net.nodes[0].announcement, DELETED)
    assert changes(follower, net.store.data) == [("changed", net.nodes[0].announcement)]


@pytest.mark.parametrize("half", ["announcement", "amount"])
def test_where_one_of_a_pair_is_flagged_the_other_has_to_follow(half: str, net: Network) -> None:
    (channel,) = net.channels
    both = {"announcement": channel.announcement, "amount": channel.amount}
    net.store.flag(both.pop(half), DELETED)
    follower, (other,) = GossipFollower(), both.values()
    landed(follower, net.store.data)
    net.store.flag(other, DELETED)
    assert changes(follower, net.store.data) == [("changed", other)]


def again(net: Network, channel: Channel) -> None:
    net.store.append(m.channel_announcement(net.noise, channel.scid, *channel.nodes))
    net.store.append(m.amount(9))


def test_a_channel_that_is_announced_twice_is_told_after_five_looks(net: Network) -> None:
    (channel,) = net.channels
    follower = GossipFollower()
    landed(follower, net.store.data)
    again(net, channel)
    landed(follower, net.store.data)
    looks = [changes(follower, net.store.data) for _ in range(6)]
    assert looks == [[], [], [], [], [("odd", channel.announcement)], []]


def test_a_flag_that_never_comes_is_waited_for_600_looks(net: Network) -> None:
    follower = GossipFollower()
    landed(follower, net.store.data)
    replaced(net, "node")
    landed(follower, net.store.data)
    for _ in range(599):
        assert changes(follower, net.store.data) == []
    assert not follower.settled()
    changes(follower, net.store.data)
    assert follower.settled()


def test_an_update_that_comes_in_late_is_the_one_that_was_replaced(net: Network) -> None:
    """Damage that heals stands before what came after it."""
    (channel,) = net.channels
    (old,) = replaced(net, "update 0")
    last = channel.updates[0]
    assert last == old
    follower = GossipFollower()
    hidden = bytearray(net.store.data)
    hidden[old + 20] ^= 1
    for what, _, end in landed(follower, hidden):
        if what == "broken":
            follower.skip(end)
    landed(follower, hidden)
    now = source(net.store.data)
    assert follower.heal(now, old, old + HEADER + 138) == {"channel_update": 1}
    net.store.flag(old, DELETED)
    assert changes(follower, net.store.data) == [("changed", old)]


def steps(net: Network) -> Iterator[bytes]:
    (channel,) = net.channels
    yield net.store.bytes()
    net.update(channel, 0)
    yield net.store.bytes()
    net.announce(net.nodes[0])
    again(net, channel)
    yield net.store.bytes()
    net.store.append(m.chan_dying(channel.scid, 9))
    net.close(channel)
    yield net.store.bytes()


def test_one_that_is_saved_and_taken_up_again_says_the_same(net: Network) -> None:
    one, two = GossipFollower(), GossipFollower()
    for data in steps(net):
        two = follow(json.loads(json.dumps(two.save())))
        assert list(one.advance(source(data))) == list(two.advance(source(data)))
        assert list(one.revisit(source(data))) == list(two.revisit(source(data)))
        assert one.save() == two.save()


def test_a_saved_state_that_is_larger_than_any_is_not_taken(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        net.open(net.node(), net.node())
    follower = GossipFollower()
    landed(follower, net.store.data)
    saved = follower.save()
    monkeypatch.setattr(module, "CHANNELS", 3)
    monkeypatch.setattr(module, "NODES", 30)
    cut = module._unpack(follow(saved).save()["channels"], 99)
    assert len(cut) == 3 * module.ROW
    for name, most in (("channels", 8 * 8 * 3), ("nodes", 8 * 2 * 30)):
        with pytest.raises(ValueError, match="too long"):
            follow({**saved, name: b64encode(bytes(most + 1)).decode()})


def test_no_more_channels_and_nodes_are_remembered_than_the_limit(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        pair = net.node(), net.node()
        net.open(*pair)
        net.announce(pair[0])
    monkeypatch.setattr(module, "CHANNELS", 3)
    monkeypatch.setattr(module, "NODES", 2)
    follower = GossipFollower()
    landed(follower, net.store.data)
    channels, nodes = module._unpack(follower.save()["channels"], 99), module._unpack(follower.save()["nodes"], 99)
    assert (len(channels), len(nodes)) == (3 * module.ROW, 2 * 2)


def swept(follower: GossipFollower, data: bytes | bytearray) -> list[tuple[str, int, int]]:
    return [(one.what, one.start, one.end) for one in follower.sweep(source(data), 1 << 20)]


def test_old_bytes_are_read_again_up_to_where_it_stands(net: Network) -> None:
    follower = GossipFollower()
    assert swept(follower, net.store.data) == []
    landed(follower, net.store.data)
    end = len(net.store.data)
    net.store.append(m.delete_chan(77))
    data = bytearray(net.store.data)
    assert swept(follower, data) == []
    assert follower.sweep_done()
    (channel,) = net.channels
    data[channel.amount + 20] ^= 1
    data[end + 14] ^= 1  # it has not landed yet
    assert swept(follower, data) == [("broken", channel.amount, channel.amount + 22)]
    data[0] = 15
    assert swept(follower, data)[0] == ("broken", 0, 1)


def test_what_is_sound_begins_with_a_record_and_holds_to_its_end(net: Network) -> None:
    (channel,) = net.channels
    follower, end = GossipFollower(), channel.amount + 22
    landed(follower, net.store.data)
    now = source(net.store.data)
    assert follower.sound(now, channel.announcement, end)
    assert follower.sound(now, channel.announcement, len(net.store.data))
    assert not follower.sound(now, channel.announcement + 1, end)
    assert follower.sound(now, 0, 1)
    hurt = bytearray(net.store.data)
    hurt[channel.amount + 20] ^= 1
    assert not follower.sound(source(hurt), channel.announcement, end)
    assert follower.sound(source(hurt), channel.announcement, channel.amount)
    hurt[0] = 15
    assert not follower.sound(source(hurt), 0, 1)
    flagless = bytearray(net.store.data)
    flagless[channel.amount] &= ~(COMPLETED >> 8) & 0xFF
    assert not follower.sound(source(flagless), channel.announcement, end)
