"""Around a repair: is lightningd running on the store, and how the result is put in place."""

from __future__ import annotations

from inspector.output import lock_holder
from inspector.source import Source


def busy(source: Source) -> str | None:
    """lightningd runs on this very store; a .corrupt beside it is nobody's."""
    if source.path is None or source.path.name != "gossip_store":
        return None
    for folder in (source.path.resolve().parent, source.path.resolve().parent.parent):
        for pid_file in sorted(folder.glob("lightningd*.pid")):
            holder = lock_holder(pid_file)
            if holder is not None:
                return f"{source.label}: lightningd (process {holder}) is running on it"
    return None


def steps(source: str, output: str) -> tuple[str, ...]:
    """How to put the repaired store in place, step by step."""
    return (
        "stop lightningd (lightning-cli stop) and wait until it is gone",
        f"keep the damaged file, because a restart overwrites gossip_store.corrupt: cp -p {source} {source}.kept",
        "put the repaired one in its place, then chown and chmod it like the other files there: "
        f"cp {output} LIGHTNING_DIR/NETWORK/gossip_store",
        'start lightningd; its log must not say "Moving to gossip_store.corrupt", and lightning-cli listchannels must '
        "show channels at once",
        "to go back: stop lightningd, delete gossip_store, start it; peers send the gossip again",
    )
