"""Files given with --against are read as they come: packed, in several members, as PowerShell writes them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from inspector import packings
from inspector.cli import given
from inspector.errors import UsageError

TEXT = '[{"name": "disk-t/é"}]\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        gzip.compress(TEXT.encode(), mtime=0),
        gzip.compress(TEXT[:9].encode(), mtime=0) + gzip.compress(TEXT[9:].encode(), mtime=0),
        gzip.compress(TEXT.encode(), mtime=0) + bytes(512),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        gzip.compress(TEXT.encode("utf-16"), mtime=0),
    ],
)
def test_a_document_is_the_same_text_however_it_comes(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bdevs.json"
    path.write_bytes(data)
    assert given.documents_of([str(path)]) == ((str(path), TEXT.encode()),)


def test_a_packed_document_that_is_cut_or_damaged_is_refused() -> None:
    packed = bytearray(gzip.compress(TEXT.encode() * 50))
    with pytest.raises(UsageError, match="ends too early"):
        given.unpacked("x", bytes(packed[:-9]))
    packed[-6] ^= 1
    with pytest.raises(UsageError, match="does not unpack"):
        given.unpacked("x", bytes(packed))


def test_a_document_that_would_unpack_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "MAX_DOCUMENT", 1 << 20)
    with pytest.raises(UsageError, match="more than 1 MiB"):
        given.unpacked("x", gzip.compress(bytes(1 << 24)))


def test_a_document_that_unpacks_to_much_for_its_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packings, "SPARE", 1 << 20)
    packed = gzip.compress(bytes(3 << 20))  # a thousandth
    with pytest.raises(UsageError, match="much for its size"):
        given.unpacked("a", packed)
    fits = gzip.compress(bytes(1 << 20))
    assert given.unpacked("a", fits) == bytes(1 << 20)
