"""The command lines whose system calls fail, one after the other (tests/faults.py)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A command line: words in braces are files of its folder, ~ is a space. `outputs` appear whole or not at all."""

    name: str
    sample: str
    line: str
    outputs: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)  # what it ends with when nothing fails
    before: str = ""  # a command that makes what this one needs
    changes_input: bool = False  # apply: the input is the target
    beside: str = ""  # a sample that lies beside the input as {other}
    victim: str = ""  # in a folder the file that is cut, replaced or grows meanwhile; the largest where it is not said


HEALTHY = "gossip_store/clean-v16.gossip_store"
CARVED = "--format gossip-store -o {out} --map {out}.map --map-out {out}.rescue --json"
GOSSIP, DISK = "gossip_store/zeroed-hole.gossip_store", "spdk_blobstore/masks-wiped.img"
CASES = (
    Case("scan gossip", GOSSIP, "scan {in} --json", codes=(3,)),
    Case("scan disk", DISK, "scan {in} --json", codes=(3,)),
    Case("scan database", "rocksdb/lost-edit", "scan {in} --json", codes=(3,)),
    Case("scan table", "rocksdb/data-bit.sst", "scan {in} --json", codes=(3,)),
    Case("scan peers", "known_peers/known_addresses-flipped.bin", "scan {in} --json", codes=(3,)),
    Case("scan log", "kad_trace/zeroes.log", "scan {in} --json", codes=(3,)),
    Case("scan blocks", "snarkos_blocks/length-bit.blocks", "scan {in} --json", codes=(3,)),
    Case(
        "scan for a fleet",
        "gossip_store/clean-v16.gossip_store",
        "scan {in} --json --state {state} --write-baseline {known} --metrics {prom} --polite",
        ("known", "prom", "state"),
    ),
    Case("records", GOSSIP, "records {in} --jsonl", codes=(3,)),
    Case("show", GOSSIP, "show {in} 100 --json"),
    Case("items", DISK, "items {in} --json"),
    Case("repair gossip", GOSSIP, "repair {in} -o {out}", ("out",), (4,)),
    Case("repair gossip, force", GOSSIP, "repair {in} -o {out} --force", ("out",), (4,)),
    Case("repair disk", DISK, "repair {in} -o {out}", ("out",)),
    Case("repair peers", "known_peers/known_addresses-flipped.bin", "repair {in} -o {out}", ("out",)),
    Case("repair database", "rocksdb/lost-edit", "repair {in} -o {out} --copy", ("out",)),
    Case("patch", DISK, "repair {in} --patch {out}", ("out",)),
    Case("extract", "spdk_blobstore/trees.img", "extract {in} external -o {out}", ("out", "out.map"), (4,)),
    Case("apply", DISK, "apply {patch} {in} --undo {undo}", ("undo",), (0,), "repair {in} --patch {patch}", True),
    Case("watch", GOSSIP, "watch {in} --jsonl --until-damage --for 20 --interval 0.01 --patience 0.01", codes=(3,)),
    Case(
        "watch, keep",
        "gossip_store/clean-v16.gossip_store",
        "watch {in} --jsonl --for 0.03 --interval 0.01 --keep-corrupt {kept}",
        ("kept",),
    ),
    Case("carve", GOSSIP, f"carve {{in}} {CARVED}", ("out", "out.map", "out.rescue"), (4,)),
    Case("carve tables", "rocksdb/data-bit.sst", "carve {in} --format rocksdb-sst -o {out} --json", ("out",), (4,)),
    Case("carve disk", DISK, "carve {in} --format spdk-blobstore -o {out} --json", ("out", "out.map"), (3,)),
    Case("merge", GOSSIP, "merge {in} {other} -o {out} --map {map} --json", ("out", "map"), (4,), beside=HEALTHY),
    Case("merge of two", HEALTHY, "merge {in} {other} -o {out} --json", ("out",), (0,), beside=HEALTHY),
    Case("diff", GOSSIP, "diff {in} {other} --json", codes=(3,), beside=HEALTHY),
    Case("diff of two", HEALTHY, "diff {in} {other} --json", codes=(0,), beside=HEALTHY),
    Case("report md", GOSSIP, "report {in} -o {out}.md --no-environment", ("out.md",), (3,)),
    Case("report zip", HEALTHY, "report {in} -o {out}.zip --no-environment", ("out.zip",), (0,)),
    Case("capture", GOSSIP, "capture {in} -o {out} --no-environment --json", ("out",)),
    Case("capture folder", "rocksdb/lost-edit", "capture {in} -o {out} --no-redact --no-environment --json", ("out",)),
    Case(
        "excerpt", "gossip_store/checksum-at-3044.gossip_store", "excerpt {in} -o {out} --json", ("out", "out.map.json")
    ),
    Case("inject", HEALTHY, "dev inject {in} -o {out} --damage flip --seed 3 --json", ("out", "out.truth.json")),
    Case("inject folder", "rocksdb/lost-edit", "dev inject {in} -o {out} --damage zero", ("out", "out.truth.json")),
    Case("scan with a log", GOSSIP, "scan {in} --log {other} --json", codes=(3,), beside="kad_trace/zeroes.log"),
    Case("scan redacted", GOSSIP, "scan {in} --redact --redact-map {names} --json", ("names",), (3,)),
    Case("explain", GOSSIP, "explain gossip_store:~get~delete~entry~offset~1200/5949 --store {in} --json"),
    Case("scan volumes", "longhorn/head-bit.img", "scan {in} --json", codes=(3,)),
    Case("scan ledger", "snarkos/value-cut", "scan {in} --json", codes=(3,)),
    Case("scan pieces", "piece_cache/piece_cache-bad.bin", "scan {in} --json", codes=(3,)),
    Case("scan leveldb", "rocksdb/leveldb-bit", "scan {in} --json", codes=(3,)),
    Case("scan text", GOSSIP, "scan {in}", codes=(3,)),
    Case("scan, known", GOSSIP, "scan {in} --json --baseline {known}", before="scan {in} --write-baseline {known}"),
    Case(
        "scan, remembered", HEALTHY, "scan {in} --json --state {state}", ("state",), (0,), "scan {in} --state {state}"
    ),
    Case(
        "scan folder for a fleet",
        "rocksdb/clean-db",
        "scan {in} --json --state {state} --write-baseline {known} --metrics {prom}",
        ("known", "prom", "state"),
    ),
    Case("scan capsule", GOSSIP, "scan {out} --json", (), (3,), "capture {in} -o {out} --no-environment"),
    Case("records database", "rocksdb/lost-edit", "records {in} --jsonl", codes=(3,)),
    Case("repair volumes", "longhorn/head-bit.img", "repair {in} -o {out}", ("out",)),
    Case("repair ledger", "snarkos/tip-not-finalised", "repair {in} -o {out} --copy", ("out",)),
    Case("repair ledger, linked", "snarkos/wal-torn", "repair {in} -o {out}", ("out",)),
    Case("repair ledger, refused", "snarkos/value-cut", "repair {in} -o {out}", ("out",), (7,)),
    Case("repair leveldb", "rocksdb/leveldb-bit", "repair {in} -o {out}", ("out",)),
    Case("repair table", "rocksdb/data-bit.sst", "repair {in} -o {out}", ("out",), (4,)),
    Case("repair journal", "rocksdb/000014-bit.log", "repair {in} -o {out}", ("out",), (4,)),
    Case("repair pieces", "piece_cache/piece_cache-cut.bin", "repair {in} -o {out}", ("out",), (4,)),
    Case("repair blocks", "snarkos_blocks/length-bit.blocks", "repair {in} -o {out}", ("out",), (4,)),
    Case("repair log", "kad_trace/zeroes.log", "repair {in} -o {out} --redact", ("out",), (4,)),
    Case("report html", GOSSIP, "report {in} -o {out}.html --no-environment", ("out.html",), (3,)),
    Case("report json", GOSSIP, "report {in} -o {out}.json --no-environment", ("out.json",), (3,)),
    Case("report sarif", GOSSIP, "report {in} -o {out}.sarif --no-environment", ("out.sarif",), (3,)),
    Case("report database", "rocksdb/lost-edit", "report {in} -o {out}.md --no-environment", ("out.md",), (3,)),
    Case("selftest", HEALTHY, "dev selftest {in} --rounds 1 --json"),
    Case("selftest of a folder", "rocksdb/clean-db", "dev selftest {in} --rounds 1 --damage flip --json"),
    Case(
        "watch, remember",
        HEALTHY,
        "watch {in} --jsonl --for 0.03 --interval 0.01 --state {state} --metrics {prom} --records",
        ("state", "prom"),
    ),
    Case("watch log", "kad_trace/finished.log", "watch {in} --jsonl --for 0.02 --interval 0.01"),
    Case("watch folder", "rocksdb/lost-edit", "watch {in} --jsonl --until-damage --for 20 --interval 0.01", codes=(3,)),
)
# each format's reader on a healthy and on a damaged store, and what is rarely asked for: not a part of the tests
MORE = (
    Case("healthy disk", "spdk_blobstore/clean.img", "scan {in} --json"),
    Case("healthy database", "rocksdb/clean-db", "scan {in} --json"),
    Case("healthy table", "rocksdb/clean-v7.sst", "scan {in} --json"),
    Case("healthy journal", "rocksdb/000014-torn.log", "scan {in} --json"),
    Case("healthy peers", "known_peers/known_addresses-v2.bin", "scan {in} --json"),
    Case("healthy log", "kad_trace/finished.log", "scan {in} --json"),
    Case("healthy blocks", "snarkos_blocks/0.5.blocks", "scan {in} --json"),
    Case("healthy volumes", "longhorn/healthy.img", "scan {in} --json"),
    Case("healthy ledger", "snarkos/clean", "scan {in} --json"),
    Case("healthy pieces", "piece_cache/piece_cache-twice.bin", "scan {in} --json"),
    Case("healthy database, a list moves", "rocksdb/clean-db", "scan {in} --json", victim="MANIFEST-*"),
    Case("healthy database, a log moves", "rocksdb/clean-db", "scan {in} --json", victim="*.log"),
    Case("healthy ledger, a list moves", "snarkos/clean", "scan {in} --json", victim="MANIFEST-*"),
    Case("scan journal", "rocksdb/000014-bit.log", "scan {in} --json", codes=(3,)),
    Case("scan blob", "rocksdb/value-bit.blob", "scan {in} --json", codes=(3,)),
    Case("scan list", "rocksdb/manifest-bit", "scan {in} --json", codes=(3,)),
    Case("scan packed log", "kad_trace/cut.log.gz", "scan {in} --json", codes=(3,)),
    Case("records table", "rocksdb/data-bit.sst", "records {in} --jsonl", codes=(3,)),
    Case("records log", "kad_trace/zeroes.log", "records {in} --jsonl", codes=(3,)),
    Case("records pieces", "piece_cache/piece_cache-bad.bin", "records {in} --jsonl", codes=(3,)),
    Case("items ledger", "snarkos/value-cut", "items {in} --json"),
    Case("items log", "kad_trace/finished.log", "items {in} --json"),
    Case("show table", "rocksdb/data-bit.sst", "show {in} 100 --json"),
    Case("show disk", DISK, "show {in} 4096 --json"),
    Case("extract volume", "longhorn/healthy.img", "extract {in} disk-t -o {out}", ("out",)),
    Case("carve journal", "rocksdb/000014-bit.log", "carve {in} --format rocksdb-log -o {out} --json", ("out",)),
    Case(
        "merge peers",
        "known_peers/known_addresses-flipped.bin",
        "merge {in} {other} -o {out} --json",
        ("out",),
        beside="known_peers/known_addresses-v2.bin",
    ),
    Case("excerpt table", "rocksdb/data-bit.sst", "excerpt {in} -o {out} --json", ("out", "out.map.json")),
    Case("excerpt folder", "rocksdb/table-cut", "excerpt {in} -o {out} --json", ("out", "out.map.json")),
    Case("repair database, a list moves", "rocksdb/lost-edit", "repair {in} -o {out}", ("out",), victim="MANIFEST-*"),
    Case(
        "watch, all of it",
        HEALTHY,
        "watch {in} --jsonl --for 0.03 --interval 0.01 --keep-corrupt {kept} --state {state} --metrics {prom}",
        ("kept", "state", "prom"),
    ),
)
