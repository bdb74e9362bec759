"""What a scan of a gossip store offers to run next."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.format import Query, Wishes
from inspector.formats.gossip_store import FORMAT
from inspector.formats.gossip_store.walk import open_store
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.contract.corpus import folder_of

SAMPLES = sorted(folder_of(FORMAT).iterdir())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_damaged_records_are_offered_exactly_where_there_are_such(path: Path) -> None:
    data = path.read_bytes()
    offered = inspect(MemorySource(data, path.name), formats.all_formats()).answer.next
    if not any(line.startswith("inspector repair ") for line in offered):
        return
    assert FORMAT.records is not None
    state = open_store(MemorySource(data, path.name), None, Wishes())
    listed = any(True for _ in FORMAT.records(state, Query(damaged=True)))
    assert ("inspector records {path} --damaged" in offered) == listed
    assert ("inspector records {path}" in offered) != listed
