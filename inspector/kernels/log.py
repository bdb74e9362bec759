"""Log lines judged a block at a time, compiled where that was built and plain was not asked for."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from inspector.kernels import WHICH
from inspector.kernels.plain_stamp import HIT, NEVER, NOISE, SAMPLE

__all__ = ["HIT", "NEVER", "NOISE", "SAMPLE", "Glide", "LineWords", "line_time", "survey"]

if TYPE_CHECKING or WHICH == "plain" or find_spec("inspector.kernels._log") is None:
    from inspector.kernels.plain_log import Glide, LineWords, survey
    from inspector.kernels.plain_stamp import line_time
else:
    from inspector.kernels._log import Glide, LineWords, line_time, survey
