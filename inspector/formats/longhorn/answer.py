"""Replicas in plain words, before the store's own."""

from __future__ import annotations

from typing import Any

from inspector.counted import counted
from inspector.finding import Severity, Tally
from inspector.format import Answer
from inspector.formats.longhorn import rules as r
from inspector.formats.longhorn.replicas import Replica, short_of
from inspector.formats.longhorn.state import State
from inspector.formats.spdk_blobstore.answer import SCHEMA as STORE_SCHEMA
from inspector.formats.spdk_blobstore.answer import answer as store_answer

MAX_WORDS = 8


def answer(state: State, tally: Tally) -> Answer:
    below = store_answer(state.lower, tally)
    codes = {code for code, _ in tally.counts}
    hurt = any(code.startswith("SPB") and level is not Severity.NOTE for code, level in tally.counts)
    words = [*_urgent(codes, hurt), *below.words, *_replicas(state)]
    following = below.next
    if not hurt or r.HEAD_NOT_IN_CHAIN.code in codes:  # on a whole disk there is nothing that a repair could write
        following = tuple(command for command in below.next if not command.startswith("inspector repair "))
    if not hurt:
        told = sorted(code for code, level in tally.counts if level is not Severity.NOTE)
        following += tuple(f"inspector explain {code}" for code in told)
    summary = {
        "replicas": [_summary(replica) for replica in state.replicas.values()],
        "against": state.memory.files if state.memory else [],
        "store": dict(below.summary),
    }
    return Answer(below.version, below.because, tuple(words), summary, below.loaders, following)


def _urgent(codes: set[str], hurt: bool) -> list[str]:
    words = []
    if r.HEAD_NOT_IN_CHAIN.code in codes:
        words.append(
            "The head is on disk and the running engine does not have it: this is the crash loop of longhorn#9942. "
            + ("" if hurt else "The disk is healthy, do not repair it. ")
            + "Stop the loop and upgrade the engine; some versions delete such a head."
        )
    if r.HEAD_DOOMED.code in codes:
        words.append("Longhorn would DELETE a head on this disk when it starts. Extract it before anything is started.")
    return words


def _replicas(state: State) -> list[str]:
    words = []
    for replica in list(state.replicas.values())[:MAX_WORDS]:
        if replica.chain:
            chain = " <- ".join(short_of(replica, blob) or "(no base)" for blob in replica.chain)
            words.append(f"{replica.name}: {chain}.")
        elif replica.snapshots:
            words.append(f"{replica.name}: {counted(len(replica.snapshots), 'snapshot')} without a head.")
    if len(state.replicas) > MAX_WORDS:
        words.append(
            f"{counted(len(state.replicas) - MAX_WORDS, 'more replica is', 'more replicas are')} in `inspector items`."
        )
    return words


def _summary(replica: Replica) -> dict[str, Any]:
    return {
        "name": replica.name,
        "head": replica.head is not None,
        "chain": [short_of(replica, blob) for blob in replica.chain],
        "snapshots": sorted(str(short_of(replica, blob)) for blob in replica.snapshots),
        "leftovers": sorted(blob.name for blob in replica.leftovers),
    }


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "replicas": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "head": {"type": "boolean", "description": "the head is on disk"},
                    "chain": {
                        "type": "array",
                        "items": {"type": ["string", "null"]},
                        "description": "base or null, oldest snapshot ... newest, volume-head",
                    },
                    "snapshots": {"type": "array", "items": {"type": "string"}},
                    "leftovers": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["name", "head", "chain", "snapshots", "leftovers"],
            },
        },
        "against": {"type": "array", "items": {"type": "string"}, "description": "documents that were compared"},
        "store": STORE_SCHEMA,
    },
    "required": ["replicas", "against", "store"],
}
