"""A finding's name: the same in every scan, on every machine.

It is made of the rule, the place and the bytes that stand there: the same damage keeps it while the store grows,
other damage at the same place has another one.
"""

from __future__ import annotations

import hashlib

from inspector.finding import Finding
from inspector.source import Source

CONTENT = 64 << 10  # bytes of a finding that its fingerprint covers
LENGTH = 24  # hexadecimal digits
BY_PLACE = frozenset({"INS002", "INS007"})  # the bytes are not there to be named by


def fingerprint(found: Finding, source: Source) -> str:
    """The finding's name. What the medium does not deliver is named by its place alone."""
    span, digest = found.span, hashlib.sha256()
    digest.update(f"{found.rule.code}\0{span.member}\0".encode("utf-8", "surrogateescape"))
    if not found.bytes_known:
        digest.update(found.message.encode("utf-8", "backslashreplace"))
    else:
        digest.update(f"{span.start}-{span.end}\0".encode())
        if found.rule.code not in BY_PLACE:
            digest.update(source.read(span.start, min(span.length, CONTENT), span.member))
    return digest.hexdigest()[:LENGTH]
