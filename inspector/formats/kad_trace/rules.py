"""What a log can show about a bootstrap, and what can be wrong with the log itself."""

from __future__ import annotations

from inspector.finding import Rule, Severity

_KAD = "rust-libp2p protocols/kad/src/behaviour.rs"
_NODE = "subspace-networking/src/node_runner.rs"
UPSTREAM = (
    "Reported as libp2p/rust-libp2p#5432 (2024-05-30, closed) and autonomys/subspace#2729, with kad 0.45.3. No pull "
    "request is known that names the issue. Subspace added a timeout of 5 minutes (2024-05-31), and took it out again "
    'on 2024-08-12 when it moved to kad 0.46.0, with the remark "fixed upstream".'
)
STALLED = Rule(
    "KDT001",
    "bootstrap-stalled",
    Severity.WARNING,
    "a Kademlia bootstrap stopped making progress and never ended",
    "Its last step lies longer back than a step may take twice over, and the log goes on after it. A step ends within "
    "one query timeout (40 s in Subspace, 60 s by default), which is looked at only while the swarm is polled. "
    + UPSTREAM,
    "A Subspace node that waits for its bootstrap before its main loop answers no command any more; newer ones go on "
    "with the routing table they have. A hung bootstrap also keeps the periodic one from starting.",
    "Restart the node. Start it with a newer release (kad 0.46 or later), or report it with the lines from "
    "last_good_offset on. I/O errors near in time are coincidence until a dense burst of them says otherwise.",
    f"{_NODE}, bootstrap; {_KAD}",
)
SLOW = Rule(
    "KDT002",
    "bootstrap-slow",
    Severity.WARNING,
    "a Kademlia bootstrap has made no progress for longer than a step may take",
    "The last step lies more than one query timeout back; the capture ends before it can be called a stall.",
    "It waits.",
    "Look at the log again later; a longer capture decides.",
    f"{_KAD}, QueryPool::poll",
)
GAVE_UP = Rule(
    "KDT003",
    "bootstrap-timed-out",
    Severity.WARNING,
    "the application gave up waiting for a bootstrap",
    'Subspace builds of 2024-05-31 to 2024-08-12 wait 300 s and log "Bootstrapping timed out, moving on regardless".',
    "It goes on with the routing table it has.",
    "Nothing is lost. If it happens at every start the network or the peers are at fault.",
    _NODE,
)
NO_PEERS = Rule(
    "KDT004",
    "no-known-peers",
    Severity.WARNING,
    "a bootstrap did not start because no peer was known",
    "kad returns NoKnownPeers when its routing table is empty.",
    "It goes on without peers until one connects.",
    "Give the node bootstrap addresses; inspect its known_addresses.bin.",
    f"{_KAD}, bootstrap",
)
FIRST_STEP = Rule(
    "KDT005",
    "first-step-timed-out",
    Severity.WARNING,
    "a bootstrap ended with its first step, which timed out",
    "The lookup of the local peer id timed out; then no bucket is refreshed and the bootstrap is over.",
    "It goes on with an almost empty routing table.",
    "Check whether its bootstrap nodes can be reached.",
    f"{_KAD}, query_timeout",
)
MISSING = Rule(
    "KDT010",
    "steps-missing",
    Severity.WARNING,
    "steps of a bootstrap are not in the log (I1, I8)",
    "Steps count 1, 2, 3 ... and successful ones of the application 0, 1, 2 ...: a jump means that lines were lost "
    "or filtered.",
    "The log is not read by the program.",
    "Look for dropped lines (journald rate limits, log rotation) at this place.",
    f"{_KAD}, ProgressStep::next",
)
CONTRADICTION = Rule(
    "KDT011",
    "steps-contradict",
    Severity.WARNING,
    "steps of a bootstrap contradict each other (I2, I3, I4, I5, I7)",
    "last=true comes once and ends the query; the remaining count falls by one for each successful step, is 0 exactly "
    "on the last, and with the step's number gives the same total every time; answers are never more than requests.",
    "The log is not read by the program.",
    "The text of these lines was changed, or another release prints them differently.",
    f"{_KAD}, bootstrap_finished",
)
CLOCK = Rule(
    "KDT012",
    "clock-or-order",
    Severity.NOTE,
    "times of the log do not fit: the clock was set, or logs were put together (I6)",
    "Times step back by more than 2 s, or a step's own duration differs from the times of its lines.",
    "The log is not read by the program.",
    "Silence is never measured across such a place.",
    "",
)
REPEATED = Rule(
    "KDT013",
    "lines-repeated",
    Severity.NOTE,
    "a step is in the log twice",
    "The same step with the same time and peer: the log was captured twice.",
    "The log is not read by the program.",
    "The second one is not counted.",
    "",
)
UNMATCHED = Rule(
    "KDT014",
    "finish-without-steps",
    Severity.NOTE,
    "a bootstrap finished whose steps the log does not show (I9)",
    "The capture begins late, or its level leaves the step lines out.",
    "The log is not read by the program.",
    "Nothing needs to be done.",
    _NODE,
)
UNREADABLE = Rule(
    "KDT020",
    "unreadable-lines",
    Severity.ERROR,
    "lines that are no text",
    "They hold zeroes or bytes that no UTF-8 text contains.",
    "The log is not read by the program.",
    "inspector repair writes the log without them, every other line byte for byte.",
)
ZEROES = Rule(
    "KDT021",
    "zeroes-in-log",
    Severity.ERROR,
    "a stretch of zeroes where lines were",
    "After a power cut file systems leave zeroes where the length of a file was written and its content was not.",
    "The log is not read by the program.",
    "inspector repair writes the log without them; what was there is lost.",
)
LONG = Rule(
    "KDT022",
    "line-too-long",
    Severity.ERROR,
    "a line longer than 1 MiB",
    "No log line is that long: a line end was lost, or the file is something else from here on.",
    "The log is not read by the program.",
    "inspector repair leaves it out.",
)
PACKED = Rule(
    "KDT023",
    "gzip-damaged",
    Severity.ERROR,
    "a gzip member does not unpack to its end",
    "Its checksum does not hold, or the file ends before it. The text up to the damage is read; within a member "
    "nothing behind it can be.",
    "gzip stops with an error.",
    "inspector repair writes the text that could be unpacked.",
    "RFC 1952",
)
TRAILING = Rule(
    "KDT024",
    "bytes-after-gzip",
    Severity.NOTE,
    "bytes behind the last gzip member",
    "Padding, or something that was appended.",
    'gzip warns "trailing garbage ignored".',
    "Nothing needs to be done.",
    "RFC 1952",
)
RULES = (
    STALLED,
    SLOW,
    GAVE_UP,
    NO_PEERS,
    FIRST_STEP,
    MISSING,
    CONTRADICTION,
    CLOCK,
    REPEATED,
    UNMATCHED,
    UNREADABLE,
    ZEROES,
    LONG,
    PACKED,
    TRAILING,
)
# what a log tells about the past stays true in a repaired copy of it
HISTORY = frozenset(
    r.code for r in (STALLED, SLOW, GAVE_UP, NO_PEERS, FIRST_STEP, MISSING, CONTRADICTION, CLOCK, REPEATED, UNMATCHED)
)
OF_INVARIANT = {
    "I1": MISSING,
    "I2": CONTRADICTION,
    "I3": CONTRADICTION,
    "I4": CONTRADICTION,
    "I5": CONTRADICTION,
    "I6": CLOCK,
    "I7": CONTRADICTION,
    "I8": MISSING,
    "I9": UNMATCHED,
    "clock": CLOCK,
    "repeat": REPEATED,
}
