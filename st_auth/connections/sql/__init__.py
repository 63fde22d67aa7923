"""Databases that SQLAlchemy knows: opened with the person's token as password or with their own name and password, or with the app's login
that says whom it acts for.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, time as time_of_day, timedelta
from decimal import Decimal
from typing import Any, Final

from st_auth.connections.frames import from_rows
from st_auth.connections.opening import Opening, Stale, attempt, failure, reason
from st_auth.connections.sql.cursor import SQLCursor
from st_auth.connections.sql.drivers import hang_up, is_of_statement, stop
from st_auth.connections.sql.postgres import asked_for_password, clean, defaults_for, identity_of
from st_auth.errors import ConnectionFailed, StAuthError, Unavailable
from st_auth.secret import OwnLogin, Secret

__all__ = ["connect"]

_AT_ONCE: Final = 5
_PATIENCE: Final = 20
_LIBPQ: Final = frozenset({"psycopg", "psycopg2"})
_IN_QUERY: Final = {"trino": "access_token"}  # dialects that take a token by another name than password
_REFUSED: Final = re.compile(
    r"authenti[fc]|access denied|unauthori[sz]ed|no password supplied|not permitted to log in|pg_hba|\b401\b", re.IGNORECASE
)
_READS: Final = re.compile(r"\s*(?:select|show|explain|values|table|describe)\b", re.IGNORECASE)
_FRAMED: Final = frozenset({type(None), bool, int, float, str, bytes, Decimal, date, datetime, time_of_day, timedelta, list, dict})


def connect(opening: Opening) -> "SQL":
    """Open the first session. Raises ConnectionFailed (`token_not_accepted`, `login_refused`, `role_not_granted`, `unreachable`), or
    Stale where another token of the person's may help.
    """
    hint = "Check `url` in the section, and that the package of its driver is installed."

    def failed(error: Exception) -> Exception:
        return failure(opening.config.name, "unreachable", f"{reason(error)}", hint, RuntimeError(reason(error)))

    connection = attempt(lambda: SQL(opening), failed)
    attempt(connection.open, connection.failed_to_open)
    return connection


class SQL:
    """One person's engine: a session that stays open, and up to four more while several threads ask at once.

    A session that has been dropped is found before it is used again, and another is opened in its place with a token that is fresh then.
    """

    def __init__(self, opening: Opening) -> None:
        import sqlalchemy
        from sqlalchemy import event

        self._sqlalchemy = sqlalchemy
        self._opening = opening
        self._name = opening.config.name
        self._url = sqlalchemy.make_url(opening.options["url"])
        self._is_postgres = self._url.get_backend_name() == "postgresql" and self._url.get_driver_name() in _LIBPQ
        self._identity = identity_of(opening, self._url)
        self._is_open = False
        self._over = False
        self._lock = threading.Lock()
        self._drivers: dict[int, Any] = {}  # the driver's connections, by id: not each of them can be hashed
        self.raw = sqlalchemy.create_engine(
            self._url,
            poolclass=sqlalchemy.QueuePool,
            pool_size=1,
            max_overflow=_AT_ONCE - 1,
            pool_timeout=_PATIENCE,
            pool_pre_ping=True,
            pool_reset_on_return=None if self._is_postgres else "rollback",
            hide_parameters=True,
        )
        event.listen(self.raw, "do_connect", self._dial)
        event.listen(self.raw, "close", self._forget)
        event.listen(self.raw, "close_detached", self._forget)
        event.listen(self.raw, "before_cursor_execute", self._before_statement)
        if self._is_postgres:
            event.listen(self.raw, "reset", clean)
        if self._identity is not None:
            event.listen(self.raw, "do_execute", self._run_alone)
            event.listen(self.raw, "do_execute_no_params", self._run_alone)

    def open(self) -> None:
        """Open the session that stays, and be who the section says in it once, so that a wrong role is told now."""
        driver_errors = self._sqlalchemy.exc.DBAPIError, self.raw.dialect.loaded_dbapi.Error
        try:
            with suppress(*driver_errors):  # it may have been dropped after its login; who had no session yet cannot tell
                self._begin()
                self._is_open = True
            if not self._is_open:
                self._begin()
        except BaseException:
            self.close()
            raise
        self._is_open = True
        self._opening = replace(self._opening, login=None)  # a later session reads it anew from the vault

    def _begin(self) -> None:
        with self._session() as connection:
            self.tell(connection.connection.driver_connection)

    def query(self, sql: str, params: Any, as_: str) -> Any:
        """Run a statement in a transaction of its own; `params` is a dict whose values stand for `:name`."""
        if params is not None and not isinstance(params, Mapping):
            raise TypeError("params is a dict: its values stand for :name in the statement")
        with self._session() as connection:
            columns, rows = self._rows(connection, sql, dict(params or {}))
        return from_rows(columns, _framed(rows), as_)

    def _rows(self, connection: Any, sql: str, params: dict[str, Any]) -> tuple[list[str], Sequence[Sequence[Any]]]:
        try:
            result = connection.execute(self._sqlalchemy.text(sql), params)
            columns, rows = (list(result.keys()), result.fetchall()) if result.returns_rows else ([], [])
            connection.commit()
        except self._sqlalchemy.exc.DBAPIError as error:
            if self._over or not error.connection_invalidated or _READS.match(sql):
                raise
            lost = _told(error)
        else:
            return columns, rows
        hint = "Look whether it has taken effect before you run it again."
        raise failure(self._name, "query_failed", "the connection broke while the statement ran.", hint, lost)

    def cursor(self) -> SQLCursor:
        """Return a cursor of the driver's with a session of its own; it keeps it until it is closed."""
        connection = self._connected()
        try:
            return SQLCursor(self, connection)
        except BaseException:
            connection.close()
            raise

    @contextmanager
    def _session(self) -> Iterator[Any]:
        connection = self._connected()
        try:
            yield connection
        finally:
            connection.close()

    def _connected(self) -> Any:
        try:
            return self.raw.connect()
        except self._sqlalchemy.exc.TimeoutError:
            pass
        text = f"All {_AT_ONCE} sessions of your connection “{self._name}” are in use."
        raise Unavailable(text, code="connections", hint="Close cursors that are not needed any more, or try again in a moment.")

    # -- what SQLAlchemy asks on its way -----------------------------------------------------------------------------------

    def _dial(self, dialect: Any, _record: Any, _arguments: Any, _named: Any) -> Any:
        """Log in, each time with a token that is fresh then. The secret is in nothing that is kept."""
        if self._over:
            raise self._closed()
        login = self._login()
        secret = login.password if login else self._secret()

        def dialled() -> Any:
            arguments, named = dialect.create_connect_args(self._with(secret, login))
            defaults = defaults_for(self._opening, self._url) if self._is_postgres else {}
            return dialect.connect(*arguments, **{**named, **defaults})

        driver = attempt(dialled, lambda error: self._refused(error, secret))
        if login and self._is_postgres and not asked_for_password(driver):
            hang_up(driver)
            raise self._nobody_asked()
        if not self._keep(driver):
            hang_up(driver)
            raise self._closed()
        return driver

    def _keep(self, driver: Any) -> bool:
        with self._lock:
            self._drivers[id(driver)] = driver
            return not self._over

    def _closed(self) -> ConnectionFailed:
        hint = "Take user.connection(…) again, and its cursor() or raw from there."
        return failure(self._name, "closed", "it has been closed.", hint, ConnectionError("closed"))

    def _nobody_asked(self) -> ConnectionFailed:
        hint = "Your administrator can say which line of pg_hba.conf lets this server in without one."
        text = "the database asks nobody for a password, so anybody could be anybody there."
        return failure(self._name, "no_password_asked", text, hint, PermissionError("no password was asked for"))

    def _login(self) -> OwnLogin | None:
        """The person's own name and password, where the section says so."""
        if not self._opening.config.own_login:
            return None
        return self._opening.renewed(None).login if self._is_open else self._opening.login

    def _secret(self) -> Secret[str] | None:
        if self._opening.token is None:
            password = str(self._opening.options.get("password", ""))
            return Secret(password) if password else None
        return self._opening.renewed(None).token if self._is_open else self._opening.token

    def _with(self, secret: Secret[str] | None, login: OwnLogin | None) -> Any:
        if secret is None:
            return self._url
        if login is not None:
            return self._url.set(username=login.user, password=secret.reveal())
        if (key := _IN_QUERY.get(self._url.get_backend_name())) and self._opening.token is not None:
            return self._url.update_query_dict({key: secret.reveal()})
        return self._url.set(password=secret.reveal())

    def _refused(self, error: Exception, secret: Secret[str] | None) -> Exception:
        what = reason(error, secret)
        cause = RuntimeError(f"{type(error).__name__}: {what}")  # the driver's own may hold what it logged in with
        if not _is_refusal(error):
            hint = "Check `url` in the section, and that this server may reach the database."
            return failure(self._name, "unreachable", f"{what}.", hint, cause)
        if self._opening.config.own_login:
            hint = "Give them again. If your password is new, give the new one."
            return Stale(failure(self._name, "login_refused", f"the database does not take your name and password ({what}).", hint, cause))
        if self._opening.token is None:
            hint = "Check the user in `url`, and `password`, in the section."
            return failure(self._name, "login_refused", f"the database does not take the app's login ({what}).", hint, cause)
        hint = "Your administrator can say whether the database takes this login's tokens, and for which user; see docs/connections.md."
        return Stale(failure(self._name, "token_not_accepted", f"the database does not accept your login's token ({what}).", hint, cause))

    def _forget(self, driver: Any, *_: Any) -> None:
        with self._lock:
            self._drivers.pop(id(driver), None)

    def _before_statement(self, connection: Any, *_: Any) -> None:
        self.tell(connection.connection.driver_connection)

    def tell(self, driver: Any) -> None:
        """Tell the server who the next statement is for; nothing follows once the connection is to be closed."""
        if self._over:
            raise self._closed()
        if self._identity is not None:
            self._identity.tell(driver)

    def _run_alone(self, cursor: Any, sql: str, *rest: Any) -> bool:
        self.run(cursor, sql, rest[0] if len(rest) > 1 else None)
        return True

    def run(self, cursor: Any, sql: str, params: Any) -> None:
        """Run a statement on a cursor of the driver's."""
        if self._identity is not None:
            self._identity.run(cursor, sql, params)
        elif params is None:
            cursor.execute(sql)
        else:
            cursor.execute(sql, params)

    # -- what the pool asks ------------------------------------------------------------------------------------------------

    def is_over(self, error: Exception) -> bool:
        """Whether the server has ended the session, does not take the token any more, or we have stopped what ran to open another."""
        if isinstance(error, StAuthError) and error.code != "closed":
            return False
        return self._over or isinstance(error, Stale) or bool(getattr(error, "connection_invalidated", False))

    def failed_to_open(self, error: Exception) -> Exception:
        """Say what went wrong at the first session; Stale is for the pool."""
        return error if isinstance(error, Stale) else self.failed(error)

    def failed(self, error: Exception) -> ConnectionFailed:
        """Say that the database refused the statement."""
        if isinstance(error, Stale):
            return error.failed
        cause = _told(error)
        hint = "Check the statement and its parameters, and what you may read."
        return failure(self._name, "query_failed", f"{reason(cause)}", hint, cause, of_statement=is_of_statement(error))

    def cancel(self) -> None:
        """Stop what runs: three times, as a statement that is on its way does not hear the first."""
        self._over = True
        for pause in (0.0, 0.05, 0.5):
            time.sleep(pause)
            for driver in self._known():
                stop(driver)

    def close(self) -> None:
        """Close every session, those of cursors that are still open too."""
        self._over = True
        for driver in self._known():
            hang_up(driver)
        self.raw.dispose()

    def _known(self) -> list[Any]:
        with self._lock:
            return list(self._drivers.values())


def _is_refusal(error: Exception) -> bool:
    """Whether the server refused who logs in: by SQLSTATE class 28 where the driver has it, by its words where not."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state.startswith("28") if isinstance(state, str) else bool(_REFUSED.search(str(error)))


def _told(error: Exception) -> Exception:
    """The driver's own error, without SQLAlchemy's around it; as text alone where it holds a connection, and so what opened that."""
    inner = getattr(error, "orig", None) or error
    return RuntimeError(f"{type(inner).__name__}: {inner}") if getattr(inner, "pgconn", None) is not None else inner


def _framed(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """Rows with values of plain types: UUIDs, addresses, ranges and the like become text, in every frame the same."""
    odd = {place for place, column in enumerate(zip(*rows, strict=True)) if not {*map(type, column)} <= _FRAMED}
    return [[_plain(value) if place in odd else value for place, value in enumerate(row)] for row in rows] if odd else rows


def _plain(value: Any) -> Any:
    if type(value) in _FRAMED:
        return value
    return bytes(value) if isinstance(value, memoryview | bytearray) else str(value)
