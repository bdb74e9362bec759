"""A count with its noun in the right number; both take a whole phrase where a verb has to agree, too."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """`1 row`, `1234 rows`; `many` where an s is not enough: `counted(n, "row belongs", "rows belong")`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def plural(count: int, one: str, many: str = "") -> str:
    """The same with commas between the thousands."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def put_in(count: int) -> str:
    """`3 bytes were put in`; with a count below 0 `1 byte is missing`."""
    if count > 0:
        return plural(count, "byte was put in", "bytes were put in")
    return plural(-count, "byte is missing", "bytes are missing")
