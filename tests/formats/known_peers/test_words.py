"""What is said of a file of which slots are missing or damaged: no empty counts, the generation that its lists have."""

from __future__ import annotations

import pytest

from inspector.formats.known_peers import FORMAT
from inspector.formats.known_peers.payload import Generation
from inspector.inspect import Report, inspect
from inspector.source import MemorySource
from tests.builders import known_peers as build


def scan(data: bytes) -> Report:
    return inspect(MemorySource(data, "known_addresses.bin"), (FORMAT,))


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_a_list_cut_inside_its_digest_keeps_the_generation_of_its_entries(generation: Generation) -> None:
    body = build.payload(build.peers(3), generation=generation, cache=4)
    report = scan(build.seal(body)[: len(body) + 16])
    assert report.answer.summary["generation"] == f"v{generation}"
    assert report.answer.version == f"v{generation}"


def test_a_slot_behind_the_end_is_told_as_such() -> None:
    body = build.payload(build.peers(3), cache=4)
    told = scan(build.seal(body)[: len(body) + 16]).answer.words
    assert "Slot A is cut; 3 of its 3 peers can be read." in told
    assert "Slot B is not there: the file ends before it." in told


def test_a_slot_with_a_wrong_digest_is_told_in_a_sentence() -> None:
    older = build.payload(build.peers(3, first=9), build.WROTE - 60, cache=4)
    good, bad = build.seal(older), bytearray(build.seal(build.payload(build.peers(3), cache=4)))
    bad[-8:] = bytes(value ^ 0xA5 for value in bad[-8:])
    told = scan(build.small(bytes(bad), good)).answer.words
    assert any(words.startswith("Slot A does not match its digest; 3 of its 3") for words in told)
