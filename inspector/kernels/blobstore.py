"""Metadata pages of a blobstore, compiled where that was built and plain was not asked for."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from inspector.kernels import WHICH

__all__ = ["page_states"]

if TYPE_CHECKING or WHICH == "plain" or find_spec("inspector.kernels._blobstore") is None:
    from inspector.kernels.plain_blobstore import page_states
else:
    from inspector.kernels._blobstore import page_states
