"""What a scan uses in place of the layouts says what they say."""

from __future__ import annotations

from inspector.formats.gossip_store import kinds, layout


def test_kinds_are_named_as_their_layouts() -> None:
    assert {kind: one.name for kind, one in layout.LAYOUT_OF.items()} == kinds.KINDS
    assert set(kinds.LEAST) == set(kinds.KINDS)


def test_the_fast_headers_are_the_declared_ones() -> None:
    assert layout.HEADER.fast().format == kinds.SEALED_HEADER.format
    assert layout.OLD_HEADER.fast().format == kinds.OLD_SEALED_HEADER.format
