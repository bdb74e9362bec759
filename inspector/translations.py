"""Commands that take back what a text translation did to a whole file, where that loses nothing; {} is the file."""

from collections.abc import Mapping
from typing import Any, Final

# of the kinds that `diagnosis.traces.translation` tells; bytes that were replaced are gone
UNDOING: Final = {"newlines": r"perl -pe 's/\r\n/\n/' {}", "utf-8": "iconv -f UTF-8 -t LATIN1 {}"}


def undoing(facts: Mapping[str, Any]) -> str | None:
    """The command for what an event tells; None where it is no translation of a whole file, or loses something."""
    return UNDOING.get(facts.get("translation", "")) if "at" not in facts else None
