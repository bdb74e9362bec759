"""What a format that is one file says of folders, and of files that are far too large for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inspector import formats
from inspector.format import Format
from inspector.formats.known_peers.slots import slot_length
from tests.contract.corpus import memory

OF_FILES = ("known-peers", "piece-cache", "kad-trace")


def form(name: str) -> Format:
    return next(one for one in formats.all_formats() if one.name == name)


@pytest.mark.parametrize("name", OF_FILES)
def test_a_folder_is_none(name: str) -> None:
    files = {"known_addresses.bin": bytes(99), "piece_cache.bin": b"", "node.log": b"Bootstrap started.\n"}
    with memory(files) as folder:
        found = form(name).claim(folder, None)
    assert (found.strength, found.because) == (0, "not a single file")


@pytest.mark.parametrize(
    ("more", "because"),
    [(0, "neither name, length nor a list of peers"), (1, "larger than any list of known peers")],
)
def test_no_list_is_larger_than_two_slots_of_the_largest_cache_and_some_more(more: int, because: str) -> None:
    most = 2 * slot_length(10_000) + (1 << 20) + more
    source: Any = SimpleNamespace(
        member=lambda _: object(), length=lambda: most, name="x", read=lambda at, n: bytes(max(0, min(n, most - at)))
    )
    found = form("known-peers").claim(source, None)
    assert (found.strength, found.because) == (0, because)
