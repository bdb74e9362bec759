"""The cursor over a value's bytes: what it reads, and at which byte it says that it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inspector.formats.snarkos.reading import Cursor, MalformedError

DATA = bytes(range(0xF0, 0x100)) + b"\x01\x00\x02"


@pytest.mark.parametrize(
    ("read", "value", "size"),
    [
        (Cursor.u8, 0xF0, 1),
        (Cursor.u16, 0xF1F0, 2),
        (Cursor.u32, 0xF3F2F1F0, 4),
        (Cursor.u64, 0xF7F6F5F4F3F2F1F0, 8),
        (Cursor.i64, 0xF7F6F5F4F3F2F1F0 - (1 << 64), 8),
    ],
)
def test_numbers_are_little_endian_and_need_all_of_their_bytes(
    read: Callable[[Cursor], int], value: int, size: int
) -> None:
    cursor = Cursor(DATA)
    assert (read(cursor), cursor.at, cursor.left) == (value, size, len(DATA) - size)
    assert read(Cursor(DATA, 0, size)) == value
    with pytest.raises(MalformedError, match=f"needs {size} bytes, {size - 1} are left"):
        read(Cursor(DATA, 3, 3 + size - 1))


def test_a_flag_is_0_or_1() -> None:
    cursor = Cursor(DATA, 16)
    assert (cursor.flag("it"), cursor.flag("it")) == (True, False)
    with pytest.raises(MalformedError, match="it is 2, it must be 0 or 1"):
        cursor.flag("it")
