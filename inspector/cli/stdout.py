"""Standard output: survives a reader that goes away, never fails on a character, knows its width and colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING

from inspector.cli.privacy import Gate, active
from inspector.errors import OutputError

if TYPE_CHECKING:
    from inspector.render.text import Block

PIPE_WIDTH = 100  # columns of text that goes into a file or a pipe
CHUNK = 1 << 16

# our own typography where the encoding has none of it; file text is escaped instead
_ASCII = str.maketrans({"…": "...", "—": "-", "–": "-", "→": "->", "·": ".", "×": "x", "≈": "~", "│": "|", "└": "`"})


class Output:
    """Where a command puts its result; `closed` once the reader went away (what is written then is dropped)."""

    gate: Gate | None = None  # of --redact: shared, because a command may open its output twice

    def __init__(self) -> None:
        self._stream = sys.stdout
        self._stream.flush()
        self.tty = self._stream.isatty()
        self.encoding = self._stream.encoding or "utf-8"
        self.utf8 = self.encoding.lower().replace("-", "") == "utf8"
        self.closed = False
        self._held: list[bytes] = []
        self._size = 0
        redactor = active()
        if redactor is not None and Output.gate is None:
            Output.gate = Gate(redactor)

    @property
    def width(self) -> int:
        if not self.tty:
            return PIPE_WIDTH
        import shutil

        return max(40, min(shutil.get_terminal_size().columns, 140))

    @property
    def colour(self) -> bool:
        """FORCE_COLOR colours also a pipe; NO_COLOR and a dumb terminal get no escape sequence at all."""
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return self.tty or bool(os.environ.get("FORCE_COLOR"))

    def blocks(self, blocks: Iterable[Block]) -> None:
        """Text for people, through rich only where there are colours."""
        redactor = active()
        if redactor is not None:
            from inspector.render.text import reworded

            blocks = reworded(blocks, redactor.text)
        if self.colour:
            from inspector.render.terminal import write
        else:
            from inspector.render.plain import write
        write(takewhile(lambda _: not self.closed, blocks), self, self.width)
        self.flush()

    def line(self, text: str) -> None:
        self.write(text + "\n")
        if self.tty:
            self.flush()

    def data_line(self, data: bytes) -> None:
        """A line of JSON, which is UTF-8 whatever the terminal speaks."""
        self.data(data + b"\n")
        if self.tty:
            self.flush()

    def write(self, text: str) -> int:
        """Text; also the `write` that rich calls."""
        self.data((text if self.utf8 else text.translate(_ASCII)).encode(self.encoding, "backslashreplace"))
        return len(text)

    def data(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size >= CHUNK:
            self.flush()

    @classmethod
    def release(cls) -> None:
        """Print what the gate held; raises RefusedError, having printed nothing, where something private is in it."""
        gate, cls.gate = cls.gate, None
        if gate is not None:
            out = cls()
            cls.gate = None
            for piece in gate.released():
                out.data(piece)
            out.flush()

    def flush(self) -> None:
        held, self._held, self._size = b"".join(self._held), [], 0
        if self.closed or not held:
            return
        if Output.gate is not None:
            Output.gate.write(held)
            return
        try:
            self._stream.buffer.write(held)
            self._stream.buffer.flush()
        except BrokenPipeError:
            self._give_up()
        except OSError as error:
            self._give_up()
            raise OutputError(f"standard output: {error.strerror}") from error

    def _give_up(self) -> None:
        """What the buffered layer still holds must not raise again when the interpreter ends."""
        self.closed = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def isatty(self) -> bool:
        return self.tty
