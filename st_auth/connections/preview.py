"""The data as somebody else would see it, for people who look after the rules."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from st_auth.access.permissions import Granted
from st_auth.access.reader import Reader
from st_auth.connections.handle import Frame, SQLHandle, handle_of, viewer_of
from st_auth.connections.place import Place
from st_auth.connections.pool import Pool
from st_auth.errors import ConfigError, Problem
from st_auth.live import LiveSession
from st_auth.personal import Personal

__all__ = ["Preview"]

T = TypeVar("T")


class Preview(Personal):
    """What somebody with these groups and claims would see, where the rule file decides; asked for by the person whose login this is.

    Connections are opened for that person, so nothing is shown that the app's own login could not read.
    """

    __slots__ = ("_live", "_place", "_pool", "_reader", "_require", "_seen_as")

    def __init__(
        self,
        live: LiveSession,
        pool: Pool,
        place: Place,
        groups: Iterable[str],
        claims: Mapping[str, Any],
        require: Callable[[], None],
    ) -> None:
        """`require` raises where the login that asks is over, or may not look as others any more; each use asks it."""
        require()
        everything = {**claims, "groups": list(groups)}
        roles = pool.ruling.roles
        granted = roles.granted(everything, everything["groups"]) if roles else Granted((), frozenset())
        own = {
            "subject": claims.get("sub"),
            "issuer": claims.get("iss"),
            "email": claims.get("email"),
            "groups": everything["groups"],
            "roles": list(granted.roles),
        }
        self._require = require
        self._live = live
        self._place = place
        self._pool = pool
        self._reader: Reader = viewer_of(live, pool, place, Reader(granted, everything, own, pool.ruling.rules.values))
        self._seen_as = ", ".join([*everything["groups"], *claims])

    def can(self, permission: str) -> bool:
        """Whether they would have this permission."""
        self._require()
        return self._reader.granted.allows(permission)

    def query(self, sql: str, params: Any = None, *, connection: str | None = None, as_: Frame = "pandas") -> Any:
        """Return the rows that they would get. Raises like `SQLHandle.query`, ConfigError where the rule file does not decide."""
        return self._handle(connection).query_as(self._reader, sql, params, seen_as=self._seen_as, as_=as_)

    def visible(self, frame: T, table: str) -> T:
        """Return what they would see of a frame. Raises like `User.visible`."""
        self._require()
        return self._pool.ruling.visible(frame, table, self._reader)

    def explain(self, sql: str, params: Any = None, *, connection: str | None = None) -> Any:
        """Return the statement as it would be run for them: `.sql`, `.params`, `.tables`, `.rules`, `.hidden`."""
        return self._handle(connection).explain(sql, params, viewer=self._reader)

    def _handle(self, name: str | None) -> SQLHandle:
        self._require()
        config = self._pool.config(name)
        handle = handle_of(self._live, config, None, self._pool, self._place)
        if config.rules == "engine" or not isinstance(handle, SQLHandle):
            what = f"names {config.name}, which does not obey the rule file"
            raise ConfigError([Problem(".streamlit/secrets.toml", "connection", what, 'name one with rules = "file"')])
        return handle

    def __repr__(self) -> str:
        return "Preview(***)"
