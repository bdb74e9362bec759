"""What happened to a packed log, as far as its packed bytes tell: they look random and stand nowhere twice."""

from __future__ import annotations

import gzip
from random import Random

import pytest

from inspector.formats import all_formats
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders import kad_trace


def packed() -> bytes:
    log = kad_trace.Log(kad_trace.FORMS[0])
    rng = Random(5)
    log.process_start()
    log.bootstrap(9, None, 0, ())
    for _ in range(900):
        log.idle(rng.random() * 9)
    return gzip.compress(log.data, mtime=0)


DATA = packed()


@pytest.mark.parametrize(
    ("damaged", "right"),
    [
        (DATA[:1024] + bytes(512) + DATA[1536:], "zeroed-range"),
        (DATA[:1024] + b"\xff" * 700 + DATA[1724:], "ones-range"),
        (DATA.replace(b"\n", b"\r\n"), "shifted"),
        (DATA[:1024] + DATA[2048:2560] + DATA[1536:], "stale-page"),
        (DATA[:1500] + bytes([DATA[1500] ^ 8]) + DATA[1501:], "unknown"),
        (DATA[:1500] + bytes([DATA[1500] ^ 8]) + DATA[1501:] + bytes(200), "unknown"),
    ],
    ids=["zeroes", "ones", "text mode", "a sector twice", "a bit", "a bit, and padding"],
)
def test_the_packed_bytes_tell_what_happened(damaged: bytes, right: str) -> None:
    assert len(DATA) > 4000
    report = inspect(MemorySource(damaged, "node.log.gz"), all_formats())
    assert report.diagnosis is not None
    assert report.diagnosis.events[0].cause.name == right
