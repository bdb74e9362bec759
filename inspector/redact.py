"""Private things under pseudonyms: the same thing has the same name everywhere, numbered as they appear.

The book of names can be kept in a file (`--redact-map`), so that they stay the same across runs and support can say
"extract volume-3". Values are replaced between formats and renderers (see `veil`); finished output is searched once
more (see `leaks`), and refused where anything was forgotten.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct, field

from inspector.errors import RefusedError, SourceError, UsageError
from inspector.leaks import BASE58, CHUNK, KIN, LEAST, Kin, Search, plain_shapes, shapes

T = TypeVar("T")

SCHEMA: Final = "inspector/redact-map/1"
MOST: Final = 50_000  # names in the book; later ones get a keyed hash, are replaced by field, and not searched for
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")
_SCID: Final = re.compile(r"(\d{1,8})x(\d{1,8})x(\d{1,5})")
_GIVEN: Final = re.compile(r"(file|path)-(\d{1,9}|h[0-9a-f]{16})")
SOUGHT: Final = 24  # words that are looked for one by one
_LONGEST_PEER: Final = 128
_LONGEST: Final = 512  # characters of a name that is looked for in running text
_ONLY_WORDS: Final = bytes(c if (chr(c).isalpha() and c < 128) or c == 95 else 32 for c in range(256))
_SPEAKS_FOR_ITSELF: Final = re.compile(r"[A-Za-z_]+|\d+|")


def _renamed(noun: str, text: str) -> bool:
    """Whether a file's name is one that capsules give: it tells nothing any more."""
    return noun in ("file", "path") and _GIVEN.fullmatch(text) is not None


def entropy_words(raw: bytes) -> str:
    """What may be said of private bytes: how many, and how mixed (8 bits: looks random; 0: all the same)."""
    total = len(raw)
    bits = -sum(n / total * math.log2(n / total) for n in Counter(raw).values()) if total else 0.0
    return f"({total} bytes, entropy {abs(bits):.1f} bits)"


@cache
def _source() -> bytes:
    """Inspector's own source, a space around each of its words."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return b" ".join((b"", *(file.read_bytes() for file in files), b"")).translate(_ONLY_WORDS)


@cache
def _every_word() -> frozenset[bytes]:
    return frozenset(_source().split())


class _Vocabulary:
    """Words of inspector's own source: found in an output, they tell nothing of an original that is the same word.

    To find a few words in it takes less time than to tell all words apart.
    """

    def __init__(self) -> None:
        self._asked: dict[bytes, bool] = {}

    def __contains__(self, text: str) -> bool:
        word = text.encode()
        if len(word) < 3:
            return False
        if len(self._asked) >= SOUGHT:
            return word in _every_word()
        if word not in self._asked:
            self._asked[word] = b" " + word + b" " in _source()
        return self._asked[word]


_VOCABULARY: Final = _Vocabulary()


def canonical(noun: str, text: str) -> bytes:
    """The bytes behind a value, whichever way it is printed: keys come as hexadecimal and as quoted text."""
    if noun == "channel" and (parts := _SCID.fullmatch(text)):
        block, transaction, output = map(int, parts.groups())
        return ((block & 0xFFFFFF) << 40 | (transaction & 0xFFFFFF) << 16 | output & 0xFFFF).to_bytes(8, "big")
    if noun == "peer" and len(text) <= _LONGEST_PEER and set(text) <= set(BASE58):
        number = 0
        for letter in text:
            number = number * 58 + BASE58.index(letter)
        return bytes(len(text) - len(text.lstrip("1"))) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if noun == "node" and _HEX.fullmatch(text):
        return bytes.fromhex(text)
    if noun == "key":
        bare = text.rstrip("…")
        if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "'\"":
            return bare[1:-1].encode("utf-8", "surrogatepass").replace(b"\\\\", b"\\").replace(b"\\'", b"'")
        digits = bare.removeprefix("0x")
        if _HEX.fullmatch(digits):
            return bytes.fromhex(digits)
    return text.encode("utf-8", "surrogatepass")


class _Sought(Struct):
    """A search, the name of each original in it, and how many of those that may come are in it."""

    search: Search
    names: list[str]
    known: int = 0
    withheld: int = 0
    apart: Search = field(default_factory=Search)  # plain shapes of originals that have others, or none, in `search`


class Redactor:
    """The names given so far, and what they stand for."""

    def __init__(self, show_bytes: bool = False) -> None:
        self.show_bytes = show_bytes
        self.beyond = 0  # originals that found no room in the book
        self._numbers: dict[tuple[str, bytes], int] = {}
        self._counts: Counter[str] = Counter()
        self._names: dict[str, str] = {}  # pseudonym -> original as it was first printed
        self._known: dict[str, str] = {}  # text -> noun; a number is given when it first appears
        self._lengths: dict[str, list[int]] = {}  # first two characters -> lengths of what begins so, longest first
        self._bytes: dict[bytes, bool] = {}  # whether a part of them is a leak, too
        self._searches = (_Sought(Search(), []), _Sought(Search(), []))  # for all shapes, for the plain ones alone
        self._key = hashlib.sha256(SCHEMA.encode())

    def name(self, noun: str, original: str) -> str:
        """The pseudonym of `original`, a new one where it has none."""
        if not original or original in self._names or _renamed(noun, original):
            return original
        if noun != "path" or not speaks_for_itself(original):  # a folder may be called "stores"
            self.know(noun, original)
        noun = self._known.get(original, noun)  # the first who named it decides what it is
        canon = canonical(noun, original)
        number = self._numbers.get((noun, canon))
        if number is None:
            if len(self._numbers) >= MOST:
                self.beyond += 1
                return f"{noun}-h{hashlib.blake2b(canon, digest_size=8, key=self._key.digest()).hexdigest()}"
            self._counts[noun] += 1
            number = self._counts[noun]
            self._numbers[noun, canon] = number
            self._names[f"{noun}-{number}"] = original
            self._key.update(canon)
        return f"{noun}-{number}"

    @property
    def learnt(self) -> int:
        """Grows with each original that becomes known: until then the same text is replaced in the same way."""
        return len(self._known)

    def know(self, noun: str, original: str) -> None:
        """Make running text with `original` in it be replaced from now on, without giving a number yet."""
        if original and original not in self._known and len(self._known) < MOST and not _renamed(noun, original):
            self._known[original] = noun
            lengths = self._lengths.setdefault(original[:2], [])
            if 1 < len(original) <= _LONGEST and len(original) not in lengths:
                lengths.append(len(original))
                lengths.sort(reverse=True)

    def withhold(self, raw: bytes, pieces: bool = True) -> str:
        """Bytes that are shown by length and entropy only, and must not be found in the output."""
        if len(self._bytes) < MOST:
            if self._bytes.get(raw, pieces) != pieces:
                self._searches = (_Sought(Search(), []), _Sought(Search(), []))
            self._bytes[raw] = pieces
        return entropy_words(raw)

    def known(self, text: str) -> str | None:
        """The pseudonym of exactly this text, where it is private."""
        return self.name(self._known[text], text) if text in self._known else None

    def resolve(self, pseudonym: str) -> str:
        """What a pseudonym of the book stands for; anything else stays what it is."""
        return self._names.get(pseudonym, pseudonym)

    def text(self, text: str) -> str:
        """Running text with every known original replaced: short ones as whole words, long ones anywhere."""
        if not self._known or not text:
            return text
        out: list[str] = []
        done, heads = 0, self._lengths
        for at in [i for i in range(len(text)) if text[i : i + 2] in heads]:
            found = self._at(text, at) if at >= done else None
            if found is None:
                continue
            out += [text[done:at], self.name(self._known[found], found)]
            done = at + len(found)
        return "".join([*out, text[done:]]) if out else text

    def _at(self, text: str, at: int) -> str | None:
        starts = at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")
        for length in self._lengths.get(text[at : at + 2], ()):
            word = text[at : at + length]
            if len(word) < length or word not in self._known:
                continue
            end = at + length
            whole = starts and (end == len(text) or not (text[end].isalnum() or text[end] == "_"))
            if whole and not word.isdigit():
                return word
            if length >= LEAST and not speaks_for_itself(word):
                return word
        return None

    def search(self, plain: bool = False) -> tuple[Search, list[str]]:
        """What to look for in finished output, and the name of each; `plain`: only what may simply be replaced."""
        sought = self._searches[plain]
        search, names = sought.search, sought.names
        kin: dict[tuple[int, bytes], Kin] = {}
        for text, noun in islice(self._known.items(), sought.known, None):
            if not speaks_for_itself(text):
                raw = canonical(noun, text)
                if not plain and KIN < len(raw) <= CHUNK and len(set(raw)) > 2 and text == raw.hex():
                    group = kin.setdefault((len(raw), raw[:KIN]), Kin([], []))
                    group.raw.append(raw)
                    group.numbers.append(len(names))
                    names.append(f"{noun}\0{text}")
                    continue
                found = plain_shapes(text, raw) if plain else shapes(text, raw)
                if not plain and (not found or len(raw) > CHUNK) and len(raw) >= LEAST:
                    sought.apart.add(len(names), plain_shapes(text, raw))
                if not plain:  # a name of a file may be no UTF-8
                    also = text.encode("utf-8", "surrogatepass")
                    if also != raw and text.removeprefix("0x") != raw.hex():  # nobody codes hexadecimal once more
                        found |= shapes(text, also)
                if len(raw) >= LEAST:
                    search.add(len(names), found)
                    names.append(f"{noun}\0{text}")
        for raw, pieces in () if plain else islice(self._bytes.items(), sought.withheld, None):
            search.add(len(names), shapes(raw.decode("latin-1"), raw, pieces))
            names.append("bytes\0")
        for group in kin.values():
            search.add_kin(group)
        sought.known, sought.withheld = len(self._known), len(self._bytes)
        return search, names

    def holds_none(self, data: bytes) -> bool:
        """Whether no original stands in finished output, in whatever shape: as if both searches had been asked."""
        search, _ = self.search()
        return next(chain(search.hits(data), self._searches[False].apart.hits(data)), None) is None

    def load(self, path: str) -> None:
        """Take the names of an earlier run; raises RefusedError where others can read the file."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno in (errno.EIO, errno.ENXIO, errno.EACCES):
                raise SourceError(f"{path}: {error.strerror}") from error
            raise UsageError(f"{path}: {error.strerror}", "--redact-map takes a file of its own") from error
        with os.fdopen(fd, "rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise RefusedError(f"{path} can be read by others and undoes every redaction", f"chmod 600 {path}")
            try:
                book = json.load(file)
                pairs = [_entry(*row) for row in book["names"]]
                if book["schema"] != SCHEMA:
                    raise ValueError
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise UsageError(f"{path} is not a map that --redact-map wrote", "name another file") from error
        for noun, name, canon, original, number in pairs[:MOST]:
            self.know(noun, original)
            self._numbers[noun, canon] = number
            self._names[name] = original
            self._counts[noun] = max(self._counts[noun], self._numbers[noun, canon])
            self._key.update(canon)

    def save(self, path: str) -> None:
        """Write the book, readable by its owner alone; the old one stays until the new one is whole."""
        from inspector.output import place_file

        by_name = {f"{noun}-{number}": (noun, canon) for (noun, canon), number in self._numbers.items()}
        names = [[by_name[n][0], n, by_name[n][1].hex(), original] for n, original in self._names.items()]
        data = json.dumps({"schema": SCHEMA, "names": names}, indent=1).encode() + b"\n"
        with place_file(path, None, len(data), force=True, mode=0o600) as place:
            view = memoryview(data)
            while view:
                view = view[os.write(place.fd, view) :]


class Shown(Generic[T]):
    """Things as they are shown, made once as long as no more becomes known: a report asks for its findings often."""

    def __init__(self, redactor: Redactor, show: Callable[[T], T]) -> None:
        self._redactor, self._show = redactor, show
        self._learnt = 0
        self._kept: list[T] = []
        self._shown: list[T] = []

    def of(self, kept: list[T]) -> list[T]:
        """These things as they are shown; a list that was given does not change any more."""
        before = self._redactor.learnt
        if kept is self._kept and before == self._learnt:
            return self._shown
        shown = list(map(self._show, kept))
        if before == self._redactor.learnt:  # else the first of them do not have what became known with the last
            self._kept, self._shown, self._learnt = kept, shown, before
        return shown


def _entry(noun: str, name: str, canon: str, original: str) -> tuple[str, str, bytes, str, int]:
    """A row of the book as it is saved; raises what `load` expects of a file that somebody else wrote."""
    head, _, number = name.rpartition("-")
    if head != noun or not isinstance(original, str):
        raise ValueError(name)
    return noun, name, bytes.fromhex(canon), original, int(number)


def speaks_for_itself(text: str) -> bool:
    """Plain words that inspector uses itself, and numbers: they stand in any output, whoever calls a volume so."""
    return bool(_SPEAKS_FOR_ITSELF.fullmatch(text)) and (not text or text.isdigit() or text in _VOCABULARY)


@lru_cache(maxsize=2048)  # the same findings are shown in many places of a report
def without_quotes(text: str, raw: bytes) -> str:
    """Running text without the stretches of six bytes or more that stand in `raw`, but for words of inspector's own."""
    if len(raw) < LEAST:
        return text
    out: list[str] = []
    at, plain = 0, text.encode() if text.isascii() else None
    size = LEAST - 1  # of each stretch of six bytes one of every second five is a part
    if plain is not None and not any(plain[i : i + size] in raw for i in range(0, len(plain) - size + 1, 2)):
        return text
    while at < len(text):
        end = at
        while end < len(text):
            longer = text[at : end + 1].encode("utf-8", "surrogatepass") if plain is None else plain[at : end + 1]
            if longer not in raw:
                break
            end += 1
        quote = text[at:end]
        hide = len(quote.encode("utf-8", "surrogatepass")) >= LEAST
        hide = hide and not all(speaks_for_itself(word) for word in re.split(r"\W+", quote))
        out.append(f"({end - at} private characters)" if hide else text[at : max(end, at + 1)])
        at = max(end, at + 1)
    return "".join(out)


def as_text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes | bytearray | memoryview) else str(value)
