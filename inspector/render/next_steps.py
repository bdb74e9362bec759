"""What to run next: each command does what it says when it is pasted into a shell, whatever the source is called."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from inspector.counted import plural
from inspector.medium import lacks_rights
from inspector.render.text import quoted
from inspector.translations import undoing

if TYPE_CHECKING:
    from inspector.format import Wishes
    from inspector.inspect import Report

REMARK: Final = "   # "  # between a command of `Answer.next` and why it is there
UNIQUE: Final = " --accept unique"
# command -> options of the scan without which it would read the source otherwise than the scan did
CARRIED: Final = {
    "repair": ("--format", "--for", "--at", "--accept", "--cluster-size", "--no-correct"),
    "extract": ("--format", "--accept", "--cluster-size"),
    "items": ("--format", "--for", "--accept", "--cluster-size"),
    "records": ("--format", "--for"),
    "show": ("--format", "--for"),
    "scan": ("--format", "--for"),
}


# what is made of a source whose every byte can be had back would be worse than what is made of those bytes
_MADE_OF_IT = ("inspector repair ", "inspector extract ", "inspector merge ")


class Step(Struct, frozen=True):
    """A command, and why it is offered where it does not speak for itself."""

    command: str
    remark: str = ""


def steps(report: Report) -> list[Step]:
    """The format's own commands with the source's path, the options of this scan, and what weaker proofs would save."""
    found: list[Step] = [*_undoing(report)]
    better = bool(found)
    if lacks_rights(report.source):
        command = f"sudo {_for_shell('inspector scan {path}', report)}"
        found.append(Step(command, "as root, or as the owner of the store, who may open all of it"))
    for line in report.answer.next:
        if better and line.startswith(_MADE_OF_IT):
            continue
        if report.source.closed and line.startswith("inspector repair "):
            continue  # it is refused while something that somebody may read was not read
        command, _, remark = line.partition(REMARK)
        found.append(Step(_for_shell(command, report), remark))
        if command.startswith("inspector repair ") and "--accept" not in command:
            found += _with_unique(command, report)
    return list({step.command: step for step in found}.values())


def _undoing(report: Report) -> Iterator[Step]:
    """What takes back a translation of the whole file, where that loses nothing: better than any repair of it."""
    events = report.diagnosis.events if report.diagnosis else ()
    command = next((found for event in events if (found := undoing(event.facts))), None)
    if command is None or report.source.kind == "folder":
        return
    yield Step(
        _for_shell(f"{command.format('{path}')} > {{path}}.undone", report),
        "takes back the translation: every byte as it was",
    )
    # what was piped in is in no file, and what is made of it is
    yield Step(_for_shell("inspector scan {path}.undone", report).removesuffix(" < FILE"))


def script(document: Mapping[str, Any], limit: int | None = None) -> Iterator[str]:
    """The commands of a scan's document as lines of a shell script, each with its reason before it."""
    for command, why in list(zip(document["next"], document["next_why"], strict=True))[:limit]:
        if why:
            yield f"# {why}"
        yield command


def _for_shell(command: str, report: Report) -> str:
    label = report.source.label
    words = command.split(" ", 2)
    if words[0] == "inspector":
        for option, value in _options(report.wishes, report.forced):
            if option in CARRIED.get(words[1], ()) and f" {option} " not in f"{command} ":
                command += f" {option} {value}".rstrip()
    if label == "-":  # what was piped in has no name: FILE stands for it
        piped = " < FILE" if " {path}" in command and words[0] == "inspector" else ""
        command = command.replace(" {path} ", " - " if piped else " FILE ")
        command = f"{command.removesuffix('{path}')}-" if command.endswith(" {path}") else command
        return command.replace("{path}", "FILE") + piped
    path = _named(label)
    out = command.replace(" {path}.", f" {_beside(path)}.")
    return out.replace("{path}", quoted(path))


def _named(label: str) -> str:
    """The path without what would put a name beside it inside it."""
    path = label
    while len(path) > 1 and path.endswith(("/", "/.")):
        path = path[:-1]
    return path


def _beside(path: str) -> str:
    """The path that a name for something next to the source begins with: a folder may be called `.`."""
    if PurePath(path).name not in ("", ".."):
        return quoted(path)
    name = PurePath(os.path.realpath(path)).name or "root"
    return quoted(f"{path}/../{name}" if PurePath(path).name == ".." else f"../{name}")


def _options(wishes: Wishes, forced: str | None) -> Iterator[tuple[str, str]]:
    if forced:
        yield "--format", quoted(forced)
    if wishes.release is not None:
        yield "--for", quoted(wishes.release)
    if wishes.at is not None:
        yield "--at", str(wishes.at)
    if wishes.cluster_size is not None:
        yield "--cluster-size", str(wishes.cluster_size)
    for proof in sorted(wishes.accept):
        yield "--accept", quoted(proof)
    if wishes.no_correct:
        yield "--no-correct", ""


def _with_unique(command: str, report: Report) -> Iterator[Step]:
    """The same repair with corrections that only a checksum speaks for, where there are such."""
    waiting = [f for f in report.tally.findings() if f.evidence.get("correction") == "unique" and f.salvage == "lost"]
    if not waiting or report.wishes.accept or report.wishes.no_correct:
        return
    chances = [c for f in waiting if isinstance(c := f.evidence.get("chance_of_error"), float)]
    chance = f" (the chance that it is wrong: {max(chances):.2g})" if chances else ""
    count = plural(len(waiting), "damage that only its checksum vouches", "damages that only their checksums vouch")
    what = f"also undoes {count} for{chance}"
    head, _, output = command.rpartition(" -o ")
    output, space, rest = output.partition(" ")
    yield Step(_for_shell(f"{head} -o {output}.unique{space}{rest}{UNIQUE}", report), what)
