"""Snowflake with the person's own token: snowflake-connector-python, and what its error numbers mean for who has to act."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from st_auth.connections.frames import from_arrow
from st_auth.connections.opening import Opening, Stale, attempt, failure, reason
from st_auth.connections.snowflake.handle import SnowflakeHandle, snowpark_session
from st_auth.errors import ConnectionFailed

__all__ = ["HANDLE", "connect"]

HANDLE = SnowflakeHandle

_LOGIN_TIMEOUT: Final = 30
_TOKEN_EXPIRED: Final = 390318
_TOKEN_INVALID: Final = 390303
_SESSION_GONE: Final = frozenset({390104, 390111, 390112, 390114, 390115, 390195, 250002})
_BROKEN: Final = 250001  # the line broke: under a statement, or where the words below say so, before it
_NOT_RENEWED: Final = "Failed to refresh session"
_REFUSED: Final[Mapping[int, tuple[str, str, str]]] = {
    _TOKEN_EXPIRED: (
        "token_not_accepted",
        "your login's token has expired, and there is no newer one.",
        "Log in again.",
    ),
    _TOKEN_INVALID: (
        "token_not_accepted",
        "Snowflake does not accept your login's token.",
        "This token was made for another audience; your administrator needs step 3 of docs/snowflake.md.",
    ),
    390309: (
        "wrong_user",
        "your login belongs to another Snowflake user than the configured one.",
        "Take `user` out of the section, or let it follow from a claim.",
    ),
    390317: (
        "role_not_granted",
        "your login's token does not allow this role.",
        "Ask for the role at your company's login, or choose another in the section; see docs/snowflake.md.",
    ),
    390186: (
        "role_not_granted",
        "this role is not granted to you in Snowflake.",
        "Ask your Snowflake administrator for the role, or choose another in the section.",
    ),
    390100: ("login_refused", "Snowflake does not take the app's login.", "Check user and password or key in the section."),
    390144: ("login_refused", "Snowflake does not take the app's key.", "Check user and private_key_file in the section."),
}


def connect(opening: Opening) -> "Snowflake":
    """Open a session. Raises ConnectionFailed (`token_not_accepted`, `role_not_granted`, `wrong_user`, `login_refused`, `unreachable`),
    or Stale where another token of the person's may help.
    """
    import snowflake.connector

    def opened() -> Any:
        return snowflake.connector.connect(**_arguments(opening))

    return Snowflake(opening.config.name, attempt(opened, lambda error: _refused(opening, error)))


def _arguments(opening: Opening) -> dict[str, Any]:
    options = {key: value for key, value in opening.options.items() if value != ""}
    parameters = {**options.pop("session_parameters", {}), "QUERY_TAG": opening.tag}
    if opening.role:
        options["role"] = opening.role
    if opening.token is not None:
        options |= {"authenticator": "oauth", "token": opening.token.reveal()}
    elif "private_key_file" in options:
        options["authenticator"] = "snowflake_jwt"
    elif "token" in options:
        options["authenticator"] = "programmatic_access_token"
    return {
        "login_timeout": _LOGIN_TIMEOUT,
        **options,
        "session_parameters": parameters,
        "application": "st_auth",
        "client_store_temporary_credential": False,
        "enable_server_session_keep_alive_auto_detection": False,
    }


def _refused(opening: Opening, error: Exception) -> Exception:
    number = getattr(error, "errno", None)
    known = _REFUSED.get(number) if isinstance(number, int) else None
    if known is None:
        hint = "Check account and host in the section, and that this server may reach Snowflake."
        return failure(opening.config.name, "unreachable", f"{reason(error, opening.token)}", hint, error, opening.token)
    code, what, hint = known
    failed = failure(opening.config.name, code, what, hint, error, opening.token)
    return Stale(failed) if number in (_TOKEN_EXPIRED, _TOKEN_INVALID) and opening.token is not None else failed


class Snowflake:
    """One person's Snowflake session. Threads share it, each with cursors of its own (the driver's threadsafety is 2)."""

    def __init__(self, name: str, raw: Any) -> None:
        self._name = name
        self._alone = threading.Lock()
        self._session: Any = None
        self.raw = raw

    def query(self, sql: str, params: Any, as_: str) -> Any:
        """Run a statement; `params` stand for `%s` as a sequence, for `%(name)s` as a dict."""
        with self.raw.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetch_pandas_all() if as_ == "pandas" else from_arrow(cursor.fetch_arrow_all(force_return_table=True), as_)

    def cursor(self) -> Any:
        """Return a cursor."""
        return self.raw.cursor()

    def session(self, require_here: Callable[[], None]) -> Any:
        """Return the Snowpark session over this one; there is one. Raises ConnectionError where this one is over."""
        if self._is_closed():
            raise ConnectionError
        with self._alone:
            if self._session is None:
                self._session = snowpark_session(self.raw, require_here)
            return self._session

    def is_over(self, error: Exception) -> bool:
        """Whether Snowflake has ended the session: a closed handle, a master token that has expired, a session that is gone or that the
        driver could not renew, before it sent the statement.
        """
        number = getattr(error, "errno", None)
        return number in _SESSION_GONE or (number == _BROKEN and _NOT_RENEWED in str(error)) or self._is_closed()

    def _is_closed(self) -> bool:
        return bool(getattr(self.raw, "expired", False)) or self.raw.is_closed()

    def failed(self, error: Exception) -> ConnectionFailed:
        """Say that Snowflake refused the statement."""
        of_statement = str(getattr(error, "sqlstate", None) or "").startswith("42")
        hint = "Check the statement, and what your role may read."
        return failure(self._name, "query_failed", reason(error), hint, error, of_statement=of_statement)

    def cancel(self) -> None:
        """Nothing: closing the session stops what runs in it."""
        self.raw.close()

    def close(self) -> None:
        """Close the session at Snowflake too: it would outlive the token that opened it."""
        self.raw.close()
