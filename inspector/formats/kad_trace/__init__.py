"""A text log as a store: the Kademlia bootstraps of rust-libp2p programs, Subspace's above all.

Units are lines with their byte offsets. Each bootstrap is followed per run of the process and query id; a stall is
told with the last good line and the offset just after it.

Reading order: clock, debug_form, forms (one line), events, bootstrap, tracker (many), lines and packed (the text),
state, check (with rules), views, plan.
"""

from __future__ import annotations

from inspector.catalogue import later
from inspector.format import Format, Traits
from inspector.formats.kad_trace.private import PRIVATE
from inspector.formats.kad_trace.rules import HISTORY, RULES
from inspector.formats.kad_trace.state import BAD, KINDS, State, claim, open_log, walk

_NUMBER = {"type": ["number", "null"]}
_COUNT = {"type": ["integer", "null"]}
_TEXT = {"type": ["string", "null"]}
_BOOTSTRAP = {
    "type": "object",
    "required": ["id", "verdict", "finished", "query", "run", "last_step", "last_good_offset", "resume_offset"],
    "properties": {
        "id": {"type": "string"},
        "verdict": {"enum": ["finished", "stalled", "slow", "undetermined", "timed out", "no peers"]},
        "finished": {"type": "boolean"},
        "start_offset": {"type": "integer"},
        "started": _TEXT,
        "steps": {"type": "integer"},
        "app_steps": {"type": "integer"},
        "timeouts": {"type": "integer"},
        "query": _COUNT,
        "run": {"type": "integer"},
        "last_step": _COUNT,
        "expected_steps": _COUNT,
        "last_good_offset": _COUNT,
        "resume_offset": {"type": "integer"},
        "last_event_offset": {"type": "integer"},
        "gap_seconds": _NUMBER,
        "median_gap_seconds": _NUMBER,
        "ended_by": {"type": "string"},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["lines", "offsets_of", "bootstraps_total", "verdicts", "bootstraps"],
    "properties": {
        "lines": {"type": "integer"},
        "unreadable_lines": {"type": "integer"},
        "offsets_of": {"enum": ["file", "unpacked text"]},
        "text_size": {"type": "integer"},
        "seconds": {"type": "number"},
        "process_starts": {"type": "integer"},
        "io_errors": {"type": "integer"},
        "connections_closed": {"type": "integer"},
        "local_peers": {"type": "array", "items": {"type": "string"}},
        "bootstraps_total": {"type": "integer"},
        "verdicts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "bootstraps": {"type": "array", "items": _BOOTSTRAP},
    },
}


def _traits() -> Traits:
    from inspector.formats.kad_trace.units import TRAITS

    return TRAITS


def _sealed(state: State) -> bool:
    return state.packed


def _events(state: State) -> int:
    """Lines that say something of a bootstrap."""
    counted = state.tracker.events
    return counted.total() - counted["closed"] - counted["io-error"]


FORMAT = Format(
    name="kad-trace",
    title="log with Kademlia bootstraps of a rust-libp2p program (tracing, Substrate, journald, docker; gzip)",
    kinds=KINDS,
    rules=RULES,
    layouts=(),
    claim=claim,
    open=open_log,
    check=later("inspector.formats.kad_trace.check", "check"),
    answer=later("inspector.formats.kad_trace.views", "answer"),
    walk=walk,
    damaged=frozenset({BAD}),
    records=later("inspector.formats.kad_trace.views", "records"),
    show=later("inspector.formats.kad_trace.views", "show"),
    items=later("inspector.formats.kad_trace.views", "items"),
    plan=later("inspector.formats.kad_trace.plan", "plan"),
    standing=HISTORY,
    filters=frozenset({"kinds", "damaged", "start", "end"}),
    wishes=frozenset({"thresholds", "accept"}),
    brief=("time", "query", "count", "last", "ok", "num_remaining", "bootstrap_step", "text"),
    names=("*.log", "*.log.gz", "*.log.[0-9]*", "*.jsonl"),
    appends=True,
    unpacks=True,
    rotates=True,
    follow=later("inspector.formats.kad_trace.follow", "follow"),
    schema=SCHEMA,
    splices=True,
    slow=_events,
    sealed=_sealed,
    private=PRIVATE,
    traits=_traits,
)
