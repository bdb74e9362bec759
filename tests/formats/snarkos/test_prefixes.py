"""Where the rows of a map end, in the order of bytes that tables have."""

from __future__ import annotations

import pytest

from inspector.formats.snarkos.maps import join, past


@pytest.mark.parametrize(
    ("network", "number", "end"),
    [(0, 5, "00000501"), (0, 0xFF, "0000ff01"), (0, 0xFFFF, "0001"), (1, 0xFF00, "010001"),
     (0xFFFF, 0xFFFF, "f" * 10)],
)  # fmt: skip
def test_the_rows_of_a_map_end_before_any_key_with_another_prefix(network: int, number: int, end: str) -> None:
    behind = past(network, number)
    assert behind.hex() == end
    assert join(network, number, b"") < join(network, number, b"\xff" * 40)
    assert number == network == 0xFFFF or join(network, number, b"\xff" * 40) < behind
    others = [(network, n) for n in (0, 4, 6, 0xFE, 0xFF, 0x100, 0x105, 0xFEFF, 0xFFFF) if n != number]
    assert not any(join(network, number, b"") < join(*other, b"\xff") < behind for other in others)
