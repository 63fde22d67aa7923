"""Somebody's files as a file system of fsspec's: nothing of it is kept for others, and each call asks whose run this is."""

import errno
import os
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeVar

from fsspec import AbstractFileSystem

from st_auth.connections.files.file import PersonalFile, PersonalText, modes_of
from st_auth.connections.files.root import plain_path
from st_auth.personal import Personal

__all__ = ["PersonalFiles"]

T = TypeVar("T")
Do = Callable[[Callable[[Any], Any]], Any]


class PersonalFiles(Personal, AbstractFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """The files of one person at one connection. Paths are relative to the section's `url`; `NAME://path` means the same.

    It cannot be hashed, copied or pickled, is in no registry, and keeps no listings. Raises what `FilesHandle` does.
    """

    cachable = False
    __hash__ = None

    def __init__(self, name: str, do: Do, bound: Do) -> None:
        super().__init__(use_listings_cache=False)
        self.protocol = (name,)
        self._do = do
        self._bound = bound

    # -- what everything else is made of --------------------------------------------------------------------------------------

    def ls(self, path: str = "", detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT002 - as fsspec has it
        """Return what is in a folder, as dicts or names."""
        place = self._place(path, top=True)
        found: list[Any] = self._asked(place, lambda files: files.folder(place))
        return found if detail else [info["name"] for info in found]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return what a path is."""
        place = self._place(path, top=True)
        found: dict[str, Any] = self._asked(place, lambda files: files.info(place))
        return found

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **_: Any) -> Any:  # noqa: FBT002 - as fsspec has it
        """Return all files below a folder; with `withdirs` the folders too."""
        place = self._place(path, top=True)
        if maxdepth is not None:
            return super().find(place, maxdepth=maxdepth, withdirs=withdirs, detail=detail)
        found: dict[str, Any] = {info["name"]: info for info in self._asked(place, lambda files: files.find(place))}
        if not found and place and self.isfile(place):
            found = {place: self.info(place)}
        if withdirs:
            found |= {folder: {"name": folder, "size": 0, "type": "directory"} for folder in _folders(found, place)}
        found = dict(sorted(found.items()))
        return found if detail else list(found)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return a file's bytes, or some of them; counted from the end where negative."""
        place = self._place(path)
        if (start or 0) < 0 or (end or 0) < 0:
            size = self.info(place)["size"]
            start, end = (None if one is None else max(0, one + size) if one < 0 else one for one in (start, end))
        if end is not None and end <= (start or 0):
            return b""
        content: bytes = self._asked(place, lambda files: files.read(place, start, end))
        return content

    def pipe_file(self, path: str, value: Any, mode: str = "overwrite", **_: Any) -> None:
        """Write a file whole; with mode `create` only where there is none."""
        place, content = self._place(path), bytes(memoryview(value))
        self._asked(place, lambda files: files.write(place, content, is_new=mode == "create"))

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy one file."""
        place, to = self._place(path1), self._place(path2)
        if not self.isdir(place):
            self._asked(place, lambda files: files.copy(place, to))

    def rm_file(self, path: str) -> None:
        """Delete one file."""
        place = self._place(path)
        self._asked(place, lambda files: files.delete(place))

    _rm = rm_file

    def rm(self, path: str | Iterable[str], recursive: bool = False, maxdepth: int | None = None) -> None:  # noqa: FBT002 - as fsspec has it
        """Delete a file, or with `recursive` all that is in a folder; the whole of a person's files is no folder."""
        for one in [path] if isinstance(path, str) else path:
            place = self._place(one)
            is_folder = self.info(place)["type"] == "directory"
            if is_folder and not recursive:
                raise IsADirectoryError(errno.EISDIR, "With recursive=True all that is in it is deleted", place)
            for file in self.find(place, maxdepth=maxdepth) if is_folder else [place]:
                self.rm_file(file)

    def open(self, path: str, mode: str = "rb", block_size: int | None = None, compression: str | None = None, **text: Any) -> Any:
        """Open a file: see `FilesHandle.open`. `compression` is for reading alone."""
        way, is_text = modes_of(mode)
        if compression and way != "r":
            raise ValueError("What is written here is not compressed on its way: give the library that writes it the compression.")
        given = {key: text.pop(key) for key in ("encoding", "errors", "newline") if key in text}
        file = self._opened(self._place(path), f"{way}b", block_size)
        if compression:
            from fsspec.compression import compr
            from fsspec.core import get_compression

            file = compr[get_compression(path, compression)](file, mode="r")
        return PersonalText(file, **given) if is_text else file

    def _opened(self, place: str, mode: str, block_size: int | None) -> PersonalFile:
        info = self._asked(place, lambda files: files.info(place) if mode == "rb" else {"name": place})
        if info.get("type") == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), place)
        return PersonalFile(self, self._bound, info, mode, block_size)

    # -- what fsspec has for everything that goes wrong, or for file systems that have folders --------------------------------------

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is a file or a folder."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def isdir(self, path: str) -> bool:
        """Whether it is a folder."""
        return self.exists(path) and self.info(path)["type"] == "directory"

    def isfile(self, path: str) -> bool:
        """Whether it is a file."""
        return self.exists(path) and self.info(path)["type"] == "file"

    def mkdir(self, path: str, *_: Any, **__: Any) -> None:
        """Nothing: a folder is there as soon as something is in it."""
        self._asked(self._place(path, top=True), lambda _: None)

    def makedirs(self, path: str, *_: Any, **__: Any) -> None:
        """Nothing: see `mkdir`."""
        self.mkdir(path)

    def rmdir(self, path: str) -> None:
        """Nothing: see `mkdir`."""
        self.mkdir(path)

    def modified(self, path: str) -> Any:
        """Return when a file was written."""
        return self.info(path)["mtime"]

    def start_transaction(self) -> NoReturn:
        """Refuse: each file is there when it is closed."""
        raise NotImplementedError("There is no transaction over several files here: each is there when it is closed.")

    transaction = property(start_transaction)

    def sign(self, path: str, expiration: int = 100, **_: Any) -> NoReturn:
        """Refuse: whoever has such an address may read after the login has ended."""
        raise NotImplementedError("There are no signed addresses here: they would outlive the login.")

    def to_json(self, **_: Any) -> NoReturn:
        """Refuse: it is one person's."""
        self.__reduce_ex__(2)

    to_dict = __dask_tokenize__ = to_json

    def _strip_protocol(self, path: Any) -> Any:
        """The path without `NAME://` and a slash at its end; of a list each."""
        if isinstance(path, list):
            return [self._strip_protocol(one) for one in path]
        text = os.fspath(path) if isinstance(path, os.PathLike) else path
        if not isinstance(text, str):
            raise TypeError('A path is a text, such as "orders/2026.csv".')
        text = str.__str__(text).removeprefix(f"{self.protocol[0]}://")
        return text.removesuffix("/") if text != "/" else text

    def _place(self, path: Any, *, top: bool = False) -> str:
        """The path as the connection takes it. Raises ValueError and TypeError before anything is asked."""
        return plain_path(self._strip_protocol(path), top=top)

    def _parent(self, path: str) -> str:
        return str(self._strip_protocol(path)).rpartition("/")[0]

    def _asked(self, place: str, act: Callable[[Any], T]) -> T:
        """Do something with the connection; a missing file is named as the person knows it."""
        try:
            done: T = self._do(act)
        except FileNotFoundError as error:
            code, words = error.errno, error.strerror
        else:
            return done
        raise FileNotFoundError(code, words, place)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"PersonalFiles({self.protocol[0]!r})"


def _folders(paths: Iterable[str], top: str) -> set[str]:
    """The folders that the paths lie in, below `top`."""
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent != top and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found
