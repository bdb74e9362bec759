"""A node's log of a given size: bootstraps of `tests.builders.kad_trace`'s form among what such a node says all day.

`python -m benchmarks.build_trace PATH BYTES [SEED]`. The other lines are those of a Subspace node at debug level:
peers that come and go, blocks, idle reports with their characters beyond ASCII; bootstraps are one line in a thousand.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

from tests.builders.kad_trace import full, random_peer, substrate

HOUR = 3_600_000_000  # microseconds
BEGIN = 1_717_070_074_000_000
PEERS = [random_peer(str(i)) for i in range(512)]


def noise(rng: Random, time: int) -> bytes:
    """One line that is no part of a bootstrap."""
    which, peer = rng.random(), rng.choice(PEERS)
    if which < 0.05:
        broken = rng.random() < 0.1
        cause = "Some(IO(Custom { kind: Other, error: TimedOut }))" if broken else "Some(KeepAliveTimeout)"
        node = "subspace_networking::node_runner"
        return full(time, "DEBUG", node, "Connection closed", {"peer_id": peer, "cause": cause})
    if which < 0.15:
        number = rng.randrange(1 << 20)
        best = f"best: #{number} (0x{rng.randbytes(2).hex()}…), finalized #{number - 100}"
        line = f"💤 Idle ({rng.randrange(60)} peers), {best}"
        return substrate(time, "INFO", "substrate", line, {})
    if which < 0.25:
        return substrate(
            time, "INFO", "substrate", f"✨ Imported #{rng.randrange(1 << 20)} (0x{rng.randbytes(32).hex()})", {}
        )
    if which < 0.55:
        fields = {"peer_id": peer, "address": f"/ip4/10.{rng.randrange(256)}.0.1/tcp/30433", "num_established": "1"}
        return full(time, "DEBUG", "subspace_networking::node_runner", "Connection established", fields)
    return full(time, "DEBUG", "libp2p_kad::behaviour", f"Peer {peer} routed, bucket {rng.randrange(256)}", {})


def bootstrap(rng: Random, time: int, query: int) -> list[bytes]:
    """Fifteen lines of a bootstrap that ends well."""
    node = "subspace_networking::node_runner"
    lines = [full(time, "DEBUG", node, "Bootstrap started.", {})]
    steps = 7
    for step in range(steps):
        time += 3_000_000
        peer = rng.choice(PEERS)
        fields = {
            "result": f'Ok(BootstrapOk {{ peer: PeerId("{peer}"), num_remaining: {steps - 1 - step} }})',
            "stats": "QueryStats { requests: 28, success: 21, failure: 7, start: None, end: None }",
            "last": str(step == steps - 1).lower(),
            "count": str(step + 1),
            "id": f"QueryId({query})",
        }
        lines.append(full(time, "DEBUG", node, "Bootstrap OutboundQueryProgressed step.", fields))
        lines.append(full(time + 200, "DEBUG", node, "Kademlia bootstrapping...", {"bootstrap_step": str(step)}))
    return [*lines, full(time + 400, "DEBUG", node, "Bootstrap finished.", {})]


def build(path: Path, size: int, seed: int = 1) -> None:
    rng, time, written, query = Random(seed), BEGIN, 0, 0
    with path.open("wb") as file:
        while written < size:
            lines = bootstrap(rng, time, query)
            time, query = time + 60_000_000, query + 1
            for _ in range(15_000):
                time += rng.randrange(20_000)
                lines.append(noise(rng, time))
            data = b"\n".join(lines) + b"\n"
            written += file.write(data)


if __name__ == "__main__":
    build(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
