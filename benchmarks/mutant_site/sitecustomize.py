"""On PYTHONPATH of whatever a test starts: one module of the package is loaded with a mutant's text instead of its own.

The variable names a file with the path of the module in its first line and the text in the others.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing costs as much as the rest
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType


class Instead:
    """Finds this one module; all others are found as ever."""

    def __init__(self, task: str) -> None:
        with open(task, encoding="utf-8") as read:  # noqa: PTH123  what is imported here, every process pays for
            self.path, _, self.text = read.read().partition("\n")

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        tail = name.replace(".", "/")
        if not name.startswith("inspector") or not self.path.endswith((f"/{tail}.py", f"/{tail}/__init__.py")):
            return None
        from importlib.machinery import SourceFileLoader
        from importlib.util import spec_from_file_location

        text = self.text

        class Loader(SourceFileLoader):
            def get_code(self, fullname: str) -> CodeType:
                code: CodeType = compile(text, self.path, "exec", dont_inherit=True)
                return code

        inside = [self.path.rpartition("/")[0]] if self.path.endswith("__init__.py") else None
        loader = Loader(name, self.path)
        return spec_from_file_location(name, self.path, loader=loader, submodule_search_locations=inside)


if os.environ.get("INSPECTOR_MUTANT"):
    sys.meta_path.insert(0, Instead(os.environ["INSPECTOR_MUTANT"]))
