"""Only the formats that are needed are imported, and what the list says of them is what they say themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from inspector import formats

ROOT = Path(__file__).parents[1]


def test_the_list_names_what_stands_on_what_as_the_formats_do() -> None:
    said: dict[str, set[str]] = {}
    for module in formats.MODULES:
        form = formats.load(module)
        if form.on is not None:
            said.setdefault(form.on, set()).add(module)
    assert {name: set(modules) for name, modules in formats.UPPERS.items()} == said


def test_a_scan_of_a_gossip_store_imports_no_other_format_and_no_rich_for_a_pipe() -> None:
    sample = ROOT / "samples/gossip_store/clean-v16.gossip_store"
    code = (
        "import sys; from inspector.__main__ import main; sys.argv = ['inspector', 'scan', '-q', sys.argv[1]];"
        "code = main();"
        "print(code, sorted(m for m in sys.modules if m.count('.') == 2 and m.startswith('inspector.formats.')), "
        "'rich' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(sample)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout == "0 ['inspector.formats.gossip_store'] False\n"


def test_the_table_of_file_names_is_what_the_formats_declare() -> None:
    assert set(formats.FILES) == {pattern for form in formats.all_formats() for pattern in form.private.files}
