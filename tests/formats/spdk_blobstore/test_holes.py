"""The same bytes are judged and mended alike, whether the file system keeps their zeroes or not."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from inspector.__main__ import main
from tests.contract.corpus import SAMPLES
from tests.test_sparse import knows_holes

BLOCK = 4096
IMAGES = ("clean", "cut-short", "other-user", "second-store", "trees")
KINDS = ("shift", "splice", "swap", "zero", "overwrite-at-1")
# bytes put in or lost were found in one of both files; a page that came back into a hole
SEEN = (("cut-short", "splice", 459157), ("second-store", "swap", 101553), ("other-user", "swap", 19221))


def some() -> list[tuple[str, str, int]]:
    rng = Random(20)
    return [(rng.choice(IMAGES), rng.choice(KINDS), rng.randrange(10**6)) for _ in range(27)]


@pytest.mark.parametrize(("image", "kind", "seed"), [*SEEN, *some()])
def test_holes_tell_nothing(
    image: str, kind: str, seed: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not knows_holes(tmp_path):
        pytest.skip("this file system has no holes")
    monkeypatch.chdir(tmp_path)
    sample = str(SAMPLES / f"spdk_blobstore/{image}.img")
    assert main(["dev", "inject", sample, "-o", "dense", "--damage", kind, "--seed", str(seed)]) == 0
    data = Path("dense").read_bytes()
    Path("dense").write_bytes(data)
    with Path("sparse").open("wb") as file:
        file.truncate(len(data))
        for at in range(0, len(data), BLOCK):
            if any(data[at : at + BLOCK]):
                file.seek(at)
                file.write(data[at : at + BLOCK])
    told = []
    for name in ("dense", "sparse"):
        capfd.readouterr()
        code = main(["scan", name, "--json"])
        found = json.loads(capfd.readouterr().out)["findings"]
        mended = main(["repair", name, "-o", f"{name}.mended"])
        out = Path(f"{name}.mended")
        patched = main(["repair", name, "--patch", f"{name}.patch"])
        told.append((code, found, mended, out.read_bytes() if out.exists() else b"", patched))
    assert told[0] == told[1]
    assert told[0][4] in (0, 4, 7)
    if told[0][2] in (0, 4):  # a copy of what was written is judged as that was
        Path("copy").write_bytes(told[0][3])
        codes = []
        for name in ("dense.mended", "copy"):
            capfd.readouterr()
            main(["scan", name, "--json"])
            codes.append(
                [(f["code"], f["start"], f["message"]) for f in json.loads(capfd.readouterr().out)["findings"]]
            )
        assert codes[0] == codes[1]
