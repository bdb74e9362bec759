"""Lines and words of a block of text, compiled where that was built and plain was not asked for."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from inspector.kernels import WHICH

__all__ = ["line_starts", "lines_never_text", "lines_with", "occurrences"]

if TYPE_CHECKING or WHICH == "plain" or find_spec("inspector.kernels._lines") is None:
    from inspector.kernels.plain_lines import line_starts, lines_never_text, lines_with, occurrences
else:
    from inspector.kernels._lines import line_starts, lines_never_text, lines_with, occurrences
