"""A finding's name: the same in every scan, on every machine.

It is made of the rule, the place and the bytes that stand there: the same damage keeps it while the store grows,
other damage at the same place has another one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from inspector.finding import Finding
from inspector.medium import add_what_went_bad
from inspector.source import Source

if TYPE_CHECKING:
    from inspector.inspect import Report

CONTENT = 64 << 10  # bytes of a finding that its fingerprint covers
LENGTH = 24  # hexadecimal digits
BY_PLACE = frozenset({"INS002", "INS007"})  # the bytes are not there to be named by


def fingerprint(found: Finding, source: Source) -> str:
    """The finding's name. What the medium does not deliver is named by its place alone."""
    if not found.bytes_known:
        message = found.message.encode("utf-8", "backslashreplace")
        return _start(found, message).hexdigest()[:LENGTH]
    digest = _start(found, f"{found.span.start}-{found.span.end}\0".encode())
    if found.rule.code in BY_PLACE:
        return digest.hexdigest()[:LENGTH]
    named = source.named.get(digest.digest())
    if named is None:
        digest.update(source.read(found.span.start, min(found.span.length, CONTENT), found.span.member))
    return named or digest.hexdigest()[:LENGTH]


def name_all(report: Report) -> None:
    """Name the findings while the report can still say what cannot be read: a block may go bad at any time.

    What was judged and is unreadable now keeps its finding, named by its place alone, and is unreadable besides.
    """
    source = report.source
    for found in report.tally.findings():
        if not found.bytes_known or found.rule.code in BY_PLACE:
            continue
        digest = _start(found, f"{found.span.start}-{found.span.end}\0".encode())
        place, span = digest.digest(), found.span
        shrunk = source.shrunk
        data = source.read(span.start, min(span.length, CONTENT), span.member)
        if source.shrunk > shrunk or any(source.unreadable.within(span)):
            source.nameless.add(digest.hexdigest()[:LENGTH])
        else:
            digest.update(data)
        source.named[place] = digest.hexdigest()[:LENGTH]
    add_what_went_bad(report)


def _start(found: Finding, place: bytes) -> hashlib._Hash:
    return hashlib.sha256(f"{found.rule.code}\0{found.span.member}\0".encode("utf-8", "surrogateescape") + place)
