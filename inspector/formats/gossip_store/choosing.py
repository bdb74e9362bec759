"""Which of the records that were found make a store that gossipd loads: one live copy of each, in its order.

Inside one contiguous piece the order of the file decides, as it does for gossipd: what is live or announced again
after it was deleted or closed is live. Across pieces nobody knows which is newer, so what any of them calls dead
stays dead. A node announcement is the exception: gossipd deletes it and appends the same one again
(gossmap_manage.c:351), so that one live copy is enough.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.conversion import OLD_UPDATE
from inspector.formats.gossip_store.finds import HEX_MESSAGE, SOUND, TORN

WRITTEN: Final = "written"
CLOSED: Final = "its channel is closed"
DELETED: Final = "deleted"
OLDER: Final = "an older one of its kind"
SECOND: Final = "a second announcement of its channel"
NO_AMOUNT: Final = "announcement without its amount"
NO_CHANNEL: Final = "its channel or node was not found alive"
ORPHAN_AMOUNT: Final = "amount without its announcement"
UNPROVED: Final = "only its own checksum proves it (--accept anchored takes it)"
FLAGLESS: Final = "its flags are not proved, it may be deleted (--accept anchored takes it)"
UNSIGNED: Final = "a message without its record whose signatures do not prove it"
FORGED: Final = "a signature does not hold"
TOMBSTONE: Final = "says that a channel is closed"
PRIVATE: Final = "later versions keep private channels in the wallet's database"
ZOMBIE: Final = "flagged ZOMBIE: an upgrade drops it"
SHORT: Final = "without htlc_maximum_msat: an upgrade drops it"
OTHER: Final = "of another network (--chain takes it instead)"
SPECIAL: Final = "belongs to the store that it was in"
# what the owner would have wanted and does not get
LOST: Final = frozenset({NO_AMOUNT, NO_CHANNEL, ORPHAN_AMOUNT, UNPROVED, FLAGLESS, UNSIGNED, FORGED})

_KINDS: Final = {4101: ORPHAN_AMOUNT, 4103: TOMBSTONE, 4105: SPECIAL, 4107: SPECIAL, 3503: PRIVATE, 4102: PRIVATE,
                 4104: PRIVATE}  # fmt: skip
Judge = Callable[[sqlite3.Connection], None]


def choose(db: sqlite3.Connection, accept: frozenset[str], judge: Judge, chain: int | None) -> dict[int, int]:
    """Make the table `one`, a row for each different record with its fate; `judge` checks signatures in it.

    Returns how many channels of each network were found, that of `chain` or else the one with the most first.
    """
    worst = TORN if "anchored" in accept else SOUND
    _one_of_each(db, worst)
    judge(db)
    networks = _networks(db, worst, chain)
    chosen = next(iter(networks), 0)
    if networks:
        _set(db, OTHER, f"chain NOT IN (0, {chosen})")
    _closed(db, worst, chosen)
    _set(db, UNSIGNED, f"enc = {HEX_MESSAGE} AND mark > {worst}")
    _set(db, FLAGLESS, f"mark = {TORN} AND mark > {worst}")
    _set(db, UNPROVED, f"mark > {worst} AND kind != 4101")
    for kind, fate in _KINDS.items():
        _set(db, fate, f"kind = {kind}")
    _set(db, ZOMBIE, f"flags & {versions.ZOMBIE}")
    _channels(db, worst)
    _updates(db)
    _nodes(db)
    _dying(db)
    return networks


def _networks(db: sqlite3.Connection, worst: int, chain: int | None) -> dict[int, int]:
    """Channels by network; a disk may hold stores of several, and lightningd takes a channel of any for its own."""
    found = db.execute(
        "SELECT chain, count(DISTINCT scid) FROM one WHERE kind = 256 AND mark <= ? GROUP BY chain"
        " ORDER BY chain = ? DESC, count(DISTINCT scid) DESC, chain",
        (worst, chain),
    )
    counts = dict(found)
    return counts if chain is None or chain in counts else {chain: 0} | counts


def _set(db: sqlite3.Connection, fate: str, where: str) -> None:
    db.execute(f"UPDATE one SET fate = ? WHERE fate IS NULL AND ({where})", (fate,))


def _one_of_each(db: sqlite3.Connection, worst: int) -> None:
    # with min() SQLite takes the other columns from the row that has the least (lang_select.html, "Bare columns")
    db.execute("CREATE INDEX found_digest ON found (digest, run)")
    db.execute(
        f"CREATE TABLE one AS SELECT *, min(rank) AS least, sum(flags & {versions.DYING} > 0) AS dying"
        " FROM found GROUP BY digest"
    )
    db.execute("ALTER TABLE one ADD COLUMN fate")
    db.execute("CREATE TABLE gone (digest PRIMARY KEY) WITHOUT ROWID")
    db.execute(
        "INSERT INTO gone SELECT digest FROM ("
        "  SELECT digest, kind, min(flags & ?) AS dead FROM found WHERE mark <= ?"
        "  AND digest IN (SELECT digest FROM found WHERE flags & ?) GROUP BY digest, run"
        ") GROUP BY digest HAVING CASE kind WHEN 257 THEN min(dead) ELSE max(dead) END",
        (versions.DELETED, worst, versions.DELETED),
    )
    # an amount may stand as often as channels have it: each row of the table is one of its own
    db.execute("DELETE FROM one WHERE kind = 4101")
    db.execute("INSERT INTO one SELECT *, rank, 0, ? FROM found WHERE kind = 4101", (ORPHAN_AMOUNT,))
    db.execute("CREATE INDEX one_owner ON one (scid, kind)")


def _closed(db: sqlite3.Connection, worst: int, chain: int) -> None:
    """Channels with a deleted announcement, or a tombstone after which they are not announced again."""
    # SQLite uses an index of a part of the rows only where the query's own words say so: "kind = 256"
    db.execute("CREATE INDEX announced ON found (scid, run, at) WHERE kind = 256")
    db.execute("CREATE TABLE closed (scid PRIMARY KEY) WITHOUT ROWID")
    db.execute(
        "INSERT OR IGNORE INTO closed SELECT scid FROM found AS t WHERE kind = 4103 AND mark <= ? AND chain IN (0, ?)"
        " AND NOT EXISTS ("
        "  SELECT 1 FROM found AS a WHERE a.kind = 256 AND a.scid = t.scid AND a.run = t.run AND a.at > t.at"
        "  AND NOT a.flags & ?)",
        (worst, chain, versions.DELETED),
    )
    db.execute(
        "INSERT OR IGNORE INTO closed SELECT scid FROM one JOIN gone USING (digest) WHERE kind = 256 AND chain = ?",
        (chain,),
    )


def _channels(db: sqlite3.Connection, worst: int) -> None:
    _set(db, CLOSED, "kind IN (256, 258, 4106) AND scid IN (SELECT scid FROM closed)")
    _set(db, NO_AMOUNT, f"kind = 256 AND (more = 0 OR amount_mark > {worst})")
    db.execute("CREATE TABLE channel (scid PRIMARY KEY, rank, at) WITHOUT ROWID")
    db.execute(
        "INSERT INTO channel SELECT scid, min(rank), at FROM one WHERE kind = 256 AND fate IS NULL GROUP BY scid"
    )
    _set(db, WRITTEN, "kind = 256 AND rank IN (SELECT rank FROM channel)")
    _set(db, SECOND, "kind = 256")


def _updates(db: sqlite3.Connection) -> None:
    """The newest of each direction; where the newest is deleted, an older one says nothing any more."""
    _set(db, SHORT, f"kind = 258 AND size <= {OLD_UPDATE}")
    _set(db, NO_CHANNEL, "kind = 258 AND scid NOT IN (SELECT scid FROM channel)")
    _newest(db, 258, "scid, side")


def _nodes(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE node (id PRIMARY KEY) WITHOUT ROWID")
    for end in ("node_a", "node_b"):
        db.execute(f"INSERT OR IGNORE INTO node SELECT {end} FROM one WHERE kind = 256 AND fate = ?", (WRITTEN,))
    _set(db, NO_CHANNEL, "kind = 257 AND node_a NOT IN (SELECT id FROM node)")
    _newest(db, 257, "node_a")


def _newest(db: sqlite3.Connection, kind: int, owner: str) -> None:
    db.execute(
        f"CREATE TABLE newest{kind} AS SELECT r FROM (SELECT rowid AS r, row_number() OVER ("
        f"PARTITION BY {owner} ORDER BY time DESC, rank) AS nth FROM one WHERE kind = {kind} AND fate IS NULL)"
        " WHERE nth = 1"
    )
    _set(db, OLDER, f"kind = {kind} AND rowid NOT IN (SELECT r FROM newest{kind})")
    _set(db, DELETED, f"kind = {kind} AND digest IN (SELECT digest FROM gone)")
    _set(db, WRITTEN, f"kind = {kind}")


def _dying(db: sqlite3.Connection) -> None:
    _set(db, NO_CHANNEL, "kind = 4106 AND scid NOT IN (SELECT scid FROM channel)")
    _set(db, OLDER, "kind = 4106 AND rank NOT IN (SELECT min(rank) FROM one WHERE kind = 4106 GROUP BY scid)")
    _set(db, DELETED, "kind = 4106 AND digest IN (SELECT digest FROM gone)")
    _set(db, WRITTEN, "kind = 4106")
