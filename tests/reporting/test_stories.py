"""The stories of the five families as reports of their own samples, redacted as they are by default."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector.__main__ import main
from tests.cli.page_check import read_page

SAMPLES = Path(__file__).parent.parent.parent / "samples"
STORIES = {
    "gossip_store/checksum-at-3044.gossip_store": ("medium", "GSP003", "at 3044 (0xbe4)"),
    "spdk_blobstore/create-half.img": ("interrupted write", "SPB040", "create stopped after write 2"),
    "rocksdb/data-bit.sst": ("medium", "RDB001", "at 1685"),
    "snarkos/tip-not-finalised": ("", "SNK", ""),
    "known_peers/known_addresses-flipped.bin": ("medium", "KNP001", "slot A"),
    "kad_trace/stalled.log": ("software", "KDT001", "no progress for 576.4 s"),
}


@pytest.mark.parametrize("name", STORIES)
def test_the_story_stands_in_the_first_ten_lines(name: str, tmp_path: Path) -> None:
    verdict, code, what = STORIES[name]
    out = tmp_path / "r.md"
    assert main(["report", str(SAMPLES / name), "-o", str(out)]) == 3
    text = out.read_text()
    head = "\n".join(text.splitlines()[:10])
    assert code in head
    assert what in head
    assert f"**Bug or disk:** {verdict}" in head
    assert len(text.encode()) <= 65_536
    assert str(SAMPLES) not in text


@pytest.mark.parametrize("name", STORIES)
def test_the_story_can_be_looked_at(name: str, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    assert main(["report", str(SAMPLES / name), "-o", str(out), "--no-redact"]) == 3
    page = read_page(out.read_text())
    assert page.faults == []
    assert STORIES[name][1] in "".join(page.text)


def test_names_keys_and_addresses_are_hidden_by_default(tmp_path: Path) -> None:
    secrets = {
        "spdk_blobstore/create-half.img": ("vol-a", "disk-t"),
        "rocksdb/data-bit.sst": ("key-000026", "key-000035"),
    }
    for name, words in secrets.items():
        for suffix in ("md", "html", "json", "sarif"):
            out = tmp_path / f"r.{suffix}"
            main(["report", str(SAMPLES / name), "-o", str(out), "--force"])
            hidden = out.read_text()
            main(["report", str(SAMPLES / name), "-o", str(out), "--force", "--no-redact"])
            shown = out.read_text()
            for word in words:
                assert word in shown, (name, suffix, word)
                assert word not in hidden, (name, suffix, word)


def test_a_redacted_log_line_keeps_its_meaning_and_not_its_text(tmp_path: Path) -> None:
    log, out = tmp_path / "im.log", tmp_path / "r.json"
    log.write_text("lvol.c:1154:lvs_verify_lvol_name: *ERROR*: lvol with name vol-a-secret already exists\n")
    main(["report", str(SAMPLES / "spdk_blobstore/create-half.img"), "-o", str(out), "--log", str(log)])
    (line,) = json.loads(out.read_text())["log"]["lines"]
    assert line["text"] == ""
    assert "A volume named volume-" in line["meaning"]
    assert "vol-a-secret" not in out.read_text()
