"""Logs of bootstraps in any form, line by line, with times that a story sets."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from inspector.formats.kad_trace.clock import show_time
from inspector.formats.known_peers.identity import base58

START = 1_717_072_474_643_710  # 2024-05-30T12:34:34.643710Z
NODE = "subspace_networking::node_runner"
Form = Callable[[int, str, str, str, dict[str, str]], bytes]  # time, level, target, message, fields


def full(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    pairs = "".join(f" {k}={v}" for k, v in fields.items())
    return f"{show_time(time)} {level:>5} Consensus: {target}: {message}{pairs}".encode()


def compact(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    return full(time, level, target, message, {**fields, "plot_index": "97"})


def substrate(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    pairs = "".join(f" {k}={v}" for k, v in fields.items())
    return f"{show_time(time)} {level:>5} main {target}: [Consensus] {message}{pairs}".encode()


def as_json(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    told = {"timestamp": show_time(time), "level": level, "fields": {"message": message, **fields}, "target": target}
    return json.dumps(told | {"span": {"name": "Consensus"}}, separators=(",", ":")).encode()


def flat_json(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    return json.dumps(
        {"timestamp": show_time(time), "level": level, "message": message, **fields, "target": target}
    ).encode()


def coloured(time: int, level: str, target: str, message: str, fields: dict[str, str], esc: str = "\x1b") -> bytes:
    pairs = "".join(f" {esc}[3m{k}{esc}[0m{esc}[2m={esc}[0m{v}" for k, v in fields.items())
    head = f"{esc}[2m{show_time(time)}{esc}[0m {esc}[34m{level:>5}{esc}[0m Consensus{esc}[2m:{esc}[0m"
    return f"{head} {esc}[2m{target}{esc}[0m{esc}[2m:{esc}[0m {message}{pairs}".encode()


def uncoloured(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    return coloured(time, level, target, message, fields, "")


def journald(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    return b"May 30 12:34:46 host subspace-node[3470]: " + full(time, level, target, message, fields)


def kubernetes(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    return f"{show_time(time + 400_000)} stderr F ".encode() + full(time, level, target, message, fields)


def docker(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    log = full(time, level, target, message, fields).decode() + "\n"
    return json.dumps({"log": log, "stream": "stderr", "time": show_time(time + 900_000)}).encode()


def slog(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    return json.dumps({"msg": message, "level": level, "ts": show_time(time), "target": target, **fields}).encode()


def elastic(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    told = {"@timestamp": show_time(time), "log.level": level, "message": message, "target": target}
    return json.dumps(told | fields).encode()


def google(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    payload = {"message": message, "target": target, **fields}
    return json.dumps({"severity": level, "timestamp": show_time(time), "jsonPayload": payload}).encode()


def loki(time: int, level: str, target: str, message: str, fields: dict[str, str]) -> bytes:
    return json.dumps(
        {"timestamp": show_time(time), "line": full(time, level, target, message, fields).decode()}
    ).encode()


FORMS: tuple[Form, ...] = (
    full, compact, substrate, as_json, flat_json, coloured, uncoloured, journald, kubernetes, docker, slog, elastic,
    google, loki,
)  # fmt: skip


def random_peer(seed: str) -> str:
    return base58(b"\x00\x20" + hashlib.sha256(seed.encode()).digest())


@dataclass(slots=True)
class Log:
    """Lines as they come; `now` is microseconds. Names mark offsets: `log.at["stall"]` is a line's (start, end)."""

    form: Form = full
    now: int = START
    end_of_line: bytes = b"\n"
    lines: list[bytes] = field(default_factory=list)
    at: dict[str, tuple[int, int]] = field(default_factory=dict)
    app: bool = True  # the application prints its own step lines
    steps: bool = True  # and the event lines
    ok_steps: int = 0

    @property
    def data(self) -> bytes:
        return b"".join(self.lines)

    @property
    def size(self) -> int:
        return sum(map(len, self.lines))

    def raw(self, line: bytes, name: str = "") -> None:
        start = self.size
        self.lines.append(line + self.end_of_line)
        if name:
            self.at[name] = (start, start + len(self.lines[-1]))

    def say(self, message: str, name: str = "", target: str = NODE, level: str = "DEBUG", **fields: str) -> None:
        self.raw(self.form(self.now, level, target, message, fields), name)

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * 1_000_000)

    def process_start(self) -> None:
        self.say("DSN instance configured.", "process", "subspace_networking::constructor", "INFO",
                 peer_id=random_peer("self"))  # fmt: skip
        self.ok_steps = 0

    def begin(self) -> None:
        self.say("Bootstrap started.", "started")
        self.ok_steps = 0

    def step(
        self, count: int, total: int, seconds: float = 12.0, query: int = 0, ok: bool = True, **odd: object
    ) -> None:
        """Step `count` of `total` after `seconds`; `odd` overrides remaining, last, requests, success, took."""
        self.wait(seconds)
        buckets = total - 1
        remaining = max(buckets - count + (1 if ok else 0), 0)
        last = count == total or (not ok and count == 1)
        remaining, last = int(str(odd.get("remaining", remaining))), bool(odd.get("last", last))
        none = not ok and count == 1
        end = self.now - START + 1_155_000_000
        begin = end - round(float(str(odd.get("took", seconds))) * 1_000_000)
        stats = (
            f"QueryStats {{ requests: {odd.get('requests', 28)}, success: {odd.get('success', 21)}, failure: 7, "
            f"start: Some({_instant(begin)}), end: Some({_instant(end)}) }}"
        )
        peer = f'PeerId("{random_peer(f"{query}/{count}")}")'
        left = remaining if ok else "None" if none else f"Some({remaining})"
        body = f"peer: {peer}, num_remaining: {left} }}"
        result = f"Ok(BootstrapOk {{ {body})" if ok else f"Err(Timeout {{ {body})"
        if self.steps:
            self.say("Bootstrap OutboundQueryProgressed step.", f"event{query}.{count}", stats=stats,
                     last=str(last).lower(), count=str(count), id=f"QueryId({query})", result=result)  # fmt: skip
        if ok and self.app:
            self.now += 200
            self.say("Kademlia bootstrapping...", f"app{query}.{count}", bootstrap_step=str(self.ok_steps))
        elif not ok and self.app:
            self.now += 100
            self.say("Bootstrap query failed.", f"failed{query}.{count}", error=f"Timeout {{ {body}")
        self.ok_steps += ok

    def finish(self) -> None:
        self.now += 200
        self.say("Bootstrap finished.", "finished")

    def idle(self, seconds: float, name: str = "") -> None:
        self.wait(seconds)
        self.say("💤 Idle (3 peers), best: #0 (0x0c12…1a08)", name, "substrate", "INFO")

    def yamux(self, seconds: float, name: str = "") -> None:
        self.wait(seconds)
        self.say("8dbe1bae: socket error: decode error: i/o error: unexpected end of file    ", name,
                 "yamux::connection", "ERROR")  # fmt: skip

    def bootstrap(self, total: int = 13, steps: int | None = None, query: int = 0, timeouts: Iterable[int] = ()) -> Log:
        """A bootstrap from its start line; `steps` fewer than `total` leave it open."""
        self.begin()
        missed = set(timeouts)
        for count in range(1, (total if steps is None else steps) + 1):
            self.step(count, total, 9.0 + count % 4 * 2, query, count not in missed)
        if steps is None and self.app:
            self.finish()
        return self


def packed(text: bytes) -> bytes:
    """gzip with stored blocks, written by hand: zlib's own output differs between its builds."""
    out = bytearray(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")
    for at in range(0, max(len(text), 1), 65_535):
        piece = text[at : at + 65_535]
        out += bytes([at + 65_535 >= len(text)]) + struct.pack("<HH", len(piece), 0xFFFF ^ len(piece)) + piece
    return bytes(out) + struct.pack("<II", zlib.crc32(text), len(text) & 0xFFFFFFFF)


def _instant(micros: int) -> str:
    return f"Instant {{ tv_sec: {micros // 1_000_000}, tv_nsec: {micros % 1_000_000 * 1000} }}"
