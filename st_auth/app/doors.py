"""Streamlit's own door: `st.connection(name)` leads to the handle of whoever runs the script.

Streamlit keeps one object of these classes for everybody and lets any viewer throw it away. So there is nothing in it: no handle, no
person, no credentials.
"""

from datetime import timedelta
from typing import Any

from streamlit.connections import BaseConnection

from st_auth.app.gate import current_user
from st_auth.connections.handle import Cursor, Frame, Handle
from st_auth.errors import LoginRequired

__all__ = ["DuckDBConnection", "SQLConnection", "SnowflakeConnection"]


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

    def query(self, sql: str, params: Any = None, *, ttl: str | float | timedelta | None = None, as_: Frame = "pandas") -> Any:
        """Return the rows of a statement as this person; see `Handle.query`."""
        return self.handle.query(sql, params, ttl=ttl, as_=as_)

    def cursor(self) -> Cursor:
        """Return a cursor as this person; see `Handle.cursor`."""
        return self.handle.cursor()

    def reset(self) -> None:
        """Close this person's connection; nobody else's."""
        self.handle.close()


class SnowflakeConnection(_Door):
    """`type = "st_auth.SnowflakeConnection"`: Snowflake as the person who is logged in."""


class DuckDBConnection(_Door):
    """`type = "st_auth.DuckDBConnection"`: an embedded database file of the app's."""


class SQLConnection(_Door):
    """`type = "st_auth.SQLConnection"`: a database that SQLAlchemy knows, as the person who is logged in."""
