"""CRC-32C of any buffer by hardware, without what else the `crc32c` package imports.

Its `__init__` asks for its own version, for which Python loads importlib.metadata and the e-mail package: 15 ms, a
tenth of a scan of a small store. The extension in it is all that is needed; where that is not found the package is.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import TYPE_CHECKING, Any

_NAME = "crc32c._crc32c"


def _extension() -> Any:
    """The extension module, under its own name, so that the package finds it if somebody imports that."""
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    package = PathFinder.find_spec("crc32c")
    folders = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec(_NAME, folders) if folders else None
    if spec is None or spec.loader is None:
        import crc32c

        return crc32c
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[_NAME] = module
    return module


if TYPE_CHECKING:
    from crc32c import crc32c, hardware_based
else:
    _found = _extension()
    crc32c, hardware_based = _found.crc32c, _found.hardware_based

__all__ = ["crc32c", "hardware_based"]
