"""Files in a bucket as the person themselves: S3 by keys that STS gives for their token, Google Cloud Storage by a token."""

import asyncio
import errno
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from st_auth.connections.files.handle import FilesHandle
from st_auth.connections.files.root import Root, root_of
from st_auth.connections.files.store import PART, Changed, Entry, Refused, Store, Upload
from st_auth.connections.opening import Opening, failure, reason

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["HANDLE", "Files", "connect"]

HANDLE = FilesHandle

T = TypeVar("T")
Info = dict[str, Any]

_STORES: Final = {"s3": "st_auth.connections.files.s3", "gs": "st_auth.connections.files.gcs"}
_CLOSING: Final = 10.0
_LOGGER = logging.getLogger("st_auth")


def connect(opening: Opening) -> "Files":
    """Get what opens the bucket as this person. Raises ConnectionFailed (`token_not_accepted`, `role_not_granted`, `unreachable`),
    PermissionDenied (`claim_unusable`), or Stale where another token of the person's may help.
    """
    from fsspec.asyn import get_loop

    root = root_of(opening.config.name, opening.options)
    loop = get_loop()
    store: Store = import_module(_STORES[root.scheme]).connect(opening, root.bucket, loop)
    return Files(opening.config.name, root, store, loop)


class Files:
    """One person's bucket, below their root. Paths come and go as the person knows them, relative to it. Threads share it."""

    def __init__(self, name: str, root: Root, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._name = name
        self._root = root
        self._store = store
        self._loop = loop
        self._closed = False
        self._lock = threading.Lock()
        self._running: set[Future[Any]] = set()
        self._uploads: set[Upload] = set()

    @property
    def raw(self) -> Any:
        """The driver's file system: s3fs' or gcsfs'."""
        return self._store.raw

    # -- looking -----------------------------------------------------------------------------------------------------------

    def folder(self, path: str) -> list[Info]:
        """Return what is directly in a folder. Raises FileNotFoundError; the root is there even if it is empty."""
        key = self._root.key(path, top=True)
        below = key if key in ("", self._root.prefix) else f"{key}/"
        entries, folders = self._run(self._store.entries(below, deep=False))
        found = [*self._infos(entries, below), *map(_folder, filter(None, map(self._root.path, (one.rstrip("/") for one in folders))))]
        if not found and path and not entries:
            return [self._info_of(self._run(self._store.entry(key)))]
        return sorted(found, key=lambda info: info["name"])

    def find(self, path: str) -> list[Info]:
        """Return every file below a folder, however deep; none is no error."""
        key = self._root.key(path, top=True)
        below = key if key in ("", self._root.prefix) else f"{key}/"
        return sorted(self._infos(self._run(self._store.entries(below, deep=True))[0], below), key=lambda info: info["name"])

    def info(self, path: str) -> Info:
        """Return what a path is. Raises FileNotFoundError."""
        if not path:
            return _folder("")
        key = self._root.key(path)
        try:
            return self._info_of(self._run(self._store.entry(key)))
        except FileNotFoundError:
            entries, folders = self._run(self._store.entries(f"{key}/", deep=False, most=1))
            if not entries and not folders:
                raise
        return _folder(path)

    def _infos(self, entries: list[Entry], below: str) -> list[Info]:
        """What a path leads to; a placeholder for a folder is no file, and no name is given out that would mean something elsewhere."""
        return [self._info_of(entry) for entry in entries if entry.key != below and self._root.path(entry.key)]

    def _info_of(self, entry: Entry) -> Info:
        path = self._root.path(entry.key)
        return {"name": path, "size": entry.size, "type": "file", "mtime": entry.modified, "version": entry.version}

    # -- reading, writing, deleting -----------------------------------------------------------------------------------------

    def read(self, path: str, start: int | None = None, end: int | None = None, version: str = "") -> bytes:
        """Return a file's bytes, or some of them."""
        return self._run(self._store.read(self._root.key(path), start, end, version))

    def write(self, path: str, content: bytes, *, is_new: bool = False) -> None:
        """Write a file whole; large ones go in pieces, and are there when the last one is."""
        if len(content) <= PART:
            return self._run(self._store.write(self._root.key(path), content, is_new=is_new))
        upload = self.begin(path, is_new=is_new)
        try:
            for start in range(0, len(content) - PART, PART):
                self.send(upload, content[start : start + PART])
            self.finish(upload, content[upload.sent :])
        except BaseException:
            self.drop(upload)
            raise
        return None

    def delete(self, path: str) -> None:
        """Delete one file."""
        self._run(self._store.delete(self._root.key(path)))

    def copy(self, path: str, to: str) -> None:
        """Copy one file."""
        self._run(self._store.copy(self._root.key(path), self._root.key(to)))

    def begin(self, path: str, *, is_new: bool) -> Upload:
        """Begin to write a file in pieces."""
        upload = self._run(self._store.begin(self._root.key(path), is_new=is_new))
        self._uploads.add(upload)
        return upload

    def send(self, upload: Upload, content: bytes) -> None:
        """Send the next piece."""
        self._require_own(upload)
        self._run(self._store.send(upload, content))
        upload.sent += len(content)

    def finish(self, upload: Upload, content: bytes) -> None:
        """Send the rest; the file is there then."""
        self._require_own(upload)
        self._run(self._store.finish(upload, content))
        self._uploads.discard(upload)

    def drop(self, upload: Upload, *, wait: bool = True) -> None:
        """Let nothing come of an upload. Never raises: what the server keeps of it is not seen by anybody."""
        with self._lock:
            is_ours = upload in self._uploads
            self._uploads.discard(upload)
        if is_ours:
            dropped = asyncio.run_coroutine_threadsafe(self._drop(upload), self._loop)
            if wait:
                dropped.result()

    async def _drop(self, upload: Upload) -> None:
        try:
            await asyncio.wait_for(self._store.abort(upload), _CLOSING)
        except Exception as error:  # noqa: BLE001  # the file is not there, whatever the server says
            _LOGGER.warning("An upload was not aborted in order: %s", type(error).__name__)

    def _require_own(self, upload: Upload) -> None:
        """An upload ends with the connection that began it."""
        if upload not in self._uploads:
            raise _Lost

    # -- running and ending -------------------------------------------------------------------------------------------------

    def _run(self, act: Coroutine[Any, Any, T]) -> T:
        """Run something in the drivers' event loop and wait for it."""
        with self._lock:
            if self._closed:
                act.close()
                raise _Closed
            running = asyncio.run_coroutine_threadsafe(act, self._loop)
            self._running.add(running)
        try:
            return running.result()
        finally:
            self._running.discard(running)

    def is_over(self, error: Exception) -> bool:
        """Whether it was closed under us, before anything was sent."""
        return isinstance(error, _Closed)

    def failed(self, error: Exception) -> Exception:
        """Say what an error of the driver's means: a missing file is FileNotFoundError, all else ConnectionFailed."""
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        for fits, code, what, hint in _MEANINGS:
            if fits(error):
                return failure(self._name, code, what, hint, error)
        hint = "Check url, region and endpoint in the section."
        return failure(self._name, "request_failed", f"the request was refused ({reason(error)}).", hint, error)

    def cancel(self) -> None:
        """Stop what runs."""
        for running in list(self._running):
            running.cancel()

    def close(self) -> None:
        """Drop what was not finished, then close the connections that are kept open."""
        with self._lock:
            self._closed = True
            uploads = list(self._uploads)
            self._uploads.clear()
        asyncio.run_coroutine_threadsafe(self._end(uploads), self._loop).result(2 * _CLOSING)

    async def _end(self, uploads: list[Upload]) -> None:
        await asyncio.gather(*map(self._drop, uploads))
        await self._store.close()


def _folder(path: str) -> Info:
    return {"name": path, "size": 0, "type": "directory", "mtime": None, "version": ""}


class _Closed(Exception):
    """The connection is closed already, and nothing was sent."""


class _Lost(Exception):
    """The connection that began an upload was closed, and the upload dropped."""


_NETWORKS: Final = ("aiohttp", "botocore", "aiobotocore", "requests", "urllib3")
_Meaning = tuple[Callable[[Exception], bool], str, str, str]

_MEANINGS: Final[tuple[_Meaning, ...]] = (
    (
        lambda error: isinstance(error, Changed),
        "file_changed",
        "somebody has written this file meanwhile.",
        "Open it again; with mode “x” a file is only written where there is none.",
    ),
    (
        lambda error: isinstance(error, _Lost),
        "closed",
        "it was closed before this file was.",
        "Write the file again, and close it sooner: after fifteen minutes without use a connection is closed.",
    ),
    (
        lambda error: isinstance(error, PermissionError) or str(error).startswith("Forbidden"),
        "not_allowed",
        "you may not do this with this file.",
        "Ask who looks after the bucket: its policy, or the role's, does not allow it to you.",
    ),
    (
        lambda error: isinstance(error, Refused),
        "token_not_accepted",
        "the storage does not take your login's token, and a fresh one did not help.",
        "The token must be one for this storage; see docs/files.md.",
    ),
    (
        lambda error: type(error).__module__.partition(".")[0] in _NETWORKS or isinstance(error, TimeoutError | ConnectionError),
        "unreachable",
        "the storage does not answer.",
        "Check url, region and endpoint in the section, and that this server may reach it.",
    ),
)
