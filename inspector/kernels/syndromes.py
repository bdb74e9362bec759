"""Which flipped bits have a given effect on a CRC-32C, compiled where that was built and plain was not asked for."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from inspector.kernels import WHICH

__all__ = ["grow", "pairs", "place"]

if TYPE_CHECKING or WHICH == "plain" or find_spec("inspector.kernels._syndromes") is None:
    from inspector.kernels.plain_syndromes import grow, pairs, place
else:
    from inspector.kernels._syndromes import grow, pairs, place
