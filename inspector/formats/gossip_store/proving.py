"""Signatures of records that were found where strangers could have put them, or in no record at all."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable

from inspector.formats.gossip_store import choosing
from inspector.formats.gossip_store.finds import INSIDE, SOUND, TORN, UNSEALED
from inspector.formats.gossip_store.known import node_of
from inspector.formats.gossip_store.signed import judge

HEADER = 12
PAGE = 1000  # records judged between two writes
Record = Callable[[int, int, int], bytes]  # at, n, enc -> header and body


def prove(db: sqlite3.Connection, record: Record, everything: bool) -> Counter[str]:
    """Give what is signed and suspect the mark of a sound record where all signatures hold.

    With `everything` sound records are judged, too, and those with a signature that does not hold are left out.
    Announcements come first: they name the keys of the updates.
    """
    told: Counter[str] = Counter()

    def key(scid: int, side: int) -> bytes | None:
        signed = scid - (1 << 64) if scid >> 63 else scid
        row = db.execute(
            "SELECT at, n, enc FROM one WHERE scid = ? AND kind = 256 AND mark = ? ORDER BY rank LIMIT 1",
            (signed, SOUND),
        ).fetchone()
        return node_of(record(*row)[HEADER:], scid, side) if row else None

    for kind in (256, 257, 258):
        last = -1
        # a signature says nothing about flags: it cannot prove a record that may be deleted
        where = f"AND mark != {TORN}" if everything else f"AND mark IN ({INSIDE}, {UNSEALED})"
        while rows := db.execute(
            f"SELECT rowid, at, n, enc, mark FROM one WHERE kind = ? AND rowid > ? {where} ORDER BY rowid LIMIT {PAGE}",
            (kind, last),
        ).fetchall():
            last = rows[-1][0]
            for row, at, n, enc, mark in rows:
                verdict = judge(record(at, n, enc)[HEADER:], key)
                told.update(verdict.which)
                if verdict.failed and (everything or mark != SOUND):
                    db.execute("UPDATE one SET fate = ? WHERE rowid = ?", (choosing.FORGED, row))
                elif verdict.all_hold and mark != SOUND:
                    db.execute("UPDATE one SET mark = ? WHERE rowid = ?", (SOUND, row))
    return told
