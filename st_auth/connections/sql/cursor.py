"""A cursor as PEP 249 has it, which does not hand out the connection behind it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from st_auth.connections.opening import attempt
from st_auth.errors import ConnectionFailed

__all__ = ["SQLCursor"]

T = TypeVar("T")


class Teller(Protocol):
    """Whose cursor it is."""

    def tell(self, driver: Any) -> None:
        """Tell the server who the next statement is for."""
        ...

    def run(self, cursor: Any, sql: str, params: Any) -> None:
        """Run a statement on a cursor of the driver's."""
        ...

    def failed(self, error: Exception) -> ConnectionFailed:
        """Say in the person's words what an error of the driver's means."""
        ...


class SQLCursor:
    """A cursor of the driver's (PEP 249) in a session of its own. What is not committed by `commit()` is undone when it is closed.

    The driver's connection cannot be reached through it. Its errors are ConnectionFailed.
    """

    def __init__(self, connection: Teller, session: Any) -> None:
        self._connection = connection
        self._session = session
        self._driver = session.connection.driver_connection
        self._inner = self._driver.cursor()
        self.arraysize = 1

    @property
    def description(self) -> Any:
        """Name and type of each column, None for a statement without rows."""
        return self._inner.description

    @property
    def rowcount(self) -> int:
        """How many rows the last statement gave or changed."""
        return int(self._inner.rowcount)

    def execute(self, sql: str, params: Any = None) -> "SQLCursor":
        """Run a statement; `params` in the driver's own style."""
        self._do(lambda: self._connection.run(self._inner, sql, params), tell=True)
        return self

    def executemany(self, sql: str, params: Sequence[Any]) -> "SQLCursor":
        """Run a statement for each of `params`."""
        self._do(lambda: self._inner.executemany(sql, params), tell=True)
        return self

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        return self._do(self._inner.fetchone)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows, `arraysize` of them if not said otherwise."""
        return list(self._do(lambda: self._inner.fetchmany(size or self.arraysize)))

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return list(self._do(self._inner.fetchall))

    def commit(self) -> None:
        """Keep what the statements have changed."""
        self._do(self._driver.commit)

    def rollback(self) -> None:
        """Undo what they have changed since the last `commit()`."""
        self._do(self._driver.rollback)

    def close(self) -> None:
        """Give the session back."""
        with suppress(Exception):  # a session that is gone has nothing to give back
            self._inner.close()
        self._session.close()

    def __next__(self) -> Any:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def _do(self, act: Callable[[], T], *, tell: bool = False) -> T:
        def done() -> T:
            if tell:
                self._connection.tell(self._driver)
            return act()

        return attempt(done, self._connection.failed)
