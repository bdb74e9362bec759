"""How commands declare their options: records in typer's words, so that a command line can be read without typer.

To import typer and to build one command with it takes as long as to scan a small store.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

from msgspec import Struct


class Declared(Struct, frozen=True):
    """An option or argument in the metadata of an annotation."""

    names: tuple[str, ...]  # of an option, as on the command line; an argument has none
    keywords: dict[str, Any]  # typer's; and `values`, what the shell completes (of inspector.cli.completing)
    option: bool


def Option(*names: str, **keywords: Any) -> Declared:  # noqa: N802  typer's name
    return Declared(names, keywords, True)


def Argument(**keywords: Any) -> Declared:  # noqa: N802  typer's name
    return Declared((), keywords, False)


def declared(annotation: Any) -> tuple[Any, Declared] | None:
    """The type and the declaration of a parameter; None where it has none of ours."""
    for one in getattr(annotation, "__metadata__", ()):
        if isinstance(one, Declared):
            return annotation.__origin__, one
    return None


def for_typer(annotation: Any) -> Any:
    """The annotation with typer's own record in place of ours."""
    from typing import Annotated

    import typer

    found = declared(annotation)
    if found is None:
        return annotation
    kind, one = found
    keywords = dict(one.keywords)
    if of := keywords.pop("values", None):
        from inspector.cli.completing import completion

        keywords["autocompletion"] = completion(of)
    if one.option:
        return Annotated[kind, typer.Option(*one.names, **keywords)]
    return Annotated[kind, typer.Argument(**keywords)]


def plain_type(kind: Any) -> tuple[type, bool] | None:
    """(str, int or bool, whether there may be several) of a parameter's type; None for all others."""
    several = False
    kinds = [one for one in get_args(kind) if one is not type(None)] if get_origin(kind) is not list else [kind]
    if len(kinds) == 1:
        kind = kinds[0]
    if get_origin(kind) is list:
        several, kind = True, get_args(kind)[0]
    return (kind, several) if kind in (str, int, bool) else None
