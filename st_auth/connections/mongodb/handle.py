"""What app code holds of a MongoDB: its collections and their cursors, each of them asking at each step whose run this is."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Self

from st_auth.config import ConnectionConfig
from st_auth.connections.handle import Frame, Handle
from st_auth.connections.place import Place
from st_auth.connections.pool import Pool
from st_auth.live import LiveSession
from st_auth.personal import Personal

__all__ = ["Collection", "Cursor", "Lost", "MongoDBHandle"]

_READS: Final = frozenset({"aggregate", "count_documents", "distinct", "estimated_document_count", "find", "find_one", "options", "watch"})
_WRITES: Final = frozenset(
    {"bulk_write", "delete_many", "delete_one", "insert_many", "insert_one", "replace_one", "update_many", "update_one"}
)
_HARMLESS: Final = _READS - {"aggregate"}  # of which a stage may write
_BOTH: Final = frozenset({"drop", "find_one_and_delete", "find_one_and_replace", "find_one_and_update", "rename"})
_INDEXES: Final = frozenset({"create_index", "create_indexes", "drop_index", "drop_indexes", "index_information", "list_indexes"})
_SEARCH: Final = frozenset(
    {"create_search_index", "create_search_indexes", "drop_search_index", "list_search_indexes", "update_search_index"}
)
_METHODS: Final = _READS | _WRITES | _BOTH | _INDEXES | _SEARCH
_BEFORE: Final = frozenset(
    {"add_option", "allow_disk_use", "batch_size", "collation", "comment", "hint", "limit", "max", "max_await_time_ms"}
)
_SAME: Final = _BEFORE | frozenset({"max_time_ms", "min", "remove_option", "rewind", "skip", "sort", "where"})
_STEPS: Final = frozenset({"clone", "distinct", "explain"})
_FACTS: Final = frozenset({"alive", "cursor_id", "resume_token", "retrieved"})
_END: Final = object()
_UNGUARDED: Final = "that is behind `raw` alone, which nothing guards"


class Lost(Exception):
    """A cursor whose connection is not the present one any more."""


class MongoDBHandle(Handle):
    """One person's database in MongoDB.

    `docs["orders"]` is PyMongo's collection with its methods; what they raise is ConnectionFailed. Sessions and transactions are behind
    `raw` (PyMongo's client) alone.
    """

    __slots__ = ()

    def __init__(self, live: LiveSession, config: ConnectionConfig, role: str | None, pool: Pool, place: Place) -> None:
        if role is not None:
            raise TypeError(f"The connection “{config.name}” is a MongoDB, where roles follow from who logs in: leave role=… out.")
        super().__init__(live, config, role, pool, place)

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
        """Return the documents that PyMongo's `find` finds as a frame: `pandas`, `polars` or `arrow`.

        With `ttl` (seconds, a timedelta, or "10m") the result is kept for this login and given again without asking the server.

        Raises LoginRequired, CrossSessionError, PermissionDenied, ConnectionFailed, ProviderError or Unavailable.
        """
        self._require_engine("query")
        asked = {"filter": filter, "projection": projection, "sort": sort, "limit": limit}
        return self._framed(lambda connection: connection.query(_named(collection), asked, as_), (collection, asked), as_, ttl)

    def __getitem__(self, name: str) -> "Collection":
        """Return a collection by its name."""
        return self.collection(name)

    def collection(self, name: str) -> "Collection":
        """Return a collection by its name; nothing is asked for that."""
        self._require_engine("collection")
        self._require_here()
        return Collection(self, _named(name))

    def _asked(self, act: Callable[[Any], Any], *, reads: bool) -> tuple[Any, Any]:
        """Do something with the database; return the connection that did it, and the answer."""
        self._require_engine("collection")
        return self._do(lambda connection: (connection, connection.run(act, reads=reads)))

    def _step(self, made_by: Any, act: Callable[[], Any]) -> Any:
        """Go on with something that `made_by` has begun; where that is not the present one any more, it is lost."""

        def done(connection: Any) -> Any:
            if connection is not made_by:
                raise Lost
            return connection.run(lambda _: act())

        return self._do(done)


class Collection(Personal):
    """PyMongo's collection as this person: its methods that ask or change documents and indexes, and `with_options`.

    Cursors and change streams that they return are guarded as well. Its client and its database cannot be reached through it.
    """

    __slots__ = ("_handle", "_name", "_options")

    def __init__(self, handle: MongoDBHandle, name: str, options: Mapping[str, Any] | None = None) -> None:
        self._handle = handle
        self._name = name
        self._options = dict(options or {})

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def with_options(self, **options: Any) -> "Collection":
        """Return the same collection with other options of PyMongo's: `read_preference`, `write_concern`, `codec_options` …"""
        return Collection(self._handle, self._name, {**self._options, **options})

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            what = f"A collection of an st_auth.MongoDBConnection has no {name!r}"
            raise AttributeError(f"{what}: it has {', '.join(sorted(_METHODS))} and with_options; {_UNGUARDED}. See docs/connections.md.")

        def call(*arguments: Any, **named: Any) -> Any:
            return self._call(name, arguments, named)

        return call

    def _call(self, method: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        if named.get("session") is not None:
            raise TypeError(f"session= is not taken here: {_UNGUARDED}.")

        def act(database: Any) -> Any:
            collection = database[self._name]
            return getattr(collection.with_options(**self._options) if self._options else collection, method)(*arguments, **named)

        connection, answer = self._handle._asked(act, reads=method in _HARMLESS)  # noqa: SLF001  # of the same room
        return _guarded(self._handle, connection, answer)

    def __getitem__(self, name: str) -> "Collection":
        """Return the collection whose name is this one's, a dot and `name`."""
        return self._handle.collection(f"{self._name}.{name}")

    def __iter__(self) -> Any:
        raise TypeError("A collection is not iterable: ask find() for its documents.")

    def __bool__(self) -> bool:
        raise TypeError("A collection is neither true nor false: compare it with None.")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_METHODS})

    def __repr__(self) -> str:
        return f"Collection({self._handle.name!r}, {self._name!r})"


class Cursor(Personal):
    """A cursor or a change stream of PyMongo's that asks at each step whether it is still the same login's run. For one thread.

    It is not opened again: one that was taken before its connection was closed is ConnectionFailed (`closed`).
    """

    __slots__ = ("_connection", "_handle", "_inner", "_waiting")

    def __init__(self, handle: MongoDBHandle, connection: Any, inner: Any) -> None:
        self._handle = handle
        self._connection = connection
        self._inner = inner
        self._waiting: deque[Any] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        found = self._next("next")
        if found is _END:
            raise StopIteration
        return found

    def next(self) -> Any:
        """Return the next document; StopIteration after the last."""
        return self.__next__()

    def try_next(self) -> Any:
        """Return the next document if there is one now, else None."""
        found = self._next("try_next")
        return None if found is _END else found

    def to_list(self, length: int | None = None) -> list[Any]:
        """Return the documents that are left, `length` of them at most."""
        found: list[Any] = []
        while (length is None or len(found) < length) and (one := self._next("next")) is not _END:
            found.append(one)
        return found

    def _next(self, how: str) -> Any:
        """The next document. What has come with it is taken too, so that not each of them costs a step; handing out is guarded for each."""
        if self._waiting:
            self._handle._require_here()  # noqa: SLF001  # of the same room
            return self._waiting.popleft()

        def act() -> tuple[Any, list[Any]]:
            try:
                first = getattr(self._inner, how)()
            except StopIteration:
                return _END, []
            return first, [next(self._inner) for _ in range(len(getattr(self._inner, "_data", ())))]

        first, more = self._handle._step(self._connection, act)  # noqa: SLF001  # of the same room
        self._waiting.extend(more)
        return first

    def __getitem__(self, place: Any) -> Any:
        """Return one document by its place, or this cursor with a part of its documents."""
        return self._ask(lambda: self._inner[place])

    def __getattr__(self, name: str) -> Any:
        if name in _FACTS and hasattr(self._inner, name):
            self._handle._require_here()  # noqa: SLF001  # of the same room
            return (name == "alive" and bool(self._waiting)) or getattr(self._inner, name)
        if name not in _SAME | _STEPS or not hasattr(self._inner, name):
            what = f"A {type(self._inner).__name__} of an st_auth.MongoDBConnection has no {name!r}"
            raise AttributeError(f"{what}: {_UNGUARDED}. See docs/connections.md.")

        def call(*arguments: Any, **named: Any) -> Any:
            if name == "rewind":
                self._waiting.clear()
            return self._ask(lambda: getattr(self._inner, name)(*arguments, **named))

        return call

    def _ask(self, act: Callable[[], Any]) -> Any:
        answer = self._handle._step(self._connection, act)  # noqa: SLF001  # of the same room
        return self if answer is self._inner else _guarded(self._handle, self._connection, answer)

    def close(self) -> None:
        """End it at the server too."""
        self._waiting.clear()
        with suppress(Exception):  # one whose connection is gone has nothing to end
            self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "Cursor(***)"


def _named(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError("The name of a collection is a text.")
    return name


def _guarded(handle: MongoDBHandle, connection: Any, answer: Any) -> Any:
    """What PyMongo has answered, guarded where more can be asked of it."""
    from pymongo.change_stream import ChangeStream
    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection as Raw
    from pymongo.command_cursor import CommandCursor
    from pymongo.cursor import Cursor as RawCursor
    from pymongo.database import Database
    from pymongo.mongo_client import MongoClient

    if isinstance(answer, RawCursor | CommandCursor | ChangeStream):
        return Cursor(handle, connection, answer)
    if isinstance(answer, Raw | Database | MongoClient | ClientSession):
        raise TypeError(f"This is not given here: {_UNGUARDED}.")
    return answer
