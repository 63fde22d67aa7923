"""What app code holds of Snowflake: SQL as with any other database, and Snowpark where it is installed."""

from collections.abc import Callable
from typing import Any

from st_auth.connections.handle import Cursor, SQLHandle
from st_auth.errors import ConfigError, Problem
from st_auth.personal import Personal

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
    made = Session.builder.configs({"connection": _Guarded(raw, require_here)}).create()
    module._remove_session(made)  # noqa: SLF001  # there is no public way, and what stays there is found by everybody
    return made


class _Guarded(Personal):
    """The driver's connection as Snowpark gets it: nothing of it is to be had elsewhere, and closing it is the pool's business."""

    __slots__ = ("_raw", "_require_here")

    def __init__(self, raw: Any, require_here: Callable[[], None]) -> None:
        self._raw = raw
        self._require_here = require_here

    def cursor(self, *arguments: Any, **named: Any) -> Cursor:
        self._require_here()
        return Cursor(self._raw.cursor(*arguments, **named), self._require_here)

    def close(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def __getattr__(self, name: str) -> Any:
        self._require_here()
        return getattr(self._raw, name)
