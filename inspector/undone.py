"""What a correction tells: whether a repair writes it, the evidence in a finding, the line in the ledger."""

from __future__ import annotations

from typing import Any

from inspector.correct import Correction, flips, told
from inspector.format import Wishes


def written(found: Correction, wishes: Wishes) -> bool:
    """Whether a repair with these wishes writes it."""
    if wishes.no_correct:
        return False
    return found.verdict == "sealed" or (found.verdict == "unique" and "unique" in wishes.accept)


def evidence(found: Correction, unit: bytes, base: int) -> dict[str, Any]:
    """What a finding says of a correction, JSON-ready; {} where nothing was found."""
    if found.verdict == "none":
        return {}
    facts: dict[str, Any] = {"correction": found.verdict, "candidates": found.count, "tried": found.tried}
    if found.unit:
        facts |= {"damage": found.how, "undone": told(unit, found.patch, base)}
        if flips(found.patch) == 1:
            at, mask = found.patch[0]
            facts |= {"flip_at": base + at, "flip_bit": mask.bit_length() - 1}
    elif found.listed:
        facts["listed"] = ["; ".join(told(unit, patch, base)) for patch in found.listed[:4]]
    if found.verdict == "sealed":
        facts["witness"] = found.witness
    else:
        facts["chance_of_error"] = found.chance
    return facts


def why(found: Correction, unit: bytes, base: int) -> str:
    """One line for the ledger: what was undone and what vouches for it."""
    what = "; ".join(told(unit, found.patch, base, 4))
    proof = found.witness or f"no second witness, 1 in {max(1, round(1 / max(found.chance, 1e-12))):,} by chance"
    return f"{found.how}: {what} ({proof})"
