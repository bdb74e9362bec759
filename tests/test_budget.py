"""What causes may cost: less for a small source, and for many places of one; and that it is said where it ended."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest

from inspector.__main__ import main
from inspector.diagnosis.bytes_at import FEW, Budget, budget_for
from tests.builders import gossip


def test_few_places_get_more_work_than_many_and_large_sources_all_of_it() -> None:
    few, many = budget_for(1000, FEW), budget_for(1000, FEW + 1)
    assert few.search == Budget().search > many.search
    assert Budget().trials > budget_for(70_000, FEW).trials > budget_for(70_000, FEW + 1).trials
    assert budget_for(1 << 24, FEW) == budget_for(1 << 30, FEW + 1) == Budget()
    assert Budget().followed > budget_for(1 << 20, FEW).followed > budget_for(1 << 20, FEW + 1).followed > 0


def _noise(places: int) -> bytes:
    """A gossip store that a random block lies in so many places of."""
    data, noise = bytearray(gossip.healthy(size=200_000, seed=3)), Random(1)
    step = (len(data) - 4000) // places
    for at in range(3000, 3000 + step * places, step):
        data[at : at + 90] = noise.randbytes(90)
    return bytes(data)


def _shown(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(["scan", str(path), *words])
    return capsys.readouterr().out


def test_it_is_said_where_causes_were_not_looked_for_to_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gossip_store"
    path.write_bytes(_noise(230))
    told = json.loads(_shown(path, capsys, "--json"))
    left = told["diagnosis"]["given_up"]
    assert 0 < left < 230
    assert left <= sum(found["cause"]["name"] == "unknown" for found in told["findings"])
    said = re.compile(r"the causes? of \d+ damaged places? (was|were) not looked for to the end")
    assert said.search(" ".join(_shown(path, capsys).split()))  # of the findings that a screen keeps
    for form in ("md", "html"):
        main(["report", str(path), "-o", str(tmp_path / f"r.{form}"), "--no-environment"])
        assert said.search((tmp_path / f"r.{form}").read_text())


def test_nothing_is_said_of_a_limit_that_was_not_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gossip_store"
    path.write_bytes(_noise(3))
    assert "given_up" not in json.loads(_shown(path, capsys, "--json"))["diagnosis"]
    assert "not looked for to the end" not in _shown(path, capsys)
