"""Text in GitHub's Markdown that stays text: no link, image, HTML, mention or issue reference comes to life.

Backslashes do not do that (an escaped address is still made a link, an escaped @name still notifies somebody), code
spans do: every word that is not plain is put into one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from inspector.sanitize import clean

# words that no Markdown dialect takes for anything but words
_PLAIN = re.compile(r"[(\"]{0,2}[A-Za-z0-9][A-Za-z0-9.,;:'\"/%()+=?_-]*\Z")
_RANGE = re.compile(r"\[\d[\d,]*|\d[\d,]*[\])][.,;]?")  # of bytes, as a cause spells it
_OWN = frozenset("…—–→·×≈&")  # single characters of our own typography, as words
_ALIVE = re.compile(r"://|www\.|_\Z|\A[Gg][Hh]-\d|[A-Za-z0-9]\(|[a-z0-9]/[A-Za-z0-9_.-]+#", re.IGNORECASE)
_LIST = re.compile(r"\d+[.)]\Z")  # at the start of a line it would begin a list
_MAIL = ("mailto:", "xmpp:", "http:", "https:", "ftp:")


def prose(text: str, limit: int = 600) -> str:
    """A sentence of ours that may hold words of a file, on one line."""
    words = clean(" ".join(text.split()), limit).split(" ")
    out: list[str] = []
    held: list[str] = []
    for word in words:
        if _is_plain(word) and not (not out and not held and _LIST.match(word)):
            if held:
                out.append(code(" ".join(held)))
                held = []
            out.append(word)
        else:
            held.append(word)
    if held:
        out.append(code(" ".join(held)))
    return " ".join(out)


def _is_plain(word: str) -> bool:
    if word in _OWN:
        return word != "&"
    if _RANGE.fullmatch(word):
        return True
    return bool(_PLAIN.match(word)) and not _ALIVE.search(word) and not word.lower().startswith(_MAIL)


def code(text: str, limit: int = 600) -> str:
    """A code span that holds exactly this text; its fence is longer than any run of backticks in it."""
    text = clean(text, limit)
    if not text.strip():
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def cell(text: str) -> str:
    """What `prose` or `code` made, for a table: a bar would end the cell, in code spans too."""
    return text.replace("|", "\\|")


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a table; a column whose title ends with ">" is aligned to the right."""
    titles = list(columns)
    lines = ["| " + " | ".join(t.rstrip(">") for t in titles) + " |"]
    lines.append("|" + "|".join("---:" if t.endswith(">") else "---" for t in titles) + "|")
    lines += ["| " + " | ".join(cell(c) for c in row) + " |" for row in rows]
    return lines


def block(lines: Iterable[str]) -> list[str]:
    """Lines as a code block, each made safe; the fence is longer than any in it."""
    body = [clean(line, 400) for line in lines]
    longest = max((len(run) for line in body for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *body, fence]
