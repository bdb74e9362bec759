"""Several lists of known peers become one, and two are held against each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.comparing import Comparison, compare
from inspector.errors import Exit, RefusedError
from inspector.format import Wishes
from inspector.formats.known_peers import FORMAT
from inspector.formats.known_peers.payload import Peer
from inspector.formats.known_peers.state import open_state
from inspector.merge import Merged, merge
from inspector.source import MemorySource, open_source
from tests.builders import known_peers as build
from tests.builders.known_peers import WROTE


def listed(peers: tuple[Peer, ...], at: int = WROTE) -> bytes:
    return build.seal(build.payload(peers, at))


def merged(folder: Path, *copies: bytes, wishes: Wishes | None = None) -> Merged:
    paths = []
    for k, data in enumerate(copies):
        paths.append(folder / f"known_addresses{k}.bin")
        paths[-1].write_bytes(data)
    sources = [open_source(str(path)) for path in paths]
    return merge(sources, formats.all_formats(), str(folder / "out.bin"), wishes or Wishes(), force=True)


def union(folder: Path) -> set[bytes]:
    state = open_state(MemorySource((folder / "out.bin").read_bytes()), None, Wishes())
    assert [slot.sealed for slot in state.slots] == [True, True]
    return {peer.raw for peer in state.slots[0].payload.peers}


def test_the_union_of_all_sound_slots_is_written(tmp_path: Path) -> None:
    one = build.store(listed(build.peers(5)), listed(build.peers(3, 20), WROTE - 5))
    two = build.store(listed(build.peers(4, 40), WROTE + 9), b"")
    done = merged(tmp_path, one, two)
    assert union(tmp_path) == {p.raw for first, n in ((0, 5), (20, 3), (40, 4)) for p in build.peers(n, first)}
    assert (done.code, done.plan.order) == (Exit.CLEAN, (1, 0))


def test_an_address_that_failed_lately_is_taken_from_the_newer_list(tmp_path: Path) -> None:
    peer = build.peer(1, 2)
    old = Peer(peer.raw, (*build.peer(1, 3).addresses,))
    merged(tmp_path, build.store(listed((old,), WROTE - 50), b""), build.store(listed((peer,)), b""))
    state = open_state(MemorySource((tmp_path / "out.bin").read_bytes()), None, Wishes())
    assert [a.raw for a in state.slots[0].payload.peers[0].addresses] == [a.raw for a in old.addresses]


def test_a_torn_slot_with_peers_of_its_own_is_a_loss(tmp_path: Path) -> None:
    torn = bytearray(build.store(listed(build.peers(6, 60)), listed(build.peers(2))))
    torn[200:210] = b"\xff" * 10
    done = merged(tmp_path, bytes(torn), build.store(listed(build.peers(3)), b""))
    assert done.code is Exit.LOST
    assert done.losses[0].copy == 0
    assert len(union(tmp_path)) == 3


def test_a_damaged_slot_whose_list_another_copy_has_is_no_loss(tmp_path: Path) -> None:
    whole = build.store(listed(build.peers(6)), listed(build.peers(3, 20), WROTE - 5))
    for at in (100, len(listed(build.peers(6))) - 4):  # in a peer, in the digest
        hurt = bytearray(whole)
        hurt[at] ^= 4
        done = merged(tmp_path, bytes(hurt), whole)
        assert (done.code, done.losses) == (Exit.CLEAN, [])
        assert len(union(tmp_path)) == 9


def test_nothing_is_written_where_nothing_is_proved(tmp_path: Path) -> None:
    bad = bytearray(build.store(listed(build.peers(3)), b""))
    bad[40:60] = bytes(20)
    with pytest.raises(RefusedError, match="nothing is proved"):
        merged(tmp_path, bytes(bad), bytes(bad))


@pytest.mark.parametrize("says", [4, 100, 0])
def test_a_merged_list_is_for_a_cache_of_the_size_of_its_file(says: int, tmp_path: Path) -> None:
    one, two = (build.seal(build.payload(build.peers(3, first), WROTE - first, cache=says)) for first in (0, 20))
    done = merged(tmp_path, build.small(one, b""), build.small(two, b""))
    assert (tmp_path / "out.bin").stat().st_size == len(build.small(b"", b""))
    assert done.code is Exit.CLEAN
    state = open_state(MemorySource((tmp_path / "out.bin").read_bytes()), None, Wishes())
    assert [slot.payload.cache_size for slot in state.slots] == [4, 4]


def test_peers_beyond_what_the_program_keeps_are_counted(tmp_path: Path) -> None:
    many = build.store(listed(build.peers(90)), b"")
    done = merged(tmp_path, many, build.store(listed(build.peers(90, 500), WROTE - 9), b""))
    assert len(union(tmp_path)) == 100
    assert done.plan.counts["peers_beyond_the_limit"] == 80


def compared(one: bytes, two: bytes) -> Comparison:
    assert FORMAT.identities is not None
    return compare(*(FORMAT.identities(open_state(MemorySource(data), None, Wishes())) for data in (one, two)))


def test_a_peer_more_and_a_changed_one_are_told() -> None:
    fewer, more = build.peers(3), (*build.peers(2), Peer(build.peer(2).raw, build.peer(9).addresses), build.peer(7))
    found = compared(build.store(listed(fewer), b""), build.store(listed(more), b""))
    assert (found.only_a, found.only_b) == ({}, {"peer": 1})
    assert found.altered == {"slot": 1, "peer": 1}
