"""Channels and nodes as items: the same whatever the number of passes, and nothing that is dead."""

from __future__ import annotations

import pytest

from inspector.format import Wishes
from inspector.formats.gossip_store import FORMAT, channels
from inspector.formats.gossip_store.channels import items
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders.gossip import healthy


def test_items_are_the_live_channels_and_nodes_that_the_check_counts() -> None:
    source = MemorySource(healthy(16, 60_000, 3), "gossip_store")
    report = inspect(source, (FORMAT,), Wishes())
    found = list(items(report.state))
    announced = [i for i in found if i.kind == "channel" and i.fields["state"] in ("live", "dying")]
    nodes = [i for i in found if i.kind == "node"]
    assert (len(announced), len(nodes)) == (report.answer.summary["live_channels"], report.answer.summary["live_nodes"])
    assert all(i.fields["satoshis"] > 0 for i in announced)


def test_a_store_with_more_owners_than_fit_in_memory_tells_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = FORMAT.open(MemorySource(healthy(16, 60_000, 3), "gossip_store"), None, Wishes())
    whole = list(items(store))
    monkeypatch.setattr(channels, "HELD", 3)
    assert list(items(store)) == whole
    assert len(whole) > 9
