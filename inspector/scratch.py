"""A private temporary database on disk, for lists of finds that may not fit in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from inspector.errors import OutputError

CACHE = 32 << 10  # KiB of the database in memory


def scratch() -> sqlite3.Connection:
    """A database without a name, used by this process alone, gone when it is closed."""
    db = sqlite3.connect("", isolation_level=None)  # the empty name: SQLite makes a file and removes it by itself
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE}", "temp_store = FILE"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("BEGIN")  # never ended: nobody reads it later, and without it each row would be written by itself
    return db


@contextmanager
def kept_on_disk() -> Iterator[None]:
    """The temporary database can meet a full disk like any other output."""
    try:
        yield
    except sqlite3.Error as error:
        hint = "it is a temporary file: TMPDIR names a folder with more room"
        raise OutputError(f"the list of finds cannot be kept ({error})", hint) from error
