"""journald writes a message that holds colours as a list of numbers: it is said, and how it becomes text again."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from inspector.errors import UnknownFormatError
from inspector.formats import all_formats
from inspector.inspect import detect
from inspector.source import open_source
from tests.builders import kad_trace as build
from tests.formats.kad_trace.support import scan, stalled, verdicts


def journal(lines: list[bytes]) -> bytes:
    told = ({"__REALTIME_TIMESTAMP": "1717072474643710", "MESSAGE": list(line.rstrip(b"\n"))} for line in lines)
    return b"".join(json.dumps(one).encode() + b"\n" for one in told)


def test_the_command_that_is_told_gives_the_text_back(tmp_path: Path) -> None:
    path = tmp_path / "node journal.json"
    path.write_bytes(journal(stalled(build.coloured).lines))
    with open_source(str(path)) as source, pytest.raises(UnknownFormatError) as told:
        detect(source, all_formats())
    assert "messages written as numbers" in str(told.value)
    command = told.value.hint.removeprefix("make it text again: ").removesuffix(" | inspector scan -")
    if shutil.which("jq") is None:
        pytest.skip("jq is not here")
    text = subprocess.run(command, shell=True, check=True, capture_output=True).stdout
    assert verdicts(scan(text)) == ["stalled"]
