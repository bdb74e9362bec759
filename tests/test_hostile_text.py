"""Hostile text in each place where a real store can hold one, through every command and renderer."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from inspector.__main__ import main
from inspector.formats.known_peers.payload import Address, Peer
from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.edit import Edit
from tests import damage
from tests.builders import gossip_messages as messages
from tests.builders import known_peers as peers
from tests.builders.gossip import grown
from tests.builders.kad_trace import Log
from tests.builders.rocksdb import small_world
from tests.builders.spdk import Image
from tests.cli.page_check import read_page
from tests.cli.test_hostile import HOSTILE, active
from tests.cli.test_report_hostile import ALIVE, MARKUP

PROOF = bool(os.environ.get("INSPECTOR_PROOF"))  # each text by itself, and not only some
ALL = {**HOSTILE, **MARKUP, "long": b"A" * 5000, "braces": b"{path} {} %s {0!r}", "dashes": b"--redact -rf /"}
SOME = ("link", "bidirectional", "markup link", "not utf-8", "formula", "image", "ranges", "lines", "script")
Made = dict[str, bytes]  # files by name; "" for a store that is one file


def gossip(text: bytes) -> Made:
    net = grown(16, 6000, seed=3)
    for node in [n for n in net.nodes if n.channels][:2]:
        node.words = messages.NodeWords(text[:32], addresses=messages.address_dns(text[:200]))
        net.announce(node)
    data = bytes(net.store.data)
    return {"": damage.flip_bit(data, len(data) - 40, 3).data}


def blobstore(text: bytes) -> Made:
    image = Image(lvs=text[:60].replace(b"\0", b""))
    name = text[:60].replace(b"\0", b"").decode("latin-1")[:30]
    base = image.lvol(name, 3, [0, 1], xattrs={text[:40] or b"x": text[:200]})
    image.lvol(
        f"{name[:20]}-head", 3, [1], parent=base, xattrs={b"snapshot_timestamp": text[:100], b"state": text[:500]}
    )
    image.extra_roots.add(7)
    return {"": bytes(image.build())}


def replica(text: bytes) -> Made:
    name = text[:20].replace(b"\0", b"").decode("latin-1")
    image = Image(lvs=text[:60].replace(b"\0", b""))
    snap = image.lvol(f"vol-r-0a1b2c3d-snap-{name}", 3, [0], snapshot=True, xattrs={b"snapshot_timestamp": text[:99]})
    image.lvol("vol-r-0a1b2c3d", 3, [1], parent=snap, xattrs={b"user_created": text[:99]})
    return {"": bytes(image.build())}


def database(text: bytes) -> Made:
    world, told = small_world(), text.decode("utf-8", "replace")
    rows = [(keys.internal(text + b"%03d" % i, 300 + i, keys.PUT), text * 2) for i in range(8)]
    world.add(12, sorted(rows))
    world.extra += [
        Edit(family=1, add_family=told, comparator=told),
        Edit(db_id=told),
    ]
    members = world.members()
    members["000009.sst"] = damage.flip_bit(members["000009.sst"], 700, 1).data
    members["OPTIONS-000007"] += b'[CFOptions "' + text + b'"]\n  comparator=' + text + b"\n  " + text + b"=1\n"
    members["LOG"] = b"2024/05/30-12:36:01.644910 1 [db/x.cc:1] " + text + b"\n"
    name = re.sub(rb"[\0/]", b"_", text[:200]) or b"x"
    members[os.fsdecode(name + b".sst")] = b"not a table"
    members[os.fsdecode(name)] = text
    return members


def current(text: bytes) -> Made:
    return small_world().members() | {"CURRENT": text + b"\n"}


def known(text: bytes) -> Made:
    dns = text[:100]
    odd = Address(b"\x36" + bytes([len(dns)]) + dns + b"\x06\x01\xbb")
    listed = (Peer(text[:60], (odd,)), *peers.peers(2))
    sealed = peers.seal(peers.payload(listed, cache=4))
    return {"": peers.small(sealed, damage.flip_bit(sealed, 40, 2).data, 4)}


def trace(text: bytes) -> Made:
    log = Log()
    log.process_start()
    log.bootstrap(13, 5)
    log.raw(b"2024-05-30T12:36:01.644910Z ERROR " + text + b": socket error: i/o error: " + text)
    log.say(text.decode("latin-1"), target=text.decode("latin-1"), id=f"QueryId({text.decode('latin-1')})")
    log.wait(9999)
    log.yamux(5)
    return {"": log.data}


STORES: dict[str, tuple[str, Callable[[bytes], Made]]] = {
    "gossip": ("gossip_store", gossip),
    "blobstore": ("disk.img", blobstore),
    "replica": ("disk.img", replica),
    "database": ("db", database),
    "current": ("db", current),
    "peers": ("known_addresses.bin", known),
    "log": ("node.log", trace),
}
COMMANDS = (
    "scan {in}",
    "scan {in} --json --label a={text} --metrics {out}.prom --write-baseline {out}.base --state {out}.state",
    "scan {in} --jsonl --redact",
    "records {in}",
    "records {in} --jsonl",
    "records {in} --csv",
    "records {in} --dump",
    "items {in}",
    "items {in} --json",
    "show {in} 300",
    "show {in} 300 --json",
    "extract {in} {text} -o {out}.raw",
    "repair {in} --dry-run",
    "repair {in} -o {out} --json",
    "repair {in} --patch {out}.patch",
    "diff {in} {in}",
    "diff {in} {in} --json",
    "report {in} -o {out}.md --no-redact --no-environment",
    "report {in} -o {out}.html --no-redact",
    "report {in} -o {out}.sarif --no-redact --no-environment",
    "report {in} -o {out}.json",
    "dev inject {in} -o {out}.hurt --damage flip --seed 1",
    "carve {in} --format gossip-store --dry-run --map {out}.jsonl --map-out {out}.map",
    "explain {text} --store {in}",
)
SAMPLE_LINE = re.compile(r'[a-z_]+(\{([a-zA-Z_]\w*="([^"\\\n]|\\[\\n"])*",?)*\})? -?[0-9.e+]+\Z')


class Links(HTMLParser):
    """What a browser would do something with."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("a", "img", "script", "iframe", "object", "embed", "form", "input", "style", "link", "svg", "video"):
            self.seen.append(f"<{tag} {attrs}>")
        self.seen += [f"<{tag} {name}>" for name, _ in attrs if name.startswith("on")]


def check_file(path: Path) -> Iterator[str]:
    """What is alive in one file that a command wrote."""
    if path.suffix in (".raw", ".hurt", "") or path.is_dir():
        return
    text = path.read_text("utf-8")
    yield from active(text)
    if path.suffix in (".json", ".sarif", ".base", ".state"):
        json.loads(text)
    if path.suffix == ".prom":
        yield from (line for line in text.splitlines() if line[0] != "#" and not SAMPLE_LINE.match(line))
    if path.suffix == ".html":
        yield from read_page(text).faults
    if path.suffix == ".md":
        links = Links()
        links.feed(MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text))
        yield from links.seen
        for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
            for child in token.children or ():
                if child.type == "text" and ALIVE.search(child.content):
                    yield child.content


def check_output(line: str, out: str, err: str) -> Iterator[str]:
    yield from active(out)
    yield from active(err)
    if "Traceback" in err or "a bug of inspector" in err:
        yield err
    if "--json" in line.split() and out:
        json.loads(out)
    if "--jsonl" in line.split():
        for one in out.splitlines():
            json.loads(one)
    if "--csv" in line.split():
        for row in csv.reader(io.StringIO(out)):
            yield from (cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")))


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("name", ALL if PROOF else SOME, ids=lambda n: n.replace(" ", "-"))
def test_nothing_hostile_comes_to_life(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    text = ALL[name]
    base, make = STORES[kind]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", os.fsdecode(text.replace(b"\0", b"")))
    members = make(text)
    for member, data in members.items():
        path = tmp_path / base / member if member else tmp_path / base
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    word = os.fsdecode(text.replace(b"\0", b"")) or "x"
    lines = COMMANDS if PROOF else COMMANDS[SOME.index(name) % 6 :: 6]
    for number, line in enumerate(lines):
        for colour in ("", "1") if PROOF else ("",):
            monkeypatch.setenv("FORCE_COLOR", colour) if colour else monkeypatch.delenv("FORCE_COLOR", raising=False)
            out = f"out{number}{colour}"
            words = [w.format_map({"in": base, "out": out, "text": word}) for w in line.split()]
            main(words)
            told = capfd.readouterr()
            shown, said = (re.sub(r"\x1b\[[0-9;]*m", "", one) if colour else one for one in (told.out, told.err))
            alive = list(check_output(line, shown, said))
            for path in sorted(tmp_path.glob(f"{out}*")):
                alive += [f"{path.name}: {what}" for what in check_file(path)]
            assert not alive, (line, alive[:3])
