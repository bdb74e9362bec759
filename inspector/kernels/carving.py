"""What looks for things among any bytes, compiled where that was built and plain was not asked for."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from inspector.kernels import WHICH
from inspector.kernels.carve_columns import Finds

__all__ = ["Finds", "eight_places", "gossip_records", "hex_places", "log_anchor", "log_places"]

if TYPE_CHECKING or WHICH == "plain" or find_spec("inspector.kernels._carve") is None:
    from inspector.kernels.plain_carve import gossip_records, hex_places
    from inspector.kernels.plain_places import eight_places, log_anchor, log_places
else:
    from inspector.kernels._carve import eight_places, gossip_records, hex_places, log_anchor, log_places
