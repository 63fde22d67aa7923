"""DuckDB, embedded: the app's own file, opened for each person with who they are in the variable `st_auth_user`."""

import threading
import time
from typing import Any, Final
from weakref import WeakSet

from st_auth.connections.frames import from_arrow, from_rows
from st_auth.connections.opening import Opening, attempt, failure, reason
from st_auth.errors import ConnectionFailed

__all__ = ["connect"]

_OF_STATEMENT: Final = frozenset({"BinderException", "CatalogException", "ParserException", "SyntaxException"})


def connect(opening: Opening) -> "DuckDB":
    """Open the file, read-only unless the section says otherwise. Raises ConnectionFailed (`unreachable`)."""
    import duckdb

    def opened() -> Any:
        return duckdb.connect(opening.options["path"], read_only=bool(opening.options.get("read_only", True)))

    def failed(error: Exception) -> ConnectionFailed:
        hint = "Check `path` in the section, and that no other process has the file open for writing."
        return failure(opening.config.name, "unreachable", f"the file cannot be opened ({reason(error)}).", hint, error)

    return DuckDB(opening.config.name, attempt(opened, failed), opening.subject)


class DuckDB:
    """One person's door to the file; each statement runs on a cursor of its own, as DuckDB wants it of threads."""

    def __init__(self, name: str, raw: Any, subject: str) -> None:
        self._name = name
        self._subject = subject
        self._alone = threading.Lock()  # DuckDB refuses a second call to one connection instead of waiting
        self._cursors: WeakSet[Any] = WeakSet()
        self._over = False
        self.raw = raw

    def query(self, sql: str, params: Any, as_: str) -> Any:
        """Run a statement; `params` stand for `?` or `$1` as a list, for `$name` as a dict."""
        with self.cursor() as cursor:
            rows = cursor.sql(sql, params=params)
            if rows is None:  # a statement that gives none
                return from_rows([], [], as_)
            return rows.df() if as_ == "pandas" else from_arrow(rows.to_arrow_table(), as_)

    def cursor(self) -> Any:
        """Return a cursor, which to DuckDB is a connection of its own: variables are not handed down to it."""
        import duckdb

        with self._alone:
            if self._over:
                raise duckdb.ConnectionException
            cursor = self.raw.cursor()
            self._cursors.add(cursor)
        cursor.execute("SET VARIABLE st_auth_user = $1", [self._subject])
        return cursor

    def is_over(self, error: Exception) -> bool:
        """Whether the file was closed under us, or we have stopped what ran to open it anew: a statement that is stopped has no effect."""
        return type(error).__name__ == "ConnectionException" or (self._over and type(error).__name__ == "InterruptException")

    def failed(self, error: Exception) -> ConnectionFailed:
        """Say that the database refused the statement."""
        of_statement = type(error).__name__ in _OF_STATEMENT
        hint = "Check the statement and its parameters."
        return failure(self._name, "query_failed", f"{reason(error)}", hint, error, of_statement=of_statement)

    def cancel(self) -> None:
        """Stop what runs: three times, as a statement that is on its way does not hear the first."""
        self._over = True
        for pause in (0.0, 0.05, 0.5):
            time.sleep(pause)
            for cursor in list(self._cursors):
                cursor.interrupt()

    def close(self) -> None:
        """Close the connection; the file stays open while somebody else has it."""
        self._over = True
        with self._alone:
            self.raw.close()
