"""What app code holds of a connection: it opens at first use, belongs to one login, and refuses to be used from anywhere else."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any, Final, Literal, Self, TypeVar

from st_auth.access.reader import Reader
from st_auth.access.rules import Viewer
from st_auth.config import ConnectionConfig
from st_auth.connections.guard import Guarded
from st_auth.connections.opening import Connection, attempt
from st_auth.connections.place import Place
from st_auth.connections.pool import Pool
from st_auth.connections.results import key_of, ttl_of
from st_auth.connections.ruled import Asked, audited, withheld
from st_auth.errors import ConnectionFailed, LoginRequired, PermissionDenied
from st_auth.live import LiveSession
from st_auth.personal import Personal

__all__ = ["Cursor", "Frame", "Handle", "SQLHandle", "handle_of", "viewer_of"]

T = TypeVar("T")
Frame = Literal["pandas", "polars", "arrow"]

_FRAMES: Final = ("pandas", "polars", "arrow")
_NO_RULE: Final = (
    '`query` obeys it; `raw` goes round it, for code that answers for what it shows. `rules = "engine"` in the section leaves the decision '
    "to the database: every person then sees what the app's login may see there."
)


def handle_of(live: LiveSession, config: ConnectionConfig, role: str | None, pool: Pool, place: Place) -> "Handle":
    """Return a login's handle of the class that the connection's kind names as `HANDLE` in its module; `SQLHandle` where it names none."""
    kind = import_module(f"st_auth.connections.{config.kind}")
    made: Handle = getattr(kind, "HANDLE", SQLHandle)(live, config, role, pool, place)
    return made


def viewer_of(live: LiveSession, pool: Pool, place: Place, reader: Reader | None = None) -> Reader:
    """Return a login as the rules see it, or `reader`; where `[access] attributes` is a query, it runs on the connection that is named
    there, opened for the login.
    """

    def attributes(reader: Reader) -> Mapping[str, Any]:
        from st_auth.connections.asking import attributes_of  # with the parser of SQL, which most processes never need

        rules = pool.ruling.rules

        def ask(sql: str, params: Any) -> Any:
            handle = handle_of(live, pool.config(rules.connection or None), None, pool, place)
            try:
                return handle._do(lambda connection: connection.query(sql, params, "pandas"))  # noqa: SLF001  # ours, of the same login
            except ConnectionFailed as error:
                failed = withheld(error, Asked(live, handle.name), ())
            raise failed

        return attributes_of(rules.attributes, reader, lambda: pool.ruling.style(pool.config(rules.connection or None)), ask)

    return pool.ruling.reader(live, attributes, reader)


class Handle(Personal):
    """One person's connection, for as long as their login lasts: what every kind has in common.

    Each use asks whether the login still lives and whether it is the one of this run. Otherwise: LoginRequired (`session_ended`), or
    CrossSessionError. It cannot be hashed, copied, pickled, or used in a function that Streamlit caches for everybody.
    """

    __slots__ = ("_config", "_live", "_place", "_pool", "_role")

    def __init__(self, live: LiveSession, config: ConnectionConfig, role: str | None, pool: Pool, place: Place) -> None:
        self._live = live
        self._config = config
        self._role = role
        self._pool = pool
        self._place = place

    @property
    def name(self) -> str:
        """The name of the `[connections.NAME]` section."""
        return self._config.name

    @property
    def raw(self) -> Any:
        """The driver's own object, unguarded: who gets hold of it acts as this person, past the end of the login's rules.

        Raises LoginRequired, CrossSessionError, PermissionDenied, ConnectionFailed, ProviderError or Unavailable.
        """
        return self._do(lambda connection: connection.raw)

    def close(self) -> None:
        """Close it now, and forget what its queries gave; the next use opens it again."""
        self._require_here()
        self._pool.close_one(self._live.login_id, self._config.name)

    def forget_login(self) -> None:
        """Forget the person's own name and password for this connection, and close it; the next use asks for them again.

        Works as a callback: `st.button("Log out of erp", on_click=erp.forget_login)`. Raises TypeError for a connection that is not
        opened with a login of the person's own.
        """
        self._require_here()
        if not self._config.own_login:
            raise TypeError(f"The connection “{self._config.name}” is not opened with a name and password of the person's own.")
        self._pool.forget_login(self._live, self._config)

    def _do(self, act: Callable[[Any], T]) -> T:
        """Do something with what the kind's `connect` gave; where that needs a login of the person's own, the page asks for it."""
        try:
            return self._done(act)
        except LoginRequired as needed:
            if needed.code == "login_needed":
                self._place.ask_for_login(self._live.login_id, self._config.name, self._config.server)
            raise

    def _done(self, act: Callable[[Any], T]) -> T:
        self._require_here()
        used: list[Connection] = []

        def acted(connection: Connection) -> T:
            used[:] = [connection]
            return act(connection)

        return attempt(
            lambda: self._pool.use(self._live, self._config, self._role, self._place, acted),
            lambda error: used[0].failed(error) if used else error,
        )

    def _require_here(self) -> None:
        """Raise unless the login lives and this is a run of its."""
        self._place.require(self._live.login_id)
        self._pool.require_live(self._live)

    def _require_engine(self, verb: str) -> None:
        """Raise PermissionDenied where the rule file decides about rows."""
        if self._config.rules == "file":
            message = f"The connection “{self._config.name}” obeys the rule file, which this {verb} would go round."
            raise PermissionDenied(message, code="no_rule", hint=_NO_RULE)

    def _framed(
        self, ask: Callable[[Any], Any], asked: tuple[str, Any], as_: str, ttl: str | float | timedelta | None, line: Asked | None = None
    ) -> Any:
        """Return the frame that `ask` gives, or one that is kept; `asked` is what tells one question from another."""
        if as_ not in _FRAMES:
            raise ValueError(f"as_ is one of {', '.join(_FRAMES)}.")
        lasts = ttl_of(ttl)
        if lasts is None:
            return self._do(ask)
        self._require_here()
        source = self._pool.source(self._live, self._config, self._role)
        key = key_of(self._live.login_id, source, *asked, as_)
        if (kept := self._pool.results.get(key)) is None:
            kept = self._do(ask)
            self._pool.results.put(key, kept, lasts)
        elif line:
            line.kept = True
        return kept

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._config.name!r})"

    def __getattr__(self, name: str) -> Any:
        """Say what this kind of connection has in place of what it has not; type checkers let the methods of every kind pass."""
        has = ", ".join(one for one in dir(type(self)) if not one.startswith("_"))
        raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {has}.")


class SQLHandle(Handle):
    """A connection that is asked in SQL."""

    __slots__ = ()

    def query(self, sql: str, params: Any = None, *, ttl: str | float | timedelta | None = None, as_: Frame = "pandas") -> Any:
        """Return the rows of a statement as a frame: `pandas`, `polars` or `arrow`.

        `params` are bound in the driver's own style. With `ttl` (seconds, a timedelta, or "10m") the result is kept for this login and
        given again without asking the server; each caller gets a frame of their own.

        Raises LoginRequired, CrossSessionError, PermissionDenied, ConnectionFailed, ProviderError or Unavailable.
        """
        asked = Asked(self._live, self.name)
        if self._config.rules == "engine":
            return audited(
                asked, lambda: self._framed(lambda connection: connection.query(sql, params, as_), (sql, params), as_, ttl, asked)
            )
        return audited(asked, lambda: self._ruled(self.viewer(), sql, params, ttl, as_, asked))

    def query_as(self, viewer: Viewer, sql: str, params: Any = None, *, seen_as: str, as_: Frame = "pandas") -> Any:
        """Return the rows of a statement as `viewer` would see them; `seen_as` says in the audit line who that is. Raises like `query`."""
        self._require_file()
        asked = Asked(self._live, self.name, seen_as)
        return audited(asked, lambda: self._ruled(viewer, sql, params, None, as_, asked))

    def explain(self, sql: str, params: Any = None, *, viewer: Viewer | None = None) -> Any:
        """Return the statement as `query` would run it under the rule file (`.sql`, `.params`, `.tables`, `.rules`, `.hidden`).

        Raises like `query`, TypeError where the rules are the database's.
        """
        self._require_here()
        self._require_file()
        return self._pool.ruling.filtered(self._config, sql, params, viewer or self.viewer(), self._columns)

    def _require_file(self) -> None:
        if self._config.rules == "engine":
            raise TypeError(f"The connection “{self.name}” leaves rows to the database: statements are run as they are.")

    def viewer(self) -> Viewer:
        """Who reads here, as the rules see them."""
        return viewer_of(self._live, self._pool, self._place)

    def _ruled(self, viewer: Viewer, sql: str, params: Any, ttl: Any, as_: str, asked: Asked) -> Any:
        """Run a statement with the rules in it; what the database says of values is nobody's to read."""
        self._require_here()
        found = self._pool.ruling.filtered(self._config, sql, params, viewer, self._columns)
        asked.tables, asked.rules = found.tables, found.rules
        try:
            return self._framed(
                lambda connection: connection.query(found.sql, found.params, as_), (found.sql, found.params), as_, ttl, asked
            )
        except ConnectionFailed as error:
            self._pool.ruling.look_again(self.name)
            failed = withheld(error, asked, found.hidden)
        raise failed

    def _columns(self, sql: str) -> tuple[str, ...]:
        """The columns that a SELECT gives."""
        return tuple(str(column) for column in self._do(lambda connection: connection.query(sql, None, "pandas")).columns)

    def cursor(self) -> "Cursor":
        """Return a cursor of the driver's (PEP 249) that belongs to this login too; for one thread. Raises like `query`."""
        self._require_engine("cursor")
        return Cursor(self._do(lambda connection: connection.cursor()), self._require_here, self.cursor)


class Cursor(Guarded):
    """A driver's cursor that asks at each use whether it is still the same login's run, as does whatever it makes.

    Where the driver's makes further cursors (DuckDB's does), `more` makes them: they are the handle's.
    """

    __slots__ = ("_more",)

    def __init__(self, inner: Any, require_here: Callable[[], None], more: "Callable[[], Cursor] | None" = None) -> None:
        super().__init__(inner, require_here)
        self._more = more

    def _made(self, inner: Any) -> Guarded:
        return Cursor(inner, self._require_here, self._more)

    def __getattr__(self, name: str) -> Any:
        if name in ("cursor", "duplicate") and self._more is not None and hasattr(self._inner, name):
            return self._more
        return super().__getattr__(name)

    def __iter__(self) -> "Cursor":
        return self

    def __next__(self) -> Any:
        self._require_here()
        return self._given(next(self._inner))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()
