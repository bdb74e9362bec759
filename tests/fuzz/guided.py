"""One format under atheris: `python -m tests.fuzz.guided FORMAT CORPUS [libFuzzer's options]`.

The first byte of an input says for which member of which store the others stand in, the second what is done with it:
0 inspects it and asks its state for everything, any other is a command line. Two of three changed inputs have their
checksums made right again.
"""

from __future__ import annotations

import os
import pkgutil
import sys
from contextlib import ExitStack
from importlib import import_module
from random import Random

import atheris

# what reads the bytes of each format, beside what all share: the renderers would only slow it down
BELOW = {"longhorn": ("spdk_blobstore",), "snarkos": ("rocksdb",)}
NAME = sys.argv[1]
OWN = NAME.replace("-", "_")
WATCHED = [f"inspector.formats.{one}" for one in (OWN, *BELOW.get(NAME, ()))]

with atheris.instrument_imports(include=[*WATCHED, "inspector.diagnosis", "inspector.correct"]):
    # all of them here, or what is imported later is not watched
    for package in (*WATCHED, "inspector.diagnosis"):
        for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
            import_module(module.name)
    import_module("inspector.correct")
    from tests.fuzz.target import COMMANDS, HEAD, Target, able

from tests.fuzz.run import SEALED, mutate  # noqa: E402
from tests.fuzz.seals import sealed  # noqa: E402
from tests.proof_stores import tiny_elements  # noqa: E402

PATIENCE = 20.0  # instrumented code is several times slower, and libFuzzer watches the clock itself
ELSEWHERE, OTHERWISE, AGAIN = 0.03, 0.2, 0.5  # chances: another member, another command, damage of our own vocabulary


def changed(data: bytes, limit: int, seed: int, every: list[Target]) -> bytes:
    """Another input, with a chance of right checksums."""
    rng = Random(seed)
    if len(data) <= HEAD or rng.random() < ELSEWHERE:
        which = rng.randrange(min(256, len(every)))
        data = bytes([which, rng.randrange(COMMANDS + 1)]) + every[which].sound
    target, body = every[data[0] % len(every)], data[HEAD:]
    number = rng.randrange(COMMANDS + 1) if rng.random() < OTHERWISE else data[1]
    if rng.random() < AGAIN:
        body = mutate(body, rng)
    else:
        body = atheris.Mutate(body, max(1, min(limit - HEAD, len(body) + 64)))
    if rng.random() < SEALED:
        body = sealed(target.form.name, target.member, body, target.sound)
    return (bytes([data[0], number]) + body)[:limit]


def main() -> None:
    name = sys.argv.pop(1)  # as NAME
    with ExitStack() as within:
        if name == "piece-cache":
            within.enter_context(tiny_elements())
        every = able(name)

        def one(data: bytes) -> None:
            if len(data) <= HEAD:
                return
            target, number = every[data[0] % len(every)], data[1] % (COMMANDS + 1)
            if number:
                target.command(data[HEAD:], number - 1, patience=PATIENCE)
            else:
                target(data[HEAD:], patience=PATIENCE)

        os.environ["INSPECTOR_TRACEBACK"] = "1"
        atheris.Setup(sys.argv, one, custom_mutator=lambda data, limit, seed: changed(data, limit, seed, every))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
