"""Another store behind the one that the image begins with: told, with the command that takes it out."""

from __future__ import annotations

import subprocess
from pathlib import Path

from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.render.next_steps import steps
from inspector.source import open_source
from tests.builders.spdk import PAGE
from tests.builders.spdk_samples import clean, dirty, second_store
from tests.formats.spdk_blobstore.support import codes, flip, look


def told(report: Report) -> list[int]:
    return [f.span.start for f in report.tally.findings() if f.rule.code == "SPB019"]


def test_a_store_behind_the_first_is_told_and_the_first_is_as_it_was() -> None:
    report, alone = look(clean() + dirty()), look(clean())
    assert codes(report, notes=True) == ["SPB019"]
    assert told(report) == [len(clean())]
    assert report.answer.summary == alone.answer.summary


def test_what_stands_between_the_two_is_passed_over() -> None:
    assert told(look(clean() + bytes(512) + dirty())) == [len(clean()) + 512]
    assert told(look(clean() + dirty() + clean())) == [len(clean()), len(clean()) + len(dirty())]


def test_a_super_block_that_does_not_verify_or_stands_in_no_sector_is_not_told() -> None:
    hurt = bytearray(clean() + dirty())
    flip(hurt, len(clean()) + 99)
    assert told(look(hurt)) == []
    assert told(look(clean() + bytes(100) + dirty() + bytes(412))) == []


def test_a_copy_of_an_image_in_a_volume_is_no_store_behind() -> None:
    """Its clusters are somebody's content, however they begin."""
    data = bytearray(clean())
    data[-PAGE:] = dirty()[:PAGE]
    assert told(look(data)) == []


def test_the_command_that_is_offered_takes_the_other_store_out(tmp_path: Path) -> None:
    path = tmp_path / "two stores.img"
    path.write_bytes(second_store())
    with open_source(str(path)) as source:
        report = inspect(source, all_formats())
        (step,) = (step for step in steps(report) if step.command.startswith("tail "))
    subprocess.run(["/bin/sh", "-c", step.command], check=True)
    with open_source(f"{path}.from-{len(clean())}") as source:
        assert inspect(source, all_formats()).answer.summary["lvs_name"] == "lvs-two"
