"""What to do about disks that the kernel does not show as block devices."""

from __future__ import annotations

import re


def pci_hint(path: str) -> str:
    """What to do about an NVMe disk that a user-space driver holds, so that it has no block device."""
    if not re.search(r"(?:\A|/)(?:[0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]\Z|\A/dev/vfio/", path):
        return ""
    return (
        "a PCI address has no bytes: stop the program that drives the disk (spdk_tgt, Longhorn's instance manager), "
        "give it back to the kernel (driverctl unset-override ADDRESS, or SPDK's scripts/setup.sh reset), then name "
        "its /dev/nvme*n*"
    )
