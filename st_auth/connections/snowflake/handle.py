"""What app code holds of Snowflake: SQL as with any other database, and Snowpark where it is installed."""

from collections.abc import Callable
from typing import Any

from st_auth.connections.guard import Guarded
from st_auth.connections.handle import Cursor, SQLHandle
from st_auth.errors import ConfigError, Problem

__all__ = ["SnowflakeHandle", "snowpark_session"]


class SnowflakeHandle(SQLHandle):
    """One person's Snowflake."""

    __slots__ = ()

    def session(self) -> Any:
        """Return this person's Snowpark session (`snowflake.snowpark.Session`); it and all that it makes ask at each statement whether the
        login still lives and whose run it is. It is nobody's active session: give it as `session=` where Snowpark looks for one.

        Needs snowflake-snowpark-python, else a ConfigError says so. Raises like `query`.
        """
        self._require_engine("session")
        return self._do(lambda connection: connection.session(self._require_here))


def snowpark_session(raw: Any, require_here: Callable[[], None]) -> Any:
    """Make a Snowpark session over a connection of the driver's, and take it out of Snowpark's list, where any thread would find it."""
    try:
        from snowflake.snowpark import Session, session as module
    except ImportError:
        mend = 'pip install "snowflake-snowpark-python"; it may ask for an older snowflake-connector-python, which works as well'
        raise ConfigError([Problem("the environment", "snowflake-snowpark-python", "is not installed", mend)]) from None
    made = Session.builder.configs({"connection": _Connection(raw, require_here)}).create()
    module._remove_session(made)  # noqa: SLF001  # there is no public way, and what stays there is found by everybody
    return made


class _Connection(Guarded):
    """The driver's connection as Snowpark gets it: nothing of it is to be had elsewhere, and closing it is the pool's business."""

    __slots__ = ()

    _leads = frozenset({"rest", "_rest"})

    def _may_have(self, name: str) -> bool:
        return name not in self._leads  # Snowpark asks for what the driver keeps for itself too

    def _made(self, inner: Any) -> Guarded:
        return _Cursor(inner, self._require_here, self)

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        """Return a cursor."""
        return self.__getattr__("cursor")(*arguments, **named)

    def close(self, *_: Any, **__: Any) -> None:
        """Nothing."""


class _Cursor(Cursor):
    """A cursor as Snowpark gets it: its connection is the guarded one."""

    __slots__ = ("connection",)

    def __init__(self, inner: Any, require_here: Callable[[], None], connection: _Connection) -> None:
        super().__init__(inner, require_here)
        self.connection = connection

    def _may_have(self, name: str) -> bool:
        return name != "_connection"

    def _made(self, inner: Any) -> Guarded:
        return _Cursor(inner, self._require_here, self.connection)
