"""The map of a file with its damage at true scale, and a strip of the records around one damage, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from inspector.render.html_page import esc

WIDTH = 1000  # of the drawing; it is stretched to the page
HEIGHT = 56
LEAST = 2.0  # a damage is drawn at least this wide, so that one byte of terabytes is seen
MAX_HITS = 60  # findings of one bar that are links
MAX_RUNS = 600
CLASSES = ("sound", "opaque", "free", "bad", "gap")

Document = dict[str, Any]


def bar(number: int, one: Document, findings: Sequence[Document]) -> str:
    """One member from its first to its last byte, with buttons that the script brings to life."""
    size = one["size"]
    name = one["file"] or "the file"
    hits = [f for f in findings if f["file"] == one["file"] and f["start"] is not None][:MAX_HITS]
    told = f"{name}, {size:,} bytes, {len(one['damaged'])} damaged stretches, {len(hits)} findings"
    if not size:
        return f"<p>{esc(name)} has 0 bytes.</p>\n"
    shapes = "".join((*_slices(one["slices"], size), *_runs(one["damaged"][:MAX_RUNS], size), *_hits(hits, size)))
    return (
        f'<figure class="map" id="map{number}" tabindex="0" aria-label="{esc(told)}">'
        f"<figcaption><code>{esc(name, 200)}</code>, {size:,} bytes</figcaption>\n"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="group" aria-label="{esc(told)}" '
        f'data-size="{size}">{shapes}</svg>\n'
        f'<div class="scale"><span>byte 0</span><span>byte {size:,}</span></div>\n{_buttons(hits)}</figure>\n'
    )


def _rect(start: int, end: int, size: int, kind: str, y: int, height: int, hit: bool = False) -> str:
    x, width = start * WIDTH / size, (end - start) * WIDTH / size
    if hit:
        width = max(width, LEAST)
        x = min(x, WIDTH - width)
    return (
        f'<rect class="{kind}{" hit" if hit else ""}" data-s="{start}" data-e="{end}" '
        f'x="{x:.3f}" y="{y}" width="{width:.3f}" height="{height}"/>'
    )


def _slices(slices: Sequence[Sequence[int]], size: int) -> Iterator[str]:
    """Neighbouring slices in the same state are one shape; what most of a slice's bytes are decides."""
    runs: list[tuple[int, int, str]] = []
    for i, (start, *counts) in enumerate(slices):
        end = slices[i + 1][0] if i + 1 < len(slices) else size
        calm = counts[:3]
        state = CLASSES[calm.index(max(calm))] if any(calm) else "gap"
        if runs and runs[-1][2] == state and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end, state)
        else:
            runs.append((start, end, state))
    for start, end, state in runs:
        if state in ("sound", "opaque"):
            yield _rect(start, end, size, f"s-{state}", 12, 32)


def _runs(runs: Iterable[Sequence[int]], size: int) -> Iterator[str]:
    for start, end in runs:
        yield _rect(start, end, size, "s-bad", 6, 44, hit=True)


def _hits(found: Iterable[Document], size: int) -> Iterator[str]:
    for one in found:
        label = f"{one['id']} {one['severity']} {one['code']} at byte {one['start']}"
        shape = _rect(one["start"], max(one["end"], one["start"] + 1), size, "s-bad", 0, HEIGHT, hit=True)
        yield f'<a href="#{one["id"]}" aria-label="{esc(label)}"><title>{esc(label)}</title>{shape}</a>'


def _buttons(hits: Sequence[Document]) -> str:
    acts = (("in", "Zoom in"), ("out", "Zoom out"), ("left", "Left"), ("right", "Right"), ("all", "Whole file"))
    told = "".join(f'<button type="button" data-act="{name}">{words}</button>' for name, words in acts)
    for one in hits[:8]:
        middle, width = (one["start"] + one["end"]) // 2, max(64, 8 * (one["end"] - one["start"]))
        told += f'<button type="button" data-at="{middle}" data-width="{width}">Zoom to {one["id"]}</button>'
    return f'<div class="zoom" role="toolbar" aria-label="Zoom" hidden>{told}</div>'


def strip(exhibit: Document) -> str:
    """The records before and after a damage at their true lengths."""
    around = [(e["start"], e["end"], e["kind"]) for e in exhibit["neighbours"] if e.get("file") == exhibit["file"]]
    here = (exhibit["start"], exhibit["end"])
    first = min([here[0], *(s for s, _, _ in around)])
    last = max([here[1], *(e for _, e, _ in around)])
    if last <= first:
        return ""
    size = last - first
    shapes = "".join(
        _rect(s - first, e - first, size, "s-beside", 6, 18).replace("data-s", "data-from").replace("data-e", "data-to")
        for s, e, _ in around
    )
    shapes += _rect(here[0] - first, here[1] - first, size, "s-here", 2, 26, hit=True)
    told = "; ".join(f"{k} at {s}, {e - s} bytes" for s, e, k in sorted(around))
    label = (
        f"bytes {first} to {last}: the damage at {here[0]}, {here[1] - here[0]} bytes; beside it {told or 'nothing'}"
    )
    return (
        f'<svg class="strip" viewBox="0 0 {WIDTH} 30" preserveAspectRatio="none" role="img" '
        f'aria-label="{esc(label)}">{shapes}</svg>\n'
        f'<div class="scale"><span>byte {first:,}</span><span>byte {last:,}</span></div>\n'
    )
