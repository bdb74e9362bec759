"""Sizes of the pages in which file systems and media move bytes: one mistake moves a whole one."""

from typing import Final

PAGES: Final = (4096, 512, 8192, 16384, 1024, 2048)  # bytes, the likeliest first
