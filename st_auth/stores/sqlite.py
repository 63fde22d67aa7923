"""Records in one SQLite file: the default. It survives restarts and kill -9, and several processes on one machine may share it."""

import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

from st_auth.clock import SYSTEM, Clock
from st_auth.errors import ConfigError, Unavailable
from st_auth.stores import REMOVE_AFTER, Record, from_microseconds, microseconds, unusable

__all__ = ["SqliteStore"]

_OUR_FOLDER: Final = "st_auth"
_APPLICATION_ID: Final = 0x57A07401
_LAYOUT: Final = 1
_PATIENCE: Final = timedelta(seconds=5)
_REMOVED_PER_PUT: Final = 4
_KEYS_PER_QUERY: Final = 500

# A row is a few KB, so it lives in a table by rowid, where only small numbers stand in the inner pages; in a WITHOUT ROWID tree inner
# pages would hold values and a million sessions make it ten levels deep. Tags are small and always looked up by their start.
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, expires_at INTEGER NOT NULL, tags TEXT NOT NULL,
  value BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS records_by_expiry ON records (expires_at);
CREATE TABLE IF NOT EXISTS tags (tag TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (tag, id)) STRICT, WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_LAYOUT};
COMMIT;
"""

# synchronous = FULL: at a power cut NORMAL may lose the last commits. A lost login would only cost a login, but a lost logout would
# bring a session back to life, and a lost single use would let a code pass twice. What need not be durable is written with NORMAL, which
# spares the fsync; commits keep their order, so that the next FULL one keeps all before it too.
_FULL: Final = "PRAGMA synchronous = FULL"
_NORMAL: Final = "PRAGMA synchronous = NORMAL"
_PRAGMAS: Final = f"{_FULL}; PRAGMA temp_store = MEMORY;"

_GET: Final = "SELECT value, expires_at, tags, version FROM records WHERE key = ?"
_COMPARE: Final = "SELECT version, expires_at, tags, id FROM records WHERE key = ?"
_PUT: Final = """
INSERT INTO records (key, version, expires_at, tags, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
SET version = excluded.version, expires_at = excluded.expires_at, tags = excluded.tags, value = excluded.value RETURNING id"""
_FIND: Final = "SELECT key FROM tags JOIN records USING (id) WHERE tag = ? AND expires_at > ?"
_EXPIRED: Final = "SELECT id, tags FROM records WHERE expires_at <= ? LIMIT ?"


class SqliteStore:
    """A `Store` in a file with mode 0600, its folder made with mode 0700 and kept out of git.

    Connections are pooled rather than one a thread: Streamlit makes a new thread for each run, and opening costs more than reading.
    Readers never wait; writers of this process queue here for up to `patience`, then at SQLite's own lock for as long.
    Raises ConfigError when the file or folder cannot be used, or belongs to another program.
    """

    def __init__(self, path: str | Path, clock: Clock = SYSTEM, patience: timedelta = _PATIENCE) -> None:
        self._path = Path(path)
        self._clock = clock
        self._patience = patience.total_seconds()
        self._idle: deque[sqlite3.Connection] = deque()
        self._writing = Lock()
        self._is_closed = False
        try:
            _make_private_file(self._path)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise _cannot_use(self._path, error) from error

    def get(self, key: str) -> Record | None:
        """Return the record, or None (see `Store.get`)."""
        connection = self._take()
        try:
            row = connection.execute(_GET, (key,)).fetchone()
        except sqlite3.Error as error:
            connection.close()
            raise _failed(error) from error
        self._give_back(connection)
        if row is None:
            return None
        value, expiry, tags, version = row
        expires_at = from_microseconds(expiry)
        if expires_at <= self._clock.now():
            return None
        return Record(value, expires_at, tuple(tags.split("\n")) if tags else (), version)

    def put(self, key: str, record: Record, expect: int, *, durable: bool = True) -> bool:
        """Compare the version and store the record in one transaction (see `Store.put`)."""
        now = microseconds(self._clock.now())
        tags = "\n".join(record.tags)
        with self._transaction(_FULL if durable else _NORMAL) as connection:
            version, expiry, old_tags, old_id = connection.execute(_COMPARE, (key,)).fetchone() or (0, now, "", 0)
            if (version if expiry > now else 0) != expect:
                return False
            (new_id,) = connection.execute(_PUT, (key, expect + 1, microseconds(record.expires_at), tags, record.value)).fetchone()
            if tags != old_tags:
                _untag(connection, old_id, old_tags)
                connection.executemany("INSERT OR IGNORE INTO tags (tag, id) VALUES (?, ?)", [(tag, new_id) for tag in record.tags])
            if durable:  # which is rarer, and waits for the disk anyway
                _remove_expired(connection, now)
            return True

    def delete(self, key: str) -> None:
        """Remove the record (see `Store.delete`)."""
        with self._transaction() as connection:
            if row := connection.execute("SELECT id, tags FROM records WHERE key = ?", (key,)).fetchone():
                _remove(connection, *row)

    def find(self, tag: str) -> list[str]:
        """Return the keys with this tag (see `Store.find`)."""
        return [key for (key,) in self._rows(_FIND, (tag, microseconds(self._clock.now())))]

    def versions(self, keys: Sequence[str]) -> dict[str, int]:
        """Return the versions of what is there (see `Store.versions`)."""
        now = microseconds(self._clock.now())
        found: dict[str, int] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            some = keys[start : start + _KEYS_PER_QUERY]
            places = ",".join("?" * len(some))
            sql = f"SELECT key, version FROM records WHERE expires_at > ? AND key IN ({places})"  # noqa: S608  # only question marks
            found.update(self._rows(sql, (now, *some)))
        return found

    def now(self) -> datetime:
        """Return the time by which records expire."""
        return self._clock.now()

    def close(self) -> None:
        """Close all connections; one that is in use closes when it is given back."""
        self._is_closed = True
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[Any]:
        with self._borrowed() as connection:
            return connection.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self, synchronous: str = _FULL) -> Iterator[sqlite3.Connection]:
        if not self._writing.acquire(timeout=self._patience):
            raise Unavailable("The session store is busy.", code="store")
        try:
            with self._borrowed() as connection:
                if synchronous != _FULL:
                    connection.execute(synchronous)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
                if synchronous != _FULL:
                    connection.execute(_FULL)
        finally:
            self._writing.release()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        connection = self._take()
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()  # rolls back, and nothing half-done is used again
            raise _failed(error) from error
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        if self._is_closed:
            raise Unavailable("The session store is closed.", code="store")
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect_later()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._is_closed:
            self.close()

    def _connect_later(self) -> sqlite3.Connection:
        try:
            return _connect(self._path, self._patience)
        except sqlite3.Error as error:
            raise _failed(error) from error

    def _prepare(self) -> None:
        connection = _connect(self._path, self._patience)
        try:
            _write_ahead(connection, self._patience)
            _check_and_create(connection, self._path)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)


def _connect(path: Path, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        connection.executescript(_PRAGMAS)
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection, patience: float) -> None:
    """Put the file into WAL mode, which stays in it. SQLite waits for nobody here, so processes that begin together take turns."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _check_and_create(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN")  # one look at all three: another process may be creating the tables just now
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.execute("COMMIT")
    if tables and application_id != _APPLICATION_ID:
        raise unusable(f"{path} is a database of another program", "name a file of its own for st_auth")
    if layout > _LAYOUT:
        raise unusable(f"{path} was written by a newer version of st_auth", "update st_auth, or name another file")
    if not tables:
        connection.executescript(_SCHEMA)


def _make_private_file(path: Path) -> None:
    """Create the file before SQLite does, so that neither it nor -wal and -shm, which take its mode, is ever readable to others."""
    folder = path.parent
    made = not folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):  # and only if it is not there: closing a file of ours would drop the locks that SQLite holds on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    if made or folder.name == _OUR_FOLDER:
        with suppress(FileExistsError), (folder / ".gitignore").open("x") as file:
            file.write("*\n")


def _remove_expired(connection: sqlite3.Connection, now: int) -> None:
    due = now - REMOVE_AFTER // REMOVE_AFTER.resolution
    for row in connection.execute(_EXPIRED, (due, _REMOVED_PER_PUT)).fetchall():
        _remove(connection, *row)


def _remove(connection: sqlite3.Connection, row_id: int, tags: str) -> None:
    _untag(connection, row_id, tags)
    connection.execute("DELETE FROM records WHERE id = ?", (row_id,))


def _untag(connection: sqlite3.Connection, row_id: int, tags: str) -> None:
    if tags:
        connection.executemany("DELETE FROM tags WHERE tag = ? AND id = ?", [(tag, row_id) for tag in tags.split("\n")])


def _failed(error: sqlite3.Error) -> Unavailable:
    return Unavailable(f"The session store does not answer ({type(error).__name__}: {error}).", code="store")


def _cannot_use(path: Path, error: Exception) -> ConfigError:
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        mend = "move the file away (everybody logs in again), or name another"
        return unusable(f"{path} is damaged or not a SQLite database ({error})", mend)
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return unusable(f"{path} cannot be opened for writing ({reason})", f"let this process write to {path.parent}, or name another file")
