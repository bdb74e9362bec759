"""A hundred private things planted in stores of every kind: with --redact no command prints one, in any encoding."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from inspector.__main__ import main
from inspector.cli.privacy import checked
from inspector.errors import RefusedError
from inspector.formats import all_formats
from inspector.formats.rocksdb import keys
from inspector.leaks import base58
from inspector.redact import Redactor, canonical
from tests import damage
from tests.builders import gossip, kad_trace, known_peers, rocksdb, spdk
from tests.builders import gossip_messages as messages
from tests.contract.corpus import SAMPLES

RNG = Random(2024)
WORDS = [
    f"{a}{b}{RNG.randrange(100, 1000)}" for a in ("zebra", "quince", "Mälar", "x-ray.") for b in ("moor", "fjord_")
]


@dataclass(frozen=True)
class Plant:
    """A store with private things in it; each as text, as it may be printed, or as the bytes behind it."""

    path: str
    members: dict[str, bytes]
    private: tuple[str | bytes, ...]
    offsets: tuple[str, ...]


def _volumes() -> Plant:
    image = spdk.Image(lvs=b"disk-of-customer-7")
    names = [f"pvc-{RNG.randbytes(4).hex()}-{WORDS[i % len(WORDS)]}" for i in range(12)]
    values = [f"owner={RNG.randbytes(5).hex()}" for _ in names]
    last = None
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        parent = last if i % 3 == 2 else None
        last = image.lvol(name, 2, [0], parent=parent, snapshot=i % 3 == 1, xattrs={b"label": value.encode()})
    data = bytearray(image.build(clean=False))
    page = image.page_at(5)
    data = bytearray(damage.flip_bit(damage.flip_bit(bytes(data), page + 70, 2).data, page + 900, 5).data)
    at = [str(image.page_at(p) + 40) for p in (0, 2, 5)] + [str(len(data) - 100), "100"]
    inside = spdk.content(names[0], 0, image.cluster_size)[:32]
    return Plant(
        "images-of-jane/disk.img", {"": bytes(data)}, (*names, *values, "disk-of-customer-7", inside), tuple(at)
    )


def _database() -> Plant:
    found = [f"user:{RNG.randbytes(4).hex()}:{w}" for w in WORDS] + [
        RNG.randbytes(9).decode("latin-1") for _ in range(8)
    ]
    own = [text.encode("latin-1") for text in found]
    values = [b"secret value " + RNG.randbytes(12) for _ in own]
    pairs = sorted(
        (key + (100 + i << 8 | 1).to_bytes(8, "little"), value)
        for i, (key, value) in enumerate(zip(own, values, strict=True))
    )
    world = rocksdb.World()
    world.add(9, pairs[:8])
    world.add(11, pairs[8:])
    world.listed[0] = world.listed[0].__class__(
        1, 9, world.listed[0].size, world.listed[0].smallest, pairs[3][0], 100, 115
    )
    members = world.members() | {"notes of jane.txt": b"nothing", "000014.log": rocksdb.log_of([_batch(own, values)])}
    table = members["000011.sst"]
    members["000011.sst"] = damage.flip_bit(damage.flip_bit(table, 30, 1).data, 60, 6).data
    assert all(keys.tag_of(key)[1] == 1 for key, _ in pairs)
    at = ("000009.sst@4", "000011.sst@40", "000014.log@30", "MANIFEST-000005@90", "000009.sst@700")
    return Plant("jane-db", members, (*own, *values, "notes of jane"), at)


def _batch(own: list[bytes], values: list[bytes]) -> bytes:
    out = (10_001).to_bytes(8, "little") + len(own).to_bytes(4, "little")
    for key, value in zip(own, values, strict=True):
        out += bytes([1, len(key)]) + key + bytes([len(value)]) + value
    return out


def _peers() -> Plant:
    listed = known_peers.peers(12)
    good, newer = known_peers.payload(listed), known_peers.payload(known_peers.peers(12, 4), known_peers.WROTE + 9)
    broken = bytearray(known_peers.seal(newer))
    broken[200] ^= 6
    data = known_peers.store(known_peers.seal(good), bytes(broken))
    texts = [peer.text for peer in listed] + [a.text for peer in listed for a in peer.addresses if a.text]
    raw = [peer.raw for peer in listed[:4]]
    at = ("3", "700", str(known_peers.S + 100), str(known_peers.S - 5))
    return Plant("known_addresses.bin", {"": data}, (*texts, *raw), at)


def _trace() -> Plant:
    log = kad_trace.Log(kad_trace.journald)
    log.process_start()
    log.bootstrap(5, timeouts=(2,))
    log.say("Bootstrap error", err="dial to /ip4/203.0.113.77/tcp/4001 by jane@host-17.example failed")
    log.raw(b"\xff\xfe jane's bytes \x00\x01\x02\xfe" * 3)
    log.begin()
    log.step(1, 5)
    peers = [kad_trace.random_peer("self"), *(kad_trace.random_peer(f"0/{n}") for n in range(1, 6))]
    return Plant(
        "node-of-jane.log", {"": log.data}, (*peers, "203.0.113.77", "host-17.example", "jane's bytes"), ("500", "20")
    )


def _gossip() -> Plant:
    store = gossip.Store(12)
    net = gossip.Network(store, 3)
    nodes = [net.node() for _ in range(4)]
    net.open(nodes[0], nodes[1])
    net.update(net.channels[0], 0, flags=gossip.PUSH)
    plain = len(store.data)
    net.keep_private(nodes[2], nodes[3])
    at = store.append(messages.delete_chan(messages.scid(net.block - 1, 1, 0)))
    data = damage.flip_bit(damage.flip_bit(bytes(store.data), 300, 3).data, 420, 1).data
    private = f"{net.block - 1}x1x0"
    hurt = data[300:330]
    number = messages.scid(net.block - 1, 1, 0).to_bytes(8, "big")
    own = (private, number, nodes[2].id.hex(), nodes[3].id.hex(), hurt, '"PUSH"')
    return Plant("gossip_store", {"": data}, own, (str(plain), str(at), "300", str(plain + 500), str(plain - 30)))


PLANTS = {f.__name__[1:]: f for f in (_volumes, _database, _peers, _trace, _gossip)}


def _shapes(private: str | bytes) -> Iterator[bytes]:
    raw = private.encode() if isinstance(private, str) else private
    yield raw
    yield json.dumps(private)[1:-1].encode() if isinstance(private, str) else raw
    if len(raw) >= 6:
        yield from (raw.hex().encode(), raw.hex().upper().encode(), base58(raw).encode())
        for shift in range(3):
            for code in (base64.b64encode, base64.urlsafe_b64encode):
                yield code(bytes(shift) + raw)[4 if shift else 0 : (shift + len(raw)) // 3 * 4]


def _commands(plant: Plant) -> Iterator[tuple[str, ...]]:
    path = plant.path
    for style in ((), ("--json",)):
        yield ("scan", path, *style)
        yield ("items", path, *style)
        yield ("repair", path, "--dry-run", *style)
        yield ("dev", "selftest", path, "--rounds", "1", "--damage", "flip", *style)
        if "" in plant.members:
            yield ("dev", "inject", path, "-o", "copy-for-jane", "--damage", "flip", "--force", *style)
        for at in plant.offsets:
            yield ("show", path, at, *style)
    for style in ((), ("--jsonl",), ("--csv",), ("--dump",), ("--text",), ("--damaged",)):
        yield ("records", path, *style)


def _plant(folder: Path, make: Callable[[], Plant]) -> Plant:
    plant = make()
    place = folder / plant.path
    for name, data in plant.members.items():
        file = place / name if name else place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    os.chdir(folder)
    return plant


def test_there_are_a_hundred_of_them() -> None:
    assert sum(len(make().private) for make in PLANTS.values()) >= 100


@pytest.mark.parametrize("kind", PLANTS)
def test_no_command_prints_what_is_private(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home-of-jane"
    home.mkdir()
    plant = _plant(home, PLANTS[kind])
    seen = 0
    for command in _commands(plant):
        plain_code = main([*command])
        plain = b"".join(capfdbinary.readouterr())
        code = main([*command, "--redact"])
        told = capfdbinary.readouterr()
        out = told.out + told.err
        assert code == plain_code, (command, told.err)
        for private in (*plant.private, "home-of-jane", "jane"):
            for shape in _shapes(private):
                seen += shape in plain
                assert shape not in out, (command, private, shape)
    assert seen > 20, "without --redact they are there: the test can fail"


def _files(place: Path) -> Iterator[bytes]:
    for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if file.is_file():
            yield str(file.name).encode() + b"\n" + file.read_bytes()


@pytest.mark.parametrize("kind", ["volumes", "database", "peers", "gossip"])
def test_an_excerpt_shows_the_same_and_holds_nothing_that_is_private(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    plant = _plant(tmp_path / "home-of-jane", PLANTS[kind])
    assert main(["excerpt", plant.path, "-o", "../small", "--json"]) == 0
    told = b"".join(capfdbinary.readouterr())
    whole = b"\n".join(plant.members.values())
    small = b"\n".join([*_files(Path("../small")), *_files(Path("../small.map.json")), told])
    public = (plant.private[4],) if kind == "gossip" else ()  # damaged gossip that a proof gives back is gossip
    seen = 0
    for private in plant.private:
        if private not in public:
            seen += (private.encode() if isinstance(private, str) else private) in whole
            for shape in _shapes(private):
                assert shape not in small, (private, shape)
    assert b"jane" not in small
    assert seen, "they are there: the test can fail"
    counts = []
    for path in (plant.path, "../small"):
        main(["scan", path, "--json"])
        counts.append(json.loads(capfdbinary.readouterr().out)["counts"])
    assert counts[0] == counts[1] != {}


@pytest.mark.parametrize("kind", PLANTS)
def test_the_same_thing_has_the_same_name_everywhere_and_keeps_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plant = _plant(tmp_path, PLANTS[kind])
    book = str(tmp_path / "book")
    outs = []
    for _ in range(2):
        main(["records", plant.path, "--jsonl", "--redact", "--redact-map", book])
        main(["scan", plant.path, "--json", "--redact", "--redact-map", book])
        outs.append(capfd.readouterr().out)
    assert outs[0] == outs[1]
    assert (tmp_path / "book").stat().st_mode & 0o777 == 0o600
    Path(book).chmod(0o644)
    assert main(["scan", plant.path, "--redact", "--redact-map", book]) == 7


def test_support_says_extract_volume_3_and_its_owner_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plant = _plant(tmp_path, _volumes)
    assert main(["items", plant.path, "--json", "--redact", "--redact-map", "book"]) == 0
    items = json.loads(capfd.readouterr().out)["items"]
    name = next(item["id"] for item in items if item["kind"] == "snapshot")
    assert name.startswith("volume-")
    assert main(["extract", plant.path, name, "-o", "redacted", "--redact"]) == 7
    assert "content" in capfd.readouterr().err
    assert main(["extract", plant.path, name, "-o", "volume.raw", "--redact-map", "book"]) in (0, 4)
    original = Redactor()
    original.load("book")
    assert main(["extract", plant.path, original.resolve(name), "-o", "plain.raw"]) in (0, 4)
    assert Path("volume.raw").read_bytes() == Path("plain.raw").read_bytes()


def test_nothing_is_printed_when_something_private_would_be_left() -> None:
    redactor = Redactor()
    redactor.know("volume", "zebra-fjord")
    coded = base64.b64encode(b"x" + b"zebra-fjord" + b"yz")
    with pytest.raises(RefusedError, match="private volume"):
        list(checked(redactor, iter([b"all is well\n", b"but here: " + coded])))


def test_what_became_known_late_is_replaced_all_the_same() -> None:
    redactor = Redactor()
    redactor.know("volume", "zebra-fjord")
    told = list(checked(redactor, iter([b"of zebra-fjord", b"and 7a656272612d666a6f7264"])))
    assert told == [b"of volume-1", b"and volume-1"]


def test_a_key_is_the_same_key_in_hexadecimal_and_in_quotes() -> None:
    assert canonical("key", "'user\\'s'") == canonical("key", b"user's".hex()) == b"user's"
    redactor = Redactor()
    assert redactor.name("key", "'user-1'") == redactor.name("key", b"user-1".hex()) == "key-1"


def test_a_volume_with_the_name_of_a_common_word_does_not_stop_the_output() -> None:
    redactor = Redactor()
    redactor.know("volume", "damaged")
    redactor.know("volume", "4096000")
    document = b'{"verdict": "damaged", "size": 4096000}'
    assert b"".join(checked(redactor, iter([document]))) == document
    assert redactor.known("damaged") == "volume-1"


def test_the_search_is_linear_in_output_and_originals() -> None:
    redactor = Redactor()
    for number in range(3000):
        redactor.know("key", f"pvc-0000-{number:06d}-x")
    data = b"pvc-0000-" * 40_000
    assert b"".join(checked(redactor, iter([data]))) == data


@pytest.mark.parametrize("form", all_formats(), ids=lambda f: f.name)
def test_every_format_declares_what_is_private_by_names_that_it_has(form: object) -> None:
    private = form.private  # type: ignore[attr-defined]
    assert private.fields or private.files, (
        "a format says what of it is somebody's own, or which files are its program's"
    )
    assert all(noun and noun == noun.lower() for noun in (*private.fields.values(), *private.inside.values()))


@pytest.mark.parametrize(
    "command",
    [
        ("scan", "gossip_store/empty.gossip_store"),
        ("show", "spdk_blobstore/super-bit.img", "10"),
        ("show", "piece_cache/piece_cache-bad.bin", "10"),
        ("scan", "longhorn/crash-loop.img", "--against", "longhorn/crash-loop.against"),
    ],
)
def test_redaction_changes_no_exit_code(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)
    assert main([*command, "--redact"]) == main([*command])


def test_a_checksum_of_damaged_bytes_is_left_out_of_notes(capfd: pytest.CaptureFixture[str]) -> None:
    main(["show", str(SAMPLES / "spdk_blobstore" / "super-bit.img"), "10", "--redact"])
    told = capfd.readouterr().out
    assert "stored CRC-32C (private), computed (private)" in told


def test_what_a_command_writes_to_is_not_printed_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("disk-of-jane.img", "plain.img"):
        Path(name).write_bytes((SAMPLES / "spdk_blobstore" / "super-bit.img").read_bytes())
    assert main(["repair", "disk-of-jane.img", "--patch", "patch-of-jane", "--redact"]) == 0
    assert main(["apply", "patch-of-jane", "disk-of-jane.img", "--undo", "undo-of-jane", "--redact"]) == 0
    assert main(["scan", "missing-of-jane.img", "--redact"]) == 6
    assert main(["scan", "missing-of-jane.img", "--json", "--redact"]) == 6
    told = capfd.readouterr()
    assert "path-" in told.out
    assert "jane" not in told.out + told.err


def test_a_redacted_database_is_inspected_like_any_other(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(SAMPLES / "rocksdb/table-cut"), "--redact", "--json"]) == 3
    assert {f["code"] for f in json.loads(capfd.readouterr().out)["findings"]} == {"RDB009", "RDB010"}


@pytest.mark.parametrize(
    "book",
    [
        "[" * 100_000,
        '{"schema": "inspector/redact-map/1", "names": [[null, "x-1", "00", "x"]]}',
        '{"schema": "inspector/redact-map/1", "names": [["path", "path-one", "00", "x"]]}',
        '{"schema": "inspector/redact-map/1", "names": [["path", "volume-1", "00", "x"]]}',
        '{"schema": "inspector/redact-map/1", "names": [["path", "path-1", "00", 7]]}',
        '{"schema": "inspector/redact-map/1", "names": {"a": 1}}',
    ],
    ids=["deep", "noun", "number", "name", "original", "shape"],
)
def test_a_map_that_somebody_else_wrote_is_one_line(
    book: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book").write_text(book)
    (tmp_path / "book").chmod(0o600)
    path = str(SAMPLES / "spdk_blobstore" / "masks-wiped.img")
    assert main(["scan", path, "--redact", "--redact-map", str(tmp_path / "book")]) == 2
    assert "is not a map that --redact-map wrote" in capfd.readouterr().err


def test_a_comparison_of_databases_hides_keys_and_values(tmp_path: Path) -> None:
    from rocksdict import Options, Rdict

    for name, value in (("a", b"OURVALUE-1"), ("b", b"OURVALUE-2")):
        database = Rdict(str(tmp_path / name), Options(raw_mode=True))
        database[b"OURKEY"] = value
        database[b"OURKEY-" + name.encode()] = value
        database.close()
    for form in ([], ["--json"], ["--jsonl"]):
        command = [sys.executable, "-m", "inspector", "diff", str(tmp_path / "a"), str(tmp_path / "b"), "--redact"]
        done = subprocess.run([*command, *form], capture_output=True, check=False)
        assert done.returncode == 3
        assert b"key-1" in done.stdout
        assert not [s for s in (b"OURKEY", b"OURVALUE", b"OURVALUE".hex().encode()) if s in done.stdout]
