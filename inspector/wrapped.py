"""What a file is that holds no store as it stands: packed, encrypted, written as text, a disk image of another kind;
and the command that unwraps it."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from inspector.diagnosis.traces import SAMPLE, translation
from inspector.errors import UnknownFormatError
from inspector.packings import Packing, packing_of
from inspector.sanitize import quoted
from inspector.source import Source
from inspector.translations import UNDOING

SEEN = 16 << 20  # how far formats look for their first sign
LINES = 64  # of text that are looked at
SHARE = 0.9  # of them that have to be of a kind: a first line says what follows
INTO = " | inspector scan -"


class Wrapped(Struct, frozen=True):
    """`what` ends the sentence "no known format: ..."; `hint` is the next step."""

    what: str
    hint: str
    doubtful: bool = False  # it may still be one of the formats, so what each of them missed is of use


_TARS = (".tgz", ".txz", ".tbz", ".tbz2", ".tzst", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tar.lz4")
_ENCRYPTED = (
    (b"-----BEGIN PGP MESSAGE-----", "gpg -d {}"),
    (b"age-encryption.org/v1", "age -d -i KEY {}"),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "age -d -i KEY {}"),
    (b"Salted__", "openssl enc -d ... -in {}"),
)

_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?<(?:!doctype html|html|head|\?xml)", re.IGNORECASE)
_XXD = re.compile(rb"[0-9a-f]{8}: (?:[0-9a-f]{2,8} ){1,16}")
_HEXDUMP = re.compile(rb"[0-9a-f]{8}  (?:[0-9a-f]{2} {1,2}){1,16}")
_HEX = re.compile(rb"[0-9a-fA-F]{32,}|(?:[0-9a-fA-F]{2}[ :]){8,}(?:[0-9a-fA-F]{2})?")
_JOURNAL = re.compile(rb'\{ ?"')
_NUMBERS = re.compile(rb'"MESSAGE" ?: ?\[ ?[0-9]')
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
# the marks of the longer ones begin like those of the shorter
_WIDE_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")


def unknown(source: Source, tried: tuple[tuple[str, str], ...]) -> UnknownFormatError:
    """What no format claims: what it is instead, where that is known, and how to go on."""
    nothing = f"{source.label}: no known format"
    if source.kind == "folder":
        hint = f"inspector scan {quoted(source.label)} tells the stores that lie in it: name one of them"
        return UnknownFormatError(nothing, hint, tried)
    found = wrapping(source)
    if found is not None:
        return UnknownFormatError(f"{nothing}: {found.what}", found.hint, tried if found.doubtful else ())
    hint = f"a store inside of something else: {_carve(source)}; inspector formats lists what is known"
    return UnknownFormatError(nothing, hint, tried)


def packed(source: Source) -> Wrapped | None:
    """A container that starts here: whatever lies in it as it was, a store is read from it when it is unpacked."""
    head = source.read(0, 512)
    if found := packing_of(head):
        return Wrapped(found.what, _unwrapped(found, source))
    for mark, command in _ENCRYPTED:
        if head.startswith(mark):
            return Wrapped("an encrypted file", f"decrypt it first: {_piped(command, source)}")
    return None


def _unwrapped(packing: Packing, source: Source) -> str:
    name = quoted(source.label)
    if packing.kind == "image":
        return f"make it raw first: {packing.command.format(name)}"
    if packing.kind == "stream" and not source.label.endswith(_TARS):
        return f"unpack it first: {_piped(packing.command, source)}"
    command = "tar -xf {}" if packing.kind == "stream" else packing.command
    return f"unpack it, and name the file that was in it: {command.format(name)}"


def wrapping(source: Source) -> Wrapped | None:
    """What a source is that no format claims, as far as it is known."""
    sample = source.read(0, SAMPLE)
    if not sample:
        return Wrapped("the file is empty", "its program had not written anything, or a copy of it never began")
    return packed(source) or next((found for look in _LOOKS if (found := look(sample, source))), None)


def _carve(source: Source) -> str:
    return f"inspector carve {quoted(source.label)} --format NAME -o OUT"


def _piped(command: str, source: Source) -> str:
    """The command that unwraps the source into a scan; what was piped in already gets it in between."""
    if source.label == "-":
        return f"... | {command.replace(' {}', '')}{INTO}"
    return command.format(quoted(source.label)) + INTO


def _zeroes(sample: bytes, source: Source) -> Wrapped | None:
    """Nothing but zeroes at the start, in the middle and at the end."""
    size = source.size
    places = (size // 4, size // 2, size * 3 // 4, max(0, size - SAMPLE))
    if any(sample) or any(any(source.read(at, SAMPLE)) for at in places):
        return None
    carve = "; a store further in: " + _carve(source) if size > SEEN else ""
    return Wrapped(
        "all bytes that were looked at are 00",
        f"space that was never written, an unfinished copy, or another disk than the one that was meant{carve}",
    )


def _another(sample: bytes, source: Source) -> Wrapped | None:
    """A file that has nothing of the store in it, or names where that is."""
    name = quoted(source.label)
    if _PAGE.match(sample):
        return Wrapped("a web page", "the download saved a page about the file instead of the file: load the raw one")
    if sample.startswith(b"version https://git-lfs"):
        return Wrapped("a pointer of git-lfs", "the file itself is fetched by: git lfs pull")
    if sample.startswith(b"# Mapfile. Created by GNU ddrescue"):
        return Wrapped("a map of ddrescue", "name the image that belongs to it")
    if sample.startswith(b"SQLite format 3\x00"):
        return Wrapped("an SQLite database", f"sqlite3 {name} 'pragma integrity_check', and .recover, are made for it")
    if sample.startswith(b"\x7fELF") and sample[16:18] in (b"\x04\x00", b"\x00\x04"):
        return Wrapped("a core file", f"what verifies in it: {_carve(source)}")
    return None


def _written_out(sample: bytes, source: Source) -> Wrapped | None:
    """Bytes written as text."""
    cut = -3 if len(sample) == SAMPLE else None  # a letter may be cut in two there
    if _NO_TEXT.search(sample.decode("utf-8", "replace")[:cut]):
        return None
    lines = [line.rstrip(b"\r") for line in sample.split(b"\n") if line.strip()][:LINES]
    if len(lines) > 1:
        lines.pop()  # it may be cut short by its end, or by that of the sample
    if _mostly(lines, _XXD.match):
        return Wrapped("a dump by xxd", f"make it bytes again: {_piped('xxd -r {}', source)}")
    if _mostly(lines, _HEXDUMP.match):
        turned = _piped("cut -c 10-58 {} | xxd -r -p", source)
        return Wrapped("a dump by hexdump -C", f"make it bytes again (a line of * left some out: hexdump -v): {turned}")
    if _mostly(lines, _HEX.fullmatch):
        return Wrapped("bytes written as hexadecimal digits", f"make it bytes again: {_piped('xxd -r -p {}', source)}")
    if _mostly(lines, _BASE64.fullmatch):
        whole = all(map(_BASE64.fullmatch, lines))
        command = "base64 -d {}" if whole else r"tr -d '\r' < {} | grep -E '^[A-Za-z0-9+/=]+$' | base64 -d"
        return Wrapped("base64", f"make it bytes again: {_piped(command, source)}")
    if _mostly(lines, _JOURNAL.match) and any(map(_NUMBERS.search, lines)):
        turn = "jq -r '.MESSAGE | if type == \"array\" then implode else . end' {}"  # journald does so with colours
        return Wrapped(
            "a journal in JSON with messages written as numbers", f"make it text again: {_piped(turn, source)}"
        )
    if lines and re.match(rb"begin [0-7]{3,4} \S", lines[0]):
        return Wrapped("uuencoded", f"make it bytes again: {_piped('uudecode -o - {}', source)}")
    return Wrapped(
        "text",
        'what a line of a log means: inspector explain "LINE"; of whole logs those with Kademlia bootstraps are read',
        doubtful=True,
    )


def _mostly(lines: list[bytes], of_a_kind: Callable[[bytes], object]) -> bool:
    return bool(lines) and sum(1 for line in lines if of_a_kind(line)) >= SHARE * len(lines)


def _wide(sample: bytes) -> str:
    """What iconv calls the encoding of text in two or four bytes a letter; "" for anything else."""
    for mark, encoding in _WIDE_MARKS:
        if sample.startswith(mark):
            return encoding
    for encoding, high in (("UTF-16LE", 1), ("UTF-16BE", 0)):  # without a mark, most of it Latin
        zeroes = sample[high::2].count(0)
        if zeroes >= SHARE * (len(sample) // 2) and len(sample) > 2 * LINES:
            text = sample[: len(sample) // 2 * 2].decode(encoding, "replace")
            return "" if _NO_TEXT.search(text.rstrip("\ufffd")) else encoding
    return ""


def _translated(sample: bytes, source: Source) -> Wrapped | None:
    """Binary bytes that some program took for text."""
    if encoding := _wide(sample):
        marked = "text in UTF-16, as PowerShell's > writes it" if encoding == "UTF-16" else f"text in {encoding}"
        return Wrapped(
            marked,
            f"a log: {_piped(f'iconv -f {encoding} -t UTF-8 {{}}', source)}; "
            "a store cannot be got back from it: copy the file itself",
        )
    found = translation(sample)
    if found is None:
        return None
    how, because = found
    if how == "replaced":
        return Wrapped(because, "what they were is lost: copy the file again, as binary")
    return Wrapped(because, f"undone by: {_piped(UNDOING[how], source)}")


_LOOKS: tuple[Callable[[bytes, Source], Wrapped | None], ...] = (_zeroes, _another, _written_out, _translated)
