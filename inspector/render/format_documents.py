"""What is known, as JSON documents: formats with their kinds, field tables and rules."""

from __future__ import annotations

from collections.abc import Iterable

from inspector.finding import Rule
from inspector.format import Format
from inspector.render.documents import TOOL, Document


def rule(found: Rule) -> Document:
    return {
        "code": found.code,
        "rule": found.slug,
        "severity": found.severity.value,
        "summary": found.summary,
        "explanation": found.explanation,
        "loader": found.loader,
        "advice": found.advice,
        "source": found.source,
    }


def formats(chosen: Iterable[Format], full: bool) -> Document:
    return {"schema": "inspector/formats/1", "tool": TOOL, "formats": [known_format(f, full) for f in chosen]}


def known_format(form: Format, full: bool) -> Document:
    """What a format is and can; in full with its kinds, field tables and rules."""
    document: Document = {
        "name": form.name,
        "title": form.title,
        "on": form.on,
        "commands": verbs(form),
        "names": list(form.names),
    }
    if not full:
        return document | {"kinds": len(form.kinds), "rules": len(form.rules)}
    return document | {
        "filters": sorted(form.filters),
        "wishes": sorted(form.wishes),
        "kinds": {str(number): name for number, name in sorted(form.kinds.items())},
        "layouts": [
            {
                "name": lay.name,
                "title": lay.title,
                "fields": [
                    {
                        "name": r.name,
                        "at": r.at,
                        "size": r.size,
                        "type": r.type,
                        "meaning": r.meaning,
                        "privacy": r.privacy,
                    }
                    for r in lay.rows()
                ],
            }
            for lay in form.layouts
        ],
        "rules": [rule(r) for r in form.rules],
    }


def verbs(form: Format) -> list[str]:
    """The commands that work on this format."""
    offered: dict[str, object] = {
        "records": form.records,
        "show": form.show,
        "items": form.items,
        "extract": form.extents,
    }
    offered |= {"repair": form.plan, "merge": form.merge, "diff": form.identities}
    return ["scan", *(name for name, function in offered.items() if function is not None)]
