"""The logs of samples/kad_trace: one story each."""

from __future__ import annotations

from collections.abc import Callable

from tests.builders import kad_trace as build
from tests.builders.kad_trace import Form, Log
from tests.builders.samples import Sample


def stalled(form: Form = build.full) -> Log:
    """Stops after 7 of 13 steps; a yamux error 23.7 s later, the next line after 576 s."""
    log = Log(form)
    log.process_start()
    log.bootstrap(13, 7)
    log.yamux(23.744)
    log.idle(552.646)
    return log


def _slow() -> bytes:
    log = Log().bootstrap(13, 7)
    log.idle(60)
    return log.data


def _gave_up() -> bytes:
    log = Log().bootstrap(30, 20)
    log.wait(30)
    log.say("Bootstrapping timed out, moving on regardless", level="WARN")
    return log.data


def _no_peers() -> bytes:
    log = Log()
    log.begin()
    log.say("Bootstrap error.", err="NoKnownPeers")
    log.idle(5)
    return log.data


def _first_step() -> bytes:
    log = Log(app=False)
    log.begin()
    log.step(1, 1, 40, 0, False)
    return log.data


def _interleaved() -> bytes:
    log = Log(app=False)
    log.begin()
    log.begin()
    for count in range(1, 6):
        log.step(count, 5, 6, 3, took=12)
        log.step(count, 9, 6, 4, took=12)
    log.idle(500)
    return log.data


def _missing() -> bytes:
    log = Log().bootstrap(9)
    del log.lines[5:7]
    return log.data


def _contradiction() -> bytes:
    log = Log(app=False)
    log.begin()
    log.step(1, 5)
    log.step(2, 5, remaining=9)
    return log.data


def _repeated() -> bytes:
    log = Log(app=False).bootstrap(5)
    log.lines.insert(3, log.lines[2])
    return log.data


def _late() -> bytes:
    log = Log()
    log.finish()
    return log.data


def _zeroes() -> bytes:
    log = Log().bootstrap(5)
    cut = log.at["event0.3"][0]
    return log.data[:cut] + bytes(4096 - cut % 4096) + log.data[cut:]


def _binary() -> bytes:
    log = Log().bootstrap(5)
    cut = log.at["event0.3"][0]
    return log.data[:cut] + bytes(range(0xC0, 0x100)) * 3 + b"\n" + log.data[cut:]


def _long() -> bytes:
    log = Log().bootstrap(3)
    return log.data + b"x" * ((1 << 20) + 5) + b"\n"


def _sample(name: str, story: str, rules: tuple[str, ...], make: Callable[[], bytes], repairs: bool = True) -> Sample:
    return Sample("kad_trace", name, story, rules, make, repairs)


SAMPLES = (
    _sample("finished.log", "nothing: a bootstrap of 13 steps", (), lambda: Log().bootstrap(13).data),
    _sample("finished.jsonl", "nothing: the same as JSON", (), lambda: Log(build.as_json).bootstrap(13).data),
    _sample("stalled.log", "a bootstrap that stops after 7 of 13 steps (rust-libp2p#5432)", ("KDT001",),
            lambda: stalled().data),
    _sample("stalled-journald.log", "the same behind journald's prefix", ("KDT001",),
            lambda: stalled(build.journald).data),
    _sample("stalled-colours.log", "the same with colours whose ESC bytes were lost", ("KDT001",),
            lambda: stalled(build.uncoloured).data),
    _sample("stalled.log.gz", "the same packed: offsets are those of the text", ("KDT001",),
            lambda: build.packed(stalled().data)),
    _sample("interleaved.log", "two bootstraps at a time, one of them stalls", ("KDT001",), _interleaved),
    _sample("slow.log", "60 s without progress when the capture ends", ("KDT002",), _slow),
    _sample("gave-up.log", "the application stopped to wait", ("KDT003",), _gave_up),
    _sample("no-peers.log", "no peer was known", ("KDT004",), _no_peers),
    _sample("first-step.log", "the first step timed out and was the last", ("KDT005",), _first_step),
    _sample("missing.log", "the lines of one step are gone", ("KDT010",), _missing),
    _sample("contradiction.log", "a step says that more steps remain than before it", ("KDT011",), _contradiction),
    _sample("two-logs.log", "two logs put together, the later one first", ("KDT012",),
            lambda: Log().bootstrap(5).data + Log(now=build.START - 3_600_000_000).bootstrap(5).data),
    _sample("repeated.log", "one line is there twice", ("KDT013",), _repeated),
    _sample("begins-late.log", "the capture begins with the last line of a bootstrap", ("KDT014",), _late),
    _sample("binary.log", "a line of other bytes between two good ones", ("KDT020",), _binary),
    _sample("zeroes.log", "a power cut left zeroes up to a page boundary", ("KDT021",), _zeroes),
    _sample("long-line.log", "a line of more than 1 MiB", ("KDT022",), _long),
    _sample("cut.log.gz", "the packed log was cut", ("KDT023",),
            lambda: build.packed(Log().bootstrap(5).data)[:-9]),
    _sample("padded.log.gz", "zeroes follow the packed log", ("KDT024",),
            lambda: build.packed(Log().bootstrap(5).data) + bytes(100)),
)  # fmt: skip
