"""What Core Lightning and two readers of its gossip stores get of damaged ones (`benchmarks.against`).

pyln-client and lnhistoryclient are asked where they can be imported. With its dependencies pyln-client would bring a
fork of coincurve under the same name: `pip install --no-deps pyln-client pyln-proto pyln-bolt7 base58 bitstring tibs
PySocks lnhistoryclient`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import struct
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random

from crc32c import crc32c

from benchmarks.against import Facts, Harmed, Said, Subject, Tool
from tests.builders import gossip

_HEADER = struct.Struct(">HHII")
_DELETED, _COMPLETED = 0x8000, 0x2000
_UUID = b"\x10\x0b"  # names the file and not the network: a new file has a new one
SIZE = 120_000


def until_the_first_bad_record(path: Path, dead: bool = False) -> tuple[Facts, bool]:
    """Live messages before the first record that is torn or whose checksum fails, and whether that is the end."""
    data = path.read_bytes()
    at, found = 1, set[object]()
    while at + _HEADER.size <= len(data) and data[0] == 16:
        flags, length, checksum, time = _HEADER.unpack_from(data, at)
        body = data[at + _HEADER.size : at + _HEADER.size + length]
        if len(body) < length or not flags & _COMPLETED or (crc32c(body, time) != checksum and not flags & _DELETED):
            break
        if (dead or not flags & _DELETED) and not body.startswith(_UUID):
            found.add(body)
        at += _HEADER.size + length
    return frozenset(found), at == len(data)


def messages(path: Path) -> Facts:
    return until_the_first_bad_record(path)[0]


def _strict(harmed: Harmed) -> Said:
    """From v26.04 on (v25.12 for a bad checksum): anything wrong, and the whole store is moved away."""
    found, whole = until_the_first_bad_record(harmed.path)
    return Said(
        "" if whole else "error: moving to gossip_store.corrupt", int(not whole), found if whole else frozenset()
    )


def _prefix(harmed: Harmed) -> Said:
    found, whole = until_the_first_bad_record(harmed.path)
    return Said("" if whole else "error: store ends early", int(not whole), found)


def gossmap(path: Path) -> tuple[Facts, str]:
    """Channels, their updates and nodes, as pyln-client knows them."""
    from pyln.client import Gossmap

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = Gossmap(str(path))
    except Exception as error:  # noqa: BLE001  whatever a reader raises of a damaged file is its answer
        return frozenset(), f"error: {type(error).__name__}: {error}"
    facts: set[object] = set()
    for scid, channel in found.channels.items():
        facts.add(("channel", str(scid)))
        facts |= {(str(scid), half.direction, half.timestamp) for half in channel.half_channels if half is not None}
    facts |= {("node", str(node.node_id)) for node in found.nodes.values()}
    return frozenset(facts), ""


def _gossmap(path: Path) -> Facts:
    return gossmap(path)[0]


def _ask_gossmap(harmed: Harmed) -> Said:
    facts, words = gossmap(harmed.path)
    return Said(words, int(bool(words)), facts)


def _historian(path: Path) -> tuple[Facts, str]:
    from lnhistoryclient.parser.gossip_file import read_gossip_file

    words = io.StringIO()
    logging.basicConfig(stream=words, level=logging.WARNING, force=True)
    found = [body for body in read_gossip_file(str(path)) if not body.startswith(_UUID)]
    return frozenset(found), words.getvalue()


def _history(path: Path) -> Facts:
    return _historian(path)[0]


def _ask_historian(harmed: Harmed) -> Said:
    facts, words = _historian(harmed.path)
    return Said(words, 0, facts)


def subjects(folder: Path, seed: int) -> Iterator[Subject | str]:
    path = folder / "gossip" / "gossip_store"
    path.parent.mkdir()
    path.write_bytes(gossip.healthy(16, SIZE, Random(seed).randrange(1 << 30)))
    ever = until_the_first_bad_record(path, dead=True)[0]
    rules = (Tool("gossipd from v26.04 (rule)", _strict), Tool("gossipd, keeping the prefix (rule)", _prefix))
    yield Subject("gossip store, its messages", path, rules, messages, "gossip-store", ever)
    named = partial(Subject, path=path, forced="gossip-store", ever=ever)
    for module, name, tool, read in (
        ("pyln", "gossip store, pyln-client's map", Tool("pyln.client.Gossmap", _ask_gossmap), _gossmap),
        ("lnhistoryclient", "gossip store, a reader's messages", Tool("lnhistoryclient", _ask_historian), _history),
    ):
        if find_spec(module) is None:
            yield f"{tool.name} is left out: it is not installed"
        else:
            yield named(name=name, tools=(tool,), read=read)
