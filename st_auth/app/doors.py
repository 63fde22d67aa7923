"""Streamlit's own door: `st.connection(name)` leads to the handle of whoever runs the script.

Streamlit keeps one object of these classes for everybody and lets any viewer throw it away. So there is nothing in it: no handle, no
person, no credentials.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack

from streamlit.connections import BaseConnection

from st_auth.app.gate import current_user
from st_auth.connections.handle import Cursor, Frame, Handle
from st_auth.errors import LoginRequired

if TYPE_CHECKING:
    from st_auth.connections.files.system import PersonalFiles
    from st_auth.connections.http.handle import Asked, Response
    from st_auth.connections.mongodb.handle import Collection

__all__ = ["DuckDBConnection", "FilesConnection", "HTTPConnection", "MongoDBConnection", "SQLConnection", "SnowflakeConnection"]


class _Door(BaseConnection[None]):
    """What every kind has in common. Its methods are those of the `Handle` that `user.connection(name)` returns."""

    def _connect(self, **_: Any) -> None:
        """Open nothing: that is for the person who uses it."""

    @property
    def handle(self) -> Handle:
        """The handle of the person whose run this is. Raises LoginRequired where nobody is logged in."""
        user = current_user()
        if user is None:
            raise LoginRequired("Nobody is logged in here.", code="no_session", hint="Call st_auth.require_login() first.")
        return user.connection(self._connection_name)

    def reset(self) -> None:
        """Close this person's connection; nobody else's."""
        self.handle.close()


class _SQLDoor(_Door):
    """What every kind that is asked in SQL has in common."""

    def query(self, sql: str, params: Any = None, *, ttl: str | float | timedelta | None = None, as_: Frame = "pandas") -> Any:
        """Return the rows of a statement as this person; see `SQLHandle.query`."""
        return self.handle.query(sql, params, ttl=ttl, as_=as_)

    def cursor(self) -> Cursor:
        """Return a cursor as this person; see `SQLHandle.cursor`."""
        cursor: Cursor = self.handle.cursor()
        return cursor


class SnowflakeConnection(_SQLDoor):
    """`type = "st_auth.SnowflakeConnection"`: Snowflake as the person who is logged in."""


class DuckDBConnection(_SQLDoor):
    """`type = "st_auth.DuckDBConnection"`: an embedded database file of the app's."""


class HTTPConnection(_Door):
    """`type = "st_auth.HTTPConnection"`: an HTTP API as the person who is logged in."""

    def request(self, method: str, url: str, **asked: "Unpack[Asked]") -> "Response":
        """Send a request as this person; see `HTTPHandle.request`."""
        response: Response = self.handle.request(method, url, **asked)
        return response

    def get(self, url: str, **asked: "Unpack[Asked]") -> "Response":
        """Send a GET request as this person."""
        return self.request("GET", url, **asked)

    def post(self, url: str, **asked: "Unpack[Asked]") -> "Response":
        """Send a POST request as this person."""
        return self.request("POST", url, **asked)

    def put(self, url: str, **asked: "Unpack[Asked]") -> "Response":
        """Send a PUT request as this person."""
        return self.request("PUT", url, **asked)

    def patch(self, url: str, **asked: "Unpack[Asked]") -> "Response":
        """Send a PATCH request as this person."""
        return self.request("PATCH", url, **asked)

    def delete(self, url: str, **asked: "Unpack[Asked]") -> "Response":
        """Send a DELETE request as this person."""
        return self.request("DELETE", url, **asked)

    def head(self, url: str, **asked: "Unpack[Asked]") -> "Response":
        """Send a HEAD request as this person."""
        return self.request("HEAD", url, **asked)

    def options(self, url: str, **asked: "Unpack[Asked]") -> "Response":
        """Send a OPTIONS request as this person."""
        return self.request("OPTIONS", url, **asked)


class MongoDBConnection(_Door):
    """`type = "st_auth.MongoDBConnection"`: a MongoDB as the person who is logged in."""

    def query(
        self,
        collection: str,
        filter: Mapping[str, Any] | None = None,  # noqa: A002  # as PyMongo calls it
        *,
        projection: Mapping[str, Any] | Sequence[str] | None = None,
        sort: Any = None,
        limit: int = 0,
        ttl: str | float | timedelta | None = None,
        as_: Frame = "pandas",
    ) -> Any:
        """Return the documents that are found as this person; see `MongoDBHandle.query`."""
        return self.handle.query(collection, filter, projection=projection, sort=sort, limit=limit, ttl=ttl, as_=as_)

    def collection(self, name: str) -> "Collection":
        """Return a collection as this person; see `MongoDBHandle.collection`."""
        found: Collection = self.handle.collection(name)
        return found

    def __getitem__(self, name: str) -> "Collection":
        """Return a collection as this person."""
        return self.collection(name)


class SQLConnection(_SQLDoor):
    """`type = "st_auth.SQLConnection"`: a database that SQLAlchemy knows, as the person who is logged in."""


class FilesConnection(_Door):
    """`type = "st_auth.FilesConnection"`: files in a bucket as the person who is logged in."""

    @property
    def filesystem(self) -> "PersonalFiles":
        """This person's files as a file system of fsspec's; see `FilesHandle.filesystem`."""
        files: PersonalFiles = self.handle.filesystem
        return files

    def ls(self, path: str = "", *, detail: bool = False) -> list[Any]:
        """Return the paths in a folder; with `detail` as dicts."""
        names: list[Any] = self.handle.ls(path, detail=detail)
        return names

    def exists(self, path: str) -> bool:
        """Whether there is a file or a folder."""
        return bool(self.handle.exists(path))

    def info(self, path: str) -> dict[str, Any]:
        """Return `name`, `size`, `type` and `mtime` of a file or folder."""
        return dict(self.handle.info(path))

    def glob(self, pattern: str) -> list[str]:
        """Return the paths that fit a pattern."""
        paths: list[str] = self.handle.glob(pattern)
        return paths

    def open(self, path: str, mode: str = "rb", **text: Any) -> Any:
        """Return a file object of this person's; see `FilesHandle.open`."""
        return self.handle.open(path, mode, **text)

    def read_bytes(self, path: str) -> bytes:
        """Return what is in a file."""
        return bytes(self.handle.read_bytes(path))

    def write_bytes(self, path: str, content: bytes) -> None:
        """Write a file, in place of what was there."""
        self.handle.write_bytes(path, content)

    def rm(self, path: str, *, recursive: bool = False) -> None:
        """Delete a file, or with `recursive` all that is in a folder."""
        self.handle.rm(path, recursive=recursive)
