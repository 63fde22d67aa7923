"""An open file of somebody's: it asks at each use whether the login lives, and what was not closed in order is never there."""

import io
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from fsspec.spec import AbstractBufferedFile

from st_auth.connections.files.store import PART
from st_auth.personal import Personal

__all__ = ["PersonalFile", "PersonalText", "modes_of"]

_LINE: Final = 64 * 1024
_MODES: Final = {"r": ("r", True), "w": ("w", True), "x": ("x", True), "rb": ("r", False), "wb": ("w", False), "xb": ("x", False)}


def modes_of(mode: str) -> tuple[str, bool]:
    """Return what a mode means: `r`, `w` or `x`, and whether it is text. Raises ValueError."""
    found = _MODES.get(str(mode).replace("t", ""))
    if found is None:
        raise ValueError('mode is "rb", "wb", "xb", or "r", "w", "x" for text: such a file is read, or written anew, as a whole.')
    return found


class PersonalFile(Personal, AbstractBufferedFile):  # type: ignore[misc]  # fsspec ships no types
    """A file of one person's, in bytes. Reading, it is of one version from its beginning to its end. For one thread at a time.

    Writing, it goes in pieces of 8 MiB, and is there when it is closed; a block that raises, a login that ends, or a file that is
    forgotten leaves nothing. Raises what `FilesHandle` does.
    """

    __hash__ = None
    buffer: Any
    closed: Any

    def __init__(self, fs: Any, do: Callable[..., Any], info: dict[str, Any], mode: str, block_size: int | None) -> None:
        self._do = do
        self._version = info.get("version", "")
        self._home: Any = None
        self._upload: Any = None
        super().__init__(fs, info["name"], mode, block_size, size=info.get("size"))
        if mode == "rb":
            self._details = info
        self.name = self.path

    def read(self, length: int | None = -1) -> bytes:
        """Return bytes; all that is left where no length is given."""
        self._check()
        content: bytes = super().read(length)
        return content

    read1 = read

    def readline(self, size: int | None = -1) -> bytes:
        """Return a line, of at most `size` bytes where that is given."""
        line: bytes = self.readuntil(b"\n", blocks=_LINE)
        if size is not None and 0 <= size < len(line):
            self.seek(size - len(line), os.SEEK_CUR)
            return line[:size]
        return line

    def write(self, data: Any) -> int:
        """Take bytes, and send what makes a piece."""
        self._check()
        if not self.writable():
            raise io.UnsupportedOperation("This file is open for reading.")
        count: int = self.buffer.write(data)
        self.loc += count
        if self.buffer.tell() > PART:
            self._send_pieces(memoryview(self.buffer.getvalue()))
        return count

    def flush(self, *_: Any, **__: Any) -> None:
        """Nothing but the question whether this file may still be used: pieces are sent when they are full."""
        if not self.closed and self.mode != "rb":
            self._check()

    def close(self) -> None:
        """Close it. What was written is there then, or it raises and nothing is."""
        if self.closed:
            return
        if self.mode == "rb":
            super().close()
            return
        try:
            self._finish()
        except BaseException:
            self.discard()
            raise
        self.closed = True
        self.buffer = None

    def discard(self, *, wait: bool = True) -> None:
        """Close it, and let nothing come of what was written."""
        self.closed = True
        self.buffer = self.cache = None
        if self._upload is not None:
            self._home.drop(self._upload, wait=wait)
            self._upload = None

    def _fetch_range(self, start: int, end: int) -> bytes:
        content: bytes = self._do(lambda files: files.read(self.path, start, end, self._version))
        return content

    def _check(self) -> None:
        """Raise unless it is open, the login lives and this is a run of its."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        self._do(lambda _: None)

    def _send_pieces(self, content: memoryview) -> None:
        """Send what makes whole pieces and keep the rest. Where that fails, nothing comes of the file, whatever is done with it then."""
        sent = 0
        try:
            while len(content) - sent > PART:
                self._send(bytes(content[sent : sent + PART]))
                sent += PART
        except BaseException:
            self.discard()
            raise
        self.buffer = io.BytesIO()
        self.buffer.write(content[sent:])

    def _send(self, content: bytes) -> None:
        def send(files: Any) -> None:
            if self._upload is None:
                self._home, self._upload = files, files.begin(self.path, is_new=self.mode == "xb")
            files.send(self._upload, content)

        self._do(send)

    def _finish(self) -> None:
        content, is_new = self.buffer.getvalue(), self.mode == "xb"
        if self._upload is None:
            self._do(lambda files: files.write(self.path, content, is_new=is_new))
        else:
            self._do(lambda files: files.finish(self._upload, content))
            self._upload = None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self.mode != "rb":
            self.discard()
        self.close()

    def __del__(self) -> None:
        if not self.closed:
            self.discard(wait=False)

    def __repr__(self) -> str:
        return f"PersonalFile({self.path!r}, {self.mode!r})"

    __str__ = __repr__


class PersonalText(Personal, io.TextIOWrapper):
    """A file of one person's, in text; what holds for `PersonalFile` holds here."""

    __hash__ = None  # type: ignore[assignment]  # refused on purpose, as in Personal

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._discard()
        self.close()

    def _discard(self) -> None:
        with suppress(ValueError):  # somebody has detached it
            getattr(self.buffer, "discard", bool)()

    def __del__(self) -> None:
        self._discard()
