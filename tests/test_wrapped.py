"""A store that is packed, written as text or translated is called that, and the command that is told unwraps it."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from inspector.__main__ import main
from inspector.catalogue import is_packed
from inspector.errors import RefusedError, UnknownFormatError
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.spdk_blobstore.tail import translated
from inspector.inspect import detect, inspect
from inspector.packings import PACKINGS, Packing
from inspector.render.next_steps import steps
from inspector.repair import repair
from inspector.source import open_source
from inspector.wrapped import packed

SAMPLES = Path(__file__).parent.parent / "samples"
STORE = (SAMPLES / "gossip_store/clean-v16.gossip_store").read_bytes()
# an uncompressed block of a zstd frame: the store's first bytes stand in it as they are, with records that verify
ZSTD = b"\x28\xb5\x2f\xfd\x00\x58" + (len(STORE) << 3 | 1).to_bytes(3, "little") + STORE


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as folder:
        folder.writestr("gossip_store", STORE)
    return made.getvalue()


def refused(path: Path) -> UnknownFormatError:
    with open_source(str(path)) as source, pytest.raises(UnknownFormatError) as told:
        detect(source, all_formats())
    return told.value


def written(tmp_path: Path, data: bytes, name: str = "a store") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def lines_of(data: bytes, width: int) -> list[bytes]:
    return [data[i : i + width] for i in range(0, len(data), width)]


HEADED = b"attachment: the store\r\n\r\n" + base64.encodebytes(STORE).replace(b"\n", b"\r\n")
CANONICAL = b"".join(
    b"%08x  %-49s |%s|\n" % (16 * n, line.hex(" ").encode(), bytes(b if 32 <= b < 127 else 46 for b in line))
    for n, line in enumerate(lines_of(STORE, 16))
)
XXD = b"".join(
    b"%08x: %-40s %s\n" % (16 * n, line.hex(" ", 2).encode(), bytes(b if 32 <= b < 127 else 46 for b in line))
    for n, line in enumerate(lines_of(STORE, 16))
)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (gzip.compress(STORE), "a gzip archive"),
        (lzma.compress(STORE), "an xz archive"),
        (bz2.compress(STORE), "a bzip2 archive"),
        (ZSTD, "a zstd archive"),
        (base64.encodebytes(STORE), "base64"),
        (base64.b64encode(STORE), "base64"),
        (HEADED, "base64"),
        (STORE.hex().encode(), "bytes written as hexadecimal digits"),
        (CANONICAL, "a dump by hexdump -C"),
        (XXD, "a dump by xxd"),
        (STORE.decode("latin1").encode("utf-8"), "stand as two bytes of UTF-8 each"),
    ],
)
def test_the_command_that_is_told_gives_every_byte_back(tmp_path: Path, data: bytes, what: str) -> None:
    error = refused(written(tmp_path, data))
    assert "a store: no known format: " in error.message
    assert what in error.message
    command = error.hint.split(": ", 1)[-1].removeprefix("hexdump -v): ")
    assert command.endswith(" | inspector scan -")
    command = command.removesuffix(" | inspector scan -")
    tools = {part.split()[0] for part in command.replace("tr -d '\\r' <", "tr").split(" | ")}
    if not all(map(shutil.which, tools)):
        pytest.skip("this machine has not every tool that is told")
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout == STORE


LOG = (SAMPLES / "kad_trace/stalled.log").read_bytes().replace(b"\n", b"\r\n").decode()


@pytest.mark.parametrize(
    ("encoding", "mark", "told"),
    [
        ("utf-16-le", "\ufeff", "UTF-16"),
        ("utf-16-be", "\ufeff", "UTF-16"),
        ("utf-32-le", "\ufeff", "UTF-32"),
        ("utf-32-be", "\ufeff", "UTF-32"),
        ("utf-16-le", "", "UTF-16LE"),
        ("utf-16-be", "", "UTF-16BE"),
    ],
)
def test_a_log_in_wide_letters_is_read_by_the_command_that_is_told(
    encoding: str, mark: str, told: str, tmp_path: Path
) -> None:
    error = refused(written(tmp_path, (mark + LOG).encode(encoding), "a log"))
    assert f"text in {told}" in error.message
    command = error.hint.removeprefix("a log: ").split("; ")[0]
    assert f"iconv -f {told} " in command
    if shutil.which("iconv") is None:
        pytest.skip("there is no iconv here")
    made = subprocess.run(["sh", "-c", command.split(" | ")[0]], capture_output=True, check=True).stdout
    assert made.decode().removeprefix("\ufeff") == LOG
    with open_source(str(written(tmp_path, made, "made.log"))) as source:
        assert detect(source, all_formats())[0][0].name == "kad-trace"


@pytest.mark.parametrize("data", [b"a\0" * 40, b"\x01\0\x02\0" * 9000, random.Random(4).randbytes(30_000)])
def test_numbers_in_two_bytes_each_are_no_text(data: bytes, tmp_path: Path) -> None:
    assert "text in" not in refused(written(tmp_path, data)).message


@pytest.mark.parametrize(
    ("data", "what", "hint"),
    [
        (b"", "the file is empty", "never began"),
        (bytes(70000), "all bytes that were looked at are 00", "never written"),
        (zipped(), "a zip archive", "unzip"),
        (b"QFI\xfb" + bytes(600) + STORE, "a qcow2 image", "qemu-img convert -O raw"),
        (STORE.decode("utf-8", "replace").encode(), "EF BF BD", "lost"),
        (STORE.decode("latin1").encode("utf-16"), "UTF-16", "copy the file itself"),
        (b"\n<!DOCTYPE html>\n<html>", "a web page", "raw"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git-lfs", "git lfs pull"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQ==\n", "an encrypted file", "gpg -d"),
        (b"Dear all,\nour node is down.\n", "text", "inspector explain"),
        ("Gr\u00fc\u00dfe \u2014 \U0001f4a4 Idle\n".encode() * 20_000, "text", "inspector explain"),
    ],
)
def test_what_cannot_be_unwrapped_so_is_told_with_the_next_step(
    tmp_path: Path, data: bytes, what: str, hint: str
) -> None:
    error = refused(written(tmp_path, data))
    assert what in error.message
    assert hint in error.hint


def test_a_tar_that_is_packed_is_unpacked_by_tar(tmp_path: Path) -> None:
    assert "tar -xf" in refused(written(tmp_path, gzip.compress(STORE), "node.tar.gz")).hint


def test_random_bytes_are_called_nothing_and_carving_is_told(tmp_path: Path) -> None:
    for seed in range(8):
        error = refused(written(tmp_path, bytes([seed]) + random.Random(seed).randbytes(40_000), "noise"))
        assert error.message.endswith("noise: no known format")
        assert error.tried
        assert "inspector carve" in error.hint


@pytest.mark.parametrize("packing", PACKINGS, ids=lambda packing: packing.what)
def test_what_begins_like_a_container_is_told_with_its_command(packing: Packing, tmp_path: Path) -> None:
    with open_source(str(written(tmp_path, packing.mark + bytes(64)))) as source:
        told = packed(source)
    assert told
    assert told.what == packing.what
    assert packing.command.format(f"'{tmp_path}/a store'") in told.hint


@pytest.mark.parametrize("packing", PACKINGS, ids=lambda packing: packing.what)
def test_what_goes_on_as_nothing_of_its_kind_is_no_container_where_that_can_be_asked(
    packing: Packing, tmp_path: Path
) -> None:
    with open_source(str(written(tmp_path, packing.mark + incompressible(9000)))) as source:
        assert is_packed(source) is (not packing.reader)


@pytest.mark.parametrize("pack", [lzma.compress, bz2.compress])
@pytest.mark.parametrize(
    ("behind", "whole"),
    [(b"", True), (bytes(64), True), (None, True), (b"B", False), (b"other bytes", False), (b"\x5d\0\0\x80\0", False)],
)
def test_behind_a_stream_nothing_stands_but_zeroes_and_another_of_its_kind(
    pack: Callable[[bytes], bytes], behind: bytes | None, whole: bool, tmp_path: Path
) -> None:
    one = pack(incompressible(900))
    with open_source(str(written(tmp_path, one + (one if behind is None else behind)))) as source:
        assert is_packed(source) is whole


def test_behind_an_xz_stream_its_older_format_is_no_other_of_its_kind(tmp_path: Path) -> None:
    data = lzma.compress(b"first") + lzma.compress(b"second", lzma.FORMAT_ALONE)
    with open_source(str(written(tmp_path, data))) as source:
        assert not is_packed(source)


def incompressible(size: int) -> bytes:
    return random.Random(5).randbytes(size)


@pytest.mark.parametrize(
    "over",
    [
        gzip.compress(incompressible(9000)),
        gzip.compress(incompressible(300)),
        lzma.compress(incompressible(9000)),
        bz2.compress(incompressible(9000)),
        zstandard.compress(incompressible(9000).hex().encode()),
        zstandard.compress(incompressible(300)),
        lz4.frame.compress(incompressible(9000).hex().encode()),
        lz4.frame.compress(incompressible(300)),
        b"PK\x03\x04" + incompressible(4092),
    ],
)
def test_a_store_whose_first_page_an_archive_was_written_over_is_still_that_store(over: bytes, tmp_path: Path) -> None:
    """The damage must not hide the store: nothing but its first page is of the archive."""
    data = (SAMPLES / "spdk_blobstore/clean.img").read_bytes()
    path = written(tmp_path, over[:4096].ljust(4096, b"\0") + data[4096:])
    with open_source(str(path)) as source:
        assert detect(source, all_formats())[0][0].name == "spdk-blobstore"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_a_small_table_that_the_start_of_an_archive_was_written_over_is_still_a_table(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    data = (SAMPLES / "rocksdb/clean-v7.sst").read_bytes()
    path = written(tmp_path, pack(incompressible(9000))[:1024] + data[1024:])
    with open_source(str(path)) as source:
        assert detect(source, all_formats())[0][0].name == "rocksdb"


def test_a_log_in_gzip_is_read_as_it_is(tmp_path: Path) -> None:
    log = (SAMPLES / "kad_trace/stalled.log").read_bytes()
    with open_source(str(written(tmp_path, gzip.compress(log)))) as source:
        assert detect(source, all_formats())[0][0].name == "kad-trace"


@pytest.mark.parametrize("head", [False, True])
def test_line_ends_put_into_a_sparse_image_are_seen_and_taken_back(tmp_path: Path, head: bool) -> None:
    """A blobstore's first MiB can hold five line ends in all; the tool looks on until there are enough."""
    image = (SAMPLES / "spdk_blobstore/clean.img").read_bytes()
    if head:
        # clusters with line ends only far behind the metadata
        image = image[:-4096] + random.Random(3).randbytes(4096).replace(b"\r\n", b"\r.")
    path = written(tmp_path, image.replace(b"\n", b"\r\n"), "image")
    with open_source(str(path)) as source:
        report = inspect(source, all_formats())
        told = [step.command for step in steps(report)]
    assert report.diagnosis
    assert report.diagnosis.sentence.endswith(
        "That can be taken back, and what it cost with it: the first command under Next."
    )
    undo = next((line for line in told if line.startswith("perl ")), "")
    if shutil.which("perl") is None:
        pytest.skip("no perl here")
    assert undo, told
    # a repair of it as it is, or a volume out of it, would be worse than one of what the command gives
    assert not [line for line in told if line.startswith(("inspector repair ", "inspector extract "))]
    assert subprocess.run(["sh", "-c", undo], check=True).returncode == 0
    assert path.with_name("image.undone").read_bytes() == image
    with open_source(str(path)) as source, pytest.raises(RefusedError, match="follows a 0d") as refusal:
        repair(source, all_formats(), str(tmp_path / "out"), Wishes())
    assert "perl -pe" in refusal.value.hint
    assert not any(line.startswith("inspector repair") and "unsealed" not in line for line in told)


def test_a_text_of_windows_in_a_volume_is_no_translation(tmp_path: Path) -> None:
    """Nothing but its line ends in the image, and another byte behind it: the image is not longer by one a line."""
    image = (SAMPLES / "spdk_blobstore/clean.img").read_bytes()
    bare = image.replace(b"\n", b"\x0b")
    if bare[:65536] != image[:65536]:
        pytest.skip("the sample's metadata has line ends of its own")
    text = b"a line of a text\r\n" * 100
    data = bare[: -8192 - len(text)] + text + bare[-8192:] + b"\x01" * 5
    with open_source(str(written(tmp_path, data, "image"))) as source:
        report = inspect(source, all_formats())
        assert translated(report.state_of_bottom) is None


def test_a_redacted_name_stands_once_before_what_the_file_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, gzip.compress(STORE), "alice.gz")
    assert main(["scan", "--redact", str(path)]) == 5
    told = capfd.readouterr().err
    assert told.startswith("inspector: path-1: no known format: a gzip archive\n  unpack it first: gzip -dc path-1 |")


def test_what_was_piped_in_is_taken_back_from_the_file_that_it_came_from() -> None:
    command, data = [sys.executable, "-m", "inspector", "scan", "-"], STORE.replace(b"\n", b"\r\n")
    ran = subprocess.run(command, input=data, capture_output=True, check=False)
    assert ran.returncode == 3
    assert b"perl -pe 's/\\r\\n/\\n/' FILE > FILE.undone\n  inspector scan FILE.undone\n" in ran.stdout
