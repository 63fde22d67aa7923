"""What app code holds of somebody's files: a few verbs, and a file system for the libraries that read from one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from st_auth.config import ConnectionConfig
from st_auth.connections.handle import Handle
from st_auth.connections.place import Place
from st_auth.connections.pool import Pool
from st_auth.live import LiveSession

if TYPE_CHECKING:
    from st_auth.connections.files.system import PersonalFiles

__all__ = ["FilesHandle"]

T = TypeVar("T")


class FilesHandle(Handle):
    """One person's files: those below the `url` of the section, by paths such as `"orders/2026.csv"`.

    A path that is not plainly below is a ValueError, a file that is not there a FileNotFoundError. Raises LoginRequired,
    CrossSessionError, PermissionDenied, ConnectionFailed (`not_allowed`, `file_changed`, `unreachable`, `token_not_accepted`,
    `role_not_granted`, `request_failed`), ProviderError or Unavailable.
    """

    __slots__ = ()

    def __init__(self, live: LiveSession, config: ConnectionConfig, role: str | None, pool: Pool, place: Place) -> None:
        if role is not None:
            raise TypeError(f"The connection “{config.name}” is a bucket; its role is `role_arn` in the section: leave role=… out.")
        super().__init__(live, config, role, pool, place)

    @property
    def filesystem(self) -> "PersonalFiles":
        """The same as a file system of fsspec's, for pandas, pyarrow and DuckDB; it works in their threads too, for this person."""
        self._require_here()
        bound = self._place.bind(self._do)
        return self._system(bound, bound)

    def ls(self, path: str = "", *, detail: bool = False) -> list[Any]:
        """Return the names in a folder, the whole path of each; with `detail` as dicts (`name`, `size`, `type`, `mtime`)."""
        names: list[Any] = self._files().ls(path, detail=detail)
        return names

    def exists(self, path: str) -> bool:
        """Whether there is a file or a folder."""
        return bool(self._files().exists(path))

    def info(self, path: str) -> dict[str, Any]:
        """Return `name`, `size`, `type` (`file` or `directory`), `mtime` of a file or folder."""
        return dict(self._files().info(path))

    def glob(self, pattern: str) -> list[str]:
        """Return the paths that fit a pattern: `*`, `**`, `?`, `[…]`."""
        paths: list[str] = self._files().glob(pattern)
        return paths

    def open(self, path: str, mode: str = "rb", **text: Any) -> Any:
        """Return a file object: `rb`, `wb`, `xb` (only where there is none), or `r`, `w`, `x` for text, with `encoding` and the like.

        What is written is there when the file is closed. A `with` block that raises leaves nothing, nor does a login that ends before.
        The file works in a library's own threads, for this person.
        """
        return self._files().open(path, mode, **text)

    def read_bytes(self, path: str) -> bytes:
        """Return what is in a file."""
        return bytes(self._files().cat_file(path))

    def write_bytes(self, path: str, content: bytes) -> None:
        """Write a file, in place of what was there."""
        self._files().pipe_file(path, content)

    def rm(self, path: str, *, recursive: bool = False) -> None:
        """Delete a file, or with `recursive` all that is in a folder."""
        self._files().rm(path, recursive=recursive)

    def _files(self) -> "PersonalFiles":
        """The file system for one call; what stays, such as an open file, is bound to this run."""
        self._require_here()
        return self._system(self._do, self._place.bind(self._do))

    def _system(self, do: Callable[..., Any], bound: Callable[..., Any]) -> "PersonalFiles":
        from st_auth.connections.files.system import PersonalFiles

        return PersonalFiles(self.name, do, bound)
