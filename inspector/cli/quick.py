"""A plain command line, read without typer: options written out, with values that need no judging.

Whatever else it is (help, a mistake, `--name=value`, an option that is declared otherwise), it is left to typer, which
says what is wrong; `tests/cli/test_quick.py` holds both readings against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, get_type_hints

from msgspec import Struct

from inspector.cli.declare import Declared, declared, plain_type
from inspector.cli.privacy import guarded, options_of_privacy

_KNOWN = frozenset({"help", "metavar", "rich_help_panel", "min", "max", "hidden", "values"})  # that are understood


class _Taker(Struct, frozen=True):
    """What one word of the command line does."""

    parameter: str
    kind: type
    several: bool
    value: bool  # of a flag
    least: int | None = None
    most: int | None = None


def command(name: str, words: list[str]) -> Callable[[], int] | None:
    """The command with what these words ask for, ready to run; None where typer is to read them."""
    module = import_module(f"inspector.cli.{name}")
    function = getattr(module, name, None)
    if function is None:
        return None
    asked = _read(function, options_of_privacy(name), words)
    if asked is None:
        return None
    run = guarded(name, function)
    return lambda: run(**asked)


def _read(function: Callable[..., int], privacy: dict[str, Any], words: list[str]) -> dict[str, Any] | None:
    hints = get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    takers: dict[str, _Taker] = {}
    places: list[tuple[str, bool]] = []  # arguments in their order, and whether it takes all that is left
    for parameter, hint in (hints | privacy).items():
        found = declared(hint)
        if found is None:
            return None
        kind, one = found
        plain = plain_type(kind)
        if not one.option:
            if plain is None or plain[0] is not str:
                return None
            places.append((parameter, plain[1]))
        elif plain is not None and one.keywords.keys() <= _KNOWN:
            takers |= _takers(parameter, plain, one)
    given = _given(takers, words)
    if given is None:
        return None
    asked, loose = given
    if not _placed(places, loose, asked):
        return None
    optional = len(function.__defaults__ or ())
    code = function.__code__
    required = code.co_varnames[: code.co_argcount - optional]
    return asked if code.co_kwonlyargcount == 0 and all(one in asked for one in required) else None


def _takers(parameter: str, plain: tuple[type, bool], one: Declared) -> dict[str, _Taker]:
    kind, several = plain
    least, most = one.keywords.get("min"), one.keywords.get("max")
    found = {}
    for names in one.names:
        yes, _, no = names.partition("/")
        found[yes] = _Taker(parameter, kind, several, True, least, most)
        if no:
            found[no] = _Taker(parameter, kind, several, False, least, most)
    return found


def _given(takers: dict[str, _Taker], words: list[str]) -> tuple[dict[str, Any], list[str]] | None:
    """(values of options, the other words)"""
    asked: dict[str, Any] = {}
    loose: list[str] = []
    left = iter(words)
    for word in left:
        if not word:
            return None
        if word[0] != "-" or word == "-":
            loose.append(word)
            continue
        taker = takers.get(word)
        if taker is None or (taker.parameter in asked and not taker.several):
            return None
        if taker.kind is bool:
            asked[taker.parameter] = taker.value
            continue
        value = _value(taker, next(left, ""))
        if value is None:
            return None
        if taker.several:
            asked.setdefault(taker.parameter, []).append(value)
        else:
            asked[taker.parameter] = value
    return asked, loose


def _value(taker: _Taker, word: str) -> str | int | None:
    if not word or word[0] == "-":
        return None
    if taker.kind is str:
        return word
    if not (word.isascii() and word.isdecimal()) or len(word) > 18:
        return None
    number = int(word)
    within = (taker.least is None or number >= taker.least) and (taker.most is None or number <= taker.most)
    return number if within else None


def _placed(places: list[tuple[str, bool]], loose: list[str], asked: dict[str, Any]) -> bool:
    """Put the other words where the command takes them; False where that is not plain to see."""
    if not places or not loose:
        return not loose
    if any(several for _, several in places[:-1]):
        return False
    *first, (last, several) = places
    if len(loose) < len(places) or (len(loose) > len(places) and not several):
        return False
    for (parameter, _), word in zip(first, loose, strict=False):
        asked[parameter] = word
    rest = loose[len(first) :]
    asked[last] = rest if several else rest[0]
    return True
